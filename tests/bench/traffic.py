# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Packets for rivals.py as pcap files, and what is read of those that come out.

Formats: docs/drover-bng.md. Packets are 64 bytes with their checksum (60 here); on the core side the
tunnel is around what is a packet of 64 bytes on the access side.
"""

import random
import string
import struct
from dataclasses import dataclass

USERS = 65536
CVLANS = 1024  # of each S-VLAN; both from 1
HOPS = 64
STAG = 0x8100  # the type that DPPD's published files take
GATEWAY = bytes.fromhex("020000000010")
TUNNEL_TO = bytes((192, 0, 2, 254))  # our end
CPES = 100 << 24 | 64 << 16  # 100.64/16: one address of each subscriber
TTL = 64
BNG_NETS = range(10 << 16, (10 << 16) + (8192 << 4), 16)  # /24s; as many as in those files

# hop_ip, hop_mac and hop_label below, as a table of [lua]; $routes /24s from $first, $step apart
LUA_ROUTES = string.Template(
    """hops, routes = {}, {}
for i = 0, $hops - 1 do
  hops[i + 1] = {id = i, port_id = 0, mpls = 100 + i, ip = ip("192.0.2." .. i + 1),
    mac = mac(string.format("02:00:00:00:01:%02x", i))}
end
for i = 0, $routes - 1 do
  routes[i + 1] = {cidr = {ip = ip($first + i * $step), depth = 24}, next_hop_id = i % $hops}
end
lpm4 = {next_hops = hops, routes = routes}
"""
)


def total(data):
    s = sum(struct.unpack(f">{len(data) // 2}H", data))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return s


def ipv4(src, dst, proto, payload):
    fields = (0x45, 0, 20 + len(payload), 0, 0x4000, TTL, proto)
    head = struct.pack(">BBHHHBB", *fields)
    check = ~total(head + src + dst) & 0xFFFF
    return head + struct.pack(">H", check) + src + dst + payload


def udp(length):
    return struct.pack(">HHHH", 1024, 4096, length, 0) + bytes(length - 8)


def address(n):
    return struct.pack(">I", n)


def cpe_ip(user):
    return address(CPES + user)


def cpe_mac(user):
    return b"\x02\x01" + struct.pack(">I", user)


def tags(user):
    return struct.pack(">HHHH", STAG, user // CVLANS + 1, 0x8100, user % CVLANS + 1)


def hop_ip(hop):
    return bytes((192, 0, 2, hop + 1))


def hop_mac(hop):
    return bytes((2, 0, 0, 0, 1, hop))


def hop_label(hop):
    return 100 + hop


def dotted(n):
    return ".".join(map(str, address(n)))


def hop_lines():
    """The same hops, for a table in text."""
    return "".join(
        f"hop,{i},192.0.2.{i + 1},{hop_mac(i).hex(':')},{hop_label(i)},0\n" for i in range(HOPS)
    )


def lua_routes(routes, first, step):
    return LUA_ROUTES.substitute(hops=HOPS, routes=routes, first=first, step=step)


def upstream(user, to):
    access = GATEWAY + cpe_mac(user) + tags(user) + b"\x08\x00"
    return access + ipv4(cpe_ip(user), to, 17, udp(18))


def arp(user):
    access = b"\xff" * 6 + cpe_mac(user) + tags(user) + b"\x08\x06"
    head = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1)
    return access + head + cpe_mac(user) + cpe_ip(user) + bytes(6) + address(CPES + USERS)


def downstream(user):
    inner = ipv4(b"\xc6\x12\x00\x01", cpe_ip(user), 17, udp(18))
    gre = struct.pack(">HHI", 0x2000, 0x0800, user) + inner
    return GATEWAY + hop_mac(0) + b"\x08\x00" + ipv4(hop_ip(0), TUNNEL_TO, 47, gre)


def routed(to):
    return GATEWAY + cpe_mac(0) + b"\x08\x00" + ipv4(cpe_ip(0), to, 17, udp(26))


def shuffled(users, seed=1):
    return random.Random(seed).sample(range(users), users)


def prefixes(count, seed=2):
    """Different /24s at random over the whole of unicast space."""
    left, rng = set(), random.Random(seed)
    while len(left) < count:
        net = rng.randrange(1 << 16, 224 << 16)
        if net >> 16 != 127:
            left.add(net)
    return sorted(left)


@dataclass
class Network:
    """Routes, of which prefix i leads to hop i % HOPS, and destinations in them at random."""

    nets: list

    def __post_init__(self):
        self.rng = random.Random(3)

    def pick(self):
        """A destination, and its hop."""
        i = self.rng.randrange(len(self.nets))
        return address(self.nets[i] << 8 | self.rng.randrange(1, 255)), i % HOPS


# ---- what came out


def ip_notes(data, ttl):
    """What is not right in an IPv4 header, in words."""
    notes = []
    if data[8] != ttl:
        notes.append(f"time to live is {data[8]}, not {ttl}")
    if total(data[:20]) != 0xFFFF:
        notes.append("checksum is wrong" if data[10:12] != b"\0\0" else "checksum is 0")
    return notes


def check_upstream(out, user, to, hop):
    """(whether it is the right packet, what is not as it should be)"""
    inner = out[46:]
    label = struct.unpack(">I", out[14:18])[0]
    right = (
        len(out) == 84
        and out[:6] == hop_mac(hop)
        and out[12:14] == b"\x88\x47"
        and label >> 8 & 1 == 1
        and out[18] == 0x45
        and out[20:22] == struct.pack(">H", 66)
        and out[27] == 47
        and out[34:38] in (hop_ip(hop), hop_ip(hop)[::-1])
        and out[38:46] == struct.pack(">HHI", 0x2000, 0x0800, user)
        and inner[:8] == upstream(user, to)[22:30]
        and inner[12:] == upstream(user, to)[34:]
    )
    notes = [f"inner {n}" for n in ip_notes(inner, TTL - 1)]
    notes += [f"outer {n}" for n in ip_notes(out[18:38], TTL)]
    ends = out[30:34], out[34:38]
    if ends != (TUNNEL_TO, hop_ip(hop)):
        swapped = ends == (TUNNEL_TO[::-1], hop_ip(hop)[::-1])
        notes.append("outer addresses are " + ("byte-reversed" if swapped else "wrong"))
    if label >> 12 != hop_label(hop):
        notes.append("label is not the table's number")
    if label & 0xFF == 0:
        notes.append("label has time to live 0")
    return right, notes


def check_downstream(out, user):
    want = cpe_mac(user), tags(user), downstream(user)[42:]
    inner = out[22:]
    right = (
        len(out) == 60
        and out[:6] == want[0]
        and out[12:20] == want[1]
        and out[20:22] == b"\x08\x00"
        and inner[:8] == want[2][:8]
        and inner[12:] == want[2][12:]
    )
    return right, [f"inner {n}" for n in ip_notes(inner, TTL - 1)]


def check_routed(out, to, mac):
    want = routed(to)
    right = out[:6] == mac and out[12:22] == want[12:22] and out[26:] == want[26:]
    return right, ip_notes(out[14:34], TTL - 1)
