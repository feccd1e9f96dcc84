# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The golden packets through drover itself, all tasks at once: byte by byte as scapy has them, and read by tshark."""

from collections import Counter

import bng_packets as bng
import drover_packets as packets
import golden_packets as golden
import pytest
from drover_config import configuration, core, task
from drover_run import Bench
from places import TOP
from tshark import dissect, needs_tshark

pytestmark = [pytest.mark.anywhere]
ON_A_CORE = 8  # tasks


def test_golden_packets():
    """What the unit test of the handlers is judged by is what scapy says today."""
    with open(f"{TOP}/tests/golden/drover-packets.txt", encoding="ascii") as f:
        assert f.read() == golden.golden()


def written(i, name):
    """The task of that number, which has a port and tables of its own."""
    mode, *keys = name.split(",")
    if mode in ("routing", "qinqdecapv4"):
        keys.append("route table=t")
    if mode in ("qinqdecapv4", "qinqencapv4"):
        keys.append("user table=t")
    return task(mode, f"p{i}", f"p{i}", *(k.replace("table=t", f"table={i}.csv") for k in keys))


def of_all(names):
    tasks = [written(i, name) for i, name in enumerate(names)]
    cores = range(0, len(tasks), ON_A_CORE)
    ports = {
        f"p{i}": (f"pcap:{i}-in.pcap,{i}-out.pcap", f"mac={bng.GATEWAY}") for i in range(len(tasks))
    }
    return configuration(
        ports,
        *(core(f"c{at // ON_A_CORE}", *tasks[at : at + ON_A_CORE]) for at in cores),
        mempool="4K",
    )


@pytest.fixture(scope="module")
def came(drover, tmp_path_factory):
    """{task: (its cases, what came out, its figures)}"""
    bench = Bench(drover, tmp_path_factory.mktemp("golden"))
    found = {}
    for names in (golden.NAMES[: len(golden.NAMES) // 2], golden.NAMES[len(golden.NAMES) // 2 :]):
        found |= run(bench, names)  # ethdev has 32 ports
    return found


def run(bench, names):
    cases = [golden.packets(name) for name in names]
    for i, own in enumerate(cases):
        (bench.directory / f"{i}.csv").write_text(golden.tables())
        bench.give([p for _, p, _, _ in own], f"{i}-in")
    report = bench.run(of_all(names), sum(map(len, cases)))
    assert {p["mac"].lower() for p in report["ports"]} == {bng.GATEWAY}
    return {
        name: (cases[i], bench.read(f"{i}-out"), report["tasks"][i]) for i, name in enumerate(names)
    }


@pytest.mark.parametrize("task", golden.NAMES)
def test_task(came, task):
    cases, out, figures = came[task]
    answered = {name for name, _, p, why in cases if p is not None and why is not None}
    want = [(name, p) for name, _, p, _ in cases if p is not None]
    if answered or "icmp ipv4=" in task:
        # answers overtake others in a burst, and are numbered as they are made
        assert len(out) == len(want)
        assert (
            figures["report"]["icmp_sent"] == len(answered) and figures["report"]["icmp_held"] == 0
        )
        straight = {p for name, p in want if name not in answered}
        assert straight <= set(out)
    else:
        for (name, p), got in zip(want, out, strict=True):
            assert got.hex() == p.hex(), name
    reasons = Counter(why for _, _, _, why in cases if why is not None)
    assert {k: v for k, v in figures["drops"].items() if v} == reasons


FIELDS = """frame.protocols ip.checksum.status udp.checksum.status icmp.checksum.status icmp.type icmp.code icmp.mtu
_ws.malformed""".split()


@needs_tshark
def test_tshark(came, tmp_path):
    """Nothing that drover makes has a wrong checksum or is malformed, and ICMP errors say what they are to say."""
    made, errors = [], Counter()
    for name, (cases, out, _) in came.items():
        if name.startswith(("routing", "qinqdecapv4", "qinqencapv4", "police")):
            same = {sent for _, sent, _, _ in cases}
            made += [(name, p) for p in out if p not in same]
        errors.update(why for _, _, p, why in cases if p is not None and why is not None)
    packets.write(tmp_path / "made.pcap", [p for _, p in made])
    lines = dissect(tmp_path / "made.pcap", *FIELDS, checks=["ip", "udp"])
    assert len(lines) == len(made) > 500
    icmp, wrong_udp = Counter(), 0
    for (name, data), line in zip(made, lines, strict=True):
        f = dict(zip(FIELDS, line, strict=True))
        where = f"{name}: {data.hex()}"
        assert f["_ws.malformed"] == "", where
        bare = "arp" in f["frame.protocols"] or "ipv6" in f["frame.protocols"]  # without a checksum
        assert set(f["ip.checksum.status"].split(",")) == ({""} if bare else {"1"}), where
        wrong_udp += "0" in f["udp.checksum.status"]
        if "icmp ipv4=" in name and "icmp" in f["frame.protocols"]:
            assert f["icmp.checksum.status"].split(",")[0] == "1", where
            kind = f["icmp.type"].split(",")[0], f["icmp.code"].split(",")[0]
            if kind[0] in ("0", "8"):  # ping
                continue
            icmp[
                {
                    ("11", "0"): "ttl expired",
                    ("3", "0"): "no route",
                    ("3", "1"): "unknown cpe",
                    ("3", "4"): "too long",
                }[kind]
            ] += 1
            assert (f["icmp.mtu"] in ("1468", "1496", "1500")) == (kind == ("3", "4")), where
    assert icmp == errors
    # as they came in: one, and of three tasks one whose source route is at its end
    assert wrong_udp == 4
