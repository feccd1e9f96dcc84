# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Two NUMA nodes: whose CPUs, memory and hugepages a grant has, and that it can have no others."""

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest
from features import FAR, NEAR, ONLINE, needs_node_pages, needs_nodes, needs_tools, node_pages

from workload import (
    NODES,
    PYTHON,
    SLOW,
    free_pages,
    ids,
    needs_root,
    needs_testpmd,
    processes_of,
    status_field,
)
from workload import wait

pytestmark = [needs_root, needs_nodes, pytest.mark.guest]
EACH = sorted(NODES)
SHIFT = {"2M": 21, "1G": 30}

# a Python program inside: memory by the kernel's own calls, nothing between
CALLS = """
import ctypes, errno, json, mmap, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
BIND, PREFERRED, MOVE = 2, 1, 2  # linux/mempolicy.h
MBIND, SET_MEMPOLICY, MIGRATE, MOVE_PAGES = 237, 238, 256, 279  # x86-64

def call(number, *args):
    args = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    if libc.syscall(ctypes.c_long(number), *args) == 0:
        return "ok"
    return errno.errorcode[ctypes.get_errno()]

def mask(node):
    return ctypes.byref(ctypes.c_ulong(1 << node))

def anonymous(size, flags=0):
    at = libc.mmap(None, size, 3, 0x22 | flags, -1, 0)
    return at if at != ctypes.c_void_p(-1).value else errno.errorcode[ctypes.get_errno()]

def where(at):
    "Of the mapping at an address: pages on each node, from the kernel"
    for line in open("/proc/self/numa_maps"):
        words = line.split()
        if int(words[0], 16) == at:
            return {w[1:].split("=")[0]: int(w.split("=")[1]) for w in words[2:] if w[0] == "N"}
"""


def python(pf, cpu, code, *flags):
    return json.loads(pf.python(CALLS + code, *flags, cpu=cpu))


def on(node):
    return NODES[node][0]


# --- what is seen ---------------------------------------------------------------------------------


@needs_tools("numactl", "lscpu")
@pytest.mark.parametrize("node", EACH)
def test_one_node_is_seen(pf, node):
    script = (
        "ls -d /sys/devices/system/node/node[0-9]*; cat /sys/devices/system/node/online;"
        "numactl -H; lscpu -p=CPU,NODE | grep -v ^#; grep Mems_allowed_list /proc/self/status"
    )
    text = pf.shell(script, "--memory", "256M", cpu=on(node))
    assert re.findall(r"/node(\d+)$", text, re.M) == [str(node)]
    assert text.splitlines()[1] == str(node)
    assert "available: 1 nodes" in text and f"node {node} cpus: {on(node)}\n" in text
    assert f"node {node} size: 256 MB" in text
    assert re.findall(r"^(\d+),(\d+)$", text, re.M) == [(str(on(node)), str(node))]
    assert ids(status_field(text, "Mems_allowed_list")) == {node}


@needs_tools("numactl")
def test_both_nodes_are_seen_by_who_has_both(pf):
    both = f"{on(NEAR)},{on(FAR)}"
    text = pf.shell("numactl -H; grep Mems_allowed_list /proc/self/status", cpu=both)
    assert ids(status_field(text, "Mems_allowed_list")) == {NEAR, FAR}
    row = re.search(rf"^ *{NEAR}: +([\d ]+)$", text, re.M)[1].split()
    real = Path(f"/sys/devices/system/node/node{NEAR}/distance").read_text().split()
    assert row == [real[ONLINE.index(n)] for n in (NEAR, FAR)] and row[0] != row[1]


# --- what can be had ------------------------------------------------------------------------------

ELSEWHERE = """
mine, other = int(sys.argv[1]), int(sys.argv[2])
size = 4 << 20
at = anonymous(size)
seen = {
    "bind-other": call(SET_MEMPOLICY, BIND, mask(other), 64),
    "prefer-other": call(SET_MEMPOLICY, PREFERRED, mask(other), 64),
    "mbind-other": call(MBIND, ctypes.c_void_p(at), size, BIND, mask(other), 64, 0),
    "bind-mine": call(SET_MEMPOLICY, BIND, mask(mine), 64),
    "mbind-mine": call(MBIND, ctypes.c_void_p(at), size, BIND, mask(mine), 64, 0),
}
ctypes.memset(at, 1, size)
seen["pages"] = where(at)
target, status = ctypes.c_int(other), ctypes.c_int(-1)
seen["move"] = call(MOVE_PAGES, 0, 1, ctypes.byref(ctypes.c_void_p(at)), ctypes.byref(target),
                    ctypes.byref(status), MOVE)
seen["migrate"] = call(MIGRATE, 0, 64, mask(mine), mask(other))
seen["after"] = where(at)
print(json.dumps(seen))
"""


