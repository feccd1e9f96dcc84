# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The golden packets through drover itself, all tasks at once: byte by byte as scapy has them, and read by tshark."""

import json
import shutil
import subprocess
from collections import Counter

import bng_packets as bng
import drover_packets as packets
import golden_packets as golden
import pytest
from drover_run import execute
from places import TOP

pytestmark = [pytest.mark.anywhere]
ON_A_CORE = 8  # tasks


def test_golden_packets():
    """What the unit test of the handlers is judged by is what scapy says today."""
    with open(f"{TOP}/tests/golden/drover-packets.txt", encoding="ascii") as f:
        assert f.read() == golden.golden()


def configuration(tasks):
    """Each task has a port and tables of its own."""
    text = "[defaults]\nmempool size=4K\n[core 0]\nmode=master\n"
    for i, task in enumerate(tasks):
        mode, *keys = task.split(",")
        if mode in ("routing", "qinqdecapv4"):
            keys.append("route table=t")
        if mode in ("qinqdecapv4", "qinqencapv4"):
            keys.append("user table=t")
        keys = [k.replace("table=t", f"table={i}.csv") for k in keys]
        if i % ON_A_CORE == 0:
            text += f"[core {1 + i // ON_A_CORE}]\nname=c{i // ON_A_CORE}\n"
        text += (
            f"task={i % ON_A_CORE}\nmode={mode}\nrx port=p{i}\ntx port=p{i}\n"
            + "\n".join(keys)
            + "\n"
        )
    ports = (
        f"[port {i}]\nname=p{i}\nmac={bng.GATEWAY}\ndevice=pcap:{i}-in.pcap,{i}-out.pcap\n"
        for i in range(len(tasks))
    )
    return "".join(ports) + text


@pytest.fixture(scope="module")
def came(drover, tmp_path_factory):
    """{task: (its cases, what came out, its figures)}"""
    directory = tmp_path_factory.mktemp("golden")
    found = {}
    for names in (golden.NAMES[: len(golden.NAMES) // 2], golden.NAMES[len(golden.NAMES) // 2 :]):
        found |= run(drover, directory, names)  # ethdev has 32 ports
    return found


def run(drover, directory, names):
    (directory / "test.cfg").write_text(configuration(names))
    total = 0
    for i, task in enumerate(names):
        sent = [p for _, p, _, _ in golden.packets(task)]
        total += len(sent)
        (directory / f"{i}.csv").write_text(golden.tables())
        packets.write(directory / f"{i}-in.pcap", sent)
    for duration in ("500ms", "2s", "10s"):
        p = execute(
            drover,
            "run",
            "--no-huge",
            "--squeeze",
            "--json",
            "--duration",
            duration,
            "test.cfg",
            cwd=directory,
        )
        assert p.returncode == 0, p.stderr
        report = json.loads(p.stdout)
        if sum(port["ipackets"] for port in report["ports"]) == total:
            break
    found = {}
    for i, task in enumerate(names):
        assert report["ports"][i]["mac"].lower() == bng.GATEWAY
        cases = golden.packets(task)
        found[task] = cases, packets.read(directory / f"{i}-out.pcap"), report["tasks"][i]
    return found


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


FIELDS = [
    "frame.protocols",
    "ip.checksum.status",
    "udp.checksum.status",
    "icmp.checksum.status",
    "icmp.type",
    "icmp.code",
    "icmp.mtu",
    "_ws.malformed",
]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="package tshark is not installed")
def test_tshark(came, tmp_path):
    """Nothing that drover makes has a wrong checksum or is malformed, and ICMP errors say what they are to say."""
    made, errors = [], Counter()
    for task, (cases, out, _) in came.items():
        if task.startswith(("routing", "qinqdecapv4", "qinqencapv4", "police")):
            same = {sent for _, sent, _, _ in cases}
            made += [(task, p) for p in out if p not in same]
        errors.update(why for _, _, p, why in cases if p is not None and why is not None)
    packets.write(tmp_path / "made.pcap", [p for _, p in made])
    command = [
        "tshark",
        "-n",
        "-r",
        tmp_path / "made.pcap",
        "-o",
        "ip.check_checksum:TRUE",
        "-o",
        "udp.check_checksum:TRUE",
        "-T",
        "fields",
    ]
    for field in FIELDS:
        command += ["-e", field]
    p = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert p.returncode == 0, p.stderr
    lines = p.stdout.splitlines()
    assert len(lines) == len(made) > 500
    icmp, wrong_udp = Counter(), 0
    for (task, data), line in zip(made, lines, strict=True):
        f = dict(zip(FIELDS, line.split("\t"), strict=True))
        where = f"{task}: {data.hex()}"
        assert f["_ws.malformed"] == "", where
        bare = "arp" in f["frame.protocols"] or "ipv6" in f["frame.protocols"]  # without a checksum
        assert set(f["ip.checksum.status"].split(",")) == ({""} if bare else {"1"}), where
        wrong_udp += "0" in f["udp.checksum.status"]
        if "icmp ipv4=" in task and "icmp" in f["frame.protocols"]:
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
