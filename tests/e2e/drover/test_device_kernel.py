# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""A local kernel at the other end of a device of drover, which leaves checksums, tags and the cutting of what is
long to the card that it takes the device for."""

import shutil
import socket
import subprocess
import sys

import bng_packets as bng
import frames
import pcapfile
import pytest
from drover_devices import COUNT, Ends, Kernels, Net, around, config, counted, passed
from scapy.all import GRE, IP, SCTP, TCP, UDP, Dot1Q, Ether, IPv6, Raw, raw
from scapy.contrib.mpls import MPLS
from scapy.layers.vxlan import VXLAN
from workload import SLOW, needs_root

pytestmark = [pytest.mark.anywhere, needs_root]

SERVE = """import socket, sys
s = socket.create_server((sys.argv[1], 5000), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
u = socket.socket(s.family, socket.SOCK_DGRAM)
u.bind((sys.argv[1], 5000))
print("ready", flush=True)
c, _ = s.accept()
n = 0
while d := c.recv(65536):
    n += len(d)
u.settimeout(10)
for _ in range(50):
    n += len(u.recv(65536))
print(n)
"""
CALL = """import socket, sys
c = socket.create_connection((sys.argv[1], 5000), timeout=10)
c.settimeout(20)
u = socket.socket(c.family, socket.SOCK_DGRAM)
u.connect((sys.argv[1], 5000))
for i in range(50):
    u.send(b"u" * (1 + 29 * i))
c.sendall(b"z" * 2000000)
c.close()
"""
TOTAL = 2000000 + sum(1 + 29 * i for i in range(50))


@pytest.mark.parametrize("kind", ["af_packet", "af_xdp", "tap"])
@pytest.mark.parametrize("family", ["4", "6"])
def test_connections(start, tmp_path, kind, family):
    """TCP and UDP between two kernels that take drover's devices for cards: not a byte is missing, and neither
    kernel saw a wrong checksum. What is to be cut up as well is counted until the kernel is told not to.
    """
    with Kernels(kind, tmp_path) as k:
        if kind == "af_packet":
            k.each("ip link set dev {dev} gso_max_segs 1")
        text = config({n: f"{kind}:{n}" for n in ("v0", "v1")}, around(["v0", "v1"]))
        with start(text, net=k.net) as d:
            d.runs()
            k.connect()
            to = k.address(1, family)
            server = k.popen(1, sys.executable, "-c", SERVE, to, stdout=subprocess.PIPE, text=True)
            assert server.stdout.readline() == "ready\n"
            k.run(0, sys.executable, "-c", CALL, to)
            assert server.communicate(timeout=20 * SLOW)[0] == f"{TOTAL}\n"
            for i in (0, 1):
                wrong = {c: n for c, n in k.counters(i).items() if "CsumErrors" in c and n}
                assert wrong == {}
            report = d.end()
    assert counted(report, "ierrors")[0] == {"ierrors": 0}


def halves():
    """(name, right, where its checksum begins, where it stands) of packets whose kernel leaves it to the card."""
    ether = Ether(src="02:00:00:00:00:0a", dst="02:00:00:00:00:01")
    six = IPv6(src="2001:db8::1", dst="2001:db8::2")
    for size in (0, 1, 2, 3, 64, 501, 1400):
        data = Raw(bng.patterned(size))
        udp, tcp = UDP(sport=7, dport=9) / data, TCP(sport=7, dport=9) / data
        sctp = SCTP(sport=7, dport=9) / data
        for name, layer in (("udp", udp), ("tcp", tcp), ("sctp", sctp)):
            four = IP(src="10.0.0.1", dst="10.0.0.2") / layer
            options = IP(src="10.0.0.1", dst="10.0.0.2", options=bng.IPOption_RR(length=7)) / layer
            tunnel = IP(src="192.0.2.1", dst="192.0.2.2", flags="DF")
            for where, p in {
                "4": ether / four,
                "4 with options": ether / options,
                "6": ether / six / layer,
                "tag": ether / Dot1Q(vlan=7) / four,
                "tags": ether / Dot1Q(vlan=7) / Dot1Q(vlan=8) / six / layer,
                "label": ether / MPLS(label=100, s=0) / MPLS(label=16, s=1) / four,
                "ipip": ether / tunnel / four,
                "6 in 4": ether / tunnel / six / layer,
                "gre": ether / tunnel / GRE() / four,
                "gre with key": ether
                / MPLS(label=100, s=1)
                / tunnel
                / GRE(key_present=1, key=700042)
                / four,
                "gre of frames": ether / tunnel / GRE(proto=0x6558) / ether / four,
                "vxlan": ether
                / tunnel
                / UDP(sport=9, dport=4789, chksum=0)
                / VXLAN()
                / ether
                / four,
            }.items():
                whole = raw(p)
                l4 = len(whole) - len(layer)
                yield f"{name} {size} in {where}", whole, l4, {"udp": 6, "tcp": 16, "sctp": 8}[name]


def half(whole, start, offset):
    """As the kernel leaves it: what is to be added is the part of the addresses, the protocol and the length; for
    SCTP there is none."""
    data = bytearray(whole)
    if offset == 8:
        data[start + offset : start + offset + 4] = bytes(4)
        return bytes(data)
    p = Ether(whole)
    while not isinstance(p, (UDP, TCP)) or len(whole) - len(p) != start:
        p = p.payload
    ip, size = p.underlayer, len(whole) - start
    addresses = raw(ip)[12:20] if isinstance(ip, IP) else raw(ip)[8:40]
    total = sum(int.from_bytes(addresses[i : i + 2], "big") for i in range(0, len(addresses), 2))
    total += size + (17 if isinstance(p, UDP) else 6)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    data[start + offset : start + offset + 2] = total.to_bytes(2, "big")
    return bytes(data)


@pytest.mark.parametrize("kind", ["af_packet", "af_xdp"])
def test_half_done_checksums(start, tmp_path, kind):
    """In whatever they are; and what is wrong, or has none, stays as it is."""
    sent, want = [], []
    for _, whole, at, offset in halves():
        sent.append(frames.to_finish(half(whole, at, offset), at, offset))
        want.append(whole)
    ether = Ether(src="02:00:00:00:00:0a", dst="02:00:00:00:00:01")
    for layer in (UDP(chksum=0), UDP(chksum=1), TCP(chksum=1), SCTP(chksum=1), UDP(), Raw(b"xy")):
        for ip in (IP(dst="10.0.0.2"), IPv6(dst="2001:db8::2"), IP(dst="10.0.0.2", frag=1)):
            whole = raw(ether / ip / layer / Raw(b"x" * 40))
            sent.append(frames.to_finish(whole))
            want.append(whole)
    with Net("v0", "v1") as net:
        text = config({n: f"{kind}:{n}" for n in ("v0", "v1")}, around(["v0", "v1"]))
        with start(text, net=net) as d:
            d.runs()
            ends = Ends(net, tmp_path, [("v0x", "v1x")], [60], 0)
            pcapfile.write(tmp_path / "half.pcap", sent)
            net.run(sys.executable, "-B", frames.__file__, "finish", "v0x", tmp_path / "half.pcap")
            passed(d, net, {"v0": (len(want), 0), "v1": (0, len(want))})
            (taken,) = ends.taken().values()
            report = d.end()
    assert len(taken) == len(want) == sum(p["opackets"] for p in report["ports"])
    for got, whole, (name, *_) in zip(taken, want, [*halves(), *[("as it is",)] * len(want)]):
        assert got.hex() == whole.hex(), name


@pytest.mark.skipif(shutil.which("ethtool") is None, reason="package ethtool is not installed")
@pytest.mark.parametrize(
    "kind, beside",
    [("af_packet", True), ("af_xdp", True), ("af_xdp", False)],
    ids=["af_packet", "af_xdp", "af_xdp-in-the-frame"],
)
def test_tags_beside_the_frame(start, tmp_path, kind, beside):
    """A kernel hands a tag over beside the frame, as its VLAN interfaces and bridges do: AF_XDP never sees it, and drover says
    so and names the command that puts it in. Tags that drover sends are seen in any case."""
    with Net("v0", "v1", "w") as net:
        net.run(
            "sh",
            "-ec",
            "ip link add bridge0 type bridge mcast_snooping 0; ip link set dev bridge0 up;"
            " ip link set dev wx master bridge0; ip link set dev v0x master bridge0",
        )
        cure = "ethtool -K {} txvlan off tx-vlan-stag-hw-insert off"
        for n in () if beside else ("v0x", "v1x"):
            net.run("sh", "-ec", cure.format(n))
        text = config({n: f"{kind}:{n}" for n in ("v0", "v1")}, around(["v0", "v1"]))
        with start(text, net=net) as d:
            d.runs()
            ends = Ends(net, tmp_path, [("w", "v1x"), ("v1x", "w")], frames.SMALL)
            ends.send()
            passed(d, net, dict.fromkeys(("v0", "v1"), (COUNT, COUNT)))
            report = d.end()
            taken = ends.taken()
    lost = kind == "af_xdp" and beside
    assert (f"`{cure.format('v0x')}` puts them there" in d.said()) == lost
    want = dict(ends.sent)
    if lost:
        want["w", "v1x"] = [untagged(f) for f in want["w", "v1x"]]
    for path in want:
        assert taken[path] == want[path], path
    assert counted(report, "imissed", "ierrors", "oerrors", "rx_nombuf") == (
        dict.fromkeys(("imissed", "ierrors", "oerrors", "rx_nombuf"), 0),
        0,
    )


def untagged(frame):
    """Without its outermost tag, if it has one."""
    return frame[:12] + frame[16:] if frame[12:14] in (b"\x81\x00", b"\x88\xa8") else frame


def test_tags_of_who_is_in_another_network(start, tmp_path):
    """Whether they come is not known there, and the command has no name."""
    with Kernels("af_xdp", tmp_path) as k:
        k.connect()
        with start(config({"v0": "af_xdp:v0"}, [("v0", "v0")]), net=k.net) as d:  # fmt: skip
            d.runs()
    assert "`ethtool -K PEER txvlan off tx-vlan-stag-hw-insert off` puts them there" in d.said()


SCTP_SERVE = """import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
s.bind((sys.argv[1], 5001))
s.listen()
print("ready", flush=True)
c, _ = s.accept()
n = 0
while d := c.recv(65536):
    n += len(d)
print(n)
"""
SCTP_CALL = """import socket, sys
c = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
c.settimeout(20)
c.connect((sys.argv[1], 5001))
for i in range(500):
    c.send(b"z" * (1 + 2 * i))
c.close()
"""


def has_sctp():
    """The module comes with the first socket, where there is one."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("kind", ["af_packet", "af_xdp", "tap"])
@pytest.mark.parametrize("family", ["4", "6"])
def test_associations(start, tmp_path, kind, family):
    """As test_connections, of SCTP."""
    if not has_sctp():
        pytest.skip("the kernel has no SCTP")
    with Kernels(kind, tmp_path) as k:
        if kind == "af_packet":
            k.each("ip link set dev {dev} gso_max_segs 1")
        text = config({n: f"{kind}:{n}" for n in ("v0", "v1")}, around(["v0", "v1"]))
        with start(text, net=k.net) as d:
            d.runs()
            k.connect()
            to = k.address(1, family)
            server = k.popen(
                1, sys.executable, "-c", SCTP_SERVE, to, stdout=subprocess.PIPE, text=True
            )
            assert server.stdout.readline() == "ready\n"
            k.run(0, sys.executable, "-c", SCTP_CALL, to)
            assert (
                server.communicate(timeout=20 * SLOW)[0]
                == f"{sum(1 + 2 * i for i in range(500))}\n"
            )
            for i in (0, 1):
                snmp = k.run(i, "cat", "/proc/net/sctp/snmp").split()
                assert snmp[snmp.index("SctpChecksumErrors") + 1] == "0"
            report = d.end()
    assert counted(report, "ierrors")[0] == {"ierrors": 0}
