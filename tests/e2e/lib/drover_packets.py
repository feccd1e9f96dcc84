# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Packets for drover's tests: built by scapy, kept in pcap files, and what must come of them."""

import functools
import logging
import random

import pcapfile

logging.getLogger("scapy").setLevel(logging.ERROR)

from scapy.all import ARP, ICMP, IP, TCP, UDP, Dot1AD, Dot1Q, Ether, ICMPv6EchoRequest
from scapy.all import IPv6, IPv6ExtHdrFragment, Raw, fragment, raw

read, write = pcapfile.read, pcapfile.write
A, B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
HEADER = 14
JUMBO = 9000


def patterned(size, seed=0):
    return random.Random(size * 1000 + seed).randbytes(size)


@functools.cache
def of_size(size):
    """An Ethernet frame of exactly so many bytes; below a header's, its beginning."""
    if size < 60:
        return (raw(Ether(dst=A, src=B, type=0x88B5)) + patterned(60))[:size]
    return raw(Ether(dst=A, src=B) / IP() / UDP() / Raw(patterned(size - 42)))


def every_size(first=1, last=JUMBO, step=1):
    return [of_size(n) for n in range(first, last + 1, step)]


def kinds():
    """Of each kind one, by name."""
    to = Ether(dst=A, src=B)
    data = Raw(patterned(100))
    v4 = IP(src="198.18.0.1", dst="198.19.0.1")
    v6 = IPv6(src="2001:db8::1", dst="2001:db8::2")
    found = {
        "ipv4 udp": to / v4 / UDP() / data,
        "ipv4 tcp with options": to / v4 / TCP(options=[("MSS", 1460), ("NOP", None)]) / data,
        "ipv4 icmp": to / v4 / ICMP() / data,
        "ipv4 wrong checksum": to / IP(chksum=0x1234) / UDP(chksum=1) / data,
        "ipv4 length that lies": to / IP(len=65535) / UDP(len=3) / data,
        "ipv4 header length 0": to / IP(ihl=0) / data,
        "ipv6 udp": to / v6 / UDP() / data,
        "ipv6 icmp": to / v6 / ICMPv6EchoRequest() / data,
        "ipv6 fragment": to / v6 / IPv6ExtHdrFragment(m=1) / data,
        "vlan": to / Dot1Q(vlan=5, prio=3) / v4 / UDP() / data,
        "vlan cut": to / Dot1Q(vlan=5),
        "qinq": to / Dot1AD(vlan=7) / Dot1Q(vlan=5) / v6 / UDP() / data,
        "broadcast": Ether(dst="ff:ff:ff:ff:ff:ff", src=B) / ARP(),
        "multicast": Ether(dst="33:33:00:00:00:01", src=B) / v6 / UDP(),
        "source of a group": Ether(dst=A, src="ff:ff:ff:ff:ff:ff") / data,
        "all zero": Raw(bytes(64)),
        "all ones": Raw(b"\xff" * 64),
        "length instead of type": Ether(dst=A, src=B, type=46) / Raw(patterned(46)),
        "header only": to,
    }
    for i, part in enumerate(fragment(v4 / UDP() / Raw(patterned(2900)), 1480)):
        found[f"ipv4 fragment {i}"] = to / part
    found = {name: raw(p) for name, p in found.items()}
    for i in range(20):
        found[f"random {i}"] = patterned(HEADER + 37 * i, seed=i)
    return found


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def rewritten(packets, own, dst="packet", src="hw"):
    """What l2fwd makes of them. own: the address of the output port."""

    def pick(word, of_packet, other):
        return {"no": of_packet, "packet": other, "hw": mac(own)}.get(word) or mac(word)

    return [
        pick(dst, p[:6], p[6:12]) + pick(src, p[6:12], p[:6]) + p[12:]
        for p in packets
        if len(p) >= HEADER
    ]
