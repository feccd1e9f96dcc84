# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Another judge of the golden packets of routing: Linux gets the same packets and the same table, in a network of its
own, and must send what drover does (test_golden), byte by byte. Where the two differ is listed with the reason."""

import json
import sys

import bng_packets as bng
import edge_packets as edge
import frames
import golden_packets as golden
import pcapfile
import pytest
from drover_devices import Net
from scapy.all import IP, UDP, Ether, Raw, raw
from workload import needs_root

pytestmark = [pytest.mark.anywhere, needs_root]

PLAIN = "routing"
ERRORS = f"routing,icmp ipv4={edge.GATE}"
PINGS = f"routing,icmp ipv4={edge.GATE},icmp rate=1001"

SETUP = f"""sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
net.ipv4.icmp_ratemask=0 net.ipv4.icmp_errors_use_inbound_ifaddr=1 net.ipv4.conf.all.accept_source_route=0
for d in in out; do
    sysctl -qw net.ipv4.conf.$d.rp_filter=0 net.ipv4.conf.$d.accept_source_route=0
    ip link set dev $d address {bng.GATEWAY}
done
ip link set dev out mtu {bng.MTU}
ip addr add {edge.GATE}/32 dev in
ip addr add 192.0.2.254/24 dev out
"""
for ip, mac, _ in bng.HOPS:
    SETUP += f"ip neigh add {ip} lladdr {mac} dev out nud permanent\n"
for prefix, hop in bng.ROUTES:
    SETUP += f"ip route add {prefix} via {bng.HOPS[hop][0]}\n"


def behind(number):
    """A packet that Linux forwards in any case."""
    eth = Ether(src=bng.CORE, dst=bng.GATEWAY)
    return raw(eth / IP(src="198.51.100.1", dst=bng.TO) / UDP() / Raw(frames.marker(number)))


# What Linux does with a packet that drover treats otherwise, and why drover does.
DIFFERENT = {
    PLAIN: {
        "options": ("changed", "an option is carried as it is: drover records no route"),
        "options: record route": ("changed", "the same"),
        "options: stamps": ("nothing", "and does not look whether it makes sense"),
        "options: end": ("changed", "nor clears what is behind the end of options"),
        "too long": (
            "pieces",
            "drover cuts nothing up: it is dropped, and answered where there is an address",
        ),
        "too long, may be cut": ("pieces", "the same"),
        "too long by options": ("pieces", "the same"),
        "from 0.1.2.3": (
            "changed",
            "all of 0/8 is nobody's as a source (RFC 1812, 5.3.7), not 0.0.0.0 alone",
        ),
        "from 240.0.0.1": ("changed", "nor is 240/4"),
        "two priorities": ("changed", "one priority tag is taken off, not any number"),
    },
    ERRORS: {
        "options: record route": ("changed", "as above"),
        "options: stamps": ("nothing", "as above; without a route back Linux cannot say so"),
        "options: end": ("changed", "as above"),
        "from 0.1.2.3": ("changed", "as above"),
        "from 240.0.0.1": ("changed", "as above"),
        "two priorities": ("changed", "as above"),
        "ttl 1, tos 255": (
            "changed",
            "an answer is not ECN-capable (RFC 3168, 6.1.1): Linux copies one of the bits",
        ),
        "too long, may be cut": ("pieces", "as above"),
        "too long with options": ("pieces", "as above"),
        "too long, last fragment": (
            "pieces",
            "as above; of a fragment that is not the first no error is sent",
        ),
    },
    PINGS: {
        "ping that fits": ("changed", "the answer may not be cut up where the question might not"),
        "ping, code 1": ("changed", "an echo has code 0 (RFC 792)"),
        "ping with options": ("changed", "options are not turned round: it is not answered"),
        "ping cut": (
            "changed",
            "drover answers pings, and says of nothing else that it does not take it",
        ),
        "udp to us": ("changed", "the same"),
    },
}


def is_answer(frame):
    return frame[12:14] == b"\x08\0" and frame[26:30] == bytes(map(int, edge.GATE.split(".")))


def alike(frame):
    """Without what each numbers by itself."""
    if not is_answer(frame):
        return frame
    return frame[:18] + b"\0\0" + frame[20:24] + b"\0\0" + frame[26:]


def outcome(came):
    return {0: "nothing", 1: "changed"}.get(len(came), "pieces")


@pytest.mark.parametrize("task", DIFFERENT, ids=["forwarding", "errors", "pings"])
def test_linux_sends_the_same(tmp_path, task):
    cases = golden.packets(task)
    sent = [p for i, (_, frame, _, _) in enumerate(cases) for p in (frame, behind(i))]
    pcapfile.write(tmp_path / "sent", sent)
    with Net("in", "out", mtu=2000) as net:
        net.run("sh", "-ec", SETUP)
        said = net.run(
            sys.executable, "-B", frames.__file__, "judge", "inx", tmp_path / "sent", "outx"
        )
    found, judged = {}, 0
    for (name, _, out, _), came in zip(cases, json.loads(said), strict=True):
        if came is None:  # a kernel sends no frame that is shorter than its header
            continue
        came = [alike(bytes.fromhex(frame)) for frame in came]
        if task == PLAIN:  # there drover has no address to answer from
            came = [frame for frame in came if not is_answer(frame)]
        judged += 1
        if came != ([alike(out)] if out is not None else []):
            found[name] = outcome(came)
    assert found == {name: what for name, (what, _) in DIFFERENT[task].items()}
    assert judged > 0.9 * len(cases) - 14
