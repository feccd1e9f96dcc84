# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""NICs behind an IOMMU, granted for real: who gets a VFIO group, who does not, and packets through it.

Only in the guest: elsewhere these NICs are somebody's.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from features import FAR, needs_nodes

from workload import GUEST, NODES, PYTHON, ids, needs_root, needs_testpmd, status_field

PCI = Path("/sys/bus/pci/devices")
MODULES = ("vfio-pci", "vfio_iommu_type1")
pytestmark = [
    needs_root,
    needs_nodes,
    pytest.mark.guest,
    pytest.mark.skipif(not GUEST, reason="gives NICs away: only in the guest (tests/run guest)"),
]


class Nic:
    """A PCI function and its IOMMU group."""

    def __init__(self, path):
        self.path, self.bdf = path, path.name
        self.group = int(os.readlink(path / "iommu_group").rpartition("/")[2])
        self.node = int((path / "numa_node").read_text())

    def bind(self, driver):
        self.unbind()
        (self.path / "driver_override").write_text(f"{driver}\n")
        Path("/sys/bus/pci/drivers_probe").write_text(self.bdf)
        assert os.readlink(self.path / "driver").endswith(f"/{driver}")

    def unbind(self):
        if (self.path / "driver").exists():
            (self.path / "driver/unbind").write_text(self.bdf)
        (self.path / "driver_override").write_text("\n")


def nics(device):
    """Functions by their device number, which says the model."""
    return [
        Nic(p)
        for p in sorted(PCI.iterdir())
        if (p / "class").read_text().startswith("0x0200")
        and int((p / "device").read_text(), 16) == device
    ]


@pytest.fixture(autouse=True, scope="module")
def _modules():
    for module in MODULES:
        subprocess.run(["modprobe", module], check=True, timeout=60)


@pytest.fixture
def bound():
    """Binds functions for the time of a test."""
    done = []

    def bind(*functions, driver="vfio-pci"):
        for f in functions:
            done.append(f)
            f.bind(driver)
        return functions

    yield bind
    for f in done:
        f.unbind()


@pytest.fixture
def e1000e():
    """Two NICs with a cable between them, each alone in its group, and one that has a node."""
    found = nics(0x10D3)
    assert len({f.group for f in found}) == len(found) == 3
    assert [f.node for f in found] == [-1, -1, FAR]
    return found


def run(pf, nics, *flags, cpu=None, **kw):
    """pinfold run of a command, with these NICs."""
    granted = [word for f in nics for word in ("--nic", f.bdf)]
    return pf("run", "--cpus", NODES[0][0] if cpu is None else cpu, *granted, *flags, **kw)


@pytest.mark.limit(120)
@needs_testpmd
@pytest.mark.parametrize("user", [(), ("--user", "1000")], ids=["root", "1000"])
def test_packets_go_through(pf, e1000e, bound, user):
    """Unmodified testpmd, two real NICs, an IOMMU; no device is named to it."""
    a, b = bound(*e1000e[:2])
    cpu = NODES[0][0]
    eal = ["--lcores", f"0@{cpu},1@{cpu}", "--log-level=bus.pci:debug"]
    app = ["--total-num-mbufs=4096", "--stats-period", "1", "--tx-first"]
    s = pf.start(
        "run",
        "--cpus",
        cpu,
        "--nic",
        a.bdf,
        "--nic",
        b.bdf,
        "--hugepages",
        "2M=64",
        *user,
        "--",
        "dpdk-testpmd",
        *eal,
        "--",
        *app,
    )
    s.until(r"RX-packets: [1-9]\d{3,}", 30)
    probed = set(re.findall(r"Probe PCI driver: (\S+) .*device: (\S+)", s.text()))
    assert {bdf for _, bdf in probed} == {a.bdf, b.bdf}, s.text()
    assert "IOVA as 'VA'" in s.text() or "IOVA mode 'VA'" in s.text()
    s.signal(2)
    assert s.end() == 0
    counts = re.findall(r"RX-packets: (\d+)", s.text())
    assert int(counts[-1]) > 1000  # the sum over both ports


