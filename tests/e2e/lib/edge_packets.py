# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Edges of every mode that looks into packets, beyond those of bng_packets: (name, in, out, why), by scapy. out None: nothing
comes; why: the drop reason that counts it, None: none does."""

import bng_packets as bng
from bng_packets import ADDRESS, CORE, CPE, GATEWAY, HOPS, LOCAL, MTU, TO, USER, USERS

from scapy.all import ICMP, IP, TCP, Ether, Padding, Raw, raw
from scapy.contrib.mpls import MPLS
from scapy.all import IPOption_NOP  # isort: skip

GATE = "10.0.0.254"  # whose ICMP errors they are
FAR = "203.0.113.7"  # a machine that is routed to
QUOTED = 548  # bytes of a packet in the answer: 576 in all (RFC 1812, 4.3.2.3)

# What else an EtherType can be, those that have a reason of their own first: ARP, IPv6, tags, PPPoE, LLDP, CFM; MPLS
# for one and for many, a length of 802.3, and IPv4's the wrong way round.
KINDS = {
    0x0806: "arp",
    0x86DD: "ipv6",
    0x8100: "another tag",
    0x88A8: "another tag",
    0x9100: "another tag",
    0x8863: "pppoe",
    0x8864: "pppoe",
    0x88CC: "lldp",
    0x8902: "cfm",
}
TYPES = [*KINDS, 0x8847, 0x8848, 46, 0, 0xFFFF, 0x0008]
NOBODY = (
    "0.0.0.0",
    "0.1.2.3",
    "127.0.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
)  # no machine's
LONGEST = [IPOption_NOP()] * 40  # options


def frame(packet, type_=0x0800, **kw):
    return raw(Ether(**({"src": CORE, "dst": GATEWAY, "type": type_} | kw)) / packet)


def passed(name, sent):
    return name, sent, sent, None


def dropped(name, sent, why):
    return name, sent, None, why


def cuts(sent, sizes, why, name="cut"):
    for size in sizes:
        yield dropped(f"{name} at {size}", sent[:size], why)


def small_and_large(make, largest):
    """Every small size, and those around the largest."""
    for size in [*range(28, 64, 3), largest - 1, largest]:
        yield f"{size} bytes", make(size)


def headers(make, largest):
    """Headers that are right. make(**fields of IPv4) is such a packet."""
    yield from small_and_large(lambda size: make(size=size), largest)
    yield "ttl 2", make(ttl=2)
    yield "ttl 255", make(ttl=255)
    yield "tos 255", make(tos=255)
    yield "reserved flag", make(flags="evil")
    yield "protocol 255", make(proto=255)
    yield "longest options", make(size=28, options=LONGEST)
    yield "longest options, largest", make(size=largest - 40, options=LONGEST)
    yield "first fragment", make(flags="MF")
    yield "last of 65535", make(frag=8191)


def not_headers(make):
    """Those that are wrong, and why."""
    yield "ttl 0", make(ttl=0), "ttl expired"
    yield "checksum 0", make(chksum=0), "bad checksum"
    yield "checksum of ones", make(chksum=0xFFFF), "bad checksum"
    yield "checksum with options", make(options=LONGEST, chksum=1), "bad checksum"
    yield "length of the header less one", make(options=LONGEST, len=59), "bad header"
    for version in (0, 3, 5, 6, 15):
        yield f"version {version}", make(version=version), "bad header"
    for ihl in range(5):
        yield f"ihl {ihl}", make(ihl=ihl), "bad header"


# ---- routing


def out_to(packet, own, hop, mpls):
    p = Ether(src=own, dst=HOPS[hop][1], type=0x8847 if mpls else 0x0800)
    if mpls:
        p /= MPLS(label=HOPS[hop][2], s=1, ttl=64)
    return raw(p / packet)


def routing(own, mpls=False):
    largest = MTU - (4 if mpls else 0)
    for name, p in headers(bng.inner, largest):
        yield name, frame(p), out_to(bng.aged(p), own, 0, mpls), None
    p = bng.inner(to="198.19.128.1")
    yield "other hop", frame(p), out_to(bng.aged(p), own, 1, mpls), None
    p = bng.inner(28)
    for n in (1, 18, 100, 1400):
        yield f"padded by {n}", frame(p) + bytes(n), out_to(bng.aged(p), own, 0, mpls), None
    for name, p, why in not_headers(bng.inner):
        yield dropped(name, frame(p), why)
    yield dropped("too long", frame(bng.inner(largest + 1)), "too long")
    yield dropped("too long, may be cut", frame(bng.inner(largest + 1, flags=0)), "too long")
    yield dropped(
        "too long by options", frame(bng.inner(largest - 39, options=LONGEST)), "too long"
    )
    yield from cuts(frame(bng.inner(28, options=LONGEST)), (34, 40, 73), "too short", "options cut")
    for kind in TYPES:
        why = KINDS.get(kind, "not ipv4")
        yield dropped(f"type {kind:#06x}", frame(bng.inner(), kind), why)
        yield dropped(f"type {kind:#06x}, short", frame(b"", kind) + b"x", why)
    for i in range(0, 256, 15):
        group = f"{i:02x}:00:5e:00:00:01"
        if i & 1:
            yield dropped(f"to {group}", frame(bng.inner(), dst=group), "to a group")


# ---- ICMP errors


class Errors:
    """The answers of one task: they are numbered."""

    def __init__(self):
        self.number = 0

    def __call__(self, packet, kind, code, mtu=0):
        old = packet if isinstance(packet, bytes) else raw(packet)
        head = IP(old)
        icmp = ICMP(type=kind, code=code)
        if mtu:
            icmp.nexthopmtu = mtu
        tos = 0xC0 | head.tos & 0x1C
        answer = IP(src=GATE, dst=head.src, tos=tos, id=self.number, ttl=64, flags=0)
        self.number += 1
        return answer / icmp / Raw(old[:QUOTED])


EXCEEDED, NET, HOST, TOO_LONG = (11, 0), (3, 0), (3, 1), (3, 4)


def errors(make, stranger, largest, limit):
    """What any of the modes answers: (name, packet, why, kind, code, MTU), kind None: nothing. make(**fields) is a packet
    from a machine that can be told; stranger: a destination that is not known."""
    (to, unknown), far = stranger, {"src": make().src}
    unreachable = NET if unknown == "no route" else HOST
    yield "ttl 1", make(ttl=1), "ttl expired", *EXCEEDED, 0
    yield "ttl 0", make(ttl=0), "ttl expired", *EXCEEDED, 0
    yield "ttl 1, smallest", IP(dst=make().dst, proto=59, ttl=1, **far), "ttl expired", *EXCEEDED, 0
    for size in (QUOTED - 1, QUOTED, QUOTED + 1, largest):
        yield f"ttl 1, {size} bytes", make(size, ttl=1), "ttl expired", *EXCEEDED, 0
    yield "ttl 1, longest options", make(options=LONGEST, ttl=1), "ttl expired", *EXCEEDED, 0
    yield "ttl 1, tos 255", make(tos=255, ttl=1), "ttl expired", *EXCEEDED, 0
    yield "ttl 1, first fragment", make(flags="MF", ttl=1), "ttl expired", *EXCEEDED, 0
    yield "too long", make(largest + 1, flags="DF"), "too long", *TOO_LONG, limit
    yield "too long, may be cut", make(largest + 1, flags=0), "too long", *TOO_LONG, limit
    yield "too long with options", make(largest - 39, options=LONGEST), "too long", *TOO_LONG, limit
    yield unknown, make(to=to), unknown, *unreachable, 0
    echo = IP(dst=to, **far) / ICMP(type=8) / Raw(b"ping")
    yield f"{unknown}, echo", echo, unknown, *unreachable, 0
    tcp = IP(dst=to, **far) / TCP(flags="S", chksum=1)
    yield f"{unknown}, tcp", tcp, unknown, *unreachable, 0
    # never
    yield "ttl 1, last fragment", make(frag=1, ttl=1), "ttl expired", None, None, 0
    yield "too long, last fragment", make(largest + 1, frag=1), "too long", None, None, 0
    for kind in (3, 4, 5, 11, 12):
        p = IP(dst=to, **far) / ICMP(type=kind) / bng.inner()
        yield f"of an icmp error {kind}", p, unknown, None, None, 0
    for dst in ("127.0.0.1", "240.0.0.1"):
        yield f"to {dst}", make(to=dst), unknown, None, None, 0
    for dst in ("224.0.0.5", "255.255.255.255"):
        why = "to a group" if unknown == "no route" else unknown
        yield f"to {dst}", make(to=dst), why, None, None, 0
    yield "checksum", make(ttl=1, chksum=1), "bad checksum", None, None, 0
    yield "good", make(), None, None, None, 0


def routing_errors(own, mpls=False):
    answer, largest = Errors(), MTU - (4 if mpls else 0)

    def make(size=60, to=TO, **kw):
        return bng.inner(size, to, FAR, **kw)

    for name, p, why, kind, code, mtu in errors(
        make, ("192.168.1.1", "no route"), largest, largest
    ):
        out = None
        if kind is not None:
            out = out_to(answer(p, kind, code, mtu), own, 1, mpls)
        elif why is None:
            out = out_to(bng.aged(p), own, 0, mpls)
        yield name, frame(p), out, why
    p = make(ttl=1)
    yield "padded", frame(p) + bytes(9), out_to(answer(p, *EXCEEDED), own, 1, mpls), "ttl expired"
    yield dropped("from a stranger", frame(bng.inner(src="192.168.1.1", ttl=1)), "ttl expired")
    for src in NOBODY:
        yield dropped(f"from {src}", frame(bng.inner(src=src, ttl=1)), "bad source")
    yield dropped("to all", frame(p, dst="ff:ff:ff:ff:ff:ff"), "to a group")


def upstream_errors(own):
    answer, largest = Errors(), MTU - 32

    def back(p, **kw):
        return bng.access(p, src=own, dst=CPE, **kw)

    for name, p, why, kind, code, mtu in errors(
        bng.inner, ("192.168.1.1", "no route"), largest, largest
    ):
        out = None
        if kind is not None:
            out = back(answer(p, kind, code, mtu))
        elif why is None:
            out = bng.tunnelled(p, own)
        yield name, bng.access(p), out, why
    p = bng.inner(ttl=1)
    yield "padded", bng.access(p) + bytes(9), back(answer(p, *EXCEEDED)), "ttl expired"
    p = bng.inner(ttl=1)
    yield "priority", bng.access(p, prio=5), back(answer(p, *EXCEEDED), prio=5), "ttl expired"
    yield dropped("of a stranger", bng.access(p, (7, 41, 0)), "ttl expired")
    yield dropped("to all", bng.access(bng.inner(), dst="ff:ff:ff:ff:ff:ff"), "to a group")
    yield dropped("ttl 1 to all", bng.access(p, dst="ff:ff:ff:ff:ff:ff"), "to a group")
    for src in NOBODY:
        yield dropped(f"from {src}", bng.access(bng.inner(src=src, ttl=1)), "bad source")


def downstream_errors(own):
    """The answer goes back in the tunnel, without a label."""
    answer = Errors()

    def make(size=60, to=ADDRESS, **kw):
        return bng.inner(size, to, TO, **kw)

    def back(p, key=USER[2], src=HOPS[0][0], dst=LOCAL):
        return bng.core(p, key, labels=(), src=own, dst=CORE, outer={"src": src, "dst": dst})

    for name, p, why, kind, code, mtu in errors(make, ("10.0.0.3", "unknown cpe"), MTU, MTU):
        out = None
        if kind is not None:
            out = back(answer(p, kind, code, mtu))
        elif why is None:
            out = bng.tagged(p, own)
        yield name, bng.core(p), out, why
    p = make(ttl=1)
    for labels in ((), (16, 17), range(16, 24)):
        yield f"{len(labels)} labels", bng.core(p, labels=labels), back(
            answer(p, *EXCEEDED)
        ), "ttl expired"
    sent = bng.core(p, outer={"src": "203.0.113.9", "options": LONGEST, "flags": 0, "tos": 8})
    yield "other tunnel", sent, back(answer(p, *EXCEEDED), dst="203.0.113.9"), "ttl expired"
    yield "padded", bng.core(p) + bytes(9), back(answer(p, *EXCEEDED)), "ttl expired"
    sent = bng.core(make(), key=USERS[1][2])
    yield "other subscriber", sent, back(answer(make(), *HOST), USERS[1][2]), "unknown cpe"
    yield dropped("of a stranger", bng.core(p, key=700041), "ttl expired")
    yield dropped("to all", bng.core(p, dst="ff:ff:ff:ff:ff:ff"), "to a group")
    for nobody in NOBODY:
        yield dropped(f"tunnel from {nobody}", bng.core(p, outer={"src": nobody}), "bad source")
        yield dropped(f"tunnel to {nobody}", bng.core(p, outer={"dst": nobody}), "ttl expired")
        yield dropped(
            f"from {nobody}", bng.core(bng.inner(60, ADDRESS, nobody, ttl=1)), "bad source"
        )


# ---- both halves of the BNG


def upstream(own, stype=0x88A8):
    for name, p in headers(bng.inner, MTU - 32):
        yield name, bng.access(p, stype=stype), bng.tunnelled(p, own), None
    p = bng.inner(28)
    for n in (1, 14, 100, 1400):
        yield f"padded by {n}", bng.access(p, stype=stype) + bytes(n), bng.tunnelled(p, own), None
    for name, p, why in not_headers(bng.inner):
        yield dropped(name, bng.access(p, stype=stype), why)
    sent = bng.access(bng.inner(28, options=LONGEST), stype=stype)
    yield from cuts(sent, (42, 50, 81), "too short", "options cut")
    yield dropped(
        "too long by options",
        bng.access(bng.inner(MTU - 71, options=LONGEST), stype=stype),
        "too long",
    )
    for kind in TYPES:
        sent = bytearray(bng.access(bng.inner(), stype=stype))
        for name, at in (("S", 12), ("C", 16), ("inner", 20)):
            was = int.from_bytes(sent[at : at + 2], "big")
            why = KINDS.get(kind, "not ipv4")
            if at < 20 and why not in ("lldp", "cfm"):
                why = "not qinq"
            if kind != was:
                wrong = sent[:at] + kind.to_bytes(2, "big") + sent[at + 2 :]
                yield dropped(f"{name} type {kind:#06x}", bytes(wrong), why)
    for user in ((42, 7, 0), (7, 0, 0), (0, 42, 0), (0, 4095, 0), (4095, 0, 0), (4094, 4094, 0)):
        yield dropped(
            f"tags {user[:2]}", bng.access(bng.inner(), user, stype), "unknown subscriber"
        )


def asked(own, gateway=False):
    """ARP, with and without a gateway's address."""
    everyone = {"dst": "ff:ff:ff:ff:ff:ff"}
    for target in ("10.0.0.1", "10.0.0.5", ADDRESS):
        sent = bng.access(bng.arp(target=target), **everyone)
        if target == "10.0.0.5" or (not gateway and target != ADDRESS):
            yield f"for {target}", sent, bng.arp_answer(own, target=target), None
        else:
            yield dropped(f"for {target}", sent, "arp learned")
    probe = bng.arp(sender="0.0.0.0", target="10.0.0.5")
    if gateway:
        # who probes for it learns that it is taken
        yield "probe", bng.access(probe), bng.arp_answer(own, "0.0.0.0", "10.0.0.5"), None
    else:
        yield dropped("probe", bng.access(probe), "arp learned")
    target = "10.0.0.5"
    whole, reply = bng.access(bng.arp(target=target)), bng.arp_answer(own, target=target)
    yield "to us alone", whole, reply, None
    for n in (1, 10, 1000):
        yield f"padded by {n}", whole + bytes(n), reply, None
    user = USERS[2]
    yield "other subscriber", bng.access(bng.arp(target=target), user), bng.arp_answer(
        own, target=target, user=user
    ), None
    yield from cuts(whole, range(QINQ, QINQ + 28), "too short", "arp cut")
    for op in (0, 3, 4, 8, 9, 0x0100, 65535):
        yield dropped(f"operation {op}", bng.access(bng.arp(op=op, target=target)), "bad arp")
    for field, value in (
        ("hwtype", 0),
        ("hwtype", 6),
        ("ptype", 0x86DD),
        ("hwlen", 8),
        ("plen", 16),
    ):
        sent = bng.arp(target=target)
        sent = bytearray(bng.access(sent))
        at, size = {"hwtype": (0, 2), "ptype": (2, 2), "hwlen": (4, 1), "plen": (5, 1)}[field]
        sent[QINQ + at : QINQ + at + size] = value.to_bytes(size, "big")
        yield dropped(f"{field} {value}", bytes(sent), "bad arp")
    for sender in ("127.0.0.1", "224.0.0.1", "255.255.255.255"):
        yield dropped(
            f"sender {sender}", bng.access(bng.arp(sender=sender, target=target)), "bad source"
        )
    group = "03:00:00:00:00:01"
    yield dropped(
        "sender's mac is a group's",
        bng.access(bng.arp(mac=group, target=target), src=group),
        "bad source",
    )


