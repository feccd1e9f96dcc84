# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold update: other limits for what runs, wherever it does, or a line that says why not."""

import json
import re
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

from features import needs_guests
from workload import CPU, LEASES, PYTHON, SLOW, needs_root, status_field, unique, wait

pytestmark = needs_root
DEFS = Path("/etc/pinfold/grants.d")
OLD = ["--memory", "64M", "--pids", "12"]

# Says what it sees and can do, each time it gets SIGUSR1: it runs all the time.
LOOKS = """
import json, os, resource, signal

def look():
    children = []
    r, w = os.pipe()
    try:
        while len(children) < 60:
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
    os.close(r)
    memory = [line.split()[1] for line in open("/proc/meminfo") if line.startswith("MemTotal")]
    grant = json.load(open("/run/pinfold/grant.json"))
    locked = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    print("sees", len(children), int(memory[0]) >> 10, grant["memory"], grant["pids"], locked >> 20, flush=True)

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
print("up", flush=True)
while True:
    signal.sigwait([signal.SIGUSR1])
    look()
"""
# Has so much memory, and as many threads.
HOLDS = """
import threading, time
held = bytearray({bytes})
for i in range(0, len(held), 4096):
    held[i] = 1
for _ in range({threads}):
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
print("up", flush=True)
time.sleep(1000)
"""
MOST = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
CAN_RAISE = int(status_field(Path("/proc/self/status").read_text(), "CapEff"), 16) >> 24 & 1
FILL = "b = bytearray({0} << 20)\nfor i in range(0, len(b), 4096): b[i] = 1"


def lockable(mib):
    """Of so much: root without CAP_SYS_RESOURCE has no more to give than it has itself."""
    return mib if CAN_RAISE or MOST == resource.RLIM_INFINITY else min(mib, MOST >> 20)


def limits(lease):
    """Of its box and of what the runtime made below, as the kernel has them: (memory, processes)."""
    found = {}
    name = lease["grant"]["name"]
    for top in [Path("/sys/fs/cgroup/pinfold"), *Path("/sys/fs/cgroup").glob("*/pinfold")]:
        for file in (
            "memory.max",
            "memory.limit_in_bytes",
            "memory.memsw.limit_in_bytes",
            "pids.max",
        ):
            for path in sorted((top / name / "box").glob(f"**/{file}")):
                found[str(path)] = path.read_text().strip()
    return found


def state(name):
    """All that an update may change, but for what is seen inside."""
    lease = json.loads((LEASES / f"{name}.json").read_text())
    file = DEFS / f"{name}.json"
    return lease, file.exists() and file.read_text(), limits(lease)


def started(pf, code, *flags, name=None):
    name = name or unique()
    pf.names.append(name)
    words = ["run", *flags, "--", PYTHON, "-I", "-c", code]
    if "--grant" not in flags:
        words[1:1] = ["--name", name, "--cpus", CPU]
    s = pf.start(*words)
    s.until("^up")
    return s, name


def sees(s):
    """What the program says now. A runtime that is just about to watch its container may lose a signal."""
    before = len(re.findall("^sees.*\n", s.text(), re.M))
    deadline = time.monotonic() + 40 * SLOW
    while len(re.findall("^sees.*\n", s.text(), re.M)) == before:
        assert time.monotonic() < deadline, s.text()
        s.signal(signal.SIGUSR1)
        until = time.monotonic() + 12 * SLOW
        while len(re.findall("^sees.*\n", s.text(), re.M)) == before and time.monotonic() < until:
            time.sleep(0.02)
    words = re.findall("^sees (.*)$", s.text(), re.M)[-1].split()
    return int(words[0]), int(words[1]), words[2], int(words[3]), int(words[4])


# ---- what changes


