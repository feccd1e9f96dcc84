# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Edges of the modes that share packets out, label, copy or colour them, in the form of edge_packets."""

import bng_packets as bng
from bng_packets import ADDRESS, CORE, GATEWAY, MTU, TO, USERS
from edge_packets import LONGEST, QINQ, TYPES, cuts, dropped, frame, headers, not_headers, passed

from scapy.all import GRE, ICMP, IP, SCTP, TCP, UDP, Dot1AD, Dot1Q, Ether, IPv6, Raw, fragment, raw
from scapy.contrib.mpls import MPLS


def anything():
    """Frames of all kinds and sizes."""
    for size in (*range(14, 66), 1499, 1500, 1513, 1514):
        yield f"{size} bytes", (frame(bng.inner(max(size - 14, 28)), 0x88B5))[:size]
    for kind in TYPES:
        yield f"type {kind:#06x}", frame(bng.inner(), kind)
    yield "ipv4", frame(bng.inner())
    yield "ipv6", frame(IPv6(dst="2001:db8::1") / UDP(sport=1, dport=2) / Raw(b"x"), 0x86DD)
    yield "qinq", bng.access(bng.inner())
    yield "tunnel", bng.core(bng.inner())
    yield "checksum", frame(bng.inner(chksum=1))
    yield "to all", frame(bng.inner(), dst="ff:ff:ff:ff:ff:ff")


def mirror(_own):
    for size in range(1, 14):
        yield passed(f"{size} bytes", frame(bng.inner())[:size])
    for name, sent in anything():
        yield passed(name, sent)


def lbqinq(_own, stype=0x88A8):
    for user in [*USERS, (1, 2, 0), (4094, 4094, 0)]:
        yield passed(f"tags {user[:2]}", bng.access(bng.inner(), user, stype, prio=3, id=1))
    for name, p in headers(bng.inner, MTU):
        yield passed(name, bng.access(p, stype=stype))
    for name, p, _ in not_headers(bng.inner):
        yield passed(name, bng.access(p, stype=stype))
    yield passed("arp", bng.access(bng.arp(), stype=stype))
    yield passed("ipv6", bng.access(IPv6() / UDP(), stype=stype))
    whole = bng.access(bng.inner(), stype=stype)
    for size in (QINQ, QINQ + 1, QINQ + 19):
        yield passed(f"cut at {size}", whole[:size])
    for kind in TYPES:
        for name, at in (("S", 12), ("C", 16)):
            if kind != int.from_bytes(whole[at : at + 2], "big"):
                wrong = whole[:at] + kind.to_bytes(2, "big") + whole[at + 2 :]
                yield dropped(f"{name} type {kind:#06x}", wrong, "not qinq")
        wrong = whole[:20] + kind.to_bytes(2, "big") + whole[22:]
        yield passed(f"inner type {kind:#06x}", wrong)
    yield from cuts(whole, range(1, QINQ), "too short")


def lbnetwork(_own, untag=False):
    p = bng.inner(60, ADDRESS, TO)
    for n in range(9):
        sent = bng.core(p, labels=range(16, 16 + n))
        yield f"{n} labels", sent, bng.core(p, labels=()) if untag else sent, None
    for name, kw in (
        ("no key", {"key_present": 0, "key": None}),
        ("checksum", {"chksum_present": 1}),
        ("sequence", {"seqnum_present": 1, "sequence_number": 1}),
        ("version 1", {"version": 1}),
        ("options", {"outer": {"options": LONGEST}}),
        ("checksum of ip", {"outer": {"chksum": 1}}),
        ("first fragment", {"outer": {"flags": "MF"}}),
        ("ttl 0", {"outer": {"ttl": 0}}),
        ("ethernet inside", {"proto": 0x6558}),
    ):
        yield name, bng.core(p, **kw), bng.core(p, labels=() if untag else (100,), **kw), None
    whole = bng.core(p)
    least = 14 + 4 + 28
    for size in (least, least + 1):
        out = whole[:12] + b"\x08\x00" + whole[18:size] if untag else whole[:size]
        yield f"cut at {size}", whole[:size], out, None
    yield from cuts(whole, range(1, least), "too short")
    for kind in TYPES:
        if kind != 0x8847:
            wrong = whole[:12] + kind.to_bytes(2, "big") + whole[14:]
            yield dropped(f"type {kind:#06x}", wrong, "not gre")
    for proto in (0, 1, 4, 6, 17, 41, 50, 255):
        yield dropped(f"protocol {proto}", bng.core(p, outer={"proto": proto}), "not gre")
    yield dropped("last fragment", bng.core(p, outer={"frag": 1}), "not gre")
    for ihl in range(5):
        yield dropped(f"ihl {ihl}", bng.core(p, outer={"ihl": ihl}), "not gre")
    yield dropped("version 6", bng.core(p, labels=(), outer={"version": 6}), "not gre")
    for n in (9, 12):
        yield dropped(f"{n} labels", bng.core(p, labels=range(16, 16 + n)), "bad labels")
    for first in (0x00, 0x10, 0x55, 0xF0):
        other = whole[:18] + bytes([first]) + whole[19:]
        yield dropped(f"behind the label {first:#04x}", other, "not gre")