@pytest.mark.parametrize("place", [(), ("--in", "host")], ids=["container", "host"])
@pytest.mark.parametrize("node", EACH)
def test_memory_of_another_node_cannot_be_had(pf, node, place):
    other = FAR if node == NEAR else NEAR
    p = pf.run(*place, "--", PYTHON, "-I", "-c", CALLS + ELSEWHERE, node, other, cpu=on(node))
    seen = json.loads(p.stdout)
    for what in ("bind-other", "mbind-other", "prefer-other"):
        assert seen[what] in ("EINVAL", "EPERM"), seen
    assert seen["bind-mine"] == "ok" and seen["mbind-mine"] == ("ok" if place else "EPERM")
    assert seen["pages"] == seen["after"] == {str(node): 1024}, seen
    assert seen["move"] != "ok" and seen["migrate"] != "ok", seen


def test_mems_can_be_said(pf):
    """CPUs of one node, memory of the other."""
    code = "at = anonymous(1 << 20)\nctypes.memset(at, 1, 1 << 20)\nprint(json.dumps(where(at)))"
    assert python(pf, on(NEAR), code, "--mems", FAR) == {str(FAR): 256}


# --- hugepages ------------------------------------------------------------------------------------

TAKE = """
kind, shift, pages = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
size = pages << shift
if kind == "anon":
    at = anonymous(size, 0x40000 | shift << 26)  # MAP_HUGETLB
else:
    fd = os.open("/dev/hugepages/x", os.O_CREAT | os.O_RDWR, 0o600)
    at = libc.mmap(None, size, 3, 1, fd, 0)
    at = at if at != ctypes.c_void_p(-1).value else errno.errorcode[ctypes.get_errno()]
if isinstance(at, str):
    print(at)
    sys.exit(3)
for i in range(pages):
    ctypes.memset(at + (i << shift), 1, 1)
print("taken", json.dumps(where(at)), flush=True)
if sys.argv[4:]:
    sys.stdin.read() or __import__("time").sleep(1000)
"""


def take(kind, size, pages, *more):
    return ["--", PYTHON, "-I", "-c", CALLS + TAKE, kind, SHIFT[size], pages, *more]


@needs_node_pages(16)
@pytest.mark.parametrize("kind, word", [("file", ""), ("anon", ",anon")], ids=["file", "anon"])
@pytest.mark.parametrize("node", EACH)
def test_hugepages_of_the_said_node(pf, node, kind, word):
    before = {n: node_pages(n) for n in EACH}
    total = free_pages()
    flags = ["--cpus", on(node), "--hugepages", f"2M=16@{node}{word}"]
    s = pf.start("run", *flags, *take(kind, "2M", 16, "stay"))
    seen = json.loads(s.until(r"^taken (.*)$")[1])
    assert seen == {str(node): 16}
    assert {n: before[n] - node_pages(n) for n in EACH} == {n: 16 * (n == node) for n in EACH}
    assert free_pages() == total - 16
    s.signal(signal.SIGTERM)
    s.end()
    wait(lambda: {n: node_pages(n) for n in EACH} == before, 5, "the return of the pages")


@needs_node_pages(16)
def test_hugepages_far_from_the_cpu(pf):
    """Pages where no CPU of the grant is, because it was said so."""
    flags = ["--hugepages", f"2M=8@{FAR}", "--mems", FAR]
    p = pf.run(*flags, *take("file", "2M", 8), cpu=on(NEAR))
    assert p.stdout == f'taken {{"{FAR}": 8}}\n', p.stderr


@needs_node_pages(16)
def test_hugepages_of_another_node_cannot_be_had(pf):
    """The grant's own pages, asked for on a node that is not the grant's."""
    code = (
        "at = anonymous(8 << 21, 0x40000)\n"
        "r = call(MBIND, ctypes.c_void_p(at), 8 << 21, BIND, mask(int(sys.argv[1])), 64, 0)\n"
        "for i in range(8): ctypes.memset(at + (i << 21), 1, 1)\n"
        "print(json.dumps([r, where(at)]))"
    )
    flags = ["--hugepages", f"2M=8@{NEAR},anon"]
    p = pf.run(*flags, "--", PYTHON, "-I", "-c", CALLS + code, FAR, cpu=on(NEAR))
    asked, had = json.loads(p.stdout)
    assert asked in ("EINVAL", "EPERM") and had == {str(NEAR): 8}


