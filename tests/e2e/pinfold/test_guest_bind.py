# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold nic bind and unbind, and NICs that are bound for a lease: with real drivers, killed at every step.

Only in the guest: elsewhere these NICs are somebody's.
"""

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from features import needs_nodes
from nics import MODULES, nics
from places import TOP

from schemas import validate
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
RECORDS = Path("/run/pinfold/nics")
KEPT, HOW = Path("/etc/driverctl.d"), Path("/etc/pinfold/nics.d")
pytestmark = [
    needs_root,
    needs_nodes,
    pytest.mark.guest,
    pytest.mark.skipif(not GUEST, reason="binds NICs: only in the guest (tests/run guest)"),
]


def records():
    return sorted(os.listdir(RECORDS)) if RECORDS.is_dir() else []


@pytest.fixture(autouse=True, scope="module")
def _drivers():
    """The NICs have the kernel's drivers, as on a host where nobody has done anything."""
    for module in (*MODULES, "e1000e", "e1000"):
        subprocess.run(["modprobe", module], check=True, timeout=60)
    for device, driver in ((0x10D3, "e1000e"), (0x100E, "e1000")):
        for nic in nics(device):
            nic.bind(driver)
            (nic.path / "driver_override").write_text("\n")
    yield
    for nic in (*nics(0x10D3), *nics(0x100E)):
        nic.unbind()


@pytest.fixture
def e1000e():
    found = nics(0x10D3)
    assert [f.driver for f in found] == ["e1000e"] * 3
    yield found
    assert [(f.driver, f.override) for f in found] == [("e1000e", "")] * 3
    assert records() == []


def test_there_and_back(pf, e1000e):
    a, b, _ = e1000e
    steps = pf.ok("nic", "bind", "--dry-run", a.bdf)
    assert a.driver == "e1000e" and f"{a.bdf}/driver/unbind = {a.bdf}" in steps
    assert pf.ok("nic", "bind", a.bdf, b.netdev) == ""
    assert (a.driver, b.driver, a.override) == ("vfio-pci", "vfio-pci", "vfio-pci")
    seen = {row["nic"]: row for row in pf.json("nic", "list", "--json")}
    assert seen[a.bdf]["driver"] == "vfio-pci" and seen[a.bdf]["netdev"] is None
    assert pf.ok("nic", "bind", a.bdf) == ""  # once more
    assert records() == [f"{a.bdf}.json", f"{b.bdf}.json"]
    # from one such driver to another; what it had at first is what it gets
    pf.ok("nic", "bind", "--driver", "uio_pci_generic", a.bdf)
    assert a.driver == "uio_pci_generic"
    assert pf.ok("gc") == "0 cleaned up\n" and a.driver == "uio_pci_generic"
    pf.ok("nic", "unbind", a.bdf, b.bdf)
    assert a.driver == "e1000e" and a.netdev and b.netdev
    pf.fails("nic", "unbind", a.bdf, like="not bound to a driver for programs, but to e1000e")


def test_module_that_a_nic_has(pf, e1000e):
    """host prepare loads it; as long as a NIC is bound to it host undo leaves it, and says so."""
    nic, name = e1000e[0], "uio_pci_generic"
    module, prepare = Path(f"/sys/module/{name}"), ["host", "prepare", "--json", "--module", name]
    subprocess.run(["modprobe", "-r", name], check=True, timeout=60)
    doc = pf.json(*prepare)
    step = {"do": "module", "path": name, "value": "loaded", "former": "none", "name": ""}
    assert step in doc["steps"] and module.exists()
    assert pf.json(*prepare)["steps"] == []
    pf.ok("nic", "bind", "--driver", name, nic.bdf)
    p = pf("host", "undo")
    why = f"module '{name}': {nic.bdf} is bound to it; pinfold nic unbind {nic.bdf}"
    assert p.returncode == 1 and f"stays: {name}: {why}\n" in p.stdout and nic.driver == name
    doc = json.loads(pf("host", "undo", "--json").stdout)
    validate("undo", doc)
    assert doc["failed"] == [{"name": name, "why": why}] and doc["undone"] == 0
    pf.ok("nic", "unbind", nic.bdf)
    assert pf.ok("host", "undo") == "1 taken back\n" and not module.exists()


