# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Interfaces of the host in a container's own network namespace, and back at its end."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from netspace import Netspace
from workload import (
    CPU,
    LEASES,
    OTHER,
    PYTHON,
    kill,
    needs_root,
    needs_two,
    processes_of,
    unique,
    wait,
)

pytestmark = [needs_root]
RECORDS = Path("/run/pinfold/netdevs")
LOOK = """
import fcntl, json, socket, struct
def ask(request, name):
    with socket.socket() as s:
        return fcntl.ioctl(s, request, struct.pack("16s16x", name.encode()))[16:]
seen = {}
for line in open("/proc/self/net/dev"):
    name = line.split(":")[0].strip()
    if ":" not in line or name == "lo":
        continue
    seen[name] = {"up": struct.unpack("H", ask(0x8913, name)[:2])[0] & 1,
                  "mtu": struct.unpack("i", ask(0x8921, name)[:4])[0],
                  "mac": ask(0x8927, name)[2:8].hex(":")}
    try:
        seen[name]["address"] = socket.inet_ntoa(ask(0x8915, name)[4:8])
    except OSError:
        pass
six = [line.split() for line in open("/proc/net/if_inet6")]
seen["six"] = [words[0] for words in six if words[3] == "00"]
seen["caps"] = int(next(l.split()[1] for l in open("/proc/self/status") if l.startswith("CapEff")), 16)
print(json.dumps(seen))
"""
RUNTIMES = [name for name in ("crun", "runc") if os.path.exists(f"/usr/bin/{name}")]


@pytest.fixture(name="net")
def fixture_net(pf):
    space = Netspace(pf)
    space("ip link add n0 type veth peer name far")
    space("ip link set n0 address 02:00:00:00:77:01 mtu 1400")
    space("ip addr add 192.0.2.2/24 dev far")
    space("ip link set far up")
    yield space
    space.put_away()


def inside(net, *flags):
    return json.loads(net.pf.python(LOOK, *flags))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_in_and_back(net, runtime):
    before = net.state("n0")
    flag = "n0,name=eth0,192.0.2.1/24,2001:db8::1/64,mtu=1300"
    found = inside(net, "--runtime", f"/usr/bin/{runtime}", "--netdev", flag)
    assert found == {
        "eth0": {"up": 1, "mtu": 1300, "mac": "02:00:00:00:77:01", "address": "192.0.2.1"},
        "six": ["20010db8000000000000000000000001"],
        "caps": 0,
    }
    assert net.state("n0") == before
    assert not RECORDS.exists()


def test_as_it_was(net):
    """What it has on the host it has in the container and again on the host."""
    net("ip link set n0 up promisc on")
    net("ip link property add dev n0 altname enp9s9")
    net("ip addr add 192.0.2.9/24 brd 192.0.2.255 dev n0")
    net("ip addr add 192.0.2.10/24 dev n0")
    net("ip addr add 2001:db8::9/64 dev n0 nodad")
    before = net.state("n0")
    assert before["altnames"] == ["enp9s9"] and len(before["addresses"]) == 3
    found = inside(net, "--netdev", "n0,force")
    assert found["n0"]["address"] == "192.0.2.9" and found["n0"]["mtu"] == 1400
    assert found["six"] == ["20010db8000000000000000000000009"]
    assert net.state("n0") == before


PING = "ping -c 1 -W 5 192.0.2.1"
CONNECT = "import socket; socket.create_connection(('192.0.2.2', {}), 5).sendall(b'hello')"
LISTEN = """
import socket
s = socket.create_server(("192.0.2.2", 0))
print("port", s.getsockname()[1], flush=True)
s.settimeout(20)
print("got", s.accept()[0].recv(99).decode(), flush=True)
"""


def test_packets_cross(net):
    """Detached, and from what exec starts; and it is not on the host meanwhile."""
    before = net.state("n0")
    name = net.pf.detach("--netdev", "n0,192.0.2.1/24")
    assert "n0" not in net.names()
    net(PING)
    peer = net.pf.start_other(*net.enter, PYTHON, "-I", "-c", LISTEN)
    port = peer.until(r"^port (\d+)")[1]
    net.pf.ok("exec", name, "--", PYTHON, "-I", "-c", CONNECT.format(port))
    peer.until("^got hello")
    net.pf.ok("stop", "-t", "1", name)
    assert net.state("n0") == before


def test_macvlan(net):
    net("ip link add m0 link far type macvlan mode bridge")
    before = net.state("m0")
    assert inside(net, "--netdev", "m0,198.51.100.1/24")["m0"]["address"] == "198.51.100.1"
    assert net.state("m0") == before