@pytest.mark.guest
@pytest.mark.parametrize("user", ["0", "1000:1000"])
def test_what_runs_has_it(pf, user):
    s, name = started(pf, LOOKS, *OLD, "-u", user)
    forks, total, memory, pids, locked = sees(s)
    assert forks < 12 and (total, memory, pids, locked) == (64, "64M", 12, lockable(64))
    assert pf.ok("update", name, "--memory", "256M", "--pids", "70") == ""
    assert sees(s) == (60, 256, "256M", 70, lockable(256))
    assert pf.ok("exec", name, "--", PYTHON, "-I", "-c", FILL.format(90)) == ""
    lease = pf.lease(name)
    assert (lease["grant"]["memory"], lease["grant"]["pids"]) == ("256M", 70)
    assert "updating" not in lease
    (used,) = pf.json("stats", "--json", name)
    assert (used["memory_limit"], used["processes_limit"]) == (256 << 20, 70)
    # and back, with the options before the name
    assert pf.ok("update", "--pids", "12", "--memory", "64M", name) == ""
    forks, *rest = sees(s)
    assert forks < 12 and rest == [64, "64M", 12, lockable(64)]
    assert pf("exec", name, "--", PYTHON, "-I", "-c", FILL.format(90)).returncode == 137


@pytest.mark.guest
def test_more_processes_than_its_own_limit(pf):
    """What a process may have beside the cgroup is raised too, or it is said that it cannot be."""
    code = LOOKS.replace("len(children) < 60", "len(children) < 90")
    s, name = started(pf, code, "--memory", "256M", "--pids", "12")
    before, seen = state(name), sees(s)[1:]
    if CAN_RAISE:
        pf.ok("update", name, "--pids", "120")
        assert sees(s)[0] == 90
    else:
        pf.fails("update", name, "--pids", "120", like="root has no CAP_SYS_RESOURCE here")
        assert state(name) == before and sees(s)[1:] == seen


def test_one_of_them(pf):
    s, name = started(pf, LOOKS, *OLD)
    pf.ok("update", name, "--pids", "30")
    assert sees(s)[1:] == (64, "64M", 30, lockable(64))
    pf.ok("update", name, "--memory", "80M")
    assert sees(s)[1:] == (80, "80M", 30, lockable(80))
    before = state(name)
    pf.ok("update", name, "--memory", "80M", "--pids", "30")  # as it is
    assert state(name) == before


def test_what_goes_with_it_stays(pf):
    """How many connections wait for a socket is set once, for the memory at the start."""
    name = pf.detach("--memory", "64M")
    read = ["exec", name, "--", "/bin/cat", "/proc/sys/net/core/somaxconn"]
    before = pf.ok(*read)
    pf.ok("update", name, "--memory", "256M")
    pf.ok("update", name, "--memory", "32M")
    assert pf.ok(*read) == before


def test_nodes_show_it(pf):
    if not Path("/sys/devices/system/node").is_dir():
        pytest.skip("this kernel knows no NUMA nodes")
    name = pf.detach(*OLD)
    read = ["exec", name, "--", "/bin/sh", "-c", "cat /sys/devices/system/node/node*/meminfo"]
    assert re.search("MemFree: +65536 kB", pf.ok(*read))
    pf.ok("update", name, "--memory", "128M")
    assert re.search("MemFree: +131072 kB", pf.ok(*read))


@pytest.mark.guest
def test_on_the_bare_host(pf):
    s, name = started(pf, LOOKS, "--in", "host", *OLD)
    forks, *rest = sees(s)
    assert forks < 12 and rest[:3] == [64, "64M", 12]
    pf.ok("update", name, "--memory", "256M", "--pids", "70")
    assert sees(s)[:4] == (60, 256, "256M", 70)
    # the host's own are as they were
    assert Path("/run/pinfold/grant.json").read_text() == ""
    assert "MemTotal:         262144 kB" not in Path("/proc/meminfo").read_text()


