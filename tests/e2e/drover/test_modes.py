# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""drover's modes beside forwarding: the jitter meter, the mirror, the policer, the
dump."""

import json
import os
import shutil
import subprocess
import time

import bng_packets as bng
import drover_packets as packets
import pytest
from drover_run import Control, Running, execute, forward, top
from scapy.all import IP, UDP, Ether, IPv6, Raw, raw

from workload import CPU, wait

pytestmark = [pytest.mark.anywhere]


# ---- irq

# on one CPU: each is a gap to the others
JITTER = """
[global]
name=jitter
[core 0]
mode=master
[core 1]
name=one
task=0
mode=irq
threshold=20us
buckets=yes
[core 2]
name=two
task=0
mode=irq
[core 3]
name=three
task=0
mode=irq
"""


def check_jitter(report):
    gap, from_ = report["gap"], report["gaps_from"]
    assert report["gaps"] == gap["count"] == sum(from_.values()) > 0
    points = [gap[p] for p in ("min", "p50", "p99", "p99.9", "p99.99", "max")]
    assert points == sorted(points) and points[0] >= 0.99 * report["threshold_ns"]
    assert 0 < report["lost_share"] <= 1
    assert report["lost_ns"] >= points[-1]
    assert report["lost_ns"] <= report["measured_seconds"] * 1e9 * 1.01


def test_jitter(drover, tmp_path):
    """Over its socket, in top and in the report. Cores that share a CPU lose much of their time."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CPU})
    try:
        r = Running(drover, tmp_path, f"jitter{os.getpid()}", JITTER)
    finally:
        os.sched_setaffinity(0, allowed)
    try:
        tel = Control(r.socket)
        assert list(tel.ask("irq")["tasks"]) == ["one", "two", "three"]
        wait(lambda: tel.ask("irq task=one")["tasks"]["one"]["gaps"] > 100, what="gaps")
        assert "measures no jitter" not in str(tel.ask("irq"))
        assert "measures no latency" in tel.ask("lat task=one")["error"]
        assert "no task" in tel.ask("irq task=four")["error"]
        seen = top(drover, "--once", "--interval", "0.2", "--socket", r.socket)
        assert seen.returncode == 0, seen.stderr
        rows = [line for line in seen.stdout.splitlines() if line.startswith(("JITTER", "one "))]
        assert any("LOST SHARE" in row for row in rows) and rows[-1].endswith("%")
        as_json = top(drover, "--once", "--json", "--interval", "0.2", "--socket", r.socket)
        check_jitter(json.loads(as_json.stdout)["tasks"][0]["report"])
    finally:
        out = r.end()
    tasks = {t["name"]: t for t in json.loads(out)["tasks"]}
    for task in tasks.values():
        assert task["rx"] == task["tx"] == 0
        check_jitter(task["report"])
        assert "lost" in task["verdict"]
    one = tasks["one"]["report"]
    assert one["threshold_ns"] == pytest.approx(20000, rel=1e-3)
    assert sum(n for _, n in one["buckets"]) == one["gaps"]
    assert "buckets" not in tasks["two"]["report"]
    # of three on one CPU two are kept from it
    assert sum(t["report"]["lost_share"] for t in tasks.values()) > 1


# ---- packets from in.pcap through a configuration

INPUT = """
[port 0]
name=in
device=pcap:in.pcap
[defaults]
mempool size=4K
[core 0]
mode=master
[core 1]
name=first
task=0
rx port=in
"""


def through(drover, folder, sent, text):
    """The report of a run, whose tasks are by name."""
    packets.write(folder / "in.pcap", sent)
    (folder / "test.cfg").write_text(INPUT + text)

    def run(*args):
        args = "run", "--no-huge", "--squeeze", *args, "test.cfg"
        return execute(drover, *args, cwd=folder)

    report = forward(run, len(sent))
    report["tasks"] = {t["name"]: t for t in report["tasks"]}
    return report


def port(number, name, device=None):
    return f"[port {number}]\nname={name}\ndevice={device or f'pcap:-,{name}.pcap'}\n"


# ---- mirror

MIRRORED = packets.every_size(1, 1500, 3) + list(packets.kinds().values())


