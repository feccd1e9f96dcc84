# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Configurations for more cores and ports than a machine has, with traffic over memif: a BNG of four ports
and its workers, judged packet by packet in both directions; and DPPD's published files with the generators
that belong to them, where DPPD_CONFIG_DIR says they are."""

import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import bng_packets as bng
import pytest
from drover_config import configuration, core, task
from drover_run import execute, published
from places import TOP
from scapy.all import PcapNgReader, raw
from workload import FULL

pytestmark = [pytest.mark.anywhere]

SIDES = ["cpe0", "inet0", "cpe1", "inet1"]  # ports of the BNG by number


def forwards(start, directory, config, ports, args=()):
    """A drover whose ports are the servers of links."""
    links = (f"--port={i}=memif:server:{directory}/link{i},mac={bng.GATEWAY}" for i in range(ports))
    return start(config, *args, *links)


def drops(report, but=()):
    """Of all tasks, by reason."""
    found = Counter()
    for t in report["tasks"]:
        found.update({k: v for k, v in t["drops"].items() if v and k not in but})
    return dict(found)


# --- the BNG, judged packet by packet -----------------------------------------------------------


def other_end(directory):
    def replays(i):
        keys = f"pcap file=in{i}.pcap\nloop=no\nrate=20kpps" + "\ndelay=1s" * (i % 2)
        return task("gen", "", f"p{i}", keys)

    return configuration(
        {f"p{i}": f"memif:client:{directory}/link{i}" for i in range(4)},
        core("access", *(replays(i) for i in (0, 2, 1, 3))),
        core("see", *(task("dump", f"p{i}", "", f"file=out{i}.pcapng") for i in range(4))),
        mempool="4K",
    )


@dataclass
class Bng:
    """What a configuration says of its tables."""

    config: Path
    users: list  # (S-tag, C-tag, GRE key) of each access port
    hops: list  # (destination, output, far end, MAC, label)
    local: str
    args: list = field(default_factory=list)
    stype: int = 0x88A8
    macs: tuple = (bng.GATEWAY, bng.GATEWAY)  # of the access ports


def ours(name, **kw):
    def user(n):
        return 16 + (n >> 5 & 15) + 128 * (n >> 9), 2 * (n & 31) + 1, n

    return Bng(
        TOP / "tests/e2e/drover/dialect" / f"{name}.cfg",
        [[user(n) for n in range(at, at + 512, 37)] for at in (0, 512)],
        [
            (f"100.{64 + i}.7.{i}", i % 2, f"192.0.3.{i}", f"02:00:00:00:03:{i:02x}", 0x100 + i)
            for i in range(8)
        ],
        "192.0.2.254",
        macs=("02:00:00:00:04:00", "02:00:00:00:04:02"),
        **kw,
    )


def theirs(name, **kw):
    """Its tables in words: cvlan and svlan are the bits of the GRE key, apart."""

    def user(n):
        return n >> 8, (n & 0xF0) << 4 | (n & 0xC) << 2 | n & 3, n

    def hop(i):
        place = (10 << 24) + 4096 * i + 5
        to = ".".join(str(b) for b in place.to_bytes(4, "big"))
        h = i % 64 + 1
        return to, (h - 1) % 2, f"{h}.1.1.1", f"00:00:00:00:00:{h:02d}", int(f"{h}12", 16)

    return Bng(
        published() / "config" / f"{name}.cfg",
        [[user(n) for n in range(at, at + 32768, 2111)] for at in (0, 32768)],
        [hop(i) for i in (0, 1, 63, 64, 4097, 8191)],
        "21.22.23.24",
        args=["-D", "start time=0"],
        **kw,
    )


def address(user):
    return f"10.9.{user[2] >> 8}.{user[2] & 255}"


def cpe(user):
    return f"02:00:00:09:{user[2] >> 8:02x}:{user[2] & 255:02x}"


def learned(b, user, side):
    arp = bng.arp(2, address(user), mac=cpe(user))
    return raw(bng.access(arp, user, b.stype, src=cpe(user), dst=b.macs[side]))


def traffic(b):
    """For each port: what goes in, and what of it must come out, but for the source's address."""
    sent, due = [[] for _ in SIDES], [[] for _ in SIDES]
    for side, users in enumerate(b.users):
        for user in users:
            sent[2 * side].append(learned(b, user, side))
            for to, out, far, mac, label in b.hops:
                p = bng.inner(100 + user[2] % 300, to, address(user))
                sent[2 * side].append(bng.access(p, user, b.stype, src=cpe(user), dst=b.macs[side]))
                outer = {"src": b.local, "dst": far}
                due[2 * out + 1].append(("up", bng.aged(p), user, label, mac, outer))
                back = bng.inner(80, address(user), to)
                sent[2 * out + 1].append(bng.core(back, user[2], (label,)))
                due[2 * side].append(("down", bng.aged(back), user))
    return sent, due