def test_a_definition(pf):
    name = pf.grant("--cpus", CPU, *OLD)
    pf.ok("update", name, "--memory", "96M", "--pids", "20")
    shown = pf.json("grant", "show", name)
    assert (shown["memory"], shown["pids"]) == ("96M", 20)
    s, _ = started(pf, LOOKS, "--grant", name, name=name)
    assert sees(s)[1:4] == (96, "96M", 20)
    pf.ok("update", name, "--memory", "128M")
    assert sees(s)[1:4] == (128, "128M", 20)
    pf.ok("stop", name)
    s.end()
    assert pf.json("grant", "show", name)["memory"] == "128M"
    s, _ = started(pf, LOOKS, "--grant", name, name=name)
    assert sees(s)[1:4] == (128, "128M", 20)


def test_between_two_starts(pf):
    """The next start has it, though nothing runs that could be changed."""
    name = unique()
    script = "grep MemTotal /proc/meminfo; exit 3"
    pf.names.append(name)
    flags = ["-d", "--restart", "always", "--name", name, "--cpus", CPU, *OLD]
    pf.ok("run", *flags, "--", "/bin/sh", "-c", script)
    wait(lambda: pf.ps()[name]["state"] == "waiting", what="its pause")
    pf.ok("update", name, "--memory", "128M")
    assert pf.lease(name)["grant"]["memory"] == "128M"
    wait(lambda: "131072 kB" in pf.ok("logs", name), 20, "the next start")


def test_what_it_ran_into(pf):
    """The limit that is named is the one that it has."""
    code = f"import signal\nprint('up', flush=True)\nsignal.sigwait([signal.SIGUSR1])\n{FILL.format(200)}"
    block = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])\n"
    s, name = started(pf, block + code, *OLD)
    pf.ok("update", name, "--memory", "96M")
    s.signal(signal.SIGUSR1)
    assert s.end() == 137
    assert "its limit of 96M was reached" in s.text()


# ---- what does not


@pytest.mark.guest
def test_less_than_is_used(pf):
    s, name = started(
        pf, HOLDS.format(bytes=40 << 20, threads=6), "--memory", "128M", "--pids", "40"
    )
    before = state(name)
    pf.fails(
        "update",
        name,
        "--memory",
        "32M",
        like=r"'.*': it has 4\dM of memory in use, which is more than 32M",
    )
    pf.fails(
        "update", name, "--pids", "5", like="it has 7 processes and threads, which are more than 5"
    )
    # nor half of it
    pf.fails("update", name, "--memory", "100M", "--pids", "5", like="processes")
    assert state(name) == before
    pf.ok("update", name, "--memory", "72M", "--pids", "7")
    assert pf.ps()[name]["state"] == "running" and s.process.poll() is None


FIXED = [
    ("--cpus", "0-1", "update cpus to 0-1: grant '.*' has"),
    ("--mems", "7", "update mems to 7"),
    ("--cpu-count", "2", "--cpu-count stays"),
    ("--hugepages", "2M=4", "--hugepages stays.*mounted"),
    ("--nic", "0000:00:1f.0", "--nic stays"),
    ("--link", "memif:x", "--link stays"),
    ("--kernel-port", "kp0", "--kernel-port stays"),
    ("--netdev", "n0", "--netdev stays"),
    ("--cap", "NET_RAW", "--cap stays.*given no rights"),
    ("--seccomp", "aio", "--seccomp stays"),
    ("--name", "other", "--name stays"),
    ("--partition", "isolated", "--partition stays"),
    ("--on-offline", "warn", "--on-offline stays"),
    ("--shared-cpus", "pool", "--shared-cpus stays"),
]


def test_what_stays(pf):
    name = pf.detach(*OLD)
    grant = pf.grant("--pool", "--cpus", "0") if CPU != 0 else None
    before = state(name)
    for flag, value, like in FIXED:
        pf.fails("update", name, flag, value, like=like)
        pf.fails("update", name, "--memory", "128M", flag, value, like=like)
    pf.ok("update", name, "--cpus", CPU)  # which it has
    assert state(name) == before
    if grant:
        pf.fails("update", grant, "--memory", "1G", like="it is a pool")


