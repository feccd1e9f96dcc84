# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""drover's modes beside forwarding: the jitter meter, the mirror, the policer, the
dump."""

import json
import os
import time

import bng_packets as bng
import drover_packets as packets
import pytest
from drover_config import configuration, core, task
from drover_run import top
from scapy.all import IP, UDP, Ether, IPv6, Raw, raw
from tshark import dissect, needs_tshark, tshark

from workload import CPU, wait

pytestmark = [pytest.mark.anywhere]


# ---- irq

# on one CPU: each is a gap to the others
JITTER = configuration(
    {},
    core("one", task("irq", "", "", "threshold=20us\nbuckets=yes")),
    core("two", task("irq")),
    core("three", task("irq")),
    name="jitter",
)


def check_jitter(report):
    gap, from_ = report["gap"], report["gaps_from"]
    assert report["gaps"] == gap["count"] == sum(from_.values()) > 0
    points = [gap[p] for p in ("min", "p50", "p99", "p99.9", "p99.99", "max")]
    assert points == sorted(points) and points[0] >= 0.99 * report["threshold_ns"]
    assert 0 < report["lost_share"] <= 1
    assert report["lost_ns"] >= points[-1]
    assert report["lost_ns"] <= report["measured_seconds"] * 1e9 * 1.01


def test_jitter(drover, start):
    """Over its socket, in top and in the report. Cores that share a CPU lose much of their time."""
    with start(JITTER, prefix=["taskset", "-c", CPU]) as r:
        r.runs()
        assert list(r.ask("irq")["tasks"]) == ["one", "two", "three"]
        wait(lambda: r.ask("irq task=one")["tasks"]["one"]["gaps"] > 100, what="gaps")
        assert "measures no jitter" not in str(r.ask("irq"))
        assert "measures no latency" in r.ask("lat task=one")["error"]
        assert "no task" in r.ask("irq task=four")["error"]
        seen = top(drover, "--once", "--interval", "0.2", "--socket", r.socket)
        assert seen.returncode == 0, seen.stderr
        rows = [line for line in seen.stdout.splitlines() if line.startswith(("JITTER", "one "))]
        assert any("LOST SHARE" in row for row in rows) and rows[-1].endswith("%")
        as_json = top(drover, "--once", "--json", "--interval", "0.2", "--socket", r.socket)
        check_jitter(json.loads(as_json.stdout)["tasks"][0]["report"])
        tasks = {t["name"]: t for t in r.end()["tasks"]}
    for t in tasks.values():
        assert t["rx"] == t["tx"] == 0
        check_jitter(t["report"])
        assert "lost" in t["verdict"]
    one = tasks["one"]["report"]
    assert one["threshold_ns"] == pytest.approx(20000, rel=1e-3)
    assert sum(n for _, n in one["buckets"]) == one["gaps"]
    assert "buckets" not in tasks["two"]["report"]
    # of three on one CPU two are kept from it
    assert sum(t["report"]["lost_share"] for t in tasks.values()) > 1


# ---- packets from in.pcap through a configuration


def reads(mode, to="", *keys, files=(), cores=()):
    """A task that reads them, and ports that write files."""
    ports = {"in": "pcap:in.pcap"} | {name: f"pcap:-,{name}.pcap" for name in files or to}
    return configuration(
        ports, core("first", task(mode, "in", ",".join(to), *keys)), *cores, mempool="4K"
    )


def through(bench, sent, text):
    """The report of a run, whose tasks are by name."""
    bench.give(sent)
    report = bench.run(text, len(sent))
    report["tasks"] = {t["name"]: t for t in report["tasks"]}
    return report


# ---- mirror

MIRRORED = packets.every_size(1, 1500, 3) + list(packets.kinds().values())


@pytest.mark.parametrize("sub", ["l2", "copy"])
def test_mirror_to_ports(bench, sub):
    """Into two files, twice each: a burst at a time."""
    text = reads("mirror", "ab", f"multiplier=2\nsub mode={sub}")
    report = through(bench, MIRRORED, text)
    for name in ("a", "b"):
        assert sorted(bench.read(name)) == sorted(MIRRORED * 2)
    task = report["tasks"]["first"]
    assert task["tx"] == 4 * len(MIRRORED) and not any(task["drops"].values())


def test_mirror_to_tasks(bench):
    """What one of them writes the other does not see."""
    sent = [p for p in MIRRORED if len(p) >= packets.HEADER]
    readers = (
        core("second", task("l2fwd", "ring", "a", "dst mac=02:00:00:00:00:42\nsrc mac=no")),
        core("third", task("none", "ring", "b")),
    )
    through(bench, sent, reads("mirror", "", "tx cores=2,3\ndrop=no", files="ab", cores=readers))
    assert bench.read("a") == packets.rewritten(sent, "", dst="02:00:00:00:00:42", src="no")
    assert bench.read("b") == sent


# ---- police


def colours(sizes, committed, excess):
    """RFC 2697, colour-blind, of buckets that do not fill up."""
    for size in sizes:
        if size <= committed:
            committed -= size
            yield "green"
        elif size <= excess:
            excess -= size
            yield "yellow"
        else:
            yield "red"


def police(keys, overhead="overhead=0"):
    return reads("police", "a", overhead, "cir=1", keys)


def test_police_marks(bench):
    to = Ether(dst=packets.A, src=packets.B)
    sent = []
    for i in range(400):
        ip = IP(tos=i % 256, id=i) if i % 3 else IPv6(tc=i % 256)
        sent.append(to / ip / UDP() / Raw(bytes(60 + 7 * i % 900)))
    keys = "cbs=60010\nebs=40010\ndscp green=10\ndscp yellow=46"
    report = through(bench, [raw(p) for p in sent], police(keys))
    want, count = [], {"green": 0, "yellow": 0, "red": 0}
    for p, colour in zip(sent, colours(map(len, sent), 60000, 40000), strict=True):
        count[colour] += 1
        if colour != "red":
            field = "tos" if IP in p else "tc"
            value = p[1].getfieldval(field) & 3 | {"green": 10, "yellow": 46}[colour] << 2
            p[1].setfieldval(field, value)
            want.append(raw(p))
    assert bench.read("a") == want
    assert min(count.values()) > 10
    task = report["tasks"]["first"]
    assert {c: task["report"][c] for c in count} == count
    assert task["drops"]["red"] == count["red"] and task["drops"]["yellow"] == 0


def test_police_subscribers(bench):
    """Each has a bucket of its own, which both directions empty; a stranger gets nothing."""
    (bench.directory / "tables.csv").write_text(bng.tables())
    one, other = bng.USERS[:2]
    up, down = bng.access(bng.inner(), one), bng.core(bng.inner(), one[2])
    sent = [bng.access(bng.inner(), other), up, down, bng.access(bng.inner(), (9, 9, 0))] * 20
    room = 5 * (len(up) + len(down)) + 20
    report = through(bench, sent, police(f"cbs={room}\nuser table=tables.csv"))
    came = bench.read("a")
    assert came.count(up) == came.count(down) == 5
    assert came.count(sent[0]) == room // len(up)
    assert len(came) == 10 + room // len(up)
    assert report["tasks"]["first"]["drops"]["unknown subscriber"] == 20


@pytest.mark.parametrize(
    "keys, says",
    [
        ("", "cbs= is missing"),
        ("cbs=1\npir=2", "pir= and pbs= are of sub mode=trtcm"),
        ("cbs=1\nsub mode=three", "srtcm|trtcm"),
        ("cbs=1\npolice action=blue io=green,red", "io=IN,OUT"),
    ],
)
def test_police_refuses(bench, keys, says):
    bench.give([])
    p = bench.check(police(keys))
    assert p.returncode == 1 and says in p.stderr and "test.cfg:" in p.stderr


@pytest.mark.parametrize(
    "keys, says",
    [
        ("cbs=1513", ["cbs=1513 is less than the longest packet", "cbs=1514 or more"]),
        ("cbs=1514", []),
        ("cbs=0\nebs=1", ["ebs=1 is less", "never yellow"]),
        ("cbs=9000\nsub mode=trtcm\npir=1\npbs=64", ["pbs=64 is less", "but red"]),
        ("cbs=1514\noverhead=24", ["cbs=1514 is less", "cbs=1538 or more"]),
    ],
)
def test_police_warns_of_a_small_bucket(bench, keys, says):
    """In which no packet of full size ever fits: it is taken all the same, and the cure is named."""
    bench.give([])
    p = bench.check(police(keys, "" if "overhead" in keys else "overhead=0"))
    assert p.returncode == 0, p.stderr
    warnings = [line for line in p.stderr.splitlines() if "warning: task 'first'" in line]
    assert len(warnings) == bool(says)
    assert all(word in warnings[0] for word in says)


# ---- dump


DUMP = reads("dump", "", "file=dump.pcapng")


def as_pcap(path):
    """The packets of a pcapng file, by way of a converter that is not ours."""
    tshark(path, "-F", "pcap", "-w", f"{path}.pcap")
    return packets.read(f"{path}.pcap")


@needs_tshark
def test_dump_and_pass_on(bench):
    """tshark finds all of them, whole, of the right time, and they go on."""
    sent = MIRRORED
    begin = time.time()
    report = through(bench, sent, reads("dump", "a", "file=dump.pcapng\nbuffers=4095"))
    end = time.time()
    assert bench.read("a") == sent
    assert as_pcap(bench.directory / "dump.pcapng") == sent
    times = [float(t) for (t,) in dissect(bench.directory / "dump.pcapng", "frame.time_epoch")]
    assert times == sorted(times) and begin - 1 < times[0] and times[-1] < end + 1
    task = report["tasks"]["first"]
    assert task["report"]["taken"] == len(sent) and task["report"]["file"] == "dump.pcapng"
    assert not any(task["drops"].values()) and "verdict" not in task


@needs_tshark
def test_dump_elsewhere(bench, tmp_path):
    """Where the command line says, which the configuration cannot."""
    there = tmp_path / "there"
    there.mkdir()
    bench.give(MIRRORED[:10])
    bench.run(DUMP, 10, "--dump-dir", there)
    assert as_pcap(there / "dump.pcapng") == MIRRORED[:10]
    assert not (bench.directory / "dump.pcapng").exists()


@needs_tshark
def test_dump_limits(bench):
    sent = packets.every_size(60, 1500, 7)
    report = through(bench, sent, reads("dump", "", "file=dump.pcapng\npackets=100\nsnaplen=77"))
    rows = dissect(bench.directory / "dump.pcapng", "frame.len", "frame.cap_len")
    assert rows == [[str(len(p)), str(min(len(p), 77))] for p in sent[:100]]
    assert report["tasks"]["first"]["report"]["limit_reached"] is True


@pytest.mark.parametrize(
    "file, says",
    [
        ("none/dump.pcapng", "file 'none/dump.pcapng': open in '.': No such file"),
        ("/dev/null", "file '/dev/null': it must be below '.'"),
        ("../dump.pcapng", "file '../dump.pcapng': it must be below '.'"),
        ("link", "file 'link': it must be below '.', without symbolic links"),
        ("pipe", "file 'pipe': open in '.': No such device"),
    ],
)
def test_dump_refuses(bench, file, says):
    os.mkfifo(bench.directory / "pipe")
    (bench.directory / "link").symlink_to("test.cfg")
    bench.give([])
    p = bench.check(reads("dump", "", f"file={file}"))
    assert p.returncode == 1 and says in p.stderr
    assert sum(line.startswith("drover:") for line in p.stderr.splitlines()) == 1


@needs_tshark
def test_dump_is_emptied_by_traffic_only(bench):
    """check tries everything but leaves an old capture as it is."""
    bench.give([])
    (bench.directory / "dump.pcapng").write_text("old")
    p = bench.check(DUMP)
    assert p.returncode == 0 and (bench.directory / "dump.pcapng").read_text() == "old"
    bench.run(DUMP, 0)
    assert as_pcap(bench.directory / "dump.pcapng") == []
