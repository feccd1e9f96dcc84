# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""A virtual machine with CPUs and hugepages of two NUMA nodes: its programs see which are of which, and so it is.

Only in the guest of these tests, whose kernel runs guests with KVM (test_guest_vm_nic.py).
"""

import json
import re
import subprocess

import pytest

from features import FAR, NEAR, needs_node_pages, needs_nodes
from machines import qemu_of
from workload import GUEST, NODES, SLOW, needs_root, unique

SECONDS = 60 * SLOW  # that a guest may take to come up
PAGES = {NEAR: 12, FAR: 6}
SHOW = """
cd /sys/devices/system/node
for n in node[0-9]*; do
    echo $n $(cat $n/cpulist $n/hugepages/hugepages-2048kB/nr_hugepages) $(sed -n 's/.*MemTotal: *//p' $n/meminfo)
done
cat /sys/devices/system/node/online; echo; cat /run/pinfold/grant.json
"""

pytestmark = [
    needs_root,
    needs_nodes,
    needs_node_pages(max(PAGES.values())),
    pytest.mark.guest,
    pytest.mark.skipif(not GUEST, reason="needs a KVM that runs guests: only in tests/run guest"),
]


@pytest.fixture(autouse=True)
def _kvm(monkeypatch):
    monkeypatch.setenv("PINFOLD_GUEST_SECONDS", str(SECONDS))
    if subprocess.run(["modprobe", "kvm_amd"], check=False, timeout=60).returncode != 0:
        pytest.skip("the CPU of this guest has no SVM")
    yield
    # other tests look for it
    subprocess.run(["modprobe", "-r", "kvm_amd"], check=True, timeout=60)


def nodes_of(pid):
    """On which node of the host its hugepages are, by their number."""
    found = {}
    with open(f"/proc/{pid}/numa_maps", encoding="ascii") as f:
        for line in f:
            if " huge " in line or line.rstrip().endswith(" huge"):
                where = {int(n): int(c) for n, c in re.findall(r" N(\d+)=(\d+)", line)}
                found[sum(where.values())] = where
    return found


@pytest.mark.limit(200)
def test_nodes(pf):
    cpus = sorted((NODES[NEAR][0], NODES[FAR][0]))
    first = NEAR if NODES[NEAR][0] == cpus[0] else FAR
    words = [w for n, c in PAGES.items() for w in ("--hugepages", f"2M={c}@{n}")]
    name = pf.detach(
        "--in", "vm", "--accel", "kvm", "--memory", "192M", *words, name=unique("vm"),
        cpu=f"{cpus[0]},{cpus[1]}",
    )  # fmt: skip
    said, _, grant = pf.ok(
        "exec", name, "--", "/bin/sh", "-c", SHOW, seconds=SECONDS / SLOW
    ).partition("\n\n")
    lines = [line.split() for line in said.splitlines()]
    own = [PAGES[first], PAGES[FAR if first == NEAR else NEAR]]
    assert lines[-1] == ["0-1"]
    assert [line[:3] for line in lines[:2]] == [
        [f"node{n}", str(n), str(own[n])] for n in (0, 1)
    ], said
    for n, line in enumerate(lines[:2]):
        # the kernel itself lies in that of the first
        assert 0.4 * 96 * 1024 < int(line[3]) - own[n] * 2048 <= 96 * 1024
    grant = json.loads(grant)
    assert (grant["cpus"], grant["mems"]) == ("0-1", "0-1")
    assert sorted((h["node"], h["count"]) for h in grant["hugepages"]) == list(enumerate(own))
    # and on the host they are where they are granted
    found = nodes_of(qemu_of(pf, name))
    assert found == {c: {n: c} for n, c in PAGES.items()}


@pytest.mark.limit(200)
def test_pages_of_a_node_without_cpus(pf):
    """They are of the node that was said, though the CPUs are another's."""
    words = [w for n, c in PAGES.items() for w in ("--hugepages", f"2M={c}@{n}")]
    name = pf.detach(
        "--in", "vm", "--accel", "kvm", "--memory", "192M", *words, name=unique("vm"),
        cpu=NODES[NEAR][0],
    )  # fmt: skip
    pf.ok("exec", name, "--", "/bin/true", seconds=SECONDS / SLOW)
    assert nodes_of(qemu_of(pf, name)) == {c: {n: c} for n, c in PAGES.items()}