SEEN = """
import errno, json, os
seen = {"pci": sorted(os.listdir("/sys/bus/pci/devices")), "nodes": {}}
for name in os.listdir("/dev/vfio"):
    try:
        os.close(os.open(f"/dev/vfio/{name}", os.O_RDWR))
        seen["nodes"][name] = "opened"
    except OSError as e:
        seen["nodes"][name] = errno.errorcode[e.errno]
print(json.dumps(seen))
"""


def test_only_the_granted_group_is_there(pf, e1000e, bound):
    a, b = bound(*e1000e[:2])
    p = run(pf, [a], "--", PYTHON, "-I", "-c", SEEN)
    assert p.returncode == 0, p.stderr
    seen = json.loads(p.stdout)
    assert seen["pci"] == [a.bdf]
    assert seen["nodes"] == {str(a.group): "opened", "vfio": "opened"}
    # a node of the host's keeps its owner
    assert os.stat(f"/dev/vfio/{a.group}").st_uid == 0
    assert b.group != a.group


def test_filter_of_devices_lets_only_the_group_through(pf, e1000e, bound):
    """Also for who could make device nodes: the filter on the cgroup knows the granted group alone."""
    a, b = bound(*e1000e[:2])
    _, name = pf.begin("--nic", a.bdf, cpu=NODES[0][0])
    pid = pf.program(name, "sleep")
    group = Path("/sys/fs/cgroup") / Path(f"/proc/{pid}/cgroup").read_text().strip()[4:]
    code = (
        "import os, sys\nopen(sys.argv[1] + '/cgroup.procs', 'w').write('0')\n"
        "for name in sys.argv[2:]:\n"
        "  try:\n    os.close(os.open('/dev/vfio/' + name, os.O_RDWR)); print('opened')\n"
        "  except OSError as e: print(e.strerror)\n"
    )
    p = subprocess.run(
        [PYTHON, "-I", "-c", code, group, str(a.group), str(b.group)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert p.stdout.splitlines() == ["opened", "Operation not permitted"]


def test_nic_without_vfio_is_refused(pf, e1000e):
    pf.fails(
        "run",
        "--cpus",
        NODES[0][0],
        "--nic",
        e1000e[0].bdf,
        "--",
        "/bin/true",
        like=f"NIC {e1000e[0].bdf} is bound to no driver; bind it to vfio-pci",
    )


def test_group_with_a_stranger_is_refused(pf, bound):
    """Behind a bridge to conventional PCI no function is alone."""
    a, b = nics(0x100E)
    assert a.group == b.group
    subprocess.run(["modprobe", "e1000"], check=True, timeout=60)
    bound(a)
    bound(b, driver="e1000")
    like = f"NIC {a.bdf} shares IOMMU group {a.group} with {b.bdf} .driver e1000.; grant both"
    pf.fails("run", "--cpus", NODES[0][0], "--nic", a.bdf, "--", "/bin/true", like=like)
    b.unbind()
    bound(b)
    p = run(pf, [a, b], "--", "ls", "/dev/vfio")
    assert sorted(p.stdout.split()) == sorted([str(a.group), "vfio"]), p.stderr
    pf.fails("run", "--cpus", NODES[0][0], "--nic", a.bdf, "--", "/bin/true", like=b.bdf)


def test_cpu_near_the_nic(pf, e1000e, bound):
    far = e1000e[2]
    bound(far)
    p = pf("run", "--cpu-count", "1", "--nic", far.bdf, "--", "cat", "/proc/self/status")
    assert p.returncode == 0, p.stderr
    assert ids(status_field(p.stdout, "Cpus_allowed_list")) <= set(NODES[far.node])
    p = pf("run", "--cpu-count", "1", "--near", far.bdf, "--", "cat", "/proc/self/status")
    assert p.returncode == 0, p.stderr
    assert ids(status_field(p.stdout, "Cpus_allowed_list")) <= set(NODES[far.node])


def test_inventory_knows_the_groups(pf, e1000e):
    listed = {p["bdf"]: p for p in pf.json("host", "inventory", "--json")["pci"]}
    for path in sorted(PCI.iterdir()):
        group = int(os.readlink(path / "iommu_group").rpartition("/")[2])
        assert listed[path.name]["iommu_group"] == group
    for f in e1000e:
        assert listed[f.bdf]["node"] == (f.node if f.node >= 0 else None)
