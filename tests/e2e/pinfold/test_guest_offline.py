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

from offline import BUSY, assert_goes_on, assert_stands_still, cgroup_v1, row, until
from workload import CPU, CPUS, GUEST, LOGS, OTHER, kill, needs_root, wait

pytestmark = [
    needs_root,
    pytest.mark.skipif(
        not GUEST or not V2 or len(CPUS) < 4,
        reason="takes CPUs offline: only in the guest (tests/run guest)",
    ),
]
OWNER = 64201
SECOND = CPUS[-2]


def put(cpu, online):
    Path(f"/sys/devices/system/cpu/cpu{cpu}/online").write_text(str(int(online)))


@pytest.fixture(autouse=True)
def all_online():
    yield
    for cpu in (CPU, SECOND):
        put(cpu, True)
    os.sched_setaffinity(0, CPUS)


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


def test_what_exec_started_is_frozen_too(pf):
    name = pf.detach()
    s = pf.start("exec", name, "--", "/bin/sh", "-c", "echo up; while :; do :; done")
    s.until("^up")
    assert_goes_on(pf, name, {CPU})
    put(CPU, False)
    until(pf, name, "frozen")
    assert_stands_still(pf, name)
    put(CPU, True)
    until(pf, name, "running")
    assert_goes_on(pf, name, {CPU})


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


def started_with(name):
    """The keeper of that grant, who writes its log, and who watches it."""
    p = subprocess.run(
        ["pgrep", "-f", f"grant start {name}"], check=False, capture_output=True, text=True
    )
    return list(map(int, p.stdout.split()))


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
    wait(lambda: not started_with(name), what="the end of who watches it")
    # and where nobody does the next command freezes it
    pf.ok("grant", "start", name)
    (watcher,) = (
        pid
        for pid in started_with(name)
        if f"/pinfold/{name}/" not in Path(f"/proc/{pid}/cgroup").read_text()
    )
    kill(watcher)
    put(CPU, False)
    time.sleep(1)
    assert row(pf, name)["state"] == "idle"
    pf.ok("gc")
    assert row(pf, name)["state"] == "frozen"


@pytest.fixture
def v1():
    with cgroup_v1() as controllers:
        yield controllers


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
