# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""drover's generator: what it sends, as scapy and tshark see it, and the BNG loaded from both sides."""

import json
from collections import Counter

import drover_packets as packets
import pytest
from drover_config import configuration, core, task
from places import TOP
from scapy.all import GRE, IP, UDP, Dot1Q, Ether, Raw, raw
from scapy.contrib.mpls import MPLS
from tshark import dissect, needs_tshark
from workload import wait

pytestmark = [pytest.mark.anywhere]
CONFIGS = TOP / "data/drover"
COUNT = 300

LAYERS = {
    "eth/ipv4/udp": [Ether, IP, UDP],
    "eth/vlan/ipv4/udp": [Ether, Dot1Q, IP, UDP],
    "eth/qinq/ipv4/udp": [Ether, Dot1Q, Dot1Q, IP, UDP],
    "eth/mpls/ipv4/gre/ipv4/udp": [Ether, MPLS, IP, GRE, IP, UDP],
    "eth/ipv4/gre/ipv4/udp": [Ether, IP, GRE, IP, UDP],
}


def generate(bench, keys, count=COUNT, status=0):
    """The packets that were sent, and what the generator says."""
    keys = f"dst mac={packets.A}\nsrc mac={packets.B}\ncount={count}\n{keys}"
    ports = {"out": ("pcap:-,out.pcap", "mtu=9000")}
    made = core("gen", task("gen", "", "out", keys))
    bench.write_config(configuration(ports, made, mempool="4K", keys=["mbuf size=9216"]))
    # on a busy machine it takes longer
    for duration in ("600ms", "3s", "10s"):
        p = bench.execute("run", "--json", "--duration", duration)
        assert p.returncode == status, p.stderr
        if status != 0:
            return p.stderr
        (figures,) = json.loads(p.stdout)["tasks"]
        if figures["tx"] == count:
            break
    sent = bench.read("out")
    assert len(sent) == figures["tx"] == count
    return sent, figures


def layers(p):
    found = []
    while p and not isinstance(p, Raw):
        found.append(type(p))
        p = p.payload
    return [{"Dot1AD": Dot1Q}.get(c.__name__, c) for c in found]


def check_sums(data):
    """Lengths and checksums are what scapy makes them."""
    p = Ether(data)
    again = p.copy()
    layer = again
    while layer:
        for field in ("chksum", "len"):
            if field in layer.fields and not isinstance(layer, GRE):
                delattr(layer, field)
        layer = layer.payload
    assert raw(again) == data
    return p


@pytest.mark.parametrize(
    "template, size",
    [(t, s) for t in LAYERS for s in (0, 1514)] + [("eth/mpls/ipv4/gre/ipv4/udp", 9000)],
    ids=lambda v: str(v).replace("/", "-"),
)
def test_templates(bench, template, size):
    """Every packet is right, whatever varies in it."""
    keys = f"template={template}\n" + (f"pkt size={size}\n" if size else "")
    keys += "random=src ip\nrange=src port:1000-1099\nrandom=dst ip:198.18.0.0-198.18.0.255\n"
    ports, addresses = [], set()
    for data in generate(bench, keys)[0]:
        p = check_sums(data)
        assert layers(p)[: len(LAYERS[template])] == LAYERS[template]
        assert len(data) == size or (size == 0 and 60 <= len(data) < 128)
        ports.append(p[UDP].sport)
        inner = p[UDP].underlayer
        addresses.add(inner.src)
        assert inner.dst.startswith("198.18.0.")
    assert ports == [1000 + i % 100 for i in range(COUNT)]
    assert len(addresses) > COUNT * 0.9