def lb5tuple(_own):
    for name, p in headers(bng.inner, MTU):
        yield passed(name, frame(p))
    for name, layer in (("tcp", TCP()), ("sctp", SCTP()), ("icmp", ICMP()), ("gre", GRE() / IP())):
        p = IP(src=ADDRESS, dst=TO) / layer
        yield passed(name, frame(p))
        yield passed(
            f"{name} with options", frame(IP(src=ADDRESS, dst=TO, options=LONGEST) / layer)
        )
    for i, part in enumerate(fragment(bng.inner(1400), 400)):
        yield passed(f"fragment {i}", frame(part))
    for name, p, why in not_headers(bng.inner):
        if why != "bad header" or name.startswith("length"):
            yield passed(name, frame(p))
        else:
            yield dropped(name, frame(p), "not ipv4")
    yield passed("no ports", frame(IP(src=ADDRESS, dst=TO, proto=59)))
    for kind in TYPES:
        yield dropped(f"type {kind:#06x}", frame(bng.inner(), kind), "not ipv4")
        yield dropped(f"type {kind:#06x}, short", frame(b"x", kind), "not ipv4")
    yield from cuts(frame(bng.inner()), range(1, 38), "too short")
    yield from cuts(frame(bng.inner(options=LONGEST)), (38, 60, 77), "too short", "options cut")


def unmpls(_own):
    v6 = IPv6(src="2001:db8::1", dst="2001:db8::2") / UDP(sport=1, dport=2) / Raw(b"x")

    def labelled(p, n):
        stack = Ether(src=CORE, dst=GATEWAY, type=0x8847)
        for i in range(n):
            stack /= MPLS(label=16 + i, s=int(i + 1 == n), ttl=i)
        return raw(stack / p)

    for name, p, kind in (
        ("ipv4", bng.inner(), 0x0800),
        ("ipv6", v6, 0x86DD),
        ("largest", bng.inner(MTU), 0x0800),
    ):
        for n in range(1, 9):
            yield f"{name}, {n} labels", labelled(p, n), frame(p, kind), None
        for n in (9, 20):
            yield dropped(f"{name}, {n} labels", labelled(p, n), "bad labels")
    yield "padded", labelled(bng.inner(28), 1) + bytes(14), frame(bng.inner(28)) + bytes(14), None
    yield "a byte of ipv4", labelled(b"\x45", 1), frame(b"\x45"), None
    for first in (0x00, 0x10, 0x35, 0x55, 0x75, 0xF0):
        yield dropped(f"behind it {first:#04x}", labelled(bytes([first]) + bytes(50), 2), "not ip")
    four, six = bng.inner(), v6
    for labels in ((0,), (16, 0), (7, 3), (7, 1048575, 16), (16, 7, 0)):  # with an entropy label
        yield f"labels {labels}", bng.core(four, labels=labels), bng.core(four, labels=()), None
    for label in (1, *range(3, 16)):
        yield dropped(f"label {label}", bng.core(four, labels=(label,)), "reserved label")
    yield dropped("label 1 above", bng.core(four, labels=(1, 16)), "reserved label")
    for label, p, right in ((0, four, True), (2, six, True), (0, six, False), (2, four, False)):
        sent = raw(Ether(src=CORE, dst=GATEWAY, type=0x8847) / MPLS(label=label, s=1, ttl=1) / p)
        yield f"null {label}", sent, frame(
            p, 0x0800 if p is four else 0x86DD
        ) if right else None, None if right else "not ip"
    whole = labelled(bng.inner(), 3)
    yield from cuts(whole, range(1, 14 + 13), "too short")
    for name, sent in anything():
        if not name.startswith(("type 0x8847", "tunnel")):
            yield passed(name, sent)


def tagmpls(_own, label=0):
    for name, sent in anything():
        if len(sent) + 4 > 14 + MTU:
            yield dropped(name, sent, "too long")
            continue
        above = sent[12:14] == b"\x88\x47"
        head = sent[:12] + b"\x88\x47" + raw(MPLS(label=label, s=int(not above), ttl=64))
        yield name, sent, head + sent[14:], None
    for n in range(1, 9):
        sent = bng.core(bng.inner(), labels=range(n))
        yield f"{n} labels", sent, bng.core(bng.inner(), labels=(label, *range(n))), None
    yield "largest", frame(bng.inner(MTU - 4)), bng_labelled(bng.inner(MTU - 4), label), None
    yield dropped("too long", frame(bng.inner(MTU - 3)), "too long")
    yield from cuts(frame(bng.inner()), range(1, 14), "too short")