@needs_node_pages(64)
def test_more_than_a_node_has(pf):
    have = node_pages(FAR)
    total = free_pages()
    assert total > have
    pf.fails(
        "run",
        "--cpus",
        on(FAR),
        "--hugepages",
        f"2M={have + 1}@{FAR}",
        "--",
        "/bin/true",
        like=f"2M on node {FAR}.*{have + 1} wanted.* {have} ",
    )
    assert free_pages() == total
    # without a node they may come from both, the near one first
    doc = pf.json(
        "plan",
        "--format",
        "json",
        "--cpus",
        on(FAR),
        "--hugepages",
        f"2M={have + 8}",
        "--",
        "/bin/true",
    )
    found = {h["node"]: h["count"] for h in doc["grant"]["hugepages"]}
    assert found == {FAR: have, NEAR: 8}
    assert ids(doc["grant"]["mems"]) == {NEAR, FAR}


# Of the host: has so many pages of one node, whoever they were promised to.
GRAB = """
pages, node = int(sys.argv[1]), int(sys.argv[2])
at = anonymous(pages << 21, 0x40000)
assert call(MBIND, ctypes.c_void_p(at), pages << 21, BIND, mask(node), 64, 0) == "ok"
for i in range(pages): ctypes.memset(at + (i << 21), 1, 1)
print("grabbed", json.dumps(where(at)), flush=True)
sys.stdin.read()
"""
TOUCH = """
fd = os.open("/dev/hugepages/x", os.O_CREAT | os.O_RDWR, 0o600)
at = libc.mmap(None, 8 << 21, 3, 1, fd, 0)
print("mapped", flush=True)
sys.stdin.readline()
ctypes.memset(at, 1, 1)
print("touched", json.dumps(where(at)), flush=True)
"""


