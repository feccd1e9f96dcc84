# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Packets of the BNG and of routing: what goes in, what must come out or why it must not. scapy builds
both; the formats are those of the paper's figures 9 and 10."""

from drover_packets import patterned  # first: it silences scapy

from scapy.all import (
    ARP,
    GRE,
    ICMP,
    IP,
    TCP,
    UDP,
    Dot1AD,
    Dot1Q,
    Ether,
    IPOption_RR,
    IPv6,
)
from scapy.all import Padding, Raw, fragment, raw
from scapy.contrib.mpls import MPLS

CPE, GATEWAY, CORE = "02:00:00:00:10:02", "02:00:00:00:00:aa", "02:00:00:00:00:bb"
LOCAL = "192.0.2.254"
USER = (7, 42, 700042)  # svlan, cvlan, gre_id
USERS = [USER, (7, 43, 700043), (4095, 4095, 700044), (0, 0, 700045)]
HOPS = [("192.0.2.1", "02:00:00:00:01:01", 100), ("192.0.2.2", "02:00:00:00:01:02", 1048575)]
ROUTES = [
    ("198.18.0.0/15", 0),
    ("198.19.128.0/17", 1),
    ("198.19.200.7/32", 0),
    ("203.0.113.0/24", 1),
]
ADDRESS = "10.0.0.2"  # of the CPE
TO = "198.18.5.6"
MTU = 1500


def tables():
    lines = [f"hop,{i},{ip},{mac},{label},0" for i, (ip, mac, label) in enumerate(HOPS)]
    lines += [f"route,{prefix},{hop}" for prefix, hop in ROUTES]
    lines += [f"user,{s},{c},{key}" for s, c, key in USERS]
    return "# of the test\n" + "\n".join(lines) + "\n"


def payload(size):
    """Of a large packet the middle is zeros: the file of golden packets says how many."""
    if size <= 200:
        return patterned(size)
    return patterned(100) + bytes(size - 120) + patterned(20)


def inner(size=60, to=TO, src=ADDRESS, **kw):
    kw = {"ttl": 64, "id": 7} | kw
    return IP(src=src, dst=to, **kw) / UDP(sport=1, dport=2) / Raw(payload(max(size - 28, 0)))


def access(packet, user=USER, stype=0x88A8, src=CPE, dst=GATEWAY, **kw):
    eth = Ether(src=src, dst=dst, type=stype)
    tag = Dot1AD if stype == 0x88A8 else Dot1Q
    return raw(eth / tag(vlan=user[0], type=0x8100, **kw) / Dot1Q(vlan=user[1]) / packet)


def core(packet, key=USER[2], labels=(100,), src=CORE, dst=GATEWAY, outer=None, **kw):
    p = Ether(src=src, dst=dst, type=0x8847 if labels else 0x0800)
    for i, label in enumerate(labels):
        p /= MPLS(label=label, s=int(i + 1 == len(labels)), ttl=64)
    outer = {"src": LOCAL, "dst": HOPS[0][0], "flags": "DF", "id": 0, "ttl": 64, "proto": 47} | (
        outer or {}
    )
    gre = {"key_present": 1, "key": key, "proto": 0x0800} | kw
    return raw(p / IP(**outer) / GRE(**gre) / packet)


def aged(packet):
    """The same packet, a hop later: by scapy's own account of its checksum."""
    p = packet.copy()
    p.ttl -= 1
    del p.chksum
    return p


def tunnelled(packet, own, hop=0, key=USER[2]):
    ip, mac, label = HOPS[hop]
    return core(aged(packet), key, (label,), own, mac, {"dst": ip})