def test_bound_by_somebody_else(pf, e1000e):
    """The kernel chooses its driver."""
    (a, *_) = e1000e
    a.bind("vfio-pci")
    pf.ok("nic", "unbind", a.bdf)
    assert (a.driver, a.override) == ("e1000e", "")


def test_what_the_host_uses_is_refused(pf, e1000e):
    a, *_ = e1000e
    netdev = a.netdev
    ip = lambda *words: subprocess.run(["ip", *words], check=True, timeout=60)
    ip("addr", "add", "192.0.2.1/32", "dev", netdev)
    pf.fails("nic", "bind", a.bdf, like="has an address or a route of this host; .*--force")
    pf.fails("run", "--cpus", "0", "--nic", f"{a.bdf},bind", "--", "/bin/true", like="an address")
    ip("link", "set", netdev, "up")
    ip("route", "add", "default", "dev", netdev)
    pf.fails("nic", "bind", a.bdf, like="carries the default route")
    assert a.driver == "e1000e"
    pf.ok("nic", "bind", "--force", a.bdf)
    assert a.driver == "vfio-pci"
    pf.ok("nic", "unbind", a.bdf)
    ip("link", "add", "br9", "type", "bridge")
    ip("link", "set", a.netdev, "master", "br9")
    pf.fails("nic", "bind", a.bdf, like="is a port of br9")
    ip("link", "del", "br9")


def test_group_goes_together(pf):
    a, b = nics(0x100E)
    assert a.group == b.group and (a.driver, b.driver) == ("e1000", "e1000")
    pf.fails("nic", "bind", a.bdf, like=f"shares IOMMU group {a.group} with {b.bdf}")
    pf.ok("nic", "bind", "--persist", a.bdf, b.bdf)
    assert (a.driver, b.driver) == ("vfio-pci", "vfio-pci")
    pf.ok("nic", "unbind", a.bdf, b.bdf)
    assert (a.driver, b.driver) == ("e1000", "e1000")
    # as at the next boot
    assert pf.ok("nic", "restore") == ""
    assert (a.driver, b.driver) == ("vfio-pci", "vfio-pci")
    pf.ok("nic", "unbind", "--persist", a.bdf, b.bdf)
    # by half of it nothing is bound, and it is said
    KEPT.mkdir(exist_ok=True)
    (KEPT / f"pci-{a.bdf}").write_text("vfio-pci\n")
    pf.fails("nic", "restore", like="shares IOMMU group")
    assert (a.driver, b.driver) == ("e1000", "e1000")
    (KEPT / f"pci-{a.bdf}").unlink()


def test_bad_input(pf, e1000e):
    a, *_ = e1000e
    pf.fails("nic", "bind", "0000:7f:1f.7", like="NIC '0000:7f:1f.7' does not exist")
    pf.fails("nic", "bind", a.bdf, a.bdf, like="named twice")
    pf.fails("nic", "bind", "--driver", "e1000", a.bdf, like="none of vfio-pci")
    # a module that is missing, also where the guest has it
    empty = "mount -t tmpfs none /lib/modules"
    if Path("/sys/module/igb_uio").exists():
        subprocess.run(["rmmod", "igb_uio"], check=True, timeout=60)
    p = within(pf, empty, "nic", "bind", "--driver", "igb_uio", a.bdf)
    assert p.returncode == 125 and p.stderr.count("\n") == 1, p.stderr
    assert re.search("load module 'igb_uio'.*dpdk-kmods-dkms", p.stderr) and a.driver == "e1000e"
    disk = next(p for p in a.path.parent.iterdir() if (p / "class").read_text().startswith("0x06"))
    pf.fails("nic", "bind", disk.name, like="is no NIC")


def within(pf, script, *words):
    """A command of pinfold after a script, in a mount namespace of its own."""
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", f'{script} && exec "$@"', "sh", pf.path, *words],
        capture_output=True,
        text=True,
        timeout=60 * SLOW,
        check=False,
    )


