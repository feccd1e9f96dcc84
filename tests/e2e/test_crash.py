# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What a killed pinfold leaves, and that the next command puts it away."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from workload import CPU, CPUS, LEASES, OTHER, free_pages, kill, needs_pages, needs_root, needs_two
from workload import processes_of, unique, wait

pytestmark = [needs_root, needs_pages(32)]
FLAGS = ["--hugepages", "2M=8", "--link", "memif:crash"]


def gc_until_gone(pf, name):
    """gc, until nobody uses the lease any more and it is gone."""

    def gone():
        pf.ok("gc")
        return not (LEASES / f"{name}.json").exists()

    wait(gone, 10, f"the collection of {name}")
    assert name not in pf.ps()


def kill_at(pf, seconds, flags, program):
    """Kills a pinfold run that many seconds after its start. Returns what was seen of it."""
    name = unique()
    pf.names.append(name)
    before = free_pages()
    s = pf.start("run", "--name", name, "--cpus", CPU, *FLAGS, *flags, "--", *program)
    time.sleep(seconds)
    s.signal(signal.SIGKILL)
    s.end()
    seen = "nothing"
    if (LEASES / f"{name}.json").exists():
        seen = pf.ps().get(name, {}).get("state", "nothing")
    if seen == "running":
        # its container goes on without it, or is just on its way to the end
        start = time.monotonic()
        stopped = pf("stop", "-t", "1", name)
        assert time.monotonic() - start < 5, "waited for a supervisor that is dead"
        assert stopped.returncode == 0 or "does not run" in stopped.stderr, stopped.stderr
    gc_until_gone(pf, name)
    # the kernel takes the pages back with the last mount, a moment after the last process
    wait(lambda: free_pages() == before, 5, "the return of the pages")
    # and the CPU can be had again
    assert pf.run("--", "/bin/true").returncode == 0
    return seen


def kills(pf, count, seed):
    rng = random.Random(seed)
    seen = []
    begin = time.monotonic()
    assert pf.run("--", "/bin/true").returncode == 0
    # before, during and after a start, and at the end; on an emulated CPU that takes a second
    window = max(0.12, 2 * (time.monotonic() - begin))
    for i in range(count):
        flags = ["--in", "host"] if i % 5 == 4 else []
        program = ["/bin/sleep", "0.03"] if i % 2 else ["/bin/sleep", "1000"]
        seen.append(kill_at(pf, rng.uniform(0.0, window), flags, program))
    return seen


@pytest.mark.limit(120)
def test_kill_at_any_moment(pf):
    assert set(kills(pf, 20, 1)) >= {"running"}


@pytest.mark.full
@pytest.mark.limit(900)
def test_kill_at_any_moment_many_times(pf):
    seen = kills(pf, 300, 2)
    assert {"running", "nothing"} <= set(seen)


def test_kill_while_stopping(pf):
    for delay in (0, 0.002, 0.005, 0.01, 0.02):
        script = "trap 'sleep 0.02; exit 0' TERM; echo up; sleep 1000 & wait"
        s, name = pf.begin(*FLAGS, script=script)
        s.signal(signal.SIGTERM)
        time.sleep(delay)
        s.signal(signal.SIGKILL)
        s.end()
        pf("stop", "-t", "1", name)
        gc_until_gone(pf, name)


@pytest.mark.parametrize("place", [(), ("--in", "host")], ids=["container", "host"])
@pytest.mark.guest
def test_container_outlives_its_supervisor(pf, place):
    before = free_pages()
    s, name = pf.begin(*FLAGS, *place)
    s.signal(signal.SIGKILL)
    s.end()
    assert pf.ps()[name]["state"] == "running"
    assert pf.ok("gc") == "0 cleaned up\n"
    pf.fails("run", "--cpus", CPU, "--", "/bin/true", like=f"CPU {CPU} is granted to '{name}'")
    assert pf.ok("exec", name, "--", "/bin/echo", "alive") == "alive\n"
    assert free_pages() == before - 8
    pf.ok("stop", name)
    assert name not in pf.ps() and not (LEASES / f"{name}.json").exists()
    wait(lambda: free_pages() == before, 5, "the return of the pages")


@pytest.mark.guest
def test_next_run_cleans_up(pf):
    """Nobody has to say gc: the next run takes the dead lease's CPU."""
    s, name = pf.begin(*FLAGS)
    pids = processes_of(pf.lease(name))
    for pid in [s.pid, *pids]:
        kill(pid)
    s.end()
    wait(lambda: pf.ps()[name]["state"] == "dead", what="the end")
    assert pf.run("--", "/bin/true").returncode == 0
    assert name not in pf.ps()


@pytest.mark.parametrize("what", ["crun", "init", "program"])
@pytest.mark.guest
def test_kill_of_a_part(pf, what):
    """Whichever process dies, the others end and nothing stays."""
    s, name = pf.begin(*FLAGS)
    lease = pf.lease(name)

    def find():
        for where, _, _ in os.walk(lease["cgroup"]):
            for pid in Path(where, "cgroup.procs").read_text().split():
                comm = Path(f"/proc/{pid}/comm").read_text().strip()
                if comm == {"crun": "crun", "init": "inside", "program": "sleep"}[what]:
                    return int(pid)
        return None

    kill(wait(find, what=f"a process for {what}"))
    assert s.end() == 128 + signal.SIGKILL
    assert name not in pf.ps()


