# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Workloads whose CPUs or nodes go offline: what is said of them, and what they do. For a guest alone."""

import contextlib
import subprocess
import time
from pathlib import Path

from features import CGROUP

from workload import ids, processes_of, status_field, wait

BUSY = ("/bin/sh", "-c", "while :; do :; done")


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


@contextlib.contextmanager
def cgroup_v1():
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
    try:
        yield {path.name for path in mounted[1:]}
    finally:
        for path in reversed(mounted):
            subprocess.run(["umount", path], check=True)
        group = CGROUP / "cgroup.controllers"
        wait(lambda: "cpuset" in group.read_text(), what="cpuset on v2")
