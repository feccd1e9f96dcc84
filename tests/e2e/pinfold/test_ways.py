# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Attacks that succeeded once, from a program in a container, by each way that one gets there: the fence is not that of
`pinfold run` alone. What each of them is about has tests of its own, which look closer."""

import errno
import json
import os
import stat
import subprocess
import time
from pathlib import Path

import pytest

from accounts import take
from peers import Peers
from ways import WAYS, Way
from workload import CPU, OTHER, PAGE, PYTHON, SLOW, free_pages, needs_pages, needs_root, needs_two
from workload import ids, status_field, unique, wait

pytestmark = [needs_root, pytest.mark.whole]

ATTACK = """
import ctypes, errno, json, os, stat, sys, time
libc = ctypes.CDLL(None, use_errno=True)
link = sys.argv[1]
seen = {}

# whose the standard streams are
kinds = {stat.S_ISFIFO: "pipe", stat.S_ISREG: "file", stat.S_ISCHR: "device", stat.S_ISSOCK: "socket"}
streams = [os.fstat(fd) for fd in range(3)]
seen["streams"] = [next(n for is_it, n in kinds.items() if is_it(st.st_mode)) for st in streams]
if stat.S_ISREG(streams[0].st_mode) and streams[0].st_nlink == streams[0].st_size == 0:
    seen["streams"][0] = "nothing"

# a set-user-id file for somebody to find
fd = os.open("/drop/file", os.O_CREAT | os.O_WRONLY, 0o755)
calls = {"chmod": lambda: os.chmod("/drop/file", 0o6755), "fchmod": lambda: os.fchmod(fd, 0o4755),
         "open": lambda: os.open("/drop/other", os.O_CREAT | os.O_WRONLY, 0o4755)}
seen["set-id"] = []
for name, call in calls.items():
    try:
        call()
        seen["set-id"].append(name)
    except OSError as e:
        assert e.errno == errno.EPERM, (name, e)

# the host's /run, by a link
n = size = 0
try:
    with open(link + "/big", "wb", buffering=0) as f:
        while size < 8 << 20:
            size += f.write(bytes(65536))
except OSError as e:
    assert e.errno == errno.ENOSPC, e
try:
    while n < 1000:
        os.close(os.open(f"{link}/{n}", os.O_CREAT | os.O_WRONLY))
        n += 1
except OSError as e:
    assert e.errno == errno.ENOSPC, e
seen["link"] = [size, n]

# what the kernel counts for each user; held
def inotify():
    return libc.inotify_init1(0) >= 0

def timers():
    event, timer = (ctypes.c_int * 16)(0, 0, 0, 1), ctypes.c_int()
    return libc.syscall(222, 1, event, ctypes.byref(timer)) == 0

def queues():
    attr = (ctypes.c_long * 8)(0, 10, 8192)
    return libc.syscall(240, b"q-%d" % n, os.O_CREAT | os.O_RDWR, 0o600, attr) >= 0

# what it counts for the machine
seen["io_setup"] = libc.syscall(206, 64, ctypes.byref(ctypes.c_ulong())), ctypes.get_errno()

for take in (queues, timers, inotify):
    n = 0
    while n < 100000 and take():
        n += 1
    seen[take.__name__] = n
