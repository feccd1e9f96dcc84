# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""drover's none and l2fwd: packets that scapy built, judged byte by byte; beside a container and in
one."""

import json
import os
import re
import shutil
import tempfile
import time
from pathlib import Path

import drover_packets as packets
import pytest
from drover_config import configuration, core, task
from drover_run import config, execute, forward, granted
from places import TOP
from tshark import dissect, needs_tshark

from workload import CPU, SLOW, needs_pages, needs_root, wait

pytestmark = [pytest.mark.anywhere]
CONFIGS = TOP / "data/drover"
IMAGE_LIMIT = 40 << 20  # bytes
KINDS = list(packets.kinds().values())
# one segment each in a buffer of 9216 bytes; of several in one of the default size
ONE_SEGMENT = {"mbuf": 9216, "mtu": 9000, "mempool": "2K"}
SEGMENTS = {"mtu": 9000, "mempool": "4K"}


def check_counts(report, sent, came, drops):
    (task,), (port,) = report["tasks"], report["ports"]
    assert (task["rx"], task["tx"]) == (len(sent), len(came))
    assert task["packets"] == len(sent) and 0 < task["bursts"] <= len(sent)
    assert task["drops"] == drops
    assert (port["ipackets"], port["opackets"]) == (len(sent), len(came))
    assert port["ibytes"] == sum(map(len, sent)) and port["obytes"] == sum(map(len, came))
    assert port["rx_nombuf"] == port["ierrors"] == port["oerrors"] == 0
    assert task["rx"] == task["tx"] + sum(drops.values())


# ---- what comes out


@pytest.mark.parametrize("mode", ["none", "nop"])
@pytest.mark.parametrize("buffers", [ONE_SEGMENT, SEGMENTS], ids=["one segment", "segments"])
def test_none_leaves_every_size_as_it_is(bench, mode, buffers):
    sent = packets.every_size(step=1 if mode == "none" else 13)
    came, report = bench(sent, mode=mode, **buffers)
    assert came == sent
    check_counts(report, sent, came, {"tx full": 0})
    assert report["tasks"][0]["mode"] == "none"


@pytest.mark.parametrize("buffers", [ONE_SEGMENT, SEGMENTS], ids=["one segment", "segments"])
def test_l2fwd_at_every_size(bench, buffers):
    sent = packets.every_size()
    came, report = bench(sent, mode="l2fwd", **buffers)
    assert came == packets.rewritten(sent, report["ports"][0]["mac"])
    check_counts(report, sent, came, {"tx full": 0, "too short": 13})
    task = report["tasks"][0]
    assert task["rx_bytes"] == sum(map(len, sent))


def test_small_buffers(bench):
    """A jumbo packet of 36 segments."""
    sent = packets.every_size(8000, 9000, 100) + packets.every_size(250, 260)
    came, report = bench(sent, mode="l2fwd", mbuf=256, mtu=9000)
    assert came == packets.rewritten(sent, report["ports"][0]["mac"])


@pytest.mark.parametrize("mode", ["none", "l2fwd"])
def test_kinds(bench, mode):
    sent = KINDS
    came, report = bench(sent, mode=mode)
    own = report["ports"][0]["mac"]
    assert came == (sent if mode == "none" else packets.rewritten(sent, own))


def test_short_ones_between_others(bench):
    """Whole bursts of them, and single ones at every place in a burst."""
    sent = [packets.of_size(1 + i % 13) for i in range(100)]
    for i in range(200):
        sent += [packets.of_size(60 + i)] * (i % 34) + [packets.of_size(1 + i % 13)]
    came, report = bench(sent, mode="l2fwd")
    assert came == packets.rewritten(sent, report["ports"][0]["mac"])
    check_counts(report, sent, came, {"tx full": 0, "too short": 300})


WORDS = ["02:11:22:33:44:55", "hw", "packet", "no"]


@pytest.mark.parametrize("dst", WORDS)
@pytest.mark.parametrize("src", WORDS)
def test_l2fwd_addresses(bench, dst, src):
    came, report = bench(KINDS, mode="l2fwd", keys=f"dst mac={dst}\nsrc mac={src}")
    assert came == packets.rewritten(KINDS, report["ports"][0]["mac"], dst, src)


FIELDS = "frame.len frame.protocols vlan.id ip.checksum ip.src ipv6.dst udp.length eth.src eth.dst"


@needs_tshark
def test_tshark_sees_the_same(bench):
    """Another judge than our own reader: all fields but the addresses are the same."""
    sent = [p for name, p in packets.kinds().items() if not re.match("all|random|source", name)]
    keys = "dst mac=02:11:22:33:44:55\nsrc mac=02:66:77:88:99:aa"
    bench(sent, mode="l2fwd", keys=keys)
    before, after = (dissect(f, *FIELDS.split()) for f in (bench.directory / "in.pcap", bench.out))
    assert [row[:-2] for row in after] == [row[:-2] for row in before] and len(after) == len(sent)
    assert {tuple(row[-2:]) for row in after} == {("02:66:77:88:99:aa", "02:11:22:33:44:55")}


def test_both_ways_on_one_core(drover, tmp_path):
    left, right = packets.every_size(14, 800), packets.every_size(60, 1500, 2)
    packets.write(tmp_path / "l.pcap", left)
    packets.write(tmp_path / "r.pcap", right)
    options = [
        f"--port={name}=pcap:{name[0]}.pcap,{name[0]}-out.pcap" for name in ("left", "right")
    ] + [CONFIGS / "both-ways.cfg"]

    def run(*args):
        return execute(drover, "run", "--no-huge", *args, *options, cwd=tmp_path)

    report = forward(run, len(left) + len(right))
    own = {p["name"]: p["mac"] for p in report["ports"]}
    assert own["left"] != own["right"]
    assert packets.read(tmp_path / "r-out.pcap") == packets.rewritten(left, own["right"])
    assert packets.read(tmp_path / "l-out.pcap") == packets.rewritten(right, own["left"])
    assert [(t["rx"], t["tx"]) for t in report["tasks"]] == [
        (n, n) for n in map(len, (left, right))
    ]
    assert len({t["name"] for t in report["tasks"]}) == 2
    assert len({t["core"] for t in report["tasks"]}) == 1


@pytest.mark.parametrize("name", ["none", "l2fwd"])
def test_the_configurations_that_are_shipped(drover, tmp_path, name):
    packets.write(tmp_path / "in.pcap", KINDS)
    to = ["-D", "to=02:00:00:00:00:42"] if name == "l2fwd" else []
    options = [*to, "--port=in=pcap:in.pcap", "--port=out=pcap:-,out.pcap", CONFIGS / f"{name}.cfg"]

    def run(*args):
        return execute(drover, "run", "--no-huge", *args, *options, cwd=tmp_path)

    own = {p["name"]: p["mac"] for p in forward(run, len(KINDS))["ports"]}
    want = packets.rewritten(KINDS, own["out"], dst=to[1][3:]) if to else KINDS
    assert packets.read(tmp_path / "out.pcap") == want


CHAIN = configuration(
    {"in": "pcap:in.pcap"}
    | {f"{ring}{end}": f"ring:{ring}" for ring in "ab" for end in "01"}
    | {"out": "pcap:-,out.pcap"},
    core("1", task("none", "in", "a0", "drop=no")),
    core("2", task("l2fwd", "a1", "b0", "dst mac=packet\nsrc mac=packet\ndrop=no")),
    core("3", task("none", "b1", "out", "drop=no")),
)


def test_cores_squeezed_onto_one_cpu(drover, tmp_path):
    """Three that poll, the packets through all of them: nothing is lost, and in order."""
    if shutil.which("taskset") is None:
        pytest.skip("package util-linux is not installed")
    sent = packets.every_size(14, 1500) * 6
    packets.write(tmp_path / "in.pcap", sent)
    (tmp_path / "chain.cfg").write_text(CHAIN)
    pinned = ["taskset", "-c", str(CPU)]

    def run(*args):
        return execute(drover, "run", "--no-huge", *args, "chain.cfg", prefix=pinned, cwd=tmp_path)

    p = run("--duration=100ms")
    assert p.returncode == 1 and "--squeeze" in p.stderr and "3 polling cores" in p.stderr
    want = [p[6:12] + p[:6] + p[12:] for p in sent]
    for duration in ("2s", "10s"):
        p = run("--squeeze", "--json", "--duration", duration)
        assert p.returncode == 0, p.stderr
        report = json.loads(p.stdout)
        if report["tasks"][2]["tx"] == len(sent):
            break
    assert "squeezed" in p.stderr
    assert [(t["rx"], t["tx"]) for t in report["tasks"]] == [(len(sent), len(sent))] * 3
    assert {t["cpu"] for t in report["tasks"]} == {CPU}
    assert packets.read(tmp_path / "out.pcap") == want


RING = 4095  # packets that a ring takes


def full(drop, device):
    return config(keys=f"drop={drop}", device=f"pcap:{device}", mempool="16K", to="full")


def test_a_full_output(bench):
    sent = packets.every_size(60, 60) * 9000
    bench.give(sent)
    (task,) = bench.run(full("yes", "in.pcap"), len(sent))["tasks"]
    assert (task["rx"], task["tx"]) == (len(sent), RING)
    assert task["drops"] == {"tx full": len(sent) - RING}


def test_a_full_output_that_is_waited_for(start, tmp_path):
    """With drop=no nothing is dropped while it runs, and it still ends when it is asked to."""
    packets.write(tmp_path / "in.pcap", packets.every_size(60, 60) * 9000)
    with start(full("no", tmp_path / "in.pcap")) as d:
        d.runs()
        wait(lambda: d.port("full")["opackets"] == RING and d.tasks()[0]["rx"] > RING)
        time.sleep(0.2)
        (task,) = d.tasks()
        # the burst under way is counted when all of it is sent
        assert RING < task["rx"] <= RING + 32 and RING - 32 <= task["tx"] <= RING
        assert set(task["drops"].values()) == {0}
        begin = time.monotonic()
        d.end()
        assert time.monotonic() - begin < 10 * SLOW


# ---- in a container


@needs_root
@pytest.mark.parametrize("mode", ["none", "l2fwd"])
def test_the_same_inside(pf, bench, mode):
    """The same packets in give the same packets out, as root and as a user, with pages and without."""
    sent = KINDS + packets.every_size(1, 1514, 7)
    beside, report = bench(sent, mode=mode)
    counted = report["tasks"][0]
    bench.write(sent, where="/data", mode=mode)
    flags = granted(bench.drover, bench.directory)
    for more in ([], ["--user", "1000"]):
        bench.out.unlink()

        def run(*args, more=more):
            command = ["/drover/drover", "run", *args, "/data/test.cfg"]
            return pf.run(*flags, *more, "--", *command)

        report = forward(run, len(sent))
        assert packets.read(bench.out) == beside
        assert report["tasks"][0]["drops"] == counted["drops"]
        assert report["tasks"][0]["cpu"] == CPU


@needs_root
@needs_pages(40)
def test_with_hugepages(pf, bench):
    sent = packets.every_size(1, 9000, 7)
    bench.write(sent, where="/data", mode="none", mtu=9000)
    flags = [*granted(bench.drover, bench.directory), "--hugepages", "2M=40"]

    def run(*args):
        return pf.run(*flags, "--", "/drover/drover", "run", *args, "/data/test.cfg")

    forward(run, len(sent))
    assert packets.read(bench.out) == sent


@needs_root
def test_in_an_image(pf, bench):
    """Drivers and all it is small, and forwards the same."""
    image = bench.directory.parent / "image"
    # a program keeps its path in the image, and a container has a /tmp of its own over that
    place = Path(tempfile.mkdtemp(dir="/var/tmp"))
    drover = shutil.copy2(bench.drover, place)
    pf.ok("image", "build", "-o", image, drover)
    shutil.rmtree(place)
    size = sum(
        os.lstat(os.path.join(d, f)).st_size for d, _, names in os.walk(image) for f in names
    )
    assert size <= IMAGE_LIMIT
    beside, _ = bench(KINDS, mode="l2fwd")
    bench.write(KINDS, where="/data", mode="l2fwd")
    bench.out.unlink()

    def run(*args):
        flags = ["--image", image, "-v", f"{bench.directory}:/data"]
        return pf.run(*flags, "--", drover, "run", *args, "/data/test.cfg")

    forward(run, len(KINDS))
    assert packets.read(bench.out) == beside
