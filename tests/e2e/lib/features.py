# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What of a machine tests ask for that few build machines have; the guest (tests/guest) has it all."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from workload import GUEST, NODES, ids

CGROUP = Path("/sys/fs/cgroup")
NODE = Path("/sys/devices/system/node")
KB = {"2M": 2048, "1G": 1048576}
ELSEWHERE = "tests/run guest has it"

ONLINE = sorted(ids((NODE / "online").read_text()) if NODE.is_dir() else [0])
NEAR, FAR = min(NODES, default=0), max(NODES, default=0)

V2 = (CGROUP / "cgroup.controllers").exists()
needs_v2 = pytest.mark.skipif(
    not V2,
    reason=f"needs cgroup v2 at {CGROUP}; {ELSEWHERE}",
)


def needs_tools(*names):
    """Programs of this machine, which a container sees, too."""
    missing = [name for name in names if shutil.which(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"there is no {', '.join(missing)} here")


RELEASE = tuple(int(n) for n in os.uname().release.split(".")[:2])
REMOTE_PARTITIONS = RELEASE >= (6, 7)  # they may lie anywhere
needs_partitions = pytest.mark.skipif(
    not V2 or RELEASE < (6, 1),
    reason=f"isolated partitions need cgroup v2 and Linux 6.1, this is {os.uname().release}; {ELSEWHERE}",
)
needs_nodes = pytest.mark.skipif(
    len(NODES) != 2 or len(ONLINE) != 2,
    reason=f"needs two NUMA nodes with CPUs and memory, and no others; {ELSEWHERE}",
)


def no_idmaps(top):
    """Why files of that directory cannot be shown with other ids; "": they can."""
    kind = subprocess.run(
        ["stat", "-f", "-c", "%T", top], capture_output=True, text=True, check=True
    ).stdout.strip()
    tmpfs = kind == "tmpfs" and RELEASE < (6, 3)
    return "a tmpfs has no idmapped mounts before Linux 6.3" if tmpfs else ""


def needs_idmaps(top):
    """To be called where a test shows files of that directory with other ids."""
    if reason := no_idmaps(top):
        pytest.skip(reason)


GUESTS = Path(os.environ.get("PINFOLD_GUEST_CACHE", "/var/cache/pinfold-guest"))


def no_guests():
    """Why virtual machines cannot be started here; "": they can."""
    if GUEST and not os.path.exists("/dev/kvm"):
        return "an emulated machine takes minutes for each that it emulates itself"
    if shutil.which("qemu-system-x86_64") is None or not any(GUESTS.glob("linux-*/vmlinux")):
        return f"needs QEMU, and a kernel for guests in {GUESTS}: pinfold host kernel"
    return ""


needs_guests = pytest.mark.skipif(bool(no_guests()), reason=no_guests())


def node_pages(node, counter="free", size="2M"):
    """A counter of the hugepages of one node: nr, free or surplus."""
    path = NODE / f"node{node}/hugepages/hugepages-{KB[size]}kB/{counter}_hugepages"
    return int(path.read_text()) if path.exists() else 0


def needs_node_pages(n, size="2M", nodes=(NEAR, FAR)):
    """So many free hugepages on each of the nodes."""
    have = {node: node_pages(node, size=size) for node in nodes}
    return pytest.mark.skipif(
        any(free < n for free in have.values()),
        reason=f"needs {n} free hugepages of {size} on node {', '.join(map(str, nodes))}, "
        f"there are {', '.join(map(str, have.values()))}; {ELSEWHERE}",
    )