def expected(b, due, own):
    if due[0] == "down":
        return bng.access(due[1], due[2], b.stype, own, cpe(due[2]))
    _, p, user, label, mac, outer = due
    return bng.core(p, user[2], (label,), own, mac, outer)


def seen(path):
    with PcapNgReader(str(path)) as reader:
        return [raw(p) for p in reader]


def judge_bng(start, bench, b):
    directory = bench.directory
    sent, due = traffic(b)
    for i, frames in enumerate(sent):
        bench.give(frames, f"in{i}")
    bench.write_config(other_end(directory))
    with forwards(start, directory, b.config, 4, b.args) as dut:
        dut.runs()
        # a busy machine takes longer; CPEs are known by then, and packets the same
        for duration in ("2s", "8s", "20s"):
            p = bench.execute("run", "--duration", duration)
            assert p.returncode == 0, p.stderr
            came = [seen(directory / f"out{i}.pcapng") for i in range(4)]
            if [len(c) for c in came] == [len(d) for d in due]:
                break
        report = dut.end()
    macs = {port["name"]: port["mac"] for port in report["ports"]}
    for i, side in enumerate(SIDES):
        want = sorted(expected(b, d, macs[side]) for d in due[i])
        assert want
        assert [g.hex() for g in sorted(came[i])] == [w.hex() for w in want], side
    # stopped in the middle of it, the first attempt leaves packets that nobody takes
    assert set(drops(report, but=["tx full"])) == {"arp learned"}
    assert sum(t["rx"] for t in report["tasks"] if t["mode"] == "lbqinq") >= len(sent[0] + sent[2])
    return report


@pytest.mark.parametrize("name", ["bng", "bng-senders"])
def test_bng_of_four_ports(start, bench, name):
    """Twelve cores on what there is; every packet, byte by byte, out of the right port."""
    report = judge_bng(start, bench, ours(name))
    assert report["name"] == "bng of 4 workers"
    workers = [t for t in report["tasks"] if t["mode"] == "qinqdecapv4"]
    assert len(workers) == 4 and all(t["rx"] > 0 for t in workers)