def bng_labelled(p, label):
    return raw(Ether(src=CORE, dst=GATEWAY, type=0x8847) / MPLS(label=label, s=1, ttl=64) / p)


# ---- police


def marked(p, dscp=10):
    """By scapy: the outermost header's code point, and its checksum anew."""
    p = p.copy()
    layer = p.getlayer(IP) if p.haslayer(IP) else None
    v6 = p.getlayer(IPv6)
    if v6 is not None:
        v6.tc = v6.tc & 3 | dscp << 2
    else:
        layer.tos = layer.tos & 3 | dscp << 2
        del layer.chksum
    return raw(p)


def police_marks(_own):
    eth = Ether(src=CORE, dst=GATEWAY)
    v6 = (
        IPv6(src="2001:db8::1", dst="2001:db8::2", tc=0xFF, fl=0xFFFFF)
        / UDP(sport=1, dport=2)
        / Raw(b"x")
    )
    for name, p in headers(bng.inner, MTU):
        yield name, frame(p), marked(eth / p), None
    for tos in range(0, 256, 7):
        p = eth / bng.inner(tos=tos, id=tos * 257)
        yield f"tos {tos}", raw(p), marked(p), None
    for name, front in (
        ("tag", Dot1Q(vlan=5)),
        ("S-tag", Dot1AD(vlan=5)),
        ("two tags", Dot1AD(vlan=7, type=0x8100) / Dot1Q(vlan=42)),
    ):
        for kind, p in (("ipv4", bng.inner()), ("ipv6", v6)):
            yield f"{name}, {kind}", raw(eth / front / p), marked(eth / front / p), None
    for n in range(1, 9):
        for kind, p in (("ipv4", bng.inner()), ("ipv6", v6)):
            front = eth.copy()
            front.type = 0x8847
            for i in range(n):
                front /= MPLS(label=16 + i, s=int(i + 1 == n), ttl=9)
            yield f"{n} labels, {kind}", raw(front / p), marked(front / p), None
    yield "ipv6", raw(eth / v6), marked(eth / v6), None
    # of a tunnel the outer header
    yield "tunnel", bng.core(bng.inner()), bng.core(bng.inner(), outer={"tos": 40}), None
    yield "padded", frame(bng.inner(28)) + bytes(18), marked(eth / bng.inner(28)) + bytes(18), None
    # nothing to mark
    three = eth / Dot1AD(vlan=7, type=0x8100) / Dot1Q(vlan=42) / Dot1Q(vlan=1) / bng.inner()
    yield passed("three tags", raw(three))
    yield passed("nine labels", bng.core(bng.inner(), labels=range(9)))
    yield passed("arp", frame(bng.arp(), 0x0806))
    for version in (0, 5, 6, 15):
        yield passed(f"version {version}", frame(bng.inner(version=version)))
    for size in (1, 13, 14, 15, 33):
        yield passed(f"cut at {size}", frame(bng.inner())[:size])
    for kind in TYPES:
        if kind not in (0x8100, 0x88A8, 0x8847):
            yield passed(f"type {kind:#06x}", frame(bng.inner(), kind))


def police_red(_own):
    for name, sent in anything():
        yield dropped(name, sent, "red")


def police_users(_own):
    for user in USERS:
        yield passed(f"up, {user[:2]}", bng.access(bng.inner(), user, prio=6))
        for n in (0, 1, 8):
            yield passed(f"down, {user[2]}, {n} labels", bng.core(bng.inner(), user[2], range(n)))
    yield passed("options", bng.core(bng.inner(), outer={"options": LONGEST}))
    yield passed("first fragment", bng.core(bng.inner(), outer={"flags": "MF"}))
    yield passed("arp", bng.access(bng.arp()))
    why = "unknown subscriber"
    for user in ((42, 7, 0), (7, 41, 0), (8, 42, 0)):
        yield dropped(f"tags {user[:2]}", bng.access(bng.inner(), user), why)
    for key in (0, 700041, 700046, 0xFFFFFFFF):
        yield dropped(f"key {key}", bng.core(bng.inner(), key), why)
    for name, kw in (
        ("no key", {"key_present": 0, "key": None}),
        ("checksum and key", {"chksum_present": 1}),
        ("sequence", {"seqnum_present": 1, "sequence_number": 1}),
        ("version 1", {"version": 1}),
        ("nine labels", {"labels": range(9)}),
        ("not gre", {"outer": {"proto": 17}}),
        ("later fragment", {"outer": {"frag": 2}}),
    ):
        yield dropped(name, bng.core(bng.inner(), **kw), why)
    yield dropped("8100 outside", bng.access(bng.inner(), stype=0x8100), why)
    for name, sent in anything():
        if name not in ("qinq", "tunnel"):
            yield dropped(name, sent, why)
