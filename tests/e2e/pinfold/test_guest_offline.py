# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Granted CPUs that go offline: the workload does not go on on those of others.

Only in the guest: no test takes CPUs of the machine it runs on.
"""

import os
import subprocess
import time
from pathlib import Path

import pytest
from features import CGROUP, V2, needs_partitions

from workload import (
    CPU,
    CPUS,
    GUEST,
    LOGS,
    OTHER,
    ids,
    kill,
    needs_root,
    processes_of,
    status_field,
)
from workload import wait

pytestmark = [
    needs_root,
    pytest.mark.skipif(
        not GUEST or not V2 or len(CPUS) < 4,
        reason="takes CPUs offline: only in the guest (tests/run guest)",
    ),
]
OWNER = 64201
BUSY = ("/bin/sh", "-c", "while :; do :; done")
SECOND = CPUS[-2]


def put(cpu, online):
    Path(f"/sys/devices/system/cpu/cpu{cpu}/online").write_text(str(int(online)))


@pytest.fixture(autouse=True)
def all_online():
    yield
    for cpu in (CPU, SECOND):
        put(cpu, True)
    os.sched_setaffinity(0, CPUS)


def row(pf, name):
    return pf.ps()[name]


def until(pf, name, state, seconds=5):
    return wait(lambda: (r := row(pf, name))["state"] == state and r, seconds, f"'{name}' {state}")


def ticks(pf, name):
    """What its processes have used, and where they may run."""
    used, where = 0, set()
    for pid in processes_of(pf.lease(name)):
        used += sum(
            map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])
        )
        where |= ids(status_field(Path(f"/proc/{pid}/status").read_text(), "Cpus_allowed_list"))
    return used, where


def assert_stands_still(pf, name):
    before, _ = ticks(pf, name)
    time.sleep(0.5)
    assert ticks(pf, name)[0] - before < 5


def assert_goes_on(pf, name, cpus):
    before, where = ticks(pf, name)
    assert where == cpus
    wait(lambda: ticks(pf, name)[0] > before + 5, what=f"'{name}' going on")


def frozen_and_back(pf, name, log):
    """The CPU goes, and comes again."""
    assert row(pf, name)["note"] == ""
    put(CPU, False)
    note = until(pf, name, "frozen")["note"]
    assert note == f"CPU {CPU} is offline: it is frozen until that is back"
    assert_stands_still(pf, name)
    assert f"{name}: {note}\n" in pf.ok("ps")
    wait(lambda: log.read_text() == f"pinfold: '{name}': {note}\n", what="a word in the log")
    put(CPU, True)
    assert until(pf, name, "running")["note"] == ""
    assert_goes_on(pf, name, {CPU})
    for group in CGROUP.glob(f"pinfold-{name}/**/cpuset.cpus.partition"):
        assert "invalid" not in group.read_text()
    wait(lambda: "online again: it goes on\n" in log.read_text(), what="a word in the log")


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param([], marks=pytest.mark.guest),
        ["--in", "host"],
        pytest.param(["--partition", "isolated"], marks=needs_partitions),
    ],
    ids=["container", "host", "isolated"],
)
def test_frozen_until_it_is_back(pf, flags):
    name = pf.detach(*flags, command=BUSY)
    frozen_and_back(pf, name, LOGS / f"{name}.log")
    put(CPU, False)
    until(pf, name, "frozen")
    pf.fails(
        "exec", name, "--", "/bin/true", like=f"exec in '{name}': CPU {CPU} is offline: it is froz"
    )
    pf.fails("run", "--cpus", CPU, "--", "/bin/true", like=f"CPU {CPU} is offline; bring it up")
    # it ends at once: it cannot do what SIGTERM asks for
    pf.ok("stop", "-t", "1000", name)
    assert name not in pf.ps()


@pytest.mark.guest
def test_held_to_the_rest_while_there_is_some(pf):
    s, name = pf.begin(cpu=f"{SECOND},{CPU}", script="echo up; while :; do :; done")
    put(CPU, False)
    found = wait(lambda: (r := row(pf, name))["note"] != "" and r, what="a note")
    assert (found["state"], found["note"]) == (
        "running",
        f"CPU {CPU} is offline: it has CPU {SECOND}",
    )
    s.until(f"^pinfold: '{name}': CPU {CPU} is offline: it has CPU {SECOND}$")
    assert_goes_on(pf, name, {SECOND})
    put(SECOND, False)
    until(pf, name, "frozen")
    put(SECOND, True)
    wait(lambda: f"CPU {CPU} is" in row(pf, name)["note"], what="half of it back")
    assert row(pf, name)["state"] == "frozen"
    put(CPU, True)
    until(pf, name, "running")
    assert_goes_on(pf, name, {SECOND, CPU})


@pytest.mark.guest
def test_stop_and_warn(pf):
    s, name = pf.begin("--on-offline", "stop", script="echo up; while :; do :; done")
    other = pf.grant("--cpus", OTHER, "--on-offline", "warn")
    assert pf.json("grant", "show", "--json", other)["on-offline"] == "warn"
    put(CPU, False)
    assert s.end() == 137
    assert f"pinfold: '{name}': CPU {CPU} " in s.text() and s.text().endswith(": it was killed\n")
    put(CPU, True)
    s, name = pf.begin("--on-offline", "warn", script="echo up; while :; do :; done")
    put(CPU, False)
    s.until(f"^pinfold: '{name}': CPU {CPU} is offline: it may run outside its grant$")
    assert row(pf, name)["state"] == "running"
    assert_goes_on(pf, name, set(CPUS) - {CPU})


@pytest.mark.guest
def test_whom_nobody_watches_the_next_command_freezes(pf):
    s, name = pf.begin(script="echo up; while :; do :; done")
    s.process.kill()
    s.process.wait()
    assert "its supervisor is gone" in row(pf, name)["note"]
    put(CPU, False)
    assert "it may run outside" in row(pf, name)["note"]
    pf.ok("gc")
    assert row(pf, name)["state"] == "frozen"
    assert_stands_still(pf, name)
    put(CPU, True)
    pf.ok("gc")
    assert row(pf, name)["state"] == "running"
    assert_goes_on(pf, name, {CPU})


@pytest.mark.guest
def test_keeper_and_all_it_started(pf):
    def own(*args):
        user = ["setpriv", "--reuid", OWNER, "--regid", OWNER, "--clear-groups", pf.path, *args]
        return subprocess.run(
            list(map(str, user)), capture_output=True, text=True, timeout=240, check=False, cwd="/"
        )

    name = pf.grant("--cpus", CPU, "--owner", f"{OWNER}:{OWNER}")
    assert own("run", "-d", "--grant", name, "--", *BUSY).stdout == f"{name}\n"
    frozen_and_back(pf, name, LOGS / f"{name}.log")
    put(CPU, False)
    until(pf, name, "frozen")
    assert "frozen" in own("ps").stdout
    assert f"grant '{name}' is frozen: its CPUs or nodes are offline" in own("stop", name).stderr
    pf.ok("grant", "stop", name)
    assert name not in pf.ps()
    # a keeper that ends takes along who watches it
    put(CPU, True)
    pf.ok("grant", "start", name)
    kill(pf.lease(name)["supervisor"])
    watchers = ["pgrep", "-f", f"grant start {name}"]
    wait(lambda: subprocess.run(watchers, check=False, stdout=subprocess.DEVNULL).returncode == 1)


@pytest.fixture
def v1():
    """Version 1 of cgroups for a while. A controller that was in use may stay with version 2."""
    lines = Path("/proc/cgroups").read_text().splitlines()[1:]
    names = [n for n, _, _, enabled in map(str.split, lines) if enabled == "1"]
    off = (CGROUP / "cgroup.subtree_control").read_text().split()
    (CGROUP / "cgroup.subtree_control").write_text(" ".join(f"-{n}" for n in off))
    subprocess.run(["mount", "-t", "tmpfs", "none", CGROUP], check=True)
    mounted = [CGROUP]
    for name in names:
        (CGROUP / name).mkdir()
        mount = ["mount", "-t", "cgroup", "-o", name, "none", CGROUP / name]
        if subprocess.run(mount, check=False, capture_output=True).returncode == 0:
            mounted.append(CGROUP / name)
    yield {path.name for path in mounted[1:]}
    for path in reversed(mounted):
        subprocess.run(["umount", path], check=True)
    wait(lambda: "cpuset" in (CGROUP / "cgroup.controllers").read_text(), what="cpuset on v2")


@pytest.mark.parametrize("place", ["container", "host"])
def test_cgroup_v1(v1, pf, place):
    """There the kernel moves it out for good: it is put back."""
    if not {"cpuset", "freezer", "pids"} <= v1:
        pytest.skip(f"only {', '.join(sorted(v1))} can be had on cgroup v1")
    missing = {"memory", "hugetlb"} - v1
    waive = [f"--allow-missing={','.join(missing)}"] if missing else []
    name = pf.detach("--in", place, *waive, command=BUSY)
    frozen_and_back(pf, name, LOGS / f"{name}.log")
    box = CGROUP / f"cpuset/pinfold/{name}/box"
    assert (box / "cpuset.cpus").read_text().strip() == str(CPU)
    put(CPU, False)
    until(pf, name, "frozen")
    pf.ok("stop", "-t", "1000", name)
    assert name not in pf.ps()