def test_bind_that_fails_half_way(pf, e1000e):
    """Its driver is gone already, the new one refuses: it has the old one again, and so have those before it."""
    a, b, _ = e1000e
    full = "mount --bind /dev/full"
    p = within(pf, f"{full} /sys/bus/pci/drivers/vfio-pci/bind", "nic", "bind", a.bdf)
    assert p.returncode == 125 and p.stderr.count("\n") == 1, p.stderr
    assert re.match(f"pinfold: NIC {a.bdf}: write .* No space left", p.stderr)
    assert (a.driver, records()) == ("e1000e", [])
    p = within(pf, f"{full} {b.path}/driver_override", "nic", "bind", a.bdf, b.bdf)
    assert p.returncode == 125 and re.match(
        f"pinfold: NIC {b.bdf}: write .* No space left", p.stderr
    )
    assert (a.driver, b.driver, records()) == ("e1000e", "e1000e", [])
    pf.fails("nic", "bind", a.bdf, "--", b.bdf, "0000:7f:1f.7", like="does not exist")
    assert (a.driver, b.driver, records()) == ("e1000e", "e1000e", [])


def test_nic_that_was_pulled_out(pf, e1000e):
    """Nothing is left of it, and when it is back its driver has it."""
    a, *_ = e1000e
    pf.ok("nic", "bind", a.bdf)
    (a.path / "remove").write_text("1")
    try:
        pf.fails("nic", "unbind", a.bdf, like=f"NIC '{a.bdf}' does not exist")
        assert a.bdf not in pf.ok("nic", "list")
        pf.fails("run", "--cpus", NODES[0][0], "--nic", a.bdf, "--", "true", like="does not exist")
    finally:
        Path("/sys/bus/pci/rescan").write_text("1")
    wait(lambda: a.driver == "e1000e", what="its driver")


def test_after_a_reboot(pf, e1000e):
    a, b, _ = e1000e
    pf.ok("nic", "bind", "--persist", a.bdf)
    pf.ok("nic", "bind", b.bdf)
    assert (KEPT / f"pci-{a.bdf}").read_text() == "vfio-pci\n"
    (KEPT / "pci-0000:00:1f.2").write_text("pci-stub\n")  # driverctl's own
    try:
        for nic in (a, b):  # as the kernel does
            nic.bind("e1000e")
            (nic.path / "driver_override").write_text("\n")
        for record in RECORDS.iterdir():
            record.write_text(
                re.sub('"boot-id": "........', '"boot-id": "00000000', record.read_text())
            )
        assert pf.ok("nic", "restore") == ""
        assert (a.driver, b.driver, records()) == ("vfio-pci", "e1000e", [f"{a.bdf}.json"])
        assert "again at the next boot" in pf("nic", "unbind", a.bdf).stderr
        pf.ok("nic", "restore")
        pf.ok("nic", "unbind", "--persist", a.bdf)
        assert os.listdir(KEPT) == ["pci-0000:00:1f.2"]
    finally:
        (KEPT / "pci-0000:00:1f.2").unlink()


def test_what_was_said_is_kept_for_the_next_boot(pf, e1000e):
    """A NIC that the host uses is bound again, since --force was said."""
    a, *_ = e1000e
    address = ["ip", "addr", "add", "192.0.2.1/32", "dev"]
    subprocess.run([*address, a.netdev], check=True, timeout=60)
    pf.ok("nic", "bind", "--persist", "--force", a.bdf)
    assert (HOW / a.bdf).read_text().startswith("force of=")
    pf.ok("nic", "unbind", a.bdf)
    subprocess.run([*address, a.netdev], check=True, timeout=60)
    (HOW / a.bdf).rename(HOW / "x")
    pf.fails("nic", "restore", like="has an address")
    (HOW / "x").rename(HOW / a.bdf)
    assert pf.ok("nic", "restore") == "" and a.driver == "vfio-pci"
    # what driverctl writes anew is not what it was said of
    pf.ok("nic", "unbind", a.bdf)
    subprocess.run([*address, a.netdev], check=True, timeout=60)
    (KEPT / f"pci-{a.bdf}").write_text("vfio-pci\n")
    pf.fails("nic", "restore", like="has an address")
    pf.ok("nic", "bind", "--force", a.bdf)
    pf.ok("nic", "unbind", "--persist", a.bdf)
    assert os.listdir(HOW) == []


