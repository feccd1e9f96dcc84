# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What a workload may leave behind on the machine."""

import glob
import os
import re
import stat
import time

from workload import SLOW

SETTLE = 5 * SLOW  # seconds until what a container used must be back


def mounts():
    """Every mount of this namespace: where, of what type, from where."""
    found = set()
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as f:
        for line in f:
            left, _, right = line.partition(" - ")
            fstype, source = right.split(" ")[:2]
            words = left.split(" ")
            # the id makes two mounts over each other differ
            found.add(f"mount {words[0]} {words[4]} ({fstype} {source})")
    return found


def cgroups():
    """But for the empty parent of all leases, which stays until pinfold gc."""
    found = set()
    for where, below, _ in os.walk("/sys/fs/cgroup"):
        if os.path.basename(where) == "pinfold":
            continue
        if "pinfold" in os.path.basename(where) or "/pinfold" in where:
            found.add(f"cgroup {where}")
        below.sort()
    return found


def hugepages():
    found = set()
    top = "/sys/kernel/mm/hugepages"
    for size in os.listdir(top) if os.path.isdir(top) else []:
        for name in ("nr_hugepages", "free_hugepages", "resv_hugepages", "surplus_hugepages"):
            with open(f"{top}/{size}/{name}", encoding="ascii") as f:
                found.add(f"{size} {name} {f.read().strip()}")
    return found


# made by the first command that needs them, and kept: as what they are, and no more
KEPT_DIRECTORIES = {"box", "engine", "keepers", "leases", "links", "pen", "publish", "runtime"}
KEPT_FILES = re.compile(r"ids\.json|lock|log(-\d+)?(\.1)?|prepare\.lock|runtime-version")
KEPT_EMPTY = {"grant.json"}  # something is mounted over it


def is_kept(path):
    name, mode = os.path.basename(path), os.lstat(path)
    if stat.S_ISDIR(mode.st_mode):
        return name in KEPT_DIRECTORIES
    empty = mode.st_size == 0 and name in KEPT_EMPTY
    return stat.S_ISREG(mode.st_mode) and (empty or bool(KEPT_FILES.fullmatch(name)))


def files(run="/run/pinfold"):
    found = set()
    for top in (run, "/etc/pinfold/grants.d", "/var/lib/pinfold/given"):
        for where, below, names in os.walk(top):
            for name in below + names:
                path = f"{where}/{name}"
                try:
                    if where == run and is_kept(path):
                        continue
                except FileNotFoundError:
                    continue  # it went meanwhile
                found.add(f"file {path}")
    return found


KTHREADD = "2"  # the parent of the kernel's threads


def processes():
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
                left, _, right = f.read().rpartition(") ")
            name, (condition, parent) = left.partition(" (")[2], right.split(" ", 2)[:2]
            # has ended: when it is reaped is its parent's business. Of the kernel's threads are most
            if condition == "Z" or KTHREADD in (pid, parent):
                continue
            with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as f:
                held = ":/pinfold" in f.read()
        except OSError:
            continue
        if held or name in ("crun", "runc") or name.startswith("pinfold"):
            found.add(f"process {pid} {name}")
    return found


def state():
    """All that a lease may leave behind on the machine."""
    return mounts() | cgroups() | hugepages() | files() | processes()


def changed(before):
    """How the state differs from a former one SETTLE seconds from now: lines, "" as soon as it does not."""
    deadline = time.monotonic() + SETTLE
    while (after := state()) != before and time.monotonic() < deadline:
        time.sleep(0.05)
    less = [f"  - {line}" for line in sorted(before - after)]
    return "\n".join(less + [f"  + {line}" for line in sorted(after - before)])


LOG = "file /var/log/pinfold/"


def machine(before=frozenset()):
    """All that may stay behind: more than a lease may leave, because a crash may leave anything.

    before: what there was. Of its logs all are said to be there still: the oldest go when there are others.
    """
    found = state()
    found.update(line for line in before if line.startswith(LOG))
    # of pinfold's name all, by state(); of others what lies at the top: they come and go below
    tops = [path for path in glob.glob("/sys/fs/cgroup/*/*/") if not path.endswith("/pinfold/")]
    found.update(f"cgroup {path}" for path in tops)
    for where, below, names in os.walk("/dev"):
        below[:] = [d for d in below if d not in ("pts", "shm", "fd")]
        found.update(f"device {where}/{name}" for name in names)
    found.update(f"netdev {name}" for name in os.listdir("/sys/class/net"))
    for pattern in ("/var/log/pinfold/*", "/tmp/crun*", "/tmp/runc*", "/run/crun/*", "/run/runc/*"):
        found.update(f"file {path}" for path in glob.glob(pattern))
    found.discard("file /var/log/pinfold/ended")  # what ps -a shows; bounded
    # hidden ones, which the ledger passes over
    found.update(f"file {path}" for path in glob.glob("/run/pinfold/.*"))
    return found
