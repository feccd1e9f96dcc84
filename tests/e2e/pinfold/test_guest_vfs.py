# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""VFs (SR-IOV) of a real PF: made, set before anybody has them, granted, put back, killed at every step.

Only in the guest, and where its QEMU has igb (8.0 and later; PINFOLD_GUEST_QEMU names one).
"""

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from features import needs_nodes
from nics import MODULES, PCI, Nic, nics
from places import TOP

from workload import (
    EVERY_STEP,
    GUEST,
    NODES,
    SLOW,
    kill,
    needs_root,
    needs_testpmd,
    processes_of,
    wait,
)

KILLAT = TOP / "build/tests/e2e/lib/killat"
RECORDS = Path("/run/pinfold/vfs")
KEPT = Path("/etc/pinfold/vfs.d")
PF, VF = 0x10C9, 0x10CA  # 82576
HAS_IGB = GUEST and any((p / "device").read_text().strip() == f"{PF:#06x}" for p in PCI.iterdir())
pytestmark = [
    needs_root,
    needs_nodes,
    pytest.mark.guest,
    pytest.mark.skipif(not GUEST, reason="makes VFs: only in the guest (tests/run guest)"),
    pytest.mark.skipif(GUEST and not HAS_IGB, reason="this QEMU has no igb; 8.0 and later have"),
]


def ip(*words):
    out = subprocess.run(["ip", *words], check=True, timeout=60, capture_output=True, text=True)
    return out.stdout


class Card(Nic):
    """A PF, and what its driver says of its VFs."""

    @property
    def count(self):
        return int((self.path / "sriov_numvfs").read_text())

    @property
    def autoprobe(self):
        return int((self.path / "sriov_drivers_autoprobe").read_text())

    def vf(self, number):
        return Nic(PCI / os.path.basename(os.readlink(self.path / f"virtfn{number}")))

    def settings(self, number):
        link = json.loads(ip("-j", "link", "show", "dev", self.netdev))[0]
        seen = next(v for v in link["vfinfo_list"] if v["vf"] == number)
        vlan = next((v.get("vlan", 0) for v in seen.get("vlan_list", [])), 0)
        return {
            "mac": seen["address"],
            "vlan": vlan,
            "spoof": bool(seen["spoofchk"]),
            "trust": bool(seen["trust"]),
        }


@pytest.fixture(scope="module")
def _modules():
    for module in (*MODULES, "igb", "igbvf"):
        subprocess.run(["modprobe", module], check=True, timeout=60)


@pytest.fixture
def card(_modules):
    """One that has no VFs, before and after."""
    (found,) = nics(PF)
    found = Card(found.path)
    if found.driver != "igb":
        found.bind("igb")
        (found.path / "driver_override").write_text("\n")
    ip("link", "set", found.netdev, "up")
    yield found
    count, autoprobe = found.count, found.autoprobe
    if count:
        (found.path / "sriov_numvfs").write_text("0")
    (found.path / "sriov_drivers_autoprobe").write_text("1")
    assert autoprobe == 1 and not RECORDS.exists() and not KEPT.exists()


def test_there_and_back(pf, card):
    flags = ["--mac", "0=02:00:00:00:66:01", "--vlan", "1=100", "--spoof-check", "off"]
    flags += ["--spoof-check", "1=on", "--trust", "1=on"]
    steps = pf.ok("nic", "vfs", "--dry-run", *flags, card.bdf, "2")
    assert card.count == 0 and f"{card.bdf}/sriov_numvfs = 2" in steps
    assert pf.ok("nic", "vfs", *flags, card.netdev, "2") == ""
    assert (card.count, card.autoprobe, RECORDS.exists()) == (2, 1, False)
    first, second = card.settings(0), card.settings(1)
    assert first == {"mac": "02:00:00:00:66:01", "vlan": 0, "spoof": False, "trust": False}
    assert (second["vlan"], second["spoof"], second["trust"]) == (100, True, True)
    # its driver has read the address that it was given
    assert [card.vf(i).driver for i in (0, 1)] == ["igbvf", "igbvf"]
    link = json.loads(ip("-j", "link", "show", "dev", card.vf(0).netdev))[0]
    assert link["address"] == "02:00:00:00:66:01"
    seen = {row["nic"]: row for row in pf.json("nic", "list", "--json")}
    assert seen[card.bdf]["vfs"] == [card.vf(0).bdf, card.vf(1).bdf]
    assert seen[card.vf(1).bdf]["physfn"] == card.bdf
    # as many as there are: they are only set
    pf.ok("nic", "vfs", "--vlan", "7", "--trust", "1=off", card.bdf, "2")
    assert [card.settings(i)["vlan"] for i in (0, 1)] == [7, 7]
    assert card.settings(0)["mac"] == "02:00:00:00:66:01" and not card.settings(1)["trust"]
    assert pf.ok("nic", "vfs", card.bdf, "2") == ""
    pf.fails("nic", "vfs", card.bdf, "3", like=f"has 2 VFs, .*nic vfs {card.bdf} 0 first")
    assert pf.ok("nic", "vfs", card.bdf, "0") == ""
    assert card.count == 0 and not list(card.path.glob("virtfn*"))


def test_bad_input(pf, card):
    total = int((card.path / "sriov_totalvfs").read_text())
    pf.fails("nic", "vfs", card.bdf, str(total + 1), like=f"it has at most {total}")
    (other, *_) = nics(0x10D3)
    pf.fails("nic", "vfs", other.bdf, "1", like="has no VFs .SR-IOV.")
    # igb takes no such VLAN from nobody: all is as it was
    script = 'mount --bind /dev/full "$1" && shift && exec "$@"'
    file = os.path.realpath(card.path / "sriov_numvfs")
    command = [pf.path, "nic", "vfs", "--vlan", "0=5", card.bdf, "1"]
    p = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", file, *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert p.returncode == 125 and "No space left" in p.stderr and p.stderr.count("\n") == 1
    assert (card.count, card.autoprobe) == (0, 1)


def test_what_somebody_has_stays(pf, card):
    pf.ok("nic", "vfs", card.bdf, "2")
    vf = card.vf(0)
    _, name = pf.begin("--nic", f"{vf.bdf},bind", cpu=NODES[0][0])
    pf.fails("nic", "vfs", card.bdf, "0", like=f"VF {vf.bdf} is in use by '{name}'")
    pf.fails("nic", "vfs", "--vlan", "0=5", card.bdf, "2", like=f"in use by '{name}'")
    assert card.count == 2 and vf.driver == "vfio-pci"
    pf.ok("stop", "-t", "0", name)
    assert vf.driver == "igbvf"
    ip("addr", "add", "192.0.2.7/32", "dev", vf.netdev)
    pf.fails("nic", "vfs", card.bdf, "0", like="has an address or a route of this host.*--force")
    pf.ok("nic", "vfs", "--force", card.bdf, "0")
    assert card.count == 0


def test_pf_of_vfs_in_use_keeps_its_driver(pf, card):
    """Whoever has a VF open would be waited for, with the ledger locked."""
    pf.ok("nic", "vfs", card.bdf, "2")
    _, name = pf.begin("--nic", f"{card.vf(0).bdf},bind", cpu=NODES[0][0])
    begun = time.monotonic()
    pf.fails("nic", "bind", card.bdf, like="has 2 VFs")
    pf.fails("nic", "bind", "--force", card.netdev, like="has 2 VFs")
    flags = ["--cpus", NODES[0][1], "--nic", f"{card.bdf},bind"]
    pf.fails("run", *flags, "--", "/bin/true", like="has 2 VFs")
    assert time.monotonic() - begun < 15 * SLOW
    assert (card.count, card.driver) == (2, "igb") and pf.ps()[name]["state"] == "running"
    pf.ok("stop", "-t", "0", name)


def change(card):
    ip("link", "set", card.netdev, "vf", "0", "mac", "02:00:00:00:66:99")
    ip("link", "set", card.netdev, "vf", "0", "vlan", "9", "spoofchk", "off", "trust", "on")


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
def test_next_tenant_finds_it_as_it_was(pf, card, killed):
    """Whatever was made of it during a lease, by a VF that is trusted or from outside."""
    pf.ok("nic", "vfs", "--mac", "0=02:00:00:00:66:01", "--vlan", "0=100", card.bdf, "2")
    before = card.settings(0)
    flag = f"{card.vf(0).bdf},bind"
    plan = pf.ok("plan", "--cpus", NODES[0][0], "--nic", flag, "--", "/bin/true")
    assert f"VF 0 of {card.bdf}" in plan
    s, name = pf.begin("--nic", flag, cpu=NODES[0][0])
    assert os.listdir(RECORDS) == [f"{card.vf(0).bdf}.json"]
    change(card)
    assert card.settings(0) != before
    if killed:
        lease = pf.lease(name)
        s.process.kill()
        s.process.wait()
        for pid in processes_of(lease):
            kill(pid)
        wait(lambda: pf.ps()[name]["state"] == "dead", what="the end")
        assert pf.ok("gc") == "1 cleaned up\n"
    else:
        pf.ok("stop", "-t", "0", name)
    assert (card.settings(0), RECORDS.exists()) == (before, False)
    assert card.vf(0).driver == "igbvf"


def test_vf_that_cannot_be_set_back_is_nobodys(pf, card):
    """Until it can be: the lease keeps it."""
    pf.ok("nic", "vfs", "--mac", "0=02:00:00:00:66:01", "--vlan", "0=100", card.bdf, "2")
    device = "card0"  # which no interface of a VF takes while it is away
    # one request would give it its name before it takes it down, which the kernel refuses
    ip("link", "set", card.netdev, "down")
    ip("link", "set", card.netdev, "name", device)
    ip("link", "set", device, "up")
    before, vf = card.settings(0), card.vf(0)
    s, name = pf.begin("--nic", f"{vf.bdf},bind", cpu=NODES[0][0])
    change(card)
    away = pf.start_other("unshare", "-n", "sh", "-c", "echo up; exec sleep 1000")
    away.until("^up")
    ip("link", "set", device, "netns", str(away.pid))
    try:
        like = f"'{name}' has ended, and keeps a NIC: NIC {vf.bdf} is not what it was, VF 0 "
        like += f"mac=02:00:00:00:66:01 vlan=100 .*: NIC {card.bdf} has no network interface"
        pf.fails("stop", "-t", "0", name, like=like)
        # which is not the program's fault
        assert s.end() in (128 + 9, 128 + 15)
        assert re.search(like, s.text())
        pf.fails("gc", like=like)
        assert pf.lease(name)["draining"] is True and vf.driver == "vfio-pci"
        assert os.listdir(RECORDS) == [f"{vf.bdf}.json"]
        flags = ["--cpus", NODES[0][1], "--nic", f"{vf.bdf},bind"]
        pf.fails("run", *flags, "--", "/bin/true", like=f"granted to '{name}'")
        flags[-1] = f"{card.vf(1).bdf},bind"
        like = "what it is set to is not known"
        pf.fails("run", *flags, "--", "/bin/true", like=like)
    finally:
        back = ["ip", "link", "set", device, "netns", "1"]
        subprocess.run(["nsenter", "-t", str(away.pid), "-n", *back], check=True, timeout=60)
        ip("link", "set", device, "up")
    assert pf.ok("gc") == "1 cleaned up\n"
    assert (card.settings(0), RECORDS.exists(), vf.driver) == (before, False, "igbvf")


def test_start_that_fails_leaves_no_record(pf, card):
    pf.ok("nic", "vfs", card.bdf, "1")
    p = pf("run", "--cpus", NODES[0][0], "--nic", f"{card.vf(0).bdf},bind", "--", "/nothing")
    assert p.returncode == 127 and not RECORDS.exists() and card.vf(0).driver == "igbvf"


def test_after_a_reboot(pf, card):
    flags = ["--persist", "--vlan", "1=100", "--mac", "0=02:00:00:00:66:01"]
    pf.ok("nic", "vfs", *flags, card.bdf, "2")
    assert os.listdir(KEPT) == [f"{card.bdf}.json"]
    (card.path / "sriov_numvfs").write_text("0")  # as the kernel begins
    assert pf.ok("nic", "restore") == ""
    assert card.count == 2
    assert card.settings(0)["mac"] == "02:00:00:00:66:01" and card.settings(1)["vlan"] == 100
    assert "VFs again at the next boot" in pf("nic", "vfs", card.bdf, "0").stderr
    pf.ok("nic", "restore")
    assert pf.ok("nic", "vfs", "--persist", card.bdf, "0") == "" and not KEPT.exists()


def test_interface_of_a_vf_in_a_container(pf, card):
    """By --netdev, for a program that uses sockets; nic list knows who has it, and its PF keeps it."""
    pf.ok("nic", "vfs", "--mac", "0=02:00:00:00:66:01", card.bdf, "1")
    vf = card.vf(0)
    name = pf.detach("--netdev", f"{vf.netdev},name=eth0,192.0.2.1/24", cpu=NODES[0][0])
    row = {r["nic"]: r for r in pf.json("nic", "list", "--json")}[vf.bdf]
    assert row["lent"]["grant"] == name and row["netdev"] is None
    assert f"of {name}" in pf.ok("nic", "list")
    pf.fails("nic", "vfs", card.bdf, "0", like=f"VF {vf.bdf}: a container has its interface")
    address = pf.ok("exec", name, "--", "cat", "/proc/net/if_inet6", "/proc/net/route")
    assert "eth0" in address
    pf.ok("stop", "-t", "1", name)
    assert vf.netdev is not None
    link = json.loads(ip("-j", "link", "show", "dev", vf.netdev))[0]
    assert link["address"] == "02:00:00:00:66:01"


@pytest.mark.limit(150)
@needs_testpmd
def test_packets_go_from_vf_to_vf(pf, card):
    """Unmodified testpmd with two VFs, chosen by their PF; its switch takes the packets from one to the other."""
    flags = ["--mac", "0=02:00:00:00:66:01", "--mac", "1=02:00:00:00:66:02"]
    pf.ok("nic", "vfs", *flags, card.bdf, "2")
    flags = ["--cpu-count", "2", "--nic", f"pf={card.bdf},count=2,bind", "--hugepages", "2M=64"]
    app = ["--total-num-mbufs=4096", "--stats-period", "1", "--forward-mode=mac", "--tx-first"]
    app += ["--eth-peer=0,02:00:00:00:66:02", "--eth-peer=1,02:00:00:00:66:01"]
    s = pf.start("run", *flags, "--", "dpdk-testpmd", "--", *app)
    s.until(r"RX-packets: [1-9]\d{3,}", 60)
    s.signal(2)
    assert s.end() == 0
    ports = re.findall(r"Probe PCI driver: net_e1000_igb_vf \S+ device: (\S+)", s.text())
    assert ports == [card.vf(0).bdf, card.vf(1).bdf], s.text()
    assert [card.vf(i).driver for i in (0, 1)] == ["igbvf", "igbvf"]


# --- killed ---------------------------------------------------------------------------------------


def killat(pf, *args):
    with open(pf.directory / "killat.out", "wb") as out:
        command = [KILLAT, "-s", str(40 * SLOW), *map(str, args)]
        return subprocess.run(
            command, stdout=out, stderr=out, timeout=50 * SLOW, check=False
        ).returncode


@pytest.mark.limit(1200 if EVERY_STEP else 240)
@pytest.mark.parametrize("there", [0, 2], ids=["make", "set"])
def test_death_at_every_step(pf, card, there):
    """After pinfold gc there are none, or all are there and set; what was only set is as it was, or as it was said."""
    command = ["nic", "vfs", "--vlan", "0=5", "--vlan", "1=6", card.bdf, "2"]
    listing = pf.directory / "calls"

    def prepare():
        if card.count:
            pf.ok("nic", "vfs", card.bdf, "0")
        if there:
            pf.ok("nic", "vfs", "--vlan", "8", card.bdf, str(there))

    prepare()
    assert killat(pf, "-l", listing, "--", pf.path, *command) == 0, (
        pf.directory / "killat.out"
    ).read_text()
    points = []
    for line in listing.read_text().splitlines():
        role, number, _, call, result, *path = line.split(" ")
        if role == "0" and int(result) >= 0:
            points.append((number, " ".join([call, *path])))
    assert len(points) >= 3, points
    print(f"{len(points)} steps")
    if not EVERY_STEP:
        points = [points[i * len(points) // 8] for i in range(8)]
    for number, call in points:
        prepare()
        killat(pf, "-k", f"0:{number}", "-v", "0", "--", pf.path, *command)
        limit = time.monotonic() + 20 * SLOW
        while pf("gc").returncode != 0:
            assert time.monotonic() < limit, call
            time.sleep(0.2)
        vlans = [card.settings(i)["vlan"] for i in range(card.count)]
        assert vlans in ([[], [5, 6]] if not there else [[8, 8], [5, 6]]), call
        assert card.autoprobe == 1 and not RECORDS.exists(), call