def test_bind_that_cannot_persist(pf, e1000e):
    """All or none: also the one that was bound already, and what was written for others."""
    a, b, _ = e1000e
    trap = KEPT / f"pci-{b.bdf}"
    trap.mkdir(parents=True)
    (trap / "x").touch()
    try:
        pf.fails("nic", "bind", "--persist", a.bdf, b.bdf, like=f"pci-{b.bdf}")
        assert (a.driver, b.driver, records()) == ("e1000e", "e1000e", [])
        assert os.listdir(KEPT) == [trap.name]
    finally:
        (trap / "x").unlink()
        trap.rmdir()


# --- for a lease ----------------------------------------------------------------------------------


def test_bound_for_a_lease(pf, e1000e):
    a, *_ = e1000e
    flags = ("--nic", f"{a.bdf},bind")
    plan = pf.ok("plan", "--cpus", NODES[0][0], *flags, "--", "/bin/true")
    assert "vfio-pci for this lease, and given back to e1000e" in plan and a.driver == "e1000e"
    s, name = pf.begin(*flags, cpu=NODES[0][0])
    assert a.driver == "vfio-pci"
    assert f"grant {name}, in use" in pf.ok("nic", "list")
    pf.fails("nic", "unbind", a.bdf, like=f"in use by '{name}'")
    pf.fails("nic", "bind", "--driver", "uio_pci_generic", a.bdf, like=f"in use by '{name}'")
    pf.ok("stop", "-t", "0", name)
    assert a.driver == "e1000e" and records() == []


@pytest.mark.parametrize("next_one", ["gc", "run"])
def test_bound_for_a_lease_whose_supervisor_died(pf, e1000e, next_one):
    a, *_ = e1000e
    s, name = pf.begin("--nic", f"{a.bdf},bind", cpu=NODES[0][0])
    lease = pf.lease(name)
    s.process.kill()
    s.process.wait()
    for pid in processes_of(lease):
        kill(pid)
    wait(lambda: pf.ps()[name]["state"] == "dead", what="the end")
    if next_one == "gc":
        assert pf.ok("gc") == "1 cleaned up\n"
    else:  # the same NIC, given back and bound again
        pf.ok("run", "--cpus", NODES[0][0], "--nic", f"{a.bdf},bind", "--", "/bin/true")
    assert a.driver == "e1000e"


def test_start_that_fails_leaves_none_bound(pf, e1000e):
    a, *_ = e1000e
    p = pf("run", "--cpus", NODES[0][0], "--nic", f"{a.bdf},bind", "--", "/nothing")
    assert p.returncode == 127 and a.driver == "e1000e" and records() == []
    p = pf("run", "--cpus", NODES[0][0], "--nic", f"{a.bdf},bind", "--", "/etc/passwd")
    assert p.returncode == 126 and a.driver == "e1000e" and records() == []


@pytest.mark.limit(150)
@needs_testpmd
def test_testpmd_without_arguments_for_eal(pf, e1000e):
    """Two of three NICs, chosen by what they are and bound for the lease: it finds those and no other."""
    third = e1000e[2]
    flags = ["--cpu-count", "2", "--nic", "driver=e1000e,count=2,bind", "--hugepages", "2M=64"]
    app = ["--total-num-mbufs=4096", "--stats-period", "1", "--tx-first"]
    s = pf.start("run", *flags, "--", "dpdk-testpmd", "--", *app)
    s.until(r"RX-packets: [1-9]\d{3,}", 40)
    assert [f.driver for f in e1000e] == ["vfio-pci", "vfio-pci", "e1000e"]
    s.signal(2)
    assert s.end() == 0
    ports = re.findall(r"Probe PCI driver: net_e1000_em \(8086:10d3\) device: (\S+)", s.text())
    assert ports == [f.bdf for f in e1000e[:2]], s.text()
    assert third.bdf not in s.text()


# --- killed ---------------------------------------------------------------------------------------