def upstream(own):
    """(name, in, out or the drop's name) of each."""
    good = {
        "udp": inner(),
        "no payload": IP(src=ADDRESS, dst=TO, proto=59),
        "ttl 2": inner(ttl=2),
        "ttl 255": inner(ttl=255),
        "as large as may be": inner(MTU - 32),
        "tcp": IP(src=ADDRESS, dst=TO) / TCP(options=[("MSS", 1460)]) / Raw(b"x"),
        "options": inner(options=[IPOption_RR(length=11, pointer=4, routers=["0.0.0.0"] * 2)]),
        "wrong udp checksum": IP(src=ADDRESS, dst=TO)
        / UDP(sport=1, dport=2, chksum=1)
        / Raw(b"abc"),
        "tos": inner(tos=0xB8),
    }
    for i, part in enumerate(fragment(inner(1400), 400)):
        good[f"fragment {i}"] = part
    # sums that fold in every way
    for i in range(0, 65536, 1021):
        good[f"id {i}"] = inner(id=i, ttl=1 + i % 254 + 1)
    for name, p in good.items():
        yield name, access(p), tunnelled(p, own)
    for prefix, to, hop in [
        ("in the longer", "198.19.128.1", 1),
        ("host", "198.19.200.7", 0),
        ("last", "203.0.113.255", 1),
        ("beside", "198.19.127.255", 0),
    ]:
        yield prefix, access(inner(to=to)), tunnelled(inner(to=to), own, hop)
    for i, user in enumerate(USERS):
        p = inner(src=f"10.1.0.{i + 1}")
        yield f"subscriber {i}", access(p, user), tunnelled(p, own, key=user[2])
    p = inner()
    yield "priority", access(p, prio=5, id=1), tunnelled(p, own)
    yield "padding", access(p / Padding(b"\0" * 9)), tunnelled(p, own)
    for size in range(QINQ + 20):
        at = access(inner(60))[:size]
        yield f"cut at {size}", at, "too short"
    yield "cut later", access(inner(100))[:-1], "bad header"
    yield "ttl 1", access(inner(ttl=1)), "ttl expired"
    yield "ttl 0", access(inner(ttl=0)), "ttl expired"
    yield "checksum", access(inner(chksum=0x1234)), "bad checksum"
    yield "version", access(inner(version=5)), "bad header"
    yield "ihl", access(inner(ihl=4)), "bad header"
    yield "ihl beyond", access(IP(src=ADDRESS, dst=TO, ihl=15)), "too short"
    yield "length", access(inner(len=19)), "bad header"
    yield "length 65535", access(inner(len=65535)), "bad header"
    yield "too long", access(inner(MTU - 31)), "too long"
    yield "no such subscriber", access(inner(), (7, 41, 0)), "unknown subscriber"
    yield "other svlan", access(inner(), (8, 42, 0)), "unknown subscriber"
    yield "no route", access(inner(to="192.168.1.1")), "no route"
    for to in ("127.0.0.1", "0.0.0.1", "240.0.0.1"):
        yield f"to {to}", access(inner(to=to)), "no route"
    for to in ("224.0.0.1", "239.255.255.255", "255.255.255.255"):
        yield f"to {to}", access(inner(to=to)), "to a group"
    for src in ("0.0.0.0", "224.0.0.1", "127.0.0.1", "255.255.255.255"):
        yield f"from {src}", access(inner(src=src)), "bad source"
    yield "mac of a group", access(inner(src="10.9.9.9"), src="03:00:00:00:00:01"), "bad source"
    yield "to all", access(inner(), dst="ff:ff:ff:ff:ff:ff"), "to a group"
    yield "8100 outside", access(inner(), stype=0x8100), "not qinq"
    yield "one tag", raw(Ether(src=CPE, dst=GATEWAY) / Dot1Q(vlan=7) / inner(80)), "not qinq"
    yield "no tag", raw(Ether(src=CPE, dst=GATEWAY) / inner(80)), "not qinq"
    yield "ipv6", access(IPv6(dst="2001:db8::1") / UDP()), "ipv6"
    three = (
        Ether(src=CPE, dst=GATEWAY) / Dot1AD(vlan=7, type=0x8100) / Dot1Q(vlan=42) / Dot1Q(vlan=1)
    )
    yield "three tags", raw(three / inner()), "another tag"