@pytest.mark.parametrize("sub", ["l2", "copy"])
def test_mirror_to_ports(drover, tmp_path, sub):
    """Into two files, twice each: a burst at a time."""
    keys = f"mode=mirror\ntx port=a,b\nmultiplier=2\nsub mode={sub}\n"
    report = through(drover, tmp_path, MIRRORED, keys + port(1, "a") + port(2, "b"))
    for name in ("a", "b"):
        assert sorted(packets.read(tmp_path / f"{name}.pcap")) == sorted(MIRRORED * 2)
    task = report["tasks"]["first"]
    assert task["tx"] == 4 * len(MIRRORED) and not any(task["drops"].values())


TWO_READERS = """mode=mirror
tx cores=2,3
drop=no
[core 2]
name=second
task=0
mode=l2fwd
rx ring=yes
tx port=a
dst mac=02:00:00:00:00:42
src mac=no
[core 3]
name=third
task=0
mode=none
rx ring=yes
tx port=b
"""


def test_mirror_to_tasks(drover, tmp_path):
    """What one of them writes the other does not see."""
    sent = [p for p in MIRRORED if len(p) >= packets.HEADER]
    through(drover, tmp_path, sent, TWO_READERS + port(1, "a") + port(2, "b"))
    want = packets.rewritten(sent, "", dst="02:00:00:00:00:42", src="no")
    assert packets.read(tmp_path / "a.pcap") == want
    assert packets.read(tmp_path / "b.pcap") == sent


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


def police(keys):
    return f"mode=police\ntx port=a\noverhead=0\ncir=1\n{keys}\n" + port(1, "a")


def test_police_marks(drover, tmp_path):
    to = Ether(dst=packets.A, src=packets.B)
    sent = []
    for i in range(400):
        ip = IP(tos=i % 256, id=i) if i % 3 else IPv6(tc=i % 256)
        sent.append(to / ip / UDP() / Raw(bytes(60 + 7 * i % 900)))
    keys = "cbs=60010\nebs=40010\ndscp green=10\ndscp yellow=46"
    report = through(drover, tmp_path, [raw(p) for p in sent], police(keys))
    want, count = [], {"green": 0, "yellow": 0, "red": 0}
    for p, colour in zip(sent, colours(map(len, sent), 60000, 40000), strict=True):
        count[colour] += 1
        if colour != "red":
            field = "tos" if IP in p else "tc"
            value = p[1].getfieldval(field) & 3 | {"green": 10, "yellow": 46}[colour] << 2
            p[1].setfieldval(field, value)
            want.append(raw(p))
    assert packets.read(tmp_path / "a.pcap") == want
    assert min(count.values()) > 10
    task = report["tasks"]["first"]
    assert {c: task["report"][c] for c in count} == count
    assert task["drops"]["red"] == count["red"] and task["drops"]["yellow"] == 0


def test_police_subscribers(drover, tmp_path):
    """Each has a bucket of its own, which both directions empty; a stranger gets nothing."""
    (tmp_path / "tables.csv").write_text(bng.tables())
    one, other = bng.USERS[:2]
    up, down = bng.access(bng.inner(), one), bng.core(bng.inner(), one[2])
    sent = [bng.access(bng.inner(), other), up, down, bng.access(bng.inner(), (9, 9, 0))] * 20
    room = 5 * (len(up) + len(down)) + 20
    report = through(drover, tmp_path, sent, police(f"cbs={room}\nuser table=tables.csv"))
    came = packets.read(tmp_path / "a.pcap")
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
def test_police_refuses(drover, tmp_path, keys, says):
    packets.write(tmp_path / "in.pcap", [])
    (tmp_path / "test.cfg").write_text(INPUT + police(keys))
    p = execute(drover, "check", "--no-huge", "--squeeze", "test.cfg", cwd=tmp_path)
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
def test_police_warns_of_a_small_bucket(drover, tmp_path, keys, says):
    """In which no packet of full size ever fits: it is taken all the same, and the cure is named."""
    packets.write(tmp_path / "in.pcap", [])
    text = police(keys)
    if "overhead" in keys:
        text = text.replace("overhead=0\n", "", 1)
    (tmp_path / "test.cfg").write_text(INPUT + text)
    p = execute(drover, "check", "--no-huge", "--squeeze", "test.cfg", cwd=tmp_path)
    assert p.returncode == 0, p.stderr
    warnings = [line for line in p.stderr.splitlines() if "warning: task 'first'" in line]
    assert len(warnings) == bool(says)
    assert all(word in warnings[0] for word in says)