def test_bad_input(pf):
    name = pf.detach(*OLD)
    before = state(name)
    for args, like in [
        (["--memory", "0"], "--memory"),
        (["--memory", "4M"], "memory 4M: not between 8M"),
        (["--memory", "100000G"], "memory .*: not between"),
        (["--memory", "lots"], "--memory"),
        (["--pids", "0"], "--pids"),
        (["--pids", "9999999"], "--pids"),
        ([], "say --memory SIZE or --pids N"),
        (["--memory", "1G", "other"], "name one workload or grant, not 'other' too"),
        (["--nothing"], "nothing"),
    ]:
        pf.fails("update", name, *args, like=like)
    pf.fails("update", "--memory", "1G", like="name one workload or grant")
    pf.fails("update", unique(), "--memory", "1G", like="no such workload or grant")
    pf.fails("update", "../x", "--memory", "1G", like="'../x'")
    assert state(name) == before
    assert "--memory SIZE" in pf.ok("update", "--help")
    pf.fails(
        "update", name, "--memory", "1G", like="root", user=64202, group=64202, extra_groups=[]
    )


def test_of_a_user(kept):
    """Limits are root's, and the keeper has read them."""
    kept.start("echo up; sleep 1000").until("^up")
    before = state(kept.name)
    kept.fails("update", kept.name, "--memory", "1G", like="root")
    kept.pf.fails("update", kept.name, "--memory", "256M", like=f"pinfold grant stop {kept.name}")
    assert state(kept.name) == before
    kept.pf.ok("grant", "stop", kept.name)
    kept.pf.ok("update", kept.name, "--memory", "256M")
    kept.pf.ok("grant", "start", kept.name)
    assert "MemFree:          262144 kB" in kept.shell("cat /proc/meminfo")


@needs_guests
@pytest.mark.limit(150)
def test_of_a_guest(pf):
    """Its kernel has counted the memory; QEMU's processes are those of any container."""
    name = unique()
    pf.names.append(name)
    s = pf.start(
        *("run", "--in", "vm", "--accel", "tcg", "--name", name, "--cpus", CPU, "--memory", "192M"),
        *("--", "/bin/sh", "-c", "echo up; sleep 1000"),
    )
    s.until("^up", 90 * SLOW)
    before = state(name)
    pf.fails("update", name, "--memory", "256M", like="its guest was booted with")
    assert state(name) == before
    pf.ok("update", name, "--memory", "192M", "--pids", "150")
    assert pf.lease(name)["grant"]["pids"] == 150
    more = {k: int(v) + 150 - 128 for k, v in before[2].items() if k.endswith("pids.max")}
    assert more == {k: int(v) for k, v in limits(before[0]).items() if k.endswith("pids.max")}


def test_while_it_starts(pf):
    """Who starts it has the former limits in hand, and would set them after this."""
    name = pf.detach(*OLD)
    before = state(name)
    top = Path("/run/pinfold/runtime", name)
    files = [top / "status", top / "state.json"]
    file = wait(lambda: next(filter(Path.exists, files), None), what="what the runtime writes")
    aside = file.rename(file.with_suffix(".aside"))
    try:
        p = subprocess.Popen([pf.path, "update", name, "--memory", "128M"])
        time.sleep(0.3)
        assert p.poll() is None and state(name) == before
        pf.ok("ps")  # nor is the ledger locked meanwhile
        pf.ok("gc", seconds=5)
    finally:
        aside.rename(file)
    assert p.wait(20 * SLOW) == 0
    assert pf.lease(name)["grant"]["memory"] == "128M"
    hidden = top.rename(top.with_name(f"{name}.aside"))
    try:
        pf.fails("update", name, "--memory", "64M", like="it starts or ends just now; try again")
    finally:
        hidden.rename(top)
    assert pf.lease(name)["grant"]["memory"] == "128M"


