# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What a router takes and what it leaves alone (RFC 1812): frames for others, senders that cannot be, source routes,
priority tags, ping; for routing and both halves of the BNG: (name, in, out, why), by scapy."""

import bng_packets as bng
from bng_packets import ADDRESS, CORE, CPE, GATEWAY, HOPS, LOCAL, TO, USER
from edge_packets import FAR, GATE, LONGEST, NOBODY, dropped, frame, out_to

from scapy.all import (
    DHCP,
    ICMP,
    IP,
    UDP,
    Dot1Q,
    Ether,
    IPOption_LSRR,
    IPOption_RR,
    IPOption_SSRR,
)  # isort: skip
from scapy.all import BOOTP, IPOption_Timestamp, Raw, raw  # isort: skip
from scapy.contrib.igmp import IGMP  # isort: skip

# beside ours in one byte, and in one bit; a group's that has our bits else
STRANGERS = [f"02:00:00:00:00:{last:02x}" for last in (0xAB, 0xA8, 0)]
STRANGERS += ["00:00:00:00:00:aa", "02:80:00:00:00:aa", "00:00:00:00:00:00", "fe:ff:ff:ff:ff:ff"]
GROUPS = ["ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "33:33:00:00:00:01", "03:00:00:00:00:aa"]
ROUTE = ["198.18.0.9", "198.18.0.10"]
LOOSE, STRICT = IPOption_LSRR(routers=ROUTE), IPOption_SSRR(routers=ROUTE)
RECORD = IPOption_RR(length=11, pointer=4, routers=["0.0.0.0"] * 2)


def broken(*data):
    """Options as they are, filled with no-operation to four bytes."""
    data = bytes(data)
    return Raw(data + b"\1" * (-len(data) % 4))


def summed(header):
    """The packet with the right checksum of its header, not otherwise interpreted."""
    p = bytearray(header)
    p[10:12] = b"\0\0"
    total = sum(int.from_bytes(p[i : i + 2], "big") for i in range(0, (p[0] & 15) * 4, 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    p[10:12] = (~total & 0xFFFF).to_bytes(2, "big")
    return IP(bytes(p))


def with_options(make, option):
    """scapy pads and writes the lengths, but of bytes."""
    if not isinstance(option, Raw):
        return make(options=option if isinstance(option, list) else [option])
    p = bytearray(raw(make(options=LONGEST[: len(option.load)])))
    p[20 : 20 + len(option.load)] = option.load
    return summed(p)


def aged(packet):
    p = bytearray(raw(packet))
    p[8] -= 1
    return summed(p)


def options(make, source_route=False):
    """(name, packet, why): None: it is carried as it is."""
    for name, option in (
        ("record route", RECORD),
        ("nothing", [LONGEST[0]] * 3),
        ("stamps", IPOption_Timestamp()),
        ("unknown", broken(222, 3, 1)),
        ("end", broken(0, 131, 4, 4)),
    ):
        yield f"options: {name}", with_options(make, option), None
    why = None if source_route else "source routed"
    for name, option in (
        ("loose", LOOSE),
        ("strict", STRICT),
        ("behind others", [LONGEST[0], RECORD, STRICT]),
        ("at its end", IPOption_LSRR(pointer=12, routers=ROUTE)),
    ):
        yield f"source route: {name}", with_options(make, option), why
    for data in ((7,), (7, 0), (7, 1), (7, 5), (1, 1, 1, 131), (131, 200, 4)):
        wrong = Raw(b"\1" * (-len(data) % 4) + bytes(data))
        yield f"options {data}", with_options(make, wrong), "bad header"


def senders(make, *own):
    for src in (*NOBODY, *own):
        yield f"from {src}", make(src=src), "bad source"
    for src in ("1.0.0.0", "126.255.255.255", "128.0.0.0", "223.255.255.255"):
        yield f"from {src}", make(src=src), None


def packets(make, source_route, *own):
    yield from options(make, source_route)
    yield from senders(make, *own)
    yield "to 126.255.255.255", make(to="126.255.255.255"), "no route"
    yield "to 223.255.255.255", make(to="223.255.255.255"), "no route"


def echo(to, src, size=40, kind=8, **kw):
    return (
        IP(src=src, dst=to, ttl=3, id=99, **kw)
        / ICMP(type=kind, id=7, seq=3)
        / Raw(bytes(range(size)))
    )


class Replies:
    """Of one task: they are numbered."""

    def __init__(self):
        self.number = 0

    def __call__(self, asked):
        p = IP(raw(asked))
        p.src, p.dst, p.ttl, p.id, p.chksum = asked.dst, asked.src, 64, self.number, None
        p[ICMP].type, p[ICMP].chksum = 0, None
        self.number += 1
        return p


def pings(us, src):
    """(name, packet, whether it is answered)"""
    for size in (0, 1, 40, 255):
        yield f"ping of {size}", echo(us, src, size), True
    yield "ping with tos", echo(us, src, tos=0xBA), True
    yield "ping that fits", echo(us, src, flags="DF"), True
    yield "reply", echo(us, src, kind=0), False
    yield "ping, wrong sum", IP(src=src, dst=us) / ICMP(type=8, chksum=1), False
    yield "ping, code 1", IP(src=src, dst=us) / ICMP(type=8, code=1), False
    yield "ping, fragment", echo(us, src, flags="MF"), False
    yield "ping, last fragment", echo(us, src, frag=1), False
    yield "ping with options", echo(us, src, options=[RECORD]), False
    yield "ping cut", IP(src=src, dst=us) / Raw(b"\x08\0\0\0"), False
    yield "udp to us", IP(src=src, dst=us) / UDP(), False


# ---- routing


def routing(own, source_route=False, gate=False):
    def make(size=60, to=TO, src=ADDRESS, **kw):
        return bng.inner(size, to, src, **kw)

    def out(p):
        return out_to(aged(p), own, 0, False)

    p = make()
    for mac in STRANGERS:
        yield dropped(f"for {mac}", frame(p, dst=mac), "for another host")
    for mac in GROUPS:
        yield dropped(f"for {mac}", frame(p, dst=mac), "to a group")
    for name, q, why in packets(make, source_route, *([GATE] if gate else [])):
        yield name, frame(q), None if why else out(q), why
    for to in ("224.0.0.1", "239.255.255.255", "255.255.255.255"):
        yield dropped(f"to {to}", frame(make(to=to)), "to a group")
    for prio in (0, 5, 7):
        tagged = raw(Ether(src=CORE, dst=GATEWAY) / Dot1Q(vlan=0, prio=prio, id=prio & 1) / p)
        yield f"priority {prio}", tagged, out(p), None
    yield dropped(
        "priority of another",
        raw(Ether(src=CORE, dst=STRANGERS[0]) / Dot1Q(vlan=0) / p),
        "for another host",
    )
    two = raw(Ether(src=CORE, dst=GATEWAY) / Dot1Q(vlan=0) / Dot1Q(vlan=0) / p)
    yield dropped("two priorities", two, "another tag")
    for n in range(1, 4):
        cut = raw(Ether(src=CORE, dst=GATEWAY) / Dot1Q(vlan=0) / p)[: 14 + n]
        yield dropped(f"priority cut at {n}", cut, "another tag")


def fields(own):
    """What a router leaves as it is, and where it sends nothing."""
    for tos in (*range(4), *range(0xB8, 0xBC)):
        p = bng.inner(tos=tos)
        yield f"ecn {tos & 3}, dscp {tos >> 2}", frame(p), out_to(aged(p), own, 0, False), None
    for flags, frag in (
        ("MF", 0),
        ("MF", 100),
        (0, 100),
        (0, 8191),
        ("DF", 100),
        ("DF+MF", 0),
        ("DF+MF", 7),
        ("evil+MF", 5),
        ("evil+DF+MF", 8191),
    ):
        for size in (28, 60, 1500):
            p = bng.inner(size, flags=flags, frag=frag)
            name = f"fragment at {frag}, {flags}, {size} bytes"
            yield name, frame(p), out_to(aged(p), own, 0, False), None
    for ttl in (0, 1):
        for name, p in (
            ("options", bng.inner(ttl=ttl, options=[RECORD])),
            ("a fragment", bng.inner(ttl=ttl, flags="MF")),
            ("a last fragment", bng.inner(ttl=ttl, frag=9)),
            ("ecn", bng.inner(ttl=ttl, tos=3)),
        ):
            yield dropped(f"ttl {ttl}, {name}", frame(p), "ttl expired")
    for to, hop in (
        ("198.18.0.0", 0),
        ("198.18.255.255", 0),
        ("198.19.255.255", 1),
        ("203.0.113.0", 1),
        ("203.0.113.255", 1),
    ):
        p = bng.inner(to=to)
        yield f"to {to}", frame(p), out_to(aged(p), own, hop, False), None
    for to in ("0.0.0.0", "0.1.2.3", "127.1.2.3", "240.0.0.1", "255.255.255.254"):
        yield dropped(f"to {to}", frame(bng.inner(to=to)), "no route")
    for to in ("224.0.0.22", "232.1.2.3"):
        yield dropped(f"to {to}", frame(bng.inner(to=to)), "to a group")


def routing_pings(own):
    reply = Replies()
    for name, p, answered in pings(GATE, FAR):
        back = out_to(reply(p), own, 1, False) if answered else None
        yield name, frame(p), back, None if answered else "to this router"
    yield dropped("ping of nobody's", frame(echo(GATE, "192.168.1.1")), "to this router")
    yield dropped("ping from us", frame(echo(GATE, GATE)), "bad source")


# ---- upstream


def upstream(own, source_route=False):
    def make(size=60, to=TO, src=ADDRESS, **kw):
        return bng.inner(size, to, src, **kw)

    def out(p):
        ip, mac, label = HOPS[0]
        return bng.core(aged(p), USER[2], (label,), own, mac, {"dst": ip})

    p = make()
    for mac in STRANGERS:
        yield dropped(f"for {mac}", bng.access(p, dst=mac), "for another host")
    for mac in GROUPS:
        yield dropped(f"for {mac}", bng.access(p, dst=mac), "to a group")
    for name, q, why in packets(make, source_route, LOCAL):
        yield name, bng.access(q), None if why else out(q), why
    discover = (
        IP(src="0.0.0.0", dst="255.255.255.255")
        / UDP(sport=68, dport=67)
        / BOOTP()
        / DHCP(options=[("end")])
    )
    yield dropped("dhcp", bng.access(discover, dst=GROUPS[0]), "dhcp")
    yield dropped("dhcp to us alone", bng.access(discover), "dhcp")
    for to in ("224.0.0.22", "239.1.2.3"):
        report = IP(src=ADDRESS, dst=to, ttl=1) / IGMP(type=0x16, gaddr="239.1.2.3")
        yield dropped(f"igmp to {to}", bng.access(report, dst="01:00:5e:01:02:03"), "igmp")
    yield dropped(
        "other group", bng.access(make(to="239.1.2.3"), dst="01:00:5e:01:02:03"), "to a group"
    )
    whole = bng.access(p)
    for prio in (0, 5):
        tag = raw(Dot1Q(vlan=0, prio=prio, type=0x88A8))
        yield f"priority {prio} in front", whole[:12] + b"\x81\x00" + tag[:2] + whole[12:], out(
            p
        ), None


def upstream_8100(own):
    """Where all tags are of one type, the first is the priority's when there are three."""
    p = bng.inner()
    whole = bng.access(p, stype=0x8100)
    yield "priority in front", whole[:12] + b"\x81\x00\xa0\x00" + whole[12:], bng.tunnelled(
        p, own
    ), None
    three = whole[:12] + b"\x81\x00\x00\x05" + whole[12:]
    yield dropped("another in front", three, "another tag")