@needs_two
def test_what_it_is_on_stays(net):
    """Whatever that is called by then."""
    net("ip link add m0 link n0 type macvlan mode bridge")
    name = net.pf.detach("--netdev", "m0", cpu=OTHER)
    net("ip link set n0 name n1")
    for command in ("run", "plan"):
        net.pf.fails(
            *(command, "--cpus", CPU, "--netdev", "n1,force", "--", "true"),
            like="netdev 'n1' is below 'm0', which a container has; stop that first",
        )
    net.pf.ok("stop", "-t", "1", name)
    assert {"m0", "n1"} <= net.names()
    net("ip link del m0")
    assert "n1" in inside(net, "--netdev", "n1")


def test_beside_a_kernel_port(net):
    net.pf.fails(
        *("run", "--cpus", CPU, "--netdev", "n0", "--kernel-port", "n0,vhost", "--", "true"),
        like="netdev 'n0': a kernel port is called n0 already; say another name=",
    )
    assert "n0" in net.names()
    if not os.path.exists("/dev/vhost-net"):
        pytest.skip("this kernel has no vhost-net")
    found = inside(net, "--netdev", "n0", "--kernel-port", "k0,vhost")
    assert {"n0", "k0"} <= set(found)


@pytest.mark.parametrize(
    "flags, like",
    [
        (["--cap", "NET_ADMIN"], "could stay on the host; leave out --cap NET_ADMIN"),
        (["--kernel-port", "k0"], "'k0' brings NET_ADMIN, .*; say --kernel-port k0,vhost"),
    ],
)
def test_not_with_net_admin(net, flags, like):
    flags = ["--cpus", CPU, "--netdev", "n0", *flags]
    net.pf.fails("run", *flags, "--", "true", like=like)
    net.pf.fails("plan", *flags, "--", "true", like=like)
    net.pf.fails("grant", "create", "--name", unique(), *flags, like=like)
    assert "n0" in net.names()


def from_outside(net, script, *flags):
    """Root of the host changes what a container has, as long as that runs."""
    name = net.pf.detach(*flags)
    pid = next(iter(processes_of(net.pf.lease(name))))
    command = ["nsenter", "-t", str(pid), "-n", "sh", "-ec", script]
    p = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert p.returncode == 0, p.stdout + p.stderr
    net.pf.ok("stop", "-t", "1", name)
    return p.stdout


def test_whatever_is_made_of_it(net):
    """Root may rename and change it, and give it names that the host has."""
    before = net.state("n0")
    script = (
        "ip link set eth0 down && ip link set eth0 name mine address 02:00:00:00:66:66 mtu 1280"
        " && ip link property add dev mine altname far && ip link property add dev mine altname n0"
        " && ip addr add 10.9.9.9/8 dev mine && ip link set mine up promisc on allmulticast on"
        " && ip link add link mine name v9 type macvlan"
        " && for i in $(seq 40); do ip addr add 10.8.0.$i/32 dev mine; done; ip link"
    )
    out = from_outside(net, script, "--netdev", "n0,name=eth0")
    assert "mine:" in out and "v9@mine" in out
    assert net.state("n0") == before
    assert net.names() == {"lo", "n0", "far"}


@pytest.mark.parametrize("impostor", [False, True])
def test_removed_meanwhile(net, pf, impostor):
    """What was removed is gone. Another one with its name, number and address is not taken for it."""
    script = "ip link del n0"
    if impostor:
        script = (
            "i=$(cat /proc/self/net/igmp | awk '$2 == \"n0\" {print $1}'); set -e; ip link del n0;"
            "ip link add n0 index $i address 02:00:00:00:77:01 type veth peer name other;"
            "ip link set n0 up"
        )
    from_outside(net, script, "--netdev", "n0")
    assert net.names() == {"lo"}  # a veth goes with its peer
    assert not RECORDS.exists()
    assert pf.ok("gc") == "0 cleaned up\n"


def test_routers_are_ignored(net):
    look = "for i in eth0 default; do cat /proc/sys/net/ipv6/conf/$i/accept_ra; done"
    assert from_outside(net, look, "--netdev", "n0,name=eth0") == "0\n1\n"