@pytest.mark.parametrize(
    "name, kw",
    [
        ("bng-4ports", {"stype": 0x8100}),
        ("bng-no-cpu-topology-4ports", {}),
        ("bng-1q-4ports", {}),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_published_bng(start, bench, name, kw):
    judge_bng(start, bench, theirs(name, **kw))


# --- generators that read nothing, and DPPD's pairs ---------------------------------------------


def sender(directory, keys=""):
    ports = {"out": f"memif:client:{directory}/link0"}
    return configuration(ports, core("sender", task("gen", "", "out", keys)))


def back(drop="no"):
    return configuration({"if0": ""}, core("back", task("nop", "if0", "if0", f"drop={drop}")))


def test_what_nobody_reads(start, bench):
    """A generator without a reader does not stop who sends everything back and waits for its output."""
    bench.write_config(sender(bench.directory, "rate=200kpps\ncount=20000"))
    with forwards(start, bench.directory, back(), 1) as dut:
        dut.runs()
        p = bench.execute("run", "--json", "--duration", "3s")
        assert p.returncode == 0, p.stderr
    report = json.loads(p.stdout)
    assert report["tasks"][0]["tx"] == 20000
    # a link holds 1024 packets; what is still on its way at the end does not count
    assert report["ports"][0]["ipackets"] > 10000


@pytest.fixture
def one_cpu():
    """All that is started shares one."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.limit(240)
@pytest.mark.parametrize("drop", ["yes", "no"])
def test_peers_that_leave(start, bench, one_cpu, drop):
    """Whoever shares a link may go at any moment, also in the middle of a burst of an lcore that does not
    run just then, or waits for that very link. With one CPU for all, every twentieth did."""
    seconds = []
    bench.write_config(sender(bench.directory))
    with forwards(start, bench.directory, back(drop), 1) as dut:
        dut.runs()
        for _ in range(40 if FULL else 6):
            begin = time.monotonic()
            p = bench.execute("run", "--duration", "0.3s")
            assert dut.process.poll() is None, "ended with its peer"
            assert p.returncode == 0, p.stderr
            seconds.append(time.monotonic() - begin)
        # a busy machine takes longer, but not always
        assert min(seconds) < 3, "who leaves has to wait"
        assert dut.end()["tasks"][0]["rx"] > 0


def pair(drover, start, directory, config, gen, ports, args=()):
    """Both published files, port by port: the reports."""
    where = published()
    links = [f"--port={i}=memif:client:{directory}/link{i}" for i in range(ports)]
    now = "-D", "start time=0"
    config, gen = where / "config" / f"{config}.cfg", where / "gen" / f"{gen}.cfg"
    with forwards(start, directory, config, ports, [*now, *args]) as dut:
        dut.runs()
        flags = "--no-huge", "--squeeze", "--json", "--duration", "4s", *now, *links
        p = execute(drover, "run", *flags, gen, seconds=55)
        assert p.returncode == 0, p.stderr
        return dut.end(), json.loads(p.stdout)


@pytest.mark.limit(120)
@pytest.mark.parametrize(
    "config, gen",
    [("nop", "nop-gen"), ("l2fwd-4ports", "nop-gen"), ("l3fwd-4ports", "l3fwd-gen")],
)
def test_published_pair(drover, start, tmp_path, config, gen):
    """All four ports forward more than a link holds; what comes is what was sent, but for the last."""
    dut, tester = pair(drover, start, tmp_path, config, gen, 4)
    assert drops(dut, but=["tx full"]) == {}
    for forward, gen_task, port in zip(dut["tasks"], tester["tasks"], tester["ports"], strict=True):
        assert 5000 < forward["rx"] <= gen_task["tx"]
        assert forward["tx"] + forward["drops"]["tx full"] == forward["rx"]
        assert port["ipackets"] > 5000


@pytest.mark.limit(120)
@pytest.mark.parametrize(
    "config, args",
    [
        # the one of these that says 0x8100, while the generator has 0x88a8
        ("bng-4ports", ["-D", "qinq tag=0x88a8"]),
        ("bng-no-cpu-topology-4ports", []),
        ("bng-1q-4ports", []),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_published_bng_pair(drover, start, tmp_path, config, args):
    """Both directions are measured; nothing is wrong with any packet."""
    dut, tester = pair(drover, start, tmp_path, config, "bng-4ports-gen", 4, args)
    assert set(drops(dut, but=["tx full"])) <= {"arp learned", "unknown cpe"}
    meters = [t for t in tester["tasks"] if t["mode"] == "lat"]
    assert len(meters) == 4
    for meter in meters:
        assert meter["report"]["received"] == meter["rx"] > 1000
        assert meter["report"]["corrupt"] == meter["report"]["duplicates"] == 0