def test_ranges_carry(bench):
    """As a clock: the S-tag steps when the C-tag begins anew."""
    keys = "template=eth/qinq/ipv4/udp\nrange=cvlan:1-7\nrange=svlan:10-12 carry\nrange=src ip:10.0.0.0-10.0.0.20"
    for i, data in enumerate(generate(bench, keys)[0]):
        p = check_sums(data)
        tags = p.payload, p.payload.payload
        assert [t.vlan for t in tags] == [10 + i // 7 % 3, 1 + i % 7]
        assert p[IP].src == f"10.0.0.{i % 21}"


def test_gre_keys(bench):
    keys = "template=eth/mpls/ipv4/gre/ipv4/udp\nlabel=77\nrange=gre key:65530-65540 step 2\n"
    for i, data in enumerate(generate(bench, keys)[0]):
        p = check_sums(data)
        assert p[MPLS].label == 77 and p[MPLS].s == 1 and p[GRE].key == 65530 + i % 6 * 2


def test_imix(bench):
    """7:4:1, as near to each other as that can be."""
    sent, task = generate(bench, "imix=60:7,590:4,1514:1")
    assert Counter(map(len, sent)) == {60: 7 * 25, 590: 4 * 25, 1514: 25}
    for at in range(0, COUNT, 12):
        assert Counter(map(len, sent[at : at + 12])) == {60: 7, 590: 4, 1514: 1}
    for data in sent:
        check_sums(data)
    assert task["tx_bytes"] == sum(map(len, sent))


@needs_tshark
@pytest.mark.parametrize(
    "template, protocols",
    [
        ("eth/ipv4/udp", "eth:ethertype:ip:udp"),
        ("eth/vlan/ipv4/udp", "eth:ethertype:vlan:ethertype:ip:udp"),
        ("eth/qinq/ipv4/udp", "eth:ethertype:ieee8021ad:ethertype:vlan:ethertype:ip:udp"),
        ("eth/mpls/ipv4/udp", "eth:ethertype:mpls:ip:udp"),
        ("eth/mpls/ipv4/gre/ipv4/udp", "eth:ethertype:mpls:ip:gre:ip:udp"),
    ],
)
def test_tshark_finds_nothing_wrong(bench, template, protocols):
    """Smallest and largest."""
    keys = f"template={template}\nrandom=src ip\nimix=100,700,1514"
    generate(bench, keys)
    fields = "frame.protocols", "ip.checksum.status", "udp.checksum.status", "_ws.expert"
    seen = dissect(bench.directory / "out.pcap", *fields, checks=["ip", "udp"])
    assert len(seen) == COUNT
    for found, ip, udp, *expert in seen:
        assert found.startswith(protocols)
        assert (set(ip.split(",")), udp) == ({"1"}, "1") and expert in ([], [""])


@pytest.mark.parametrize("loop", ["yes", "no"])
def test_capture(bench, loop):
    """What scapy wrote is sent as it is, over and over or once."""
    kinds = [p for p in packets.kinds().values() if len(p) >= 60]
    bench.give(kinds)
    count = 3 * len(kinds) if loop == "yes" else len(kinds)
    sent, _ = generate(bench, f"pcap file=in.pcap\nloop={loop}", count)
    assert sent == kinds * (count // len(kinds))


@pytest.mark.parametrize(
    "content, like",
    [
        (None, "No such file"),
        (b"", "in.pcap"),
        (b"not a capture at all, however long it may be", "in.pcap"),
        (bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"), "no packet"),
    ],
    ids=["absent", "empty", "text", "no packets"],
)
def test_wrong_capture(bench, content, like):
    if content is not None:
        (bench.directory / "in.pcap").write_bytes(content)
    says = generate(bench, "pcap file=in.pcap", status=1)
    lines = [line for line in says.splitlines() if line.startswith("drover:")]
    assert len(lines) == 1 and "in.pcap" in lines[0] and like in lines[0]


# --- the BNG between both sides -----------------------------------------------------------------

RATE = 10000
PACKETS = 15 * 1024  # each subscriber 15 times
ROOM = 14  # 2^14 packets: all have it, however long others have the CPUs
FEW = ["-D", "svlans=1", "-D", "last=10.1.3.255", "-D", "keys=1023"]  # 1024 subscribers


def drops_of(tasks):
    return {k: v for t in tasks for k, v in t["drops"].items() if v}


@pytest.mark.limit(200)
def test_bng_from_both_sides(start, tmp_path):
    """As the files say that are shipped: nothing is lost, whatever its size, in either direction. The core side is held
    until the BNG has all packets of the access side, and so has learned all addresses, however long that takes.
    """
    sizes = [w for d in (f"rate={RATE}", f"count={PACKETS}", "learn=0") for w in ("-D", d)]
    to = "--port=access=memif:server:{0}/cpe", "--port=core=memif:server:{0}/inet"
    of = (
        f"--port=cpe0=memif:client:{{0}}/cpe,rsize={ROOM}",
        f"--port=inet0=memif:client:{{0}}/inet,rsize={ROOM}",
    )
    load = [*FEW, *sizes, *(w.format(tmp_path) for w in to)]
    with start(CONFIGS / "gen-bng.cfg", *load) as gen:
        # it waits for its links
        assert gen.answers().ask("stop task=core.0") == {"stopped": 1}
        with start(CONFIGS / "bng.cfg", *(w.format(tmp_path) for w in of)) as bng:
            gen.runs()
            bng.runs()
            judge_both_sides(gen, bng)


def judge_both_sides(gen, bng):
    wait(lambda: bng.tasks("qinqdecapv4")[0]["rx"] == PACKETS, 60, "the last address")
    assert gen.control.ask("start task=core.0") == {"started": 1}
    wait(lambda: [t["tx"] for t in gen.tasks("gen")] == [PACKETS] * 2, 60, "the last packet")

    def arrived():
        received = [t["report"]["received"] for t in gen.tasks("lat")]
        return received == [PACKETS] * 2 or drops_of(bng.tasks())

    wait(arrived, 60, "its arrival")
    loads, forwards = gen.end(), bng.end()
    up, down = forwards["tasks"]
    assert drops_of(forwards["tasks"]) == {}
    assert up["rx"] == up["tx"] == down["rx"] == down["tx"] == PACKETS
    tasks = loads["tasks"]
    assert [t["tx"] for t in tasks if t["mode"] == "gen"] == [PACKETS] * 2
    for meter in (t["report"] for t in tasks if t["mode"] == "lat"):
        assert meter["received"] == PACKETS
        assert [meter[k] for k in ("lost", "duplicates", "reordered", "corrupt")] == [0] * 4