def test_half_of_it(pf):
    """What cannot be written down is taken back."""
    name = pf.grant("--cpus", CPU, *OLD)
    s, _ = started(pf, LOOKS, "--grant", name, name=name)
    before, seen = state(name), sees(s)[1:]
    file = DEFS / f"{name}.json"
    text = file.read_text()
    file.write_text("{}")
    try:
        pf.fails("update", name, "--memory", "128M", "--pids", "60", like="mend or remove it")
    finally:
        file.write_text(text)
    assert state(name) == before and sees(s)[1:] == seen
    # killed on the way: the next that collects does it
    lease = pf.lease(name)
    lease["updating"] = {"memory": 128 << 20, "pids": 60}
    (LEASES / f"{name}.json").write_text(json.dumps(lease))
    for path, value in before[2].items():
        if "pids" in path:
            Path(path).write_text("100")
    pf.ok("gc")
    assert state(name) == before and sees(s)[1:] == seen


# Sets its own hard limits of processes and locked memory back to what they were at its start, as fast as it can.
SETS_BACK = """
import resource
kinds = [resource.RLIMIT_NPROC, resource.RLIMIT_MEMLOCK]
had = [resource.getrlimit(k) for k in kinds]
print("up", flush=True)
while True:
    for kind, limit in zip(kinds, had):
        if resource.getrlimit(kind)[1] > limit[1]:
            resource.setrlimit(kind, limit)
"""


@pytest.mark.guest
@pytest.mark.skipif(not CAN_RAISE, reason="root has no CAP_SYS_RESOURCE here")
def test_who_takes_no_more(pf):
    """A process that sets its own limits back has no say in what the others get."""
    _, name = started(pf, SETS_BACK, *OLD)
    begun = time.monotonic()
    pf.ok("update", name, "--memory", "128M", "--pids", "60")
    assert time.monotonic() - begun < 6 * SLOW
    lease, _, has = state(name)
    assert lease["grant"]["memory"] == "128M" and "updating" not in lease
    assert {v for k, v in has.items() if "/memory." in k} == {str(128 << 20)}


def test_raise_that_fails(pf):
    """It never had the more that was not to be."""
    name = pf.grant("--cpus", CPU, *OLD)
    started(pf, LOOKS, "--grant", name, name=name)
    before, seen = state(name), set()
    file = DEFS / f"{name}.json"
    text = file.read_text()
    file.write_text("{}")
    try:
        for _ in range(3):
            args = [pf.path, "update", name, "--memory", "128M", "--pids", "60"]
            p = subprocess.Popen(args, stderr=subprocess.DEVNULL)
            while p.poll() is None:
                seen.update(limits(before[0]).items())
            assert p.returncode == 125
    finally:
        file.write_text(text)
    assert seen == set(before[2].items())
    assert state(name) == before


def test_former_limits_come_back(pf):
    """Also where more is in use than they are: what the kernel cannot take at once it says, and the next update goes on."""
    s, name = started(
        pf, HOLDS.format(bytes=40 << 20, threads=2), "--memory", "64M", "--pids", "40"
    )
    lease = pf.lease(name)
    lease["grant"]["memory"], lease["updating"] = "24M", {"memory": 64 << 20, "pids": 40}
    (LEASES / f"{name}.json").write_text(json.dumps(lease))
    if any(
        "limit_in_bytes" in path for path in limits(lease)
    ):  # cgroup v1 takes no limit below what is used
        assert pf("gc").returncode != 0
        assert pf.lease(name)["updating"]
        r = pf("update", name, "--pids", "30")
        assert r.returncode == 125 and "an earlier update is to be taken back first" in r.stderr
        assert pf.lease(name)["updating"] and pf.lease(name)["grant"]["pids"] == 40
        pf.ok("update", name, "--memory", "64M")
        lease = pf.lease(name)
        assert lease["grant"]["memory"] == "64M" and "updating" not in lease
    else:
        pf("gc")
        assert s.end() == 137