def upstream_pings(own):
    """To the gateway, which answers the subscriber."""
    reply = Replies()
    for name, p, answered in pings(GATE, ADDRESS):
        back = bng.access(reply(p), src=own, dst=CPE) if answered else None
        yield name, bng.access(p), back, None if answered else "to this router"
    yield dropped(
        "ping of a stranger", bng.access(echo(GATE, ADDRESS), (7, 41, 0)), "unknown subscriber"
    )
    yield dropped("from the gateway", bng.access(bng.inner(src=GATE)), "bad source")
    yield dropped(
        "arp of the gateway's address",
        bng.access(bng.arp(sender=GATE, target=ADDRESS)),
        "bad source",
    )


# ---- downstream


def downstream(own, source_route=False, gate=False):
    def make(size=60, to=ADDRESS, src=TO, **kw):
        return bng.inner(size, to, src, **kw)

    def out(p):
        return bng.access(aged(p), USER, src=own, dst=CPE)

    p = make()
    for mac in STRANGERS:
        yield dropped(f"for {mac}", bng.core(p, dst=mac), "for another host")
    for mac in GROUPS:
        yield dropped(f"for {mac}", bng.core(p, dst=mac), "to a group")
    for name, q, why in [*options(make, source_route), *senders(make, *([GATE] if gate else []))]:
        yield name, bng.core(q), None if why else out(
            q
        ), "bad inner packet" if why == "bad header" else why
    outer = {"src": LOCAL, "dst": HOPS[0][0]}
    for src in NOBODY:
        yield dropped(f"tunnel from {src}", bng.core(p, outer={"src": src}), "bad source")
    for option in (LOOSE, STRICT):
        sent = bng.core(p, outer=outer | {"options": [option]})
        yield f"tunnel {option.name}", sent, out(
            p
        ) if source_route else None, None if source_route else "source routed"
    for labels in ((100,), ()):
        whole = bng.core(p, labels=labels)
        for prio in (0, 5):
            tag = raw(Dot1Q(vlan=0, prio=prio))[:2]
            yield f"priority {prio}, {len(labels)} labels", whole[:12] + b"\x81\x00" + tag + whole[
                12:
            ], out(p), None
    yield dropped("vlan", whole[:12] + b"\x81\x00\x00\x01" + whole[12:], "another tag")