def test_what_cannot_be_again(net):
    """It comes back without it, and the log tells."""
    net("ip link add m0 link far type macvlan mode bridge")
    net("ip link property add dev m0 altname m0a")
    net("ip link property add dev m0 altname m0b")
    net("ip addr add 198.51.100.7/24 dev m0")
    net("ip link set m0 up promisc on")
    before = net.state("m0")
    name = net.pf.detach("--netdev", "m0,force")
    net("ip link set far mtu 1300")
    net("ip link property add dev far altname m0a")
    net.pf.ok("stop", "-t", "1", name)
    assert before["mtu"] == 1500
    assert net.state("m0") == {**before, "mtu": 1300, "altnames": ["m0b"]}
    assert not RECORDS.exists() and name not in net.pf.ps()
    log = Path("/run/pinfold/log").read_text()
    lost = re.findall(f"netdev 'm0' of '{name}' is back, but has lost (.*): ", log)
    assert lost == ["its MTU, 1500", "its name m0a"]


def record(net, boot):
    """As if it had been taken, and had been smaller."""
    inode = int(net("stat -L -c %i /sys/class/net/n0"))
    was = {"netdev": "n0", "inode": inode, "device": "devices/virtual/net/n0", "flags": 0}
    was |= {"mtu": 1300, "mac": "020000007701", "altnames": [], "addresses": []}
    directory = RECORDS / unique()
    directory.mkdir(parents=True, mode=0o700)
    (directory / "netdevs.json").write_text(json.dumps({"boot-id": boot, "netdevs": [was]}))
    return directory