QINQ = bng.QINQ


def downstream(own, stype=0x88A8):
    def make(size=60, **kw):
        return bng.inner(size, ADDRESS, TO, **kw)

    def out(p):
        return bng.tagged(p, own, stype=stype)

    for name, p in headers(make, MTU):
        yield name, bng.core(p), out(p), None
    p = make()
    for name, outer in (
        ("ttl 0", {"ttl": 0}),
        ("ttl 1", {"ttl": 1}),
        ("tos 252", {"tos": 252}),
        ("id", {"id": 65535}),
        ("options", {"options": LONGEST}),
    ):
        yield f"outer {name}", bng.core(p, outer=outer), out(p), None
    for label in (0, 16, 1048575):
        yield f"label {label}", bng.core(p, labels=(label,)), out(p), None
    for label in range(1, 16):  # RFC 3032, 2.1; RFC 7274; nothing else has a meaning for us
        yield dropped(f"label {label}", bng.core(p, labels=(label,)), "reserved label")
    for labels in ((0, 16), (16, 0), (7, 3, 16), (7, 99), (16, 7, 15)):
        yield f"labels {labels}", bng.core(p, labels=labels), out(p), None
    for labels in ((1, 16), (16, 1), (3, 16), (16, 13), (16, 7), (2, 16), (7, 1, 3)):
        yield dropped(f"labels {labels}", bng.core(p, labels=labels), "reserved label")
    for n in range(8):
        yield f"{n + 1} labels", bng.core(p, labels=range(16, 17 + n)), out(p), None
    yield from marked(own, stype)
    for n in (1, 100, 1300):
        yield f"padded by {n}", bng.core(p) + bytes(n), out(p), None
        yield f"padded within by {n}", bng.core(p / Padding(bytes(n))), out(p), None
    label = bytearray(bng.core(p))
    for at, value in ((16, 0x0F), (17, 0), (17, 1)):  # traffic class, time to live
        label[at] = value if at == 17 else label[at] | value
        yield f"label's byte {at} is {value}", bytes(label), out(p), None
    for name, q, why in not_headers(make):
        yield dropped(name, bng.core(q), "bad inner packet" if why == "bad header" else why)
    yield dropped("too long by options", bng.core(make(MTU - 39, options=LONGEST)), "too long")
    # GRE: whatever is there beside the key
    sent = bng.core(p)
    at = 14 + 4 + 20
    for flags in [0, 0xFFFF, *(0x2000 | 1 << bit for bit in range(16) if bit != 13)]:
        wrong = sent[:at] + flags.to_bytes(2, "big") + sent[at + 2 :]
        yield dropped(
            f"gre {flags:#06x}",
            wrong,
            "gre with more than a key" if flags & 0x2000 else "gre without key",
        )
    all_of_it = bng.core(p, chksum_present=1, seqnum_present=1, sequence_number=7)
    yield dropped("all of gre", all_of_it, "gre with more than a key")
    for kind in TYPES:
        yield dropped(
            f"gre type {kind:#06x}", bng.core(p, proto=kind), KINDS.get(kind, "bad inner packet")
        )
        if kind != 0x8847:
            wrong = sent[:12] + kind.to_bytes(2, "big") + sent[14:]
            yield dropped(f"type {kind:#06x}", wrong, KINDS.get(kind, "not gre"))
    for proto in (0, 1, 4, 6, 17, 41, 50, 255):
        yield dropped(f"protocol {proto}", bng.core(p, outer={"proto": proto}), "not gre")
    for n in (9, 12):
        yield dropped(f"{n} labels", bng.core(p, labels=range(16, 16 + n)), "bad labels")
    for size in (20, 24, 27):
        yield dropped(f"outer length {size}", bng.core(p, outer={"len": size}), "too short")
    for size in (28, 29, 47, 48, 87):
        yield dropped(f"outer length {size}", bng.core(p, outer={"len": size}), "bad inner packet")
    yield dropped("outer length 89", bng.core(p, outer={"len": 89}), "bad header")
    yield dropped(
        "outer options' checksum",
        bng.core(p, outer={"options": LONGEST, "chksum": 1}),
        "bad checksum",
    )
    for version in (0, 5, 6):
        yield dropped(
            f"outer version {version}", bng.core(p, outer={"version": version}), "bad header"
        )
    for ihl in range(5):
        yield dropped(f"outer ihl {ihl}", bng.core(p, outer={"ihl": ihl}), "bad header")
    yield dropped(
        "outer fragment in the middle",
        bng.core(p, outer={"flags": "MF", "frag": 3}),
        "fragment of a tunnel",
    )
    yield from cuts(
        bng.core(p, outer={"options": LONGEST}), (38, 50, 77), "too short", "outer options cut"
    )
    for to in ("224.0.0.1", "255.255.255.255", "127.0.0.1", "10.0.0.1"):
        yield dropped(f"to {to}", bng.core(bng.inner(60, to, TO)), "unknown cpe")