QINQ = 22


def tagged(packet, own, user=USER, mac=CPE, stype=0x88A8):
    return access(aged(packet), user, stype, own, mac)


def downstream(own):
    """To a CPE that is known."""

    def to(size=60, **kw):
        return inner(size, ADDRESS, TO, **kw)

    good = {
        "udp": to(),
        "no payload": IP(src=TO, dst=ADDRESS, proto=59),
        "ttl 2": to(ttl=2),
        "as large as may be": to(MTU),
        "icmp": IP(src=TO, dst=ADDRESS) / ICMP() / Raw(b"ping"),
        "options": to(options=[IPOption_RR(length=11, pointer=4, routers=["0.0.0.0"] * 2)]),
    }
    for i, part in enumerate(fragment(to(1400), 400)):
        good[f"fragment {i}"] = part
    for name, p in good.items():
        yield name, core(p), tagged(p, own)
    p = to()
    yield "no label", core(p, labels=()), tagged(p, own)
    yield "two labels", core(p, labels=(16, 17)), tagged(p, own)
    yield "eight labels", core(p, labels=range(16, 24)), tagged(p, own)
    yield "any source", core(p, outer={"src": "203.0.113.9", "tos": 8, "id": 9}), tagged(p, own)
    yield "outer without df", core(p, outer={"flags": 0}), tagged(p, own)
    options = {"options": [IPOption_RR(length=7, pointer=4, routers=["0.0.0.0"])]}
    yield "outer options", core(p, outer=options), tagged(p, own)
    yield "padding", core(p) + bytes(11), tagged(p, own)
    yield "padding within the tunnel", core(p / Padding(b"\1" * 7)), tagged(p, own)
    whole = core(to())
    for size in range(14 + 4 + 20):
        yield f"cut at {size}", whole[:size], "too short"
    for size in (38, 45, 46, 66, len(whole) - 1):
        yield f"cut at {size}", whole[:size], "bad header"
    yield "ttl 1", core(to(ttl=1)), "ttl expired"
    yield "checksum", core(to(chksum=1)), "bad checksum"
    yield "outer checksum", core(p, outer={"chksum": 1}), "bad checksum"
    yield "outer version", core(p, outer={"version": 6}), "bad header"
    yield "outer fragment", core(p, outer={"flags": "MF"}), "fragment of a tunnel"
    yield "outer offset", core(p, outer={"frag": 8}), "fragment of a tunnel"
    yield "no bottom", core(p, labels=range(16, 25)), "bad labels"
    yield "not gre", core(p, outer={"proto": 4}), "not gre"
    yield "no ip", raw(Ether(src=CORE, dst=GATEWAY, type=0x86DD) / to()), "ipv6"
    yield "no key", core(p, key_present=0, key=None), "gre without key"
    for name, more in (
        ("checksum", {"chksum_present": 1}),
        ("version 1", {"version": 1}),
        ("sequence", {"seqnum_present": 1, "sequence_number": 1}),
    ):
        yield f"{name} and key", core(p, **more), "gre with more than a key"
    yield "ethernet inside", core(p, proto=0x6558), "bad inner packet"
    yield "inner ihl", core(to(ihl=3)), "bad inner packet"
    yield "inner length", core(to(len=1000)), "bad inner packet"
    yield "no such subscriber", core(p, key=700041), "unknown subscriber"
    yield "key 0", core(p, key=0), "unknown subscriber"
    yield "key of all ones", core(p, key=0xFFFFFFFF), "unknown subscriber"
    yield "other's", core(p, key=700043), "unknown cpe"
    yield "no such cpe", core(inner(60, "10.0.0.3", TO)), "unknown cpe"
    yield "address 0", core(inner(60, "0.0.0.0", TO)), "unknown cpe"
    yield "too long", core(to(MTU + 1)), "too long"