@pytest.mark.parametrize("ours, mtu", [(True, 1300), (False, 1400)])
def test_record_without_a_lease(net, ours, mtu):
    """Of another boot it tells of nothing that is here."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    record(net, boot if ours else boot[::-1])
    net.pf.ok("gc")
    assert net.state("n0")["mtu"] == mtu
    assert not RECORDS.exists()


def test_record_is_not_written_over(net):
    directory = record(net, "")
    (directory / "netdevs.json").write_text("{}")
    try:
        like = "not back yet; call: pinfold gc|read what netdevs were: 'netdevs' is missing"
        flags = ["--name", directory.name, "--cpus", CPU, "--netdev", "n0"]
        p = net.pf("run", *flags, "--", "true")
        assert p.returncode == 125 and re.search(like, p.stderr), p.stderr
        assert (directory / "netdevs.json").read_text() == "{}" and "n0" in net.names()
    finally:
        (directory / "netdevs.json").unlink()
    net.pf.ok("gc")
    assert not RECORDS.exists()


@pytest.mark.parametrize("where", ["same", "host", "unreadable", "removed"])
def test_after_a_crash(net, pf, where):
    """Nobody is left that could give it back: gc does, whatever network namespace it is called in, and
    whatever became of the lease."""
    if where == "host" and not os.access("/proc/1/root/.", os.F_OK):
        pytest.skip("the first process's mounts, where it would find them, may not be seen here")
    net("ip addr add 192.0.2.9/24 dev n0")
    net("ip link set n0 up")
    before = net.state("n0")
    name = net.pf.detach("--netdev", "n0,force,name=x0")
    lease = pf.lease(name)
    assert [u["what"] for u in lease["undo"]].count("netdevs") == 1
    kill(lease["supervisor"])
    for pid in processes_of(lease):
        kill(pid)
    wait(lambda: not processes_of(lease), what="the end")
    assert "n0" not in net.names()
    path = LEASES / f"{name}.json"
    text = path.read_text()
    if where == "unreadable":
        path.write_text("{")
    elif where == "removed":
        path.unlink()
    (pf if where == "host" else net.pf).ok("gc")
    assert net.state("n0") == before
    assert not RECORDS.exists()
    if where == "removed":
        path.write_text(text)
        net.pf.ok("gc")


def test_its_name_is_taken_meanwhile(net):
    before = net.state("n0")
    name = net.pf.detach("--netdev", "n0")
    net("ip link add n0 type veth peer name n9")
    net.pf("stop", "-t", "1", name)
    net.pf.fails("gc", like="netdev 'n0' cannot go back: another has its name; rename that")
    net("ip link set n0 name n8")
    net.pf.ok("gc")
    assert net.state("n0") == before


@needs_two
def test_one_grant_at_a_time(net):
    name = net.pf.grant("--cpus", OTHER, "--netdev", "n0,192.0.2.1/24")
    try:
        for command in ("run", "plan"):
            net.pf.fails(
                *(command, "--cpus", CPU, "--netdev", "n0", "--", "true"),
                like=f"netdev 'n0' is granted to '{name}' already",
            )
        assert net.pf.ok("run", "--grant", name, "--", "/bin/echo", "ran") == "ran\n"
    finally:
        net.pf.put_away()
    net.pf.grants.clear()
    assert inside(net, "--netdev", "n0")["n0"]["up"] == 1


@pytest.mark.parametrize(
    "before, flag, like",
    [
        ("", "n1", r"netdev 'n1' does not exist; did you mean 'n0'\?"),
        ("", "lo", "and is not lo"),
        ("", "n0,name=lo", "netdev 'n0': name 'lo': a name has 1 to 15"),
        ("", "n0,name=a/b", "a name has 1 to 15"),
        ("", "n0,1.2.3.4", "write name=NEW, ADDRESS/PREFIX, mtu=N or force"),
        ("", "n0,mtu=1", "from 68"),
        ("", "n0,xdp", "AF_XDP is not for containers: .* use net_af_packet with --cap NET_RAW"),
        ("", "far", "netdev 'far' has an address or a route of this host; .*--netdev far,force"),
        ("ip route add default via 192.0.2.77", "far", "'far' carries the default route"),
        ("ip link add br0 type bridge;ip link set n0 master br0", "n0", "a port of 'br0'"),
        ("ip link add v5 link n0 type macvlan", "n0", "port of 'v5', or below it"),
        ("ip link add br0 type bridge", "br0", "the kernel moves none of its kind"),
        (
            ";".join(f"ip link property add dev n0 altname a{i}" for i in range(9)),
            "n0",
            "more than 8",
        ),
        ("", "n0,mtu=65000,2001:db8::1/200", "from 1 to 128"),
        ("ip addr add 2001:db8::9/64 dev n0", "n0,mtu=68,force", "takes an MTU of 1280 at least"),
    ],
)
def test_refused(net, before, flag, like):
    for command in filter(None, before.split(";")):
        net(command)
    there = net.names()
    net.pf.fails("run", "--cpus", CPU, "--netdev", flag, "--", "true", like=like)
    assert net.names() == there and not RECORDS.exists()


def test_refused_elsewhere(net):
    twice = ["--netdev", "n0", "--netdev", "n0,name=x"]
    net.pf.fails("run", "--cpus", CPU, *twice, "--", "true", like="'n0' is asked for twice")
    same = ["--netdev", "n0", "--netdev", "far,name=n0"]
    net.pf.fails("run", "--cpus", CPU, *same, "--", "true", like="'n0' is called n0 in the cont")
    for place in ("host", "vm"):
        flags = ["--in", place, "--cpus", CPU, "--netdev", "n0"]
        net.pf.fails("run", *flags, "--", "true", like="netdevs are for containers that root sta")


def test_a_step_that_fails_half_way(net):
    """An address that it has cannot be had with that MTU: it goes back, as it was."""
    net("ip addr add 2001:db8::9/64 dev n0 nodad")
    before = net.state("n0")
    net.pf.fails(
        *("run", "--cpus", CPU, "--netdev", "n0,mtu=600,force", "--", "true"),
        like="netdev 'n0': 2001:db8::9/64, which it has, takes an MTU of 1280",
    )
    assert net.state("n0") == before


def test_again_and_again(net):
    """Each start has it; so has a definition."""
    before = net.state("n0")
    name = unique()
    net.pf.names.append(name)
    flags = ["-d", "--restart", "on-failure:2", "--name", name, "--netdev", "n0,name=e0"]
    net.pf.ok("run", "--cpus", CPU, *flags, "--", "/bin/sh", "-c", "grep e0 /proc/net/dev; exit 3")
    wait(lambda: name not in net.pf.ps(), 30, "the end")
    assert len(re.findall("e0:", net.pf.ok("logs", name))) == 3
    assert net.state("n0") == before


def test_plan_says_so(net):
    plan = net.pf.ok("plan", "--cpus", CPU, "--netdev", "n0,name=e0,mtu=1300", "--", "true")
    assert re.search(r"netdev +n0,name=e0,mtu=1300\n", plan)
    assert re.search(r"netdevs +/run/pinfold/netdevs/\S+ = n0,name=e0,mtu=1300", plan)
    assert re.search(r"netdevs /run/pinfold/netdevs/\S+\n", plan)
    assert "n0" in net.names()


def test_audit_knows_it(net):
    """Its interface is no finding."""
    name = net.pf.detach("--netdev", "n0,name=e0")
    out = net.pf("audit", name).stdout
    assert re.search(r"PASS +net-interfaces.*\n?.*only lo and 1 granted are up", out), out
