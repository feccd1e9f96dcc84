# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Attacks that succeeded once, from a program in a container, by each way that one gets there: the fence is not that of
`pinfold run` alone. What each of them is about has tests of its own, which look closer."""

import json
import stat

import pytest

from accounts import take
from workload import CPU, PYTHON, needs_root, unique

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

for take in (queues, timers, inotify):
    n = 0
    while n < 100000 and take():
        n += 1
    seen[take.__name__] = n
print("seen", json.dumps(seen), flush=True)
time.sleep(600)
"""


@pytest.fixture(params=["run", "run -d", "exec", "keeper", "keeper-exec"])
def attack(request, pf, keep, tmp_path):
    """Starts it, and returns what it says, once it does, and the directory that it writes to."""
    keep.dir.chmod(0o755)
    drop, link = keep.dir / "drop", unique("l")
    drop.mkdir()
    drop.chmod(0o777)
    flags = ["--memory", "128M", "--link", f"memif:{link}"]
    program = ["--", PYTHON, "-I", "-c", ATTACK, f"/run/pinfold/links/{link}"]
    volume, idle = ["-v", f"{drop}:/drop"], ["--", "/bin/sleep", "1000"]
    name = pf.unique()
    if request.param == "run":
        s = pf.start("run", "--name", name, "--cpus", CPU, *flags, *volume, *program)
    elif request.param == "run -d":
        pf.detach(*flags, *volume, name=name, command=program[1:])
        s = pf.start("logs", "-f", name)
    elif request.param == "exec":
        pf.detach(*flags, *volume, name=name)
        s = pf.start("exec", name, *program)
    else:
        keep.grant(*flags)
        if request.param == "keeper":
            s = keep.begin("run", "--grant", keep.name, *volume, *program)
        else:
            keep.ok("run", "-d", "--grant", keep.name, *volume, *idle)
            s = keep.begin("exec", keep.name, *program)
    yield lambda: (json.loads(s.until(r"^seen (.*)$", 60)[1]), drop)
    if keep.name:
        pf("grant", "stop", keep.name)
    else:
        pf("stop", "-t", "0", name)


def test_it_held(attack):
    seen, drop = attack()
    assert seen["streams"] in (["nothing", "pipe", "pipe"], ["pipe"] * 3), seen
    assert seen["set-id"] == []
    for path in drop.iterdir():
        assert path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID) == 0
    size, files = seen["link"]
    assert size <= 1 << 20 and files < 256, seen
    for what in ("inotify", "timers", "queues"):
        assert 0 < seen[what] < 100000, seen
        assert take(what, 1) == 1, f"root gets no {what} while a container has {seen[what]}"
