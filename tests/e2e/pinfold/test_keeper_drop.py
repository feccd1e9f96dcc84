# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What a keeper has of root, who started it: nothing; and that what it uses up is nobody else's."""

import ctypes
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from features import V2
from owner import OWNER, ids
from workload import CPU, PYTHON, SLOW, needs_root, status_field

pytestmark = needs_root
NS_GET_OWNER_UID = 0xB704


def status(pid):
    return Path(f"/proc/{pid}/status").read_text()


def limits(pid):
    """Name → soft and hard limit."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]
    return {line[:26].strip(): line[26:68].split()[:2] for line in lines}


def namespace_owner(pid):
    uid = ctypes.c_uint32(0)
    fd = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
    try:
        fcntl.ioctl(fd, NS_GET_OWNER_UID, uid)
    finally:
        os.close(fd)
    return uid.value


def of_the_caller():
    """What a caller of pinfold may have and a keeper must not."""
    for number in (1, 2, 3, 13, 15):
        ctypes.CDLL(None).signal(number, 1)
    os.nice(7)
    Path("/proc/self/oom_score_adj").write_text("300")
    ctypes.CDLL(None).personality(0x0040000)  # ADDR_NO_RANDOMIZE


@pytest.fixture
def plain(keep):
    keep.grant("--pids", "32")
    return keep


@pytest.mark.guest
def test_nothing_of_the_caller(plain):
    name = plain.name
    plain.pf.ok("grant", "stop", name)
    subprocess.run(
        [
            "prlimit",
            "--nofile=256:256",
            "--stack=1048576:",
            "--core=unlimited:",
            "--nproc=999:999",
            plain.pf.path,
            "grant",
            "start",
            name,
        ],
        check=True,
        timeout=40 * SLOW,
        preexec_fn=of_the_caller,
    )
    keeper = plain.keeper()
    text = status(keeper)
    assert int(status_field(text, "SigIgn"), 16) == 1 << 12  # SIGPIPE, as it wants itself
    stat = Path(f"/proc/{keeper}/stat").read_text().rpartition(")")[2].split()
    assert stat[16] == "0"  # nice
    assert Path(f"/proc/{keeper}/oom_score_adj").read_text() == "0\n"
    assert Path(f"/proc/{keeper}/personality").read_text() == "00000000\n"
    got = limits(keeper)
    assert got["Max core file size"] == ["1", "1"]
    assert got["Max processes"] == ["288", "288"]
    assert got["Max stack size"][0] == str(8 << 20)
    assert got["Max pending signals"] == ["16384", "16384"]
    assert got["Max nice priority"] == got["Max realtime priority"] == ["0", "0"]
    plain.ok("run", "--grant", name, "--", "/bin/true")


STRACE = shutil.which("strace")


@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
def test_keys_of_the_caller(plain, tmp_path):
    """Whoever starts a keeper may have secrets in his session: each process of the keeper's has another. (What a
    new one has: test_keeper.c; from outside it cannot be seen.)"""
    plain.pf.ok("grant", "stop", plain.name)
    trace = tmp_path / "calls"
    calls = "trace=keyctl,clone,clone3,fork,vfork"
    command = [STRACE, "-o", trace, "-e", calls, plain.pf.path, "grant", "start", plain.name]
    subprocess.run(command, check=True, capture_output=True, timeout=40 * SLOW)
    first, *others = trace.read_text().splitlines()
    assert re.match(r"keyctl\(KEYCTL_JOIN_SESSION_KEYRING, NULL\) += [1-9]", first), first
    assert any(line.startswith("clone") for line in others)
    assert plain.keeper()


@pytest.mark.guest
def test_filter(plain):
    """Of the keeper, and of all that it starts."""
    assert status_field(status(plain.keeper()), "Seccomp") == "2"
    assert status_field(status(plain.keeper()), "Seccomp_filters") == "1"
    assert status_field(plain.shell("cat /proc/self/status"), "Seccomp_filters") == "2"


ATTACH = """
import ctypes, os, signal
libc = ctypes.CDLL(None, use_errno=True)
pid = os.fork()
if pid == 0:
    signal.pause()