print("seen", json.dumps(seen), flush=True)
time.sleep(600)
"""


@pytest.fixture(params=WAYS)
def way(request, pf, keep):
    made = Way(request.param, pf, keep)
    yield made
    if made.name:
        made.end()


@needs_two
def test_it_held(way, pf):
    drop, link = way.keep.dir / "drop", unique("l")
    drop.mkdir()
    drop.chmod(0o777)
    s = way.begin(
        [PYTHON, "-I", "-c", ATTACK, f"/run/pinfold/links/{link}"],
        ["--memory", "128M", "--link", f"memif:{link}"],
        ["-v", f"{drop}:/drop"],
    )
    seen = json.loads(s.until(r"^seen (.*)$", 60)[1])
    assert seen["streams"] in (["nothing", "pipe", "pipe"], ["pipe"] * 3), seen
    assert seen["set-id"] == []
    for path in drop.iterdir():
        assert path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID) == 0
    size, files = seen["link"]
    assert size <= 1 << 20 and files < 256, seen
    assert seen["io_setup"] == [-1, errno.EPERM]
    for what in ("inotify", "timers", "queues"):
        assert 0 < seen[what] < 100000, seen
        assert take(what, 1) == 1, f"root gets no {what} while a container has {seen[what]}"
    # whose its files are nobody becomes
    left = (drop / "file").stat().st_uid
    way.end()
    base = pf.lease(pf.detach(cpu=OTHER))["uid-base"]
    assert left != 0 and not base <= left < base + 65536


@needs_two
@needs_pages(24)
@pytest.mark.parametrize("kind", ["memory", "huge", "file"])
def test_what_it_passed_on_stays_counted(way, pf, kind):
    """A peer that was granted none of it has it, and the grant is not over (more: test_lease.py)."""
    peers, before = Peers(pf), free_pages()
    pages = 0 if kind == "memory" else 16
    flags = [*peers.flags, *(["--hugepages", f"2M={pages}"] if pages else [])]
    way.begin(peers.giver(kind, 32), flags).until("^given")
    way.end()
    row = wait(lambda: (r := pf.ps()[way.name])["state"] == "draining" and r, what="its end")
    assert row["held"]["hugepages"] == pages * PAGE and free_pages() == before - pages
    assert pages or 32 << 20 <= row["held"]["memory"] < 34 << 20
    again = ["grant", "start", way.name]
    if not way.of_a_keeper:
        again = ["run", "--name", way.name, "--cpus", CPU, "--", "true"]
    pf.fails(*again, like=f"draining: .*stop '{peers.taker}'")
    peers.end()
    assert pf.ok("gc") == "1 cleaned up\n"
    assert way.name not in pf.ps() and free_pages() == before


# --- what pinfold itself does for it --------------------------------------------------------------


def processes():
    """Of all of pinfold's: the name, what it has used of a CPU (ns), where it may run, and its cgroups."""
    found = {}
    for d in Path("/proc").glob("[0-9]*"):
        try:
            name = (d / "comm").read_text().strip()
            if name.startswith("pinfold"):
                tasks = [(t / "schedstat").read_text() for t in (d / "task").iterdir()]
                where = ids(status_field((d / "status").read_text(), "Cpus_allowed_list"))
                used = sum(int(text.split()[0]) for text in tasks)
                found[int(d.name)] = name, used, where, (d / "cgroup").read_text()
        except OSError:
            pass  # it has ended
    return found


CARRIERS = ("pinfold-relay", "pinfold-log")
BUSY, LONG = 5_000_000, 20_000_000  # ns


def new(before, first=None):
    """Processes since then, when somebody carries, and since `first` has carried for long."""
    found = {pid: p for pid, p in processes().items() if pid not in before}
    return found if carried(found, first) > (BUSY if first is None else LONG) else None


def carried(now, first):
    """What who carries has used of a CPU, since `first` if there is one."""
    return sum(
        used - (first[pid][1] if first and pid in first else 0)
        for pid, (name, used, *_) in now.items()
        if name in CARRIERS
    )


@needs_two
@pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="no schedstat here")
def test_what_it_says_costs_the_granted_cpu(way):
    """Whoever carries a flood of output, or writes it to a log, runs on no CPU of others."""
    before = processes()
    command = way.command(["/bin/cat", "/dev/zero"], ["--memory", "128M"])
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    with subprocess.Popen(command, **streams, **way.who) as p:
        try:
            wait(lambda: new(before), what="somebody who carries it")
            time.sleep(SLOW / 2)  # the start is over
            first = new(before)
            time.sleep(SLOW)
            now = wait(lambda: new(before, first), 30, "a flood that is carried")
        finally:
            way.end()
        p.wait(20 * SLOW)
    # a supervisor has its own work, little beside that
    least = carried(now, first) / 10
    busy = [pid for pid in now if pid in first and now[pid][1] - first[pid][1] > least]
    assert {now[pid][0] for pid in busy} & set(CARRIERS), now
    for pid in busy:
        name, used, where, cgroup = now[pid]
        assert where == {CPU}, f"{name} used {used} ns and may run on {where}"
        # of a keeper's caller it is his own
        assert f"/pinfold/{way.name}/" in cgroup or way.of_a_keeper
