# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Every option of a grant holds wherever a program runs in it: in a container, on the bare host, behind a
keeper, and started with exec. The options are those of the schema, which is made of the rows of
src/grant/options.def: one that is not tried here fails test_every_option_is_tried."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from owner import OWNER
from places import TOP
from workload import CPU, OTHER, PYTHON, needs_pages, needs_root, needs_two, unique

NAMES = ("container", "host", "keeper", "exec")
REQUEST = json.loads((TOP / "build/data/schemas/request.json").read_text(encoding="utf-8"))


@dataclass
class Option:
    """What a grant says, what a program in it finds (a Python expression), and whether that is right."""

    flags: list
    look: str
    right: object  # what is found is this, or a function says that it is right
    refused: dict = field(default_factory=dict)  # where the option cannot be: what is said
    ends: bool = False  # looking ends the program: right is its exit status


LOOKS = """
import ctypes, json, mmap, os, socket, sys, time
libc = ctypes.CDLL(None, use_errno=True)

def status(key):
    with open("/proc/self/status") as f:
        return next(line.split()[1] for line in f if line.startswith(key + ":"))

def forks():
    r, w = os.pipe()
    children = []
    try:
        while len(children) < 40:
            pid = os.fork()
            if pid == 0:
                os.close(w)
                os.read(r, 1)
                os._exit(0)
            children.append(pid)
    except BlockingIOError:
        pass
    os.close(w)
    for pid in children:
        os.waitpid(pid, 0)
    return len(children)

def hugepages():
    taken = []
    try:
        while len(taken) < 9:
            taken.append(mmap.mmap(-1, 2 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000))
    except OSError:
        pass
    return len(taken)

def widest():
    # a process may ask for every CPU; the kernel gives it those of its cpuset
    try:
        os.sched_setaffinity(0, range(1024))
    except OSError:
        pass
    return sorted(os.sched_getaffinity(0))

def aio():
    context = ctypes.c_ulong(0)
    return libc.syscall(206, 1, ctypes.byref(context)) == 0

def fill(size):
    m = mmap.mmap(-1, size)
    for at in range(0, size, 4096):
        m[at] = 1
"""

BESIDES = {
    "kind": "a pool is granted to nobody",
    "name": "is none of what a program has",
    "cpu-count": "is answered with cpus",
    "near": "is answered with cpus",
}
ELSEWHERE = {  # files of tests that have more for it, or run on a machine that has
    "nics": ("test_guest_nic.py", "--nic"),
    "netdevs": ("test_netdev.py", "--netdev"),
    "partition": ("test_guest_cgroup.py", "--partition"),
    "on-offline": ("test_guest_offline.py", "--on-offline"),
}
OPTIONS = {
    "cpus": Option(["--cpus", CPU], "widest()", lambda found: set(found) == {CPU, OTHER}),
    "shared-cpus": Option(["--shared-cpus", "POOL"], "widest()", lambda found: OTHER in found),
    "mems": Option(["--mems", "0"], "status('Mems_allowed_list')", "0"),
    "hugepages": Option(["--hugepages", "2M=4,anon"], "hugepages()", 4),
    "memory": Option(["--memory", "48M"], "fill(200 << 20)", 137, ends=True),
    "pids": Option(["--pids", "12"], "forks()", lambda found: 4 <= found <= 11),  # and itself
    "links": Option(
        ["--link", "memif:LINK"], "os.access('/run/pinfold/links/LINK', os.W_OK)", True
    ),
    "kernel-ports": Option(
        ["--kernel-port", "kp0,192.0.2.7/24"],
        "'kp0' in [name for _, name in socket.if_nameindex()]",
        True,
        refused={
            name: "neither --in host or vm nor through a keeper" for name in ("host", "keeper")
        },
    ),
    "caps": Option(
        ["--cap", "NET_RAW"],
        "int(status('CapEff'), 16) >> 13 & 1",
        1,
        refused={"host": "are for containers, not --in host"},
    ),
    "seccomp": Option(
        ["--seccomp", "aio"],
        "aio()",
        True,
        refused={"host": "are for containers, not --in host"},
    ),
}


def test_every_option_is_tried():
    known = set(OPTIONS) | set(ELSEWHERE) | set(BESIDES)
    assert set(REQUEST["properties"]) == known, "say in this file how each option is tried"
    for file, words in ELSEWHERE.values():
        assert words in (Path(__file__).parent / file).read_text(encoding="utf-8")


class Site:
    """Runs Python in a grant with these flags; says what came of it."""

    def __init__(self, name, pf, keep):
        self.name, self.pf, self.keep = name, pf, keep

    def run(self, flags, code):
        python = ["--", PYTHON, "-I", "-c", LOOKS + code]
        if self.name == "container":
            return self.pf("run", *flags, *python)
        if self.name == "host":
            return self.pf("run", "--in", "host", *flags, *python)
        if self.name == "keeper":
            name = unique()
            owner = ("--owner", f"{OWNER}:{OWNER}")
            p = self.pf("grant", "create", "--name", name, *owner, *flags)
            if p.returncode != 0:
                return p
            self.pf.grants.append(name)
            self.keep.name = name
            p = self.keep.run(*python)
            self.pf.ok("grant", "remove", self.keep.name)
            return p
        name = unique()
        self.pf.detach(*flags[2:], name=name)
        p = self.pf("exec", name, *python)
        self.pf("stop", "-t", "0", name)
        return p


@needs_root
@needs_two
@needs_pages(16)
@pytest.mark.guest
@pytest.mark.limit(120)
@pytest.mark.parametrize("name", NAMES)
def test_options_hold(pf, keep, name):
    site = Site(name, pf, keep)
    pool = unique("p")
    pf.grants.insert(0, pool)
    pf.ok("grant", "create", "--pool", "--name", pool, "--cpus", OTHER)
    link = unique("l")

    def said(option):
        return [str(f).replace("POOL", pool).replace("LINK", link) for f in option.flags]

    def looks(options):
        pairs = ", ".join(f"{key!r}: {o.look}" for key, o in options.items())
        return f"print(json.dumps({{{pairs}}}))".replace("LINK", link)

    cpus = said(OPTIONS["cpus"])
    for key, o in OPTIONS.items():
        if name in o.refused:
            p = site.run([*cpus, *said(o)], "")
            assert p.returncode == 125 and o.refused[name] in p.stderr, (key, p)
    here = {key: o for key, o in OPTIONS.items() if name not in o.refused}
    flags = [flag for o in here.values() for flag in said(o)]
    p = site.run(flags, looks({key: o for key, o in here.items() if not o.ends}))
    assert p.returncode == 0, p.stderr
    for key, found in json.loads(p.stdout).items():
        right = here[key].right
        assert right(found) if callable(right) else right == found, (name, key, found)
    for key, o in here.items():
        if o.ends:
            p = site.run([*cpus, *said(o)], o.look)
            assert p.returncode == o.right, (name, key, p)
