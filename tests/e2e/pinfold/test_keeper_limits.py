# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What a user's grant limits: his workload to the grant, exactly, and his keeper to a reserve."""

import signal
from pathlib import Path

import pytest

from owner import OWNER
from workload import PYTHON, needs_root, status_field, wait

pytestmark = needs_root
PIDS, MEMORY = 32, 128  # of the grant; MiB
EXECS = 10  # of a keeper at a time
CGROUP = Path("/sys/fs/cgroup")
V2 = (CGROUP / "cgroup.controllers").exists()

FORKS = """
import os, time
n = 0
try:
    while os.fork() != 0:
        n += 1
except OSError as e:
    print("forked", n, e.errno, flush=True)
time.sleep(1000)
"""


@pytest.fixture
def held(keep):
    keep.grant("--memory", f"{MEMORY}M", "--pids", PIDS)
    return keep


def part(name, which, controller):
    """The directory of the workload's part of the box ("work"), or of the keeper's."""
    top = CGROUP if V2 else CGROUP / controller
    return top / "pinfold" / name / "box" / which


def members(name, which, controller="pids"):
    text = (part(name, which, controller) / "cgroup.procs").read_text()
    return [Path(f"/proc/{pid}") for pid in text.split()]


def refusals(name, which, controller):
    """How often its limit was met."""
    d = part(name, which, controller)
    if controller == "memory" and not V2:
        return int((d / "memory.failcnt").read_text())
    return int(status_field((d / f"{controller}.events").read_text().replace(" ", ":"), "max"))


def python(code):
    return ["--", PYTHON, "-I", "-c", code]


@pytest.mark.guest
def test_processes(held):
    """The grant's and not one more; beside them a program can be started, and is one of them."""
    name = held.name
    s = held.begin("run", "--grant", name, *python(FORKS))
    s.until("^forked")
    assert f"forked {PIDS - 1} 11" in s.text()
    assert held.ok("exec", name, "--", "/bin/echo", "in") == "in\n"
    p = held("exec", name, "--", "/bin/sh", "-c", "/bin/true; echo reached")
    assert p.returncode != 0 and "fork" in p.stderr and "reached" not in p.stdout
    held.begin("exec", name, "--", "/bin/sh", "-c", "echo up; exec sleep 1000").until("^up")
    for controller in ("pids", "memory"):
        inside = members(name, "work", controller)
        assert len(inside) == PIDS + 2  # init, and the one beside
        for process in inside:
            assert status_field((process / "status").read_text(), "Uid").split()[0] != str(OWNER)
        for process in members(name, "keeper", controller):
            assert status_field((process / "status").read_text(), "Uid").split()[0] == str(OWNER)
    held.ok("stop", "-t", "0", name)
    assert held.state() == "idle"


@pytest.mark.guest
def test_memory(held):
    """The grant's, and not the keeper's beside it."""
    fits = "b = bytearray({} << 20); print(len(b) >> 20)"
    assert held.ok("run", "--grant", held.name, *python(fits.format(MEMORY - 28))) == "100\n"
    p = held.run(*python(fits.format(MEMORY + 8)))
    assert (p.returncode, p.stdout) == (128 + signal.SIGKILL, "")
    assert held.state() == "idle"


def test_a_program_beside_full_memory(held):
    """The keeper needs none of the workload's to start a program in it, or to end it."""
    code = f"b = bytearray({MEMORY - 14} << 20); print('full', flush=True); import time; time.sleep(1000)"
    s = held.begin("run", "--grant", held.name, *python(code))
    s.until("^full")
    assert held.ok("exec", held.name, "--", "/bin/echo", "in") == "in\n"
    held.ok("stop", "-t", "0", held.name)


@pytest.mark.limit(120)
def test_as_many_programs_as_it_takes(held):
    """The reserve is enough for all programs of exec, and none of these is in it."""
    name = held.name
    held.ok("run", "-d", "--grant", name, "--", "/bin/sleep", "1000")
    words = ["exec", name, "--", "/bin/sh", "-c", "echo up; exec sleep 1000"]
    running = [held.begin(*words) for _ in range(EXECS)]
    for s in running:
        s.until("^up")
    assert held.state() == "running"
    assert len(members(name, "work")) == 2 + len(running)
    assert [refusals(name, "keeper", c) for c in ("pids", "memory")] == [0, 0]
    held.ok("stop", "-t", "0", name)
    for s in running:
        s.end()
    wait(lambda: held.state() == "idle", what="the end")


def test_in_its_own_cgroup_namespace(held):
    """It sees itself at the top of what it sees, and nothing else."""
    text = held.shell("cat /proc/self/cgroup /proc/1/cgroup; readlink /proc/self/ns/cgroup")
    *lines, namespace = text.splitlines()
    assert {line.split(":", 2)[2] for line in lines} == {"/"}
    assert namespace != Path("/proc/self/ns/cgroup").readlink().name


def test_no_descriptor_of_a_control_file(held):
    """What moves a process into the grant is closed before the program starts."""
    look = "for f in /proc/[0-9]*/fd/*; do readlink $f; done; cat /proc/[0-9]*/cgroup"
    held.ok("run", "-d", "--grant", held.name, "--", "/bin/sleep", "1000")
    text = held.ok("exec", held.name, "--", "/bin/sh", "-c", look)
    assert "pipe:" in text and "tasks" not in text and "cgroup.procs" not in text
    held.ok("stop", "-t", "0", held.name)