def routed(own):
    def out(p, hop=0):
        return raw(Ether(src=own, dst=HOPS[hop][1]) / aged(p))

    def frame(p, **kw):
        return raw(Ether(**({"src": CORE, "dst": GATEWAY, "type": 0x0800} | kw)) / p)

    good = {
        "udp": inner(),
        "no payload": IP(src=ADDRESS, dst=TO, proto=59),
        "ttl 2": inner(ttl=2),
        "as large as may be": inner(MTU),
        "options": inner(options=[IPOption_RR(length=11, pointer=4, routers=["0.0.0.0"] * 2)]),
    }
    for i, part in enumerate(fragment(inner(1400), 400)):
        good[f"fragment {i}"] = part
    for i in range(0, 65536, 1021):
        good[f"id {i}"] = inner(id=i, ttl=2 + i % 254)
    for name, p in good.items():
        yield name, frame(p), out(p)
    yield "longer", frame(inner(to="198.19.128.1")), out(inner(to="198.19.128.1"), 1)
    yield "host", frame(inner(to="198.19.200.7")), out(inner(to="198.19.200.7"))
    yield "padding", frame(IP(src=ADDRESS, dst=TO, proto=59)) + bytes(26), out(good["no payload"])
    for size in range(34):
        yield f"cut at {size}", frame(inner())[:size], "too short"
    yield "cut later", frame(inner())[:-1], "bad header"
    yield "ttl 1", frame(inner(ttl=1)), "ttl expired"
    yield "checksum", frame(inner(chksum=1)), "bad checksum"
    yield "ihl", frame(inner(ihl=4)), "bad header"
    yield "version", frame(inner(version=6)), "bad header"
    yield "length", frame(inner(len=19)), "bad header"
    yield "too long", frame(inner(MTU + 1)), "too long"
    yield "no route", frame(inner(to="192.168.1.1")), "no route"
    yield "to a group", frame(inner(to="224.0.0.1")), "to a group"
    yield "loopback", frame(inner(to="127.0.0.1")), "no route"
    yield "to all", frame(inner(), dst="ff:ff:ff:ff:ff:ff"), "to a group"
    yield "arp", raw(Ether(src=CORE, dst=GATEWAY) / ARP()), "arp"
    yield "vlan", raw(Ether(src=CORE, dst=GATEWAY) / Dot1Q(vlan=1) / inner()), "another tag"


def arp(op=1, sender=ADDRESS, target="10.0.0.1", mac=CPE, **kw):
    return ARP(op=op, hwsrc=mac, psrc=sender, pdst=target, **kw)


def arp_answer(own, sender=ADDRESS, target="10.0.0.1", user=USER, mac=CPE):
    answer = ARP(op=2, hwsrc=own, psrc=target, hwdst=mac, pdst=sender)
    return access(answer, user, src=own, dst=mac)


def asked(own):
    """ARP, where the task has an output to the CPEs."""
    everyone = {"dst": "ff:ff:ff:ff:ff:ff"}
    yield "arp", access(arp(), **everyone), arp_answer(own)
    yield "arp padded", access(arp(), **everyone) + bytes(10), arp_answer(own)
    yield "announcement", access(arp(sender="10.0.0.9", target="10.0.0.9")), "arp learned"
    yield "probe", access(arp(sender="0.0.0.0", target="10.0.0.8")), "arp learned"
    yield "reply", access(arp(op=2, sender="10.0.0.7")), "arp learned"
    other = "02:00:00:00:10:99"  # than who sent the frame: that is where answers go
    answer = ARP(op=2, hwsrc=own, psrc="10.0.0.1", hwdst=other, pdst=ADDRESS)
    yield "of another", access(arp(mac=other)), access(answer, src=own, dst=CPE)
    yield "of other hardware", access(arp(hwtype=6)), "bad arp"
    yield "rarp", access(arp(op=3)), "bad arp"
    yield "of a stranger", access(arp(), (9, 9, 0)), "unknown subscriber"
    yield "of a group", access(arp(sender="224.0.0.1")), "bad source"
    yield "arp cut", access(arp())[:49], "too short"