# --- races ----------------------------------------------------------------------------------------


def test_race_for_one_cpu(pf):
    """Eight at once: one has it, seven are told who."""
    all_ = [
        pf.start("run", "--cpus", CPU, "--", "/bin/sh", "-c", "echo up; sleep 1")
        for _ in range(8)
    ]
    statuses = sorted(s.end() for s in all_)
    assert statuses == [0] + [125] * 7
    for s in all_:
        if s.process.returncode:
            assert s.text().count("\n") == 1 and "is granted to 'vnf-" in s.text()


def test_race_for_one_name(pf):
    name = unique()
    all_ = [
        pf.start("run", "--name", name, "--cpus", CPUS[i % len(CPUS)], "--", "/bin/sleep", "1")
        for i in range(4)
    ]
    assert sorted(s.end() for s in all_) == [0, 125, 125, 125]


@needs_two
def test_different_grants_at_once(pf):
    for _ in range(5):
        both = [pf.start("run", "--cpus", c, *FLAGS, "--", "/bin/true") for c in (CPU, OTHER)]
        assert [s.end() for s in both] == [0, 0], [s.text() for s in both]


def test_race_of_gc(pf):
    """Collecting while others start and end disturbs nobody."""
    collectors = [pf.start("gc") for _ in range(4)]
    for _ in range(5):
        assert pf.run("--", "/bin/true").returncode == 0
        collectors.append(pf.start("gc"))
    assert {s.end() for s in collectors} == {0}


# --- leases on disk -------------------------------------------------------------------------------


@pytest.fixture
def lease_file(pf):
    """Writes a lease by hand; removed again whatever happens."""
    written = []
    s, name = pf.begin()
    doc = pf.lease(name)
    s.signal(signal.SIGTERM)
    s.end()

    def write(name, text=None, **changes):
        path = LEASES / f"{name}.json"
        if text is None:
            new = json.loads(json.dumps(doc))
            new["grant"]["name"] = name
            new["cgroup"] = new["cgroup"].rpartition("/")[0] + "/" + name
            new["undo"] = [u for u in new["undo"] if u["what"] == "cgroup"]
            for u in new["undo"]:
                u["path"] = f"pinfold/{name}"
            new.update(changes)
            text = json.dumps(new)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        written.append(path)
        return path

    yield write
    for path in written:
        path.unlink(missing_ok=True)


@pytest.mark.guest
def test_lease_of_another_boot_is_collected(pf, lease_file):
    name = unique()
    path = lease_file(name, **{"boot-id": "00000000-0000-0000-0000-000000000000"})
    assert pf.ps()[name]["state"] == "dead"
    assert pf.run("--", "/bin/true").returncode == 0
    assert not path.exists()


def test_lease_of_another_boot_whose_cgroup_is_used(pf, lease_file):
    """The name may be in use again; only a lease of this boot is believed."""
    s, name = pf.begin()
    held = (LEASES / f"{name}.json").read_text()
    (LEASES / f"{name}.json").write_text(
        held.replace(json.loads(held)["boot-id"], "00000000-0000-0000-0000-000000000000")
    )
    pf.ok("gc")
    assert s.end() in (-signal.SIGKILL, 128 + signal.SIGKILL)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 1}', b"\xff\xfe", "null", "x" * (2 << 20)],
    ids=["empty", "cut", "array", "short", "bytes", "null", "huge"],
)  # fmt: skip
def test_corrupt_lease(pf, lease_file, text):
    """The one line names the file and says the cure, and the cure works."""
    name = unique("corrupt")
    path = lease_file(name, text)
    for command in (["run", "--cpus", CPU, "--", "/bin/true"], ["gc"], ["ps"]):
        p = pf(*command)
        if p.returncode == 0:
            continue
        assert p.returncode == 125 and p.stderr.count("\n") == 1, p.stderr
        assert str(path) in p.stderr and "remove" in p.stderr, p.stderr
    path.unlink(missing_ok=True)
    assert pf.run("--", "/bin/true").returncode == 0


def test_lease_with_evil_undo(pf, lease_file):
    """A lease file is root's, and still leads nowhere but to pinfold's own."""
    victim = pf.directory / "victim"
    victim.mkdir()
    for what, path in (
        ("tree", str(victim)),
        ("tree", f"/run/pinfold/../..{victim}"),
        ("link", str(victim)),
        ("cgroup", "../../../tmp"),
        ("cgroup", "."),
        ("nonsense", "/x"),
    ):
        file = lease_file(unique(), undo=[{"what": what, "path": path}])
        pf("gc")
        assert victim.is_dir()
        file.unlink(missing_ok=True)
    assert os.path.isdir("/sys/fs/cgroup") and os.path.isdir("/tmp")
    assert pf.run("--", "/bin/true").returncode == 0


def test_lock_that_is_held(pf):
    """Waits for it, and goes on when it is free."""
    code = (
        "import fcntl, time\nf = open('/run/pinfold/lock', 'r+')\nfcntl.flock(f, fcntl.LOCK_EX)\n"
        "print('up', flush=True)\ntime.sleep(0.5)"
    )
    with subprocess.Popen(
        ["/usr/bin/python3", "-c", code], stdout=subprocess.PIPE, text=True
    ) as p:
        assert p.stdout.readline() == "up\n"
        start = time.monotonic()
        assert pf.run("--", "/bin/true").returncode == 0
        assert time.monotonic() - start > 0.3


