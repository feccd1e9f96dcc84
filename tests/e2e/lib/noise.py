# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Where the kernel's own work may run."""

import os
from pathlib import Path

MASKS = ("/proc/irq/default_smp_affinity", "/sys/devices/virtual/workqueue/cpumask")
PF_KTHREAD, PF_NO_SETAFFINITY = 0x00200000, 0x04000000


def masks():
    """Of new interrupts, and of work that is bound to no CPU."""
    return {path: Path(path).read_text() for path in MASKS if Path(path).exists()}


def threads():
    """Of each thread of the kernel that could be moved: where it may run."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            flags = int(stat.read_text().rpartition(")")[2].split()[6])
            if flags & PF_KTHREAD and not flags & PF_NO_SETAFFINITY:
                found[int(stat.parent.name)] = os.sched_getaffinity(int(stat.parent.name))
        except OSError:
            pass  # gone
    return found


def interrupts():
    found = {}
    for path in Path("/proc/irq").glob("[0-9]*/smp_affinity_list"):
        if any(p.is_dir() for p in path.parent.iterdir()):
            found[path.parent.name] = path.read_text()
    return found


def moved(before):
    """Of those threads that are there still: where they may run now, unless that is as before."""
    now = threads()
    return {pid: now[pid] for pid, cpus in before.items() if now.get(pid, cpus) != cpus}
