# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Granted NICs in a virtual machine: QEMU has them by VFIO from behind an IOMMU, and hands them on.

Only in the guest of these tests, whose emulated CPU has AMD's SVM: so its kernel runs guests with KVM. A QEMU that emulates
within one that does had not come up after two minutes.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from features import needs_nodes
from machines import DROVER, qemu_of
from nics import MODULES, nics
from workload import (
    GUEST,
    NODES,
    SLOW,
    kill,
    needs_root,
    processes_of,
    unique,
    wait,
)

SECONDS = 60 * SLOW  # that a guest may take to come up
CABLE = 0x88B5  # an EtherType for experiments
PMDS = next(Path("/usr/lib").glob("*/dpdk/pmds-*"), None)

pytestmark = [
    needs_root,
    needs_nodes,
    pytest.mark.guest,
    pytest.mark.skipif(not GUEST, reason="gives NICs away: only in the guest (tests/run guest)"),
]


def has_kvm():
    return subprocess.run(["modprobe", "kvm_amd"], check=False, timeout=60).returncode == 0


@pytest.fixture(autouse=True, scope="module")
def _modules():
    if not has_kvm():
        pytest.skip(
            "the CPU of this guest has no SVM, and a machine that it emulates does not come up"
        )
    for module in (*MODULES, "e1000e"):
        subprocess.run(["modprobe", module], check=True, timeout=60)
    yield
    for nic in nics(0x10D3):
        nic.unbind()
    # other tests look for it
    subprocess.run(["modprobe", "-r", "kvm_amd"], check=True, timeout=60)


@pytest.fixture
def e1000e(monkeypatch):
    """One to be granted, and what has a cable to it. They have the kernel's driver, and have it again at the end."""
    monkeypatch.setenv("PINFOLD_GUEST_SECONDS", str(SECONDS))
    found = nics(0x10D3)[:2]
    for nic in found:
        nic.bind("e1000e")
        (nic.path / "driver_override").write_text("\n")
    yield found
    assert [(f.driver, f.override) for f in found] == [("e1000e", "")] * 2


NONE = """
[port 0]
name=nic
device=0000:01:00.0
[defaults]
mempool size=2K
[core 0]
mode=master
[core 1]
name=none
task=0
mode=none
rx port=nic
tx port=nic
"""
SCRIPT = """
cd /sys/bus/pci/devices/0000:01:00.0
echo $(id -u) $(cat vendor device) $(basename $(readlink driver)) $(ls /dev/vfio 2>/dev/null)
tr -d ' \\n' </run/pinfold/grant.json; echo
exec /opt/drover/drover run --squeeze /opt/none.cfg
"""


def few_drivers(directory):
    """EAL opens all there are, which takes minutes from a file system of a file system."""
    directory.mkdir()
    for name in ("bus_pci", "bus_vdev", "mempool_ring", "net_e1000", "net_ring"):
        for path in PMDS.glob(f"librte_{name}.so.*"):
            shutil.copy(path, directory, follow_symlinks=False)
    return directory


def begin(pf, directory, nic, *flags):
    (directory / "none.cfg").write_text(NONE)
    pmds = few_drivers(directory / "pmds")
    name = unique("vm")
    pf.names.append(name)
    s = pf.start(
        "run", "--name", name, "--in", "vm", "--accel", "kvm", "--cpus", NODES[0][0], "--memory",
        "192M", "--hugepages", "2M=40", "--nic", f"{nic.bdf},bind", "-v",
        f"{DROVER.parent}:/opt/drover:ro", "-v", f"{directory}/none.cfg:/opt/none.cfg:ro", "-v",
        f"{pmds}:{PMDS}:ro", *flags, "--", "/bin/sh", "-c", SCRIPT,
    )  # fmt: skip
    s.until("traffic runs", 2 * SECONDS / SLOW)
    return s, name


def there_and_back(near, mac, seconds=60 * SLOW):
    """Sends to the NIC's other end until something comes back from it."""
    subprocess.run(
        ["ip", "link", "set", near.netdev, "up", "promisc", "on"], check=True, timeout=60
    )
    frame = bytes.fromhex(mac.replace(":", "") + "020000000001") + CABLE.to_bytes(2) + bytes(50)
    back, limit = 0, time.monotonic() + seconds
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(CABLE)) as s:
        s.bind((near.netdev, CABLE))
        s.settimeout(0.2)
        while back < 20 and time.monotonic() < limit:
            with contextlib.suppress(OSError):  # as long as there is no link
                s.send(frame)
            with contextlib.suppress(TimeoutError):
                while back < 20:
                    back += s.recvfrom(2000)[1][2] != socket.PACKET_OUTGOING
    return back


def check_qemu(pf, name, nic):
    """It has the group's node and no other, as nobody, and may lock the guest's memory and little more."""
    pid = qemu_of(pf, name)
    held = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            held.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
    assert {f for f in held if f.startswith("/dev/vfio")} == {
        "/dev/vfio/vfio", f"/dev/vfio/{nic.group}"
    }  # fmt: skip
    root = f"/proc/{pid}/root/dev/vfio"
    base = pf.lease(name)["uid-base"]
    assert sorted(os.listdir(root)) == sorted([str(nic.group), "vfio"])
    assert {os.stat(f"{root}/{n}").st_uid for n in os.listdir(root)} == {base}
    with open(f"/proc/{pid}/limits", encoding="ascii") as f:
        locked = re.search(r"Max locked memory +(\d+)", f.read())
    assert int(locked[1]) == (192 + 80 + 16) << 20


def qemu_is_killed(pf, s, name, nic):
    kill(qemu_of(pf, name))
    assert s.end() == 125 and "QEMU was killed by signal 9" in s.text()


def all_are_killed(pf, s, name, nic):
    """Then the next pinfold gives the NIC back."""
    lease = pf.lease(name)
    s.process.kill()
    s.process.wait()
    for pid in processes_of(lease):
        kill(pid)
    wait(lambda: pf.ps()[name]["state"] == "dead", what="the end")
    assert nic.driver == "vfio-pci"
    assert pf.ok("gc") == "1 cleaned up\n"


@pytest.mark.limit(200)
@pytest.mark.parametrize(
    ("viommu", "end"),
    [(False, qemu_is_killed), (True, all_are_killed)],
    ids=["uio", "viommu"],
)
def test_packets_through_a_machine(pf, e1000e, tmp_path, viommu, end):
    """Its own NIC at the address that its grant names, and frames that come over the cable go back over it. After it
    was killed the NIC has its driver again."""
    nic, near = e1000e
    mac = (nic.path / "net" / nic.netdev / "address").read_text().strip()
    s, name = begin(pf, tmp_path, nic, *(("--viommu", "-u", "1000") if viommu else ()))
    first, grant = s.text().splitlines()[:2]
    words, grant = first.split(), json.loads(grant)
    assert grant["machine"] == {"accel": "kvm", "emulated": False}
    if viommu:
        group = grant["nics"][0].pop("iommu-group")
        assert words[:4] == ["1000", "0x8086", "0x10d3", "vfio-pci"]
        assert sorted(words[4:]) == sorted([str(group), "vfio"])
    else:
        assert words == ["0", "0x8086", "0x10d3", "uio_pci_generic"]
    assert grant["nics"] == [{"pci": "0000:01:00.0"}]
    check_qemu(pf, name, nic)
    assert there_and_back(near, mac) == 20
    end(pf, s, name, nic)
    assert nic.driver == "e1000e"