@needs_node_pages(16)
def test_a_program_of_the_host_takes_what_is_reserved_on_a_node(pf):
    """The kernel keeps as many for the grant, but elsewhere: the grant has none rather than those."""
    have = node_pages(NEAR)
    flags = ["-i", "--cpus", str(on(NEAR)), "--hugepages", f"2M=8@{NEAR}"]
    command = [pf.path, "run", *flags, "--", PYTHON, "-I", "-c", CALLS + TOUCH]
    grab = [PYTHON, "-I", "-c", CALLS + GRAB, str(have), str(NEAR)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as p:
        assert p.stdout.readline() == "mapped\n"
        with subprocess.Popen(grab, **pipes) as other:
            assert other.stdout.readline() == f'grabbed {{"{NEAR}": {have}}}\n'
            assert p.communicate("\n", timeout=30 * SLOW)[0] == ""
            other.stdin.close()
            assert other.wait(20 * SLOW) == 0
    assert p.returncode == 128 + signal.SIGBUS
    assert node_pages(NEAR) == have


# --- near to what ---------------------------------------------------------------------------------


@needs_node_pages(64)
@pytest.mark.parametrize("node", EACH)
def test_cpu_near_the_pages(pf, node):
    """Nothing said of nodes: the CPU comes from where the pages are left."""
    other = FAR if node == NEAR else NEAR
    hold = node_pages(other) - 8
    pf.begin("--hugepages", f"2M={hold}@{other}", cpu=on(other))
    text = pf.ok("run", "--cpu-count", "1", "--hugepages", "2M=32", *take("file", "2M", 32))
    assert text == f'taken {{"{node}": 32}}\n'
    text = pf.ok(
        "run", "--cpu-count", "1", "--hugepages", "2M=32", "--", "/bin/cat", "/proc/self/status"
    )
    assert ids(status_field(text, "Cpus_allowed_list")) <= set(NODES[node])
    assert ids(status_field(text, "Mems_allowed_list")) == {node}


@pytest.mark.parametrize("node", EACH)
def test_cpu_near_the_said_pages(pf, node):
    if node_pages(node) < 8:
        pytest.skip(f"needs 8 free hugepages of 2M on node {node}")
    text = pf.ok(
        "run",
        "--cpu-count",
        "1",
        "--hugepages",
        f"2M=8@{node}",
        "--",
        "/bin/cat",
        "/proc/self/status",
    )
    assert ids(status_field(text, "Cpus_allowed_list")) <= set(NODES[node])


# --- pages of 1 GiB -------------------------------------------------------------------------------

needs_gigantic = needs_node_pages(1, "1G", nodes=(FAR,))


@needs_gigantic
@pytest.mark.parametrize("kind, word", [("file", ""), ("anon", ",anon")], ids=["file", "anon"])
def test_page_of_1g(pf, kind, word):
    before = node_pages(FAR, size="1G")
    p = pf.run("--hugepages", f"1G=1{word}", *take(kind, "1G", 1), cpu=on(FAR))
    assert (p.returncode, p.stdout) == (0, f'taken {{"{FAR}": 1}}\n'), p.stderr
    # one page more is an error, not a page of the host's
    p = pf.run("--hugepages", f"1G=1{word}", *take(kind, "1G", 2), cpu=on(FAR))
    assert (p.returncode, p.stdout) == (3, "ENOMEM\n"), p.stderr
    # a grant of small pages has no large one
    p = pf.run("--hugepages", "2M=8,anon", *take("anon", "1G", 1), cpu=on(FAR))
    assert (p.returncode, p.stdout) == (3, "ENOMEM\n"), p.stderr
    assert node_pages(FAR, size="1G") == before


@needs_gigantic
def test_page_of_1g_that_is_held(pf):
    have = node_pages(FAR, size="1G")
    pf.begin("--hugepages", f"1G={have}", cpu=on(FAR))
    pf.fails(
        "run",
        "--cpus",
        on(NEAR),
        "--hugepages",
        "1G=1",
        "--",
        "/bin/true",
        like="hugepages of 1G: 1 wanted, 0 available",
    )


@needs_gigantic
@needs_testpmd
def test_testpmd_on_a_page_of_1g(pf):
    """EAL finds the 1 GiB page and takes all its memory from it."""
    cpu = on(FAR)
    eal = ["--lcores", f"0@{cpu},1@{cpu}", "--vdev=net_null0", "--log-level=lib.eal:debug"]
    p = pf.run(
        "--hugepages", "1G=1", "--", "dpdk-testpmd", *eal, "--", "--total-num-mbufs=2048", cpu=cpu
    )
    log = p.stdout + p.stderr
    assert p.returncode == 0, log
    assert re.search(rf"Detected memory type: socket_id:{FAR} hugepage_sz:1073741824", log), log
    assert not re.search(r"Detected memory type: socket_id:\d+ hugepage_sz:2097152", log)
    assert f"Logical Core 1 (socket {FAR}) forwards packets" in log


@needs_gigantic
@needs_node_pages(8)
def test_both_sizes_at_once(pf):
    script = "grep -h hugetlbfs /proc/mounts; ls /sys/kernel/mm/hugepages"
    text = pf.shell(script, "--hugepages", f"1G=1@{FAR}", "--hugepages", f"2M=8@{FAR}", cpu=on(FAR))
    sizes = dict(re.findall(r"^\S+ (\S+) hugetlbfs .*pagesize=(\d+M)", text, re.M))
    assert sizes == {"/dev/hugepages": "2M", "/dev/hugepages-1G": "1024M"}
    assert text.split()[-2:] == ["hugepages-1048576kB", "hugepages-2048kB"]


# --- testpmd on each node -------------------------------------------------------------------------


@needs_node_pages(40)
@needs_testpmd
@pytest.mark.limit(120)
def test_testpmd_on_each_node(pf):
    """Both at once, each on its own node, with the node's number and memory."""
    running = []
    for node in EACH:
        eal = ["--lcores", f"0@{on(node)},1@{on(node)}", "--vdev=net_null0"]
        app = ["--total-num-mbufs=2048", "--stats-period", "1"]
        name = f"node{node}-{id(pf) & 0xFFFF:x}"
        pf.names.append(name)
        s = pf.start(
            "run",
            "--name",
            name,
            "--cpus",
            on(node),
            "--hugepages",
            "2M=40",
            "--",
            "dpdk-testpmd",
            *eal,
            "--",
            *app,
        )
        running.append((s, name, node))
    for s, name, node in running:
        s.until(r"Rx-pps: +[1-9]", 30)
        assert f"Logical Core 1 (socket {node}) forwards packets" in s.text()
        for pid in processes_of(pf.lease(name)):
            maps = Path(f"/proc/{pid}/numa_maps").read_text()
            for line in maps.splitlines():
                if " huge" in line or " anon=" in line and " file=" not in line:
                    assert set(re.findall(r" N(\d+)=", line)) <= {str(node)}, line
    for s, _, _ in running:
        s.signal(signal.SIGINT)
        assert s.end() == 0