def downstream_pings(own):
    """To the gateway's address, in the tunnel, and to the tunnel's end, outside."""
    reply = Replies()
    ends = {"src": HOPS[0][0], "dst": LOCAL}
    for name, p, answered in pings(GATE, TO):
        back = bng.core(reply(p), labels=(), src=own, dst=CORE, outer=ends) if answered else None
        sent = bng.core(p, outer={"src": LOCAL, "dst": HOPS[0][0]})
        yield name, sent, back, None if answered else "to this router"


def downstream_pings_outside(own):
    reply = Replies()
    for name, p, answered in pings(LOCAL, FAR):
        for labels in ((), (16,)):
            if IP(raw(p)).proto != 1:
                continue
            sent = Ether(src=CORE, dst=GATEWAY, type=0x8847 if labels else 0x0800)
            if labels:
                sent = raw(sent) + (labels[0] << 12 | 0x140).to_bytes(4, "big") + raw(p)
            else:
                sent = raw(sent / p)
            back = raw(Ether(src=own, dst=CORE) / reply(p)) if answered else None
            yield f"{name}, {len(labels)} labels", sent, back, None if answered else "to this router"
    yield dropped(
        "udp to us", raw(Ether(src=CORE, dst=GATEWAY) / IP(src=FAR, dst=LOCAL) / UDP()), "not gre"
    )
