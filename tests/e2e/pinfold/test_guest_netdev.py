# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The interface of a real NIC, with its kernel driver, in a container and back. Only in the guest."""

import json
import subprocess

import pytest
from features import needs_nodes
from nics import nics

from workload import GUEST, NODES, kill, needs_root, processes_of, wait

pytestmark = [
    needs_root,
    needs_nodes,
    pytest.mark.guest,
    pytest.mark.skipif(not GUEST, reason="takes NICs: only in the guest (tests/run guest)"),
]


def ip(*words):
    p = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=60, check=True)
    return p.stdout


def state(name):
    link = json.loads(ip("-j", "addr", "show", "dev", name))[0]
    seen = {key: link[key] for key in ("address", "mtu")}
    return seen | {"up": "UP" in link["flags"], "altnames": link.get("altnames", [])}


@pytest.fixture
def pair():
    """Two e1000e with a cable between them, as on a host where nobody has done anything."""
    subprocess.run(["modprobe", "e1000e"], check=True, timeout=60)
    found = nics(0x10D3)[:2]
    for nic in found:
        nic.bind("e1000e")
        (nic.path / "driver_override").write_text("\n")
        ip("link", "set", nic.netdev, "down")
    names = [nic.netdev for nic in found]
    yield found
    assert [nic.netdev for nic in found] == names
    for nic in found:
        nic.unbind()


def test_interface_of_a_nic(pf, pair):
    """Packets go over its cable; it is known whose it is, and nobody takes its function."""
    a, b = pair
    device, before = a.netdev, state(a.netdev)
    ip("addr", "add", "192.0.2.2/24", "dev", b.netdev)
    ip("link", "set", b.netdev, "up")
    name = pf.detach("--netdev", f"{device},name=eth0,192.0.2.1/24,mtu=1400", cpu=NODES[0][0])
    assert a.netdev is None and a.driver == "e1000e"
    row = {r["nic"]: r for r in pf.json("nic", "list", "--json")}[a.bdf]
    assert row["lent"] == {"netdev": device, "grant": name}
    assert f"netdev {device} of {name}" in pf.ok("nic", "list")
    ping = ["ping", "-c", "1", "-W", "2", "192.0.2.1"]
    # the link of a card comes up when it has a mind to
    wait(lambda: subprocess.run(ping, check=False, timeout=60).returncode == 0, 40, "an answer")
    pf.fails("nic", "bind", a.bdf, like=f"netdev '{device}' of '{name}'|its interface '{device}'")
    like = f"its interface '{device}'"
    flags = ["--cpus", NODES[0][1], "--nic", f"{a.bdf},bind"]
    pf.fails("run", *flags, "--", "/bin/true", like=like)
    pf.ok("stop", "-t", "1", name)
    assert state(device) == before
    assert {r["nic"]: r for r in pf.json("nic", "list", "--json")}[a.bdf]["lent"] is None


def test_after_a_crash(pf, pair):
    """Everybody is killed: the kernel gives it to the host, and pinfold gc its name and state."""
    a, _ = pair
    ip("link", "set", a.netdev, "mtu", "1300")
    ip("link", "set", a.netdev, "up")
    device, before = a.netdev, state(a.netdev)
    s, name = pf.begin("--netdev", f"{device},name=eth0,force", cpu=NODES[0][0])
    lease = pf.lease(name)
    assert a.netdev is None
    s.process.kill()
    s.process.wait()
    for pid in processes_of(lease):
        kill(pid)
    wait(lambda: pf.ps()[name]["state"] == "dead", what="the end")
    assert pf.ok("gc") == "1 cleaned up\n"
    assert state(device) == before
    ip("link", "set", device, "mtu", "1500")


def test_nic_that_is_pulled_out(pf, pair):
    """While a container has its interface: the lease ends, and the log says what became of it."""
    a, _ = pair
    device = a.netdev
    name = pf.detach("--netdev", f"{device},name=eth0", cpu=NODES[0][0])
    (a.path / "remove").write_text("1")
    try:
        pf.ok("stop", "-t", "1", name)
        assert pf.ps() == {} and a.bdf not in pf.ok("nic", "list")
        with open("/run/pinfold/log", encoding="utf-8") as log:
            assert f"netdev '{device}' of '{name}' does not exist any more" in log.read()
    finally:
        with open("/sys/bus/pci/rescan", "w", encoding="ascii") as rescan:
            rescan.write("1")
    wait(lambda: a.path.exists() and a.driver == "e1000e", what="its driver")
    wait(lambda: a.netdev == device, what="its interface")