def killat(pf, *args):
    with open(pf.directory / "killat.out", "wb") as out:
        command = [KILLAT, "-s", str(40 * SLOW), *map(str, args)]
        return subprocess.run(
            command, stdout=out, stderr=out, timeout=50 * SLOW, check=False
        ).returncode


def bind_of(pf, nic):
    return (lambda: None), ["nic", "bind", nic.bdf]


@pytest.mark.limit(900 if EVERY_STEP else 240)
def test_death_in_a_bind_of_two(pf, e1000e):
    """After pinfold gc both are bound, and for the next boot too, or neither is."""
    two = e1000e[:2]
    command = ["nic", "bind", "--persist", *(n.bdf for n in two)]
    listing = pf.directory / "calls"
    assert killat(pf, "-l", listing, "--", pf.path, *command) == 0
    pf.ok("nic", "unbind", "--persist", *(n.bdf for n in two))
    points = []
    for line in listing.read_text().splitlines():
        role, number, _, call, result, *path = line.split(" ")
        if role == "0" and int(result) >= 0:
            points.append((number, " ".join([call, *path])))
    print(f"{len(points)} steps")
    if not EVERY_STEP:
        points = [points[i * len(points) // 6] for i in range(6)]
    ends = set()
    for number, call in points:
        killat(pf, "-k", f"0:{number}", "-v", "0", "--", pf.path, *command)
        pf.ok("gc")
        bound = {n.driver for n in two}
        assert len(bound) == 1, call
        ends |= bound
        done = bound == {"vfio-pci"}
        assert [(KEPT / f"pci-{n.bdf}").exists() for n in two] == [done, done], call
        assert records() == ([f"{n.bdf}.json" for n in two] if done else []), call
        if done:
            pf.ok("nic", "unbind", "--persist", *(n.bdf for n in two))
        assert [(n.driver, n.override) for n in two] == [("e1000e", "")] * 2, call
    assert "e1000e" in ends


def unbind_of(pf, nic):
    return (lambda: pf.ok("nic", "bind", nic.bdf)), ["nic", "unbind", nic.bdf]


def run_of(pf, nic):
    flags = ["--name", "killed", "--cpus", str(NODES[0][0]), "--nic", f"{nic.bdf},bind"]
    return (lambda: None), ["run", *flags, "--", "/bin/true"]


@pytest.mark.limit(1200 if EVERY_STEP else 240)
@pytest.mark.parametrize("what", [bind_of, unbind_of, run_of], ids=["bind", "unbind", "run"])
def test_death_at_every_step(pf, e1000e, what):
    """After pinfold gc it is bound as it was asked for, and known to be, or has its driver again."""
    nic = e1000e[0]
    prepare, command = what(pf, nic)
    listing = pf.directory / "calls"
    prepare()
    assert killat(pf, "-l", listing, "--", pf.path, *command) == 0, (
        pf.directory / "killat.out"
    ).read_text()
    if what is bind_of:
        pf.ok("nic", "unbind", nic.bdf)
    points = []
    for line in listing.read_text().splitlines():
        role, number, _, call, result, *path = line.split(" ")
        if role == "0" and int(result) >= 0:
            points.append((number, " ".join([call, *path])))
    assert len(points) >= 5, points
    print(f"{len(points)} steps")
    if not EVERY_STEP:
        points = [points[i * len(points) // 12] for i in range(12)]
    for i, (number, call) in enumerate(points):
        prepare()
        # the container outlives its supervisor, or does not
        who = "all" if what is run_of and i % 2 else "0"
        killat(pf, "-k", f"0:{number}", "-v", who, "--", pf.path, *command)
        limit = time.monotonic() + 20 * SLOW
        while pf("gc").returncode != 0 or pf.ps().get("killed"):
            assert time.monotonic() < limit, call
            time.sleep(0.2)
        bound = nic.driver == "vfio-pci"
        if bound:
            assert what is not run_of, call
            record = json.loads((RECORDS / f"{nic.bdf}.json").read_text())
            assert record["kept"] and record["former"] == "e1000e", call
            pf.ok("nic", "unbind", nic.bdf)
        assert (nic.driver, nic.override, records()) == ("e1000e", "", []), call