# ---- dump

tshark = pytest.mark.skipif(
    shutil.which("tshark") is None, reason="package tshark is not installed"
)


def dissect(path, *fields):
    command = ["tshark", "-n", "-r", path, "-T", "fields"]
    for field in fields:
        command += ["-e", field]
    p = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert p.returncode == 0 and "cut short" not in p.stderr, p.stderr
    return [line.split("\t") for line in p.stdout.splitlines()]


def as_pcap(path):
    """The packets of a pcapng file, by way of a converter that is not ours."""
    p = subprocess.run(
        ["tshark", "-n", "-r", path, "-F", "pcap", "-w", f"{path}.pcap"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert p.returncode == 0, p.stderr
    return packets.read(f"{path}.pcap")


@tshark
def test_dump_and_pass_on(drover, tmp_path):
    """tshark finds all of them, whole, of the right time, and they go on."""
    sent = MIRRORED
    keys = "mode=dump\nfile=dump.pcapng\nbuffers=4095\ntx port=a\n"
    begin = time.time()
    report = through(drover, tmp_path, sent, keys + port(1, "a"))
    end = time.time()
    assert packets.read(tmp_path / "a.pcap") == sent
    assert as_pcap(tmp_path / "dump.pcapng") == sent
    times = [float(t) for (t,) in dissect(tmp_path / "dump.pcapng", "frame.time_epoch")]
    assert times == sorted(times) and begin - 1 < times[0] and times[-1] < end + 1
    task = report["tasks"]["first"]
    assert task["report"]["taken"] == len(sent) and task["report"]["file"] == "dump.pcapng"
    assert not any(task["drops"].values()) and "verdict" not in task


@tshark
def test_dump_elsewhere(drover, tmp_path):
    """Where the command line says, which the configuration cannot."""
    there = tmp_path / "there"
    there.mkdir()
    packets.write(tmp_path / "in.pcap", MIRRORED[:10])
    (tmp_path / "test.cfg").write_text(INPUT + "mode=dump\nfile=dump.pcapng\n")
    args = "run", "--no-huge", "--squeeze", "--dump-dir", there, "--duration", "1s", "test.cfg"
    p = execute(drover, *args, cwd=tmp_path)
    assert p.returncode == 0, p.stderr
    assert as_pcap(there / "dump.pcapng") == MIRRORED[:10]
    assert not (tmp_path / "dump.pcapng").exists()


@tshark
def test_dump_limits(drover, tmp_path):
    keys = "mode=dump\nfile=dump.pcapng\npackets=100\nsnaplen=77\n"
    sent = packets.every_size(60, 1500, 7)
    report = through(drover, tmp_path, sent, keys)
    rows = dissect(tmp_path / "dump.pcapng", "frame.len", "frame.cap_len")
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
def test_dump_refuses(drover, tmp_path, file, says):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("test.cfg")
    packets.write(tmp_path / "in.pcap", [])
    (tmp_path / "test.cfg").write_text(INPUT + f"mode=dump\nfile={file}\n")
    p = execute(drover, "check", "--no-huge", "--squeeze", "test.cfg", cwd=tmp_path)
    assert p.returncode == 1 and says in p.stderr
    assert sum(line.startswith("drover:") for line in p.stderr.splitlines()) == 1


@tshark
def test_dump_is_emptied_by_traffic_only(drover, tmp_path):
    """check tries everything but leaves an old capture as it is."""
    packets.write(tmp_path / "in.pcap", [])
    (tmp_path / "dump.pcapng").write_text("old")
    (tmp_path / "test.cfg").write_text(INPUT + "mode=dump\nfile=dump.pcapng\n")
    p = execute(drover, "check", "--no-huge", "--squeeze", "test.cfg", cwd=tmp_path)
    assert p.returncode == 0 and (tmp_path / "dump.pcapng").read_text() == "old"
    p = execute(
        drover, "run", "--no-huge", "--squeeze", "--duration", "200ms", "test.cfg", cwd=tmp_path
    )
    assert p.returncode == 0, p.stderr
    assert as_pcap(tmp_path / "dump.pcapng") == []