r = libc.ptrace(16, pid, 0, 0)
print("attached" if r == 0 else os.strerror(ctypes.get_errno()))
os.kill(pid, 9)
"""


def test_a_profile_of_the_grant(keep):
    """What root opened for the containers comes through the keeper's filter."""
    doc = keep.pf.json("seccomp", "show", "--json")["profile"]
    doc["syscalls"].append({"names": ["ptrace"], "action": "SCMP_ACT_ALLOW"})
    wide = keep.dir / "wide.json"
    wide.write_text(json.dumps(doc))
    os.chown(wide, 0, 0)
    os.chmod(wide, 0o644)
    keep.grant("--seccomp", wide)
    run = ["run", "--grant", keep.name, "--", PYTHON, "-I", "-c", ATTACH]
    assert keep.ok(*run).strip() == "attached"
    assert json.loads(keep.shell("cat /run/pinfold/grant.json"))["seccomp"] == "file"
    keep.pf.ok("grant", "remove", keep.name)
    keep.grant()
    run[2] = keep.name
    assert keep.ok(*run).strip() == "Operation not permitted"


@pytest.mark.guest
def test_owner_of_the_namespace(plain):
    """Neither root, whose counters would be its own, nor the owner, who could enter it then."""
    keeper = plain.keeper()
    owner = namespace_owner(keeper)
    assert owner not in (0, OWNER)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            assert str(owner) not in status_field(status(pid), "Uid").split()
        except OSError:
            continue
    base = plain.pf.lease(plain.name)["uid-base"]
    lines = Path(f"/proc/{keeper}/uid_map").read_text().splitlines()
    outside = sorted(tuple(map(int, line.split()[1:])) for line in lines)
    assert outside == sorted([(OWNER, 1), (base, 65536)])
    look = "grep -H . /proc/sys/user/max_*"
    text = subprocess.run(
        ["nsenter", "-U", "-t", str(keeper), "sh", "-c", look],
        check=True,
        capture_output=True,
        text=True,
        timeout=20 * SLOW,
    ).stdout
    for line in text.splitlines():
        file, _, value = line.rpartition(":")
        small = {"max_inotify_watches": 65536, "max_inotify_instances": 128}
        assert int(value) <= small.get(Path(file).name, 64), line


TAKE = """
import ctypes, sys
rt = ctypes.CDLL(None, use_errno=True)
event, timer, n = (ctypes.c_int * 16)(), ctypes.c_void_p(), 0
event[3] = 1  # SIGEV_NONE
while n < int(sys.argv[1]) and rt.timer_create(1, event, ctypes.byref(timer)) == 0:
    n += 1
print("timers", n, flush=True)
n = 0
while n < int(sys.argv[1]) and rt.inotify_init1(0) >= 0:
    n += 1
print("inotify", n, flush=True)
"""


@pytest.mark.guest
def test_counters_are_nobody_elses(plain):
    """A workload takes all it can of what the kernel counts per user; root and the owner have theirs."""
    s = plain.begin(
        "run",
        "--grant",
        plain.name,
        "--",
        PYTHON,
        "-I",
        "-c",
        TAKE + "import time; time.sleep(1000)",
        1 << 30,
    )
    s.until("^inotify")
    for who in ({}, ids(OWNER)):
        p = subprocess.run(
            [sys.executable, "-I", "-c", TAKE, "1"],
            capture_output=True,
            text=True,
            timeout=20 * SLOW,
            check=True,
            **who,
        )
        assert p.stdout == "timers 1\ninotify 1\n", who


@pytest.mark.guest
def test_audit(keep):
    """Every property holds under a keeper."""
    keep.grant("--hugepages", "2M=8", "--memory", "128M", "--pids", "32", cpu=CPU)
    text = keep.ok("run", "--grant", keep.name, "--", "/run/pinfold/inside", "audit", "--json")
    rows = json.loads(text)["properties"]
    keep.ok("run", "-d", "--grant", keep.name, "--", "/bin/sleep", "1000")
    assert len(json.loads(keep.ok("audit", "--json", keep.name))["properties"]) == len(rows)
    keep.ok("stop", "-t", "0", keep.name)
    assert len(rows) > 40 and [r for r in rows if r["verdict"] == "FAIL"] == []
    tried = ["limit-processes", "proc-outside", "cgroup-files", "capabilities"]
    for name in tried + ([] if V2 else ["limit-memory"]):  # v2 asks for --all
        assert [r["verdict"] for r in rows if r["name"] == name] == ["PASS"], rows