def marked(own, stype):
    """ECN at the end of a tunnel, RFC 6040, figure 4: 0 none, 1 and 2 capable (by number), 3 congested."""
    table = {  # inner: of outer 0, 2, 1, 3
        0: (0, 0, 0, None),
        2: (2, 2, 1, 3),
        1: (1, 1, 1, 3),
        3: (3, 3, 3, 3),
    }
    for dscp in (0, 0xB8):
        for inner, becomes in table.items():
            for outer, mark in zip((0, 2, 1, 3), becomes, strict=True):
                p = bng.inner(60, ADDRESS, TO, tos=dscp | inner)
                sent, name = (
                    bng.core(p, outer={"tos": outer}),
                    f"dscp {dscp >> 2} ecn {inner} in {outer}",
                )
                if mark is None:
                    yield dropped(name, sent, "congestion")
                else:
                    q = bng.inner(60, ADDRESS, TO, tos=dscp | mark)
                    yield name, sent, bng.tagged(q, own, stype=stype), None


def elsewhere(own):
    """Tunnels to others, with local ipv4=."""
    p = bng.inner(60, ADDRESS, TO)
    for labels in ((), (16,), (16, 17)):
        ours = bng.core(p, labels=labels, outer={"dst": LOCAL})
        yield f"ours, {len(labels)} labels", ours, bng.tagged(p, own), None
        yield dropped(f"another's, {len(labels)} labels", bng.core(p, labels=labels), "not for us")
    yield dropped("another's, not gre", bng.core(p, outer={"proto": 17}), "not for us")
