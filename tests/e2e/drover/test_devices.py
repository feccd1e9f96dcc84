# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What goes into a device of drover comes out of it, or is counted: every kind of device, both
directions, alone and two at once, with and without hugepages, short and long frames, tagged and not,
against what the other side saw."""

import signal
import struct
import sys
import threading

import frames
import pcapfile
import pytest
from drover_devices import (
    A,
    B,
    COUNT,
    MEMORY,
    Ends,
    Net,
    arrived,
    check_all,
    config,
    counted,
    kernel_case,
    link_case,
    passed,
    sends,
)
from workload import needs_root, wait

pytestmark = [pytest.mark.anywhere, needs_root]


every_memory = pytest.mark.parametrize("memory", MEMORY)
alone_and_two = pytest.mark.parametrize("two", [False, True], ids=["alone", "two"])
ERRORS = ("imissed", "ierrors", "oerrors", "rx_nombuf")
NONE = dict.fromkeys(ERRORS, 0), 0
JUMBO = [60, 1972, 1990, 2006, 2048, 2100, 3000, 4096, 8000, 9014]


@every_memory
@alone_and_two
@pytest.mark.parametrize("kind", ["af_xdp", "vdev", "af_packet", "tap"])
def test_kernel(drover, tmp_path, kind, two, memory):
    """Through the kernel's interfaces and back, and from one to the other in both directions."""
    check_all(*kernel_case(drover, tmp_path, memory, kind, two, frames.SMALL))


@every_memory
@alone_and_two
@pytest.mark.parametrize(
    "kind, mtu, sizes",
    [("af_xdp", 3506, [60, 2048, 2500, 3520]), ("af_packet", 9000, JUMBO)],
    ids=["af_xdp", "af_packet"],
)
def test_kernel_jumbo(drover, tmp_path, kind, mtu, sizes, two, memory):
    """As much as a page holds, and in several buffers of the ordinary size."""
    check_all(*kernel_case(drover, tmp_path, memory, kind, two, sizes, mtu))


def test_what_comes_while_it_stands_still(start, tmp_path):
    """Waits in the ring, as long as that has room."""
    with Net("v0") as net:
        with start(config({"v0": "af_xdp:v0"}, [("v0", "v0")]), net=net) as d:
            d.runs()
            ends = Ends(net, tmp_path, [("v0x", "v0x")], frames.SMALL)
            d.process.send_signal(signal.SIGSTOP)
            ends.send()
            threading.Timer(1.5, d.process.send_signal, [signal.SIGCONT]).start()
            passed(d, net, {"v0": (COUNT, COUNT)})
            report = d.end()
            check_all(ends.sent, ends.taken(), report)


@pytest.mark.parametrize(
    "kind, why", [("af_xdp", "at most 3"), ("tap", "'tap:v0' has frames of at most 1522 ")]
)
def test_mtu_that_cannot_be(start, kind, why):
    text = config({"v0": f"{kind}:v0"}, [("v0", "v0")], mtu=9000)
    with Net(*([] if kind == "tap" else ["v0"])) as net:
        with pytest.raises(AssertionError, match=f"mtu=9000.*{why}"):
            with start(text, net=net) as d:
                d.runs()


@pytest.mark.parametrize(
    "more, sizes",
    [("", (60, 1514, 4000)), ("mbuf size=9216", (60, 3776, 3777))],
    ids=["several-buffers", "more-than-a-page"],
)
def test_xdp_counts_what_it_cannot_carry(start, tmp_path, more, sizes):
    """Frames that do not fit into a page come in by another port; those of a kernel are dropped by it."""
    long = [f for size in sizes for f in frames.make(A, [size], 100)]
    pcapfile.write(tmp_path / "in.pcap", long)
    more = f"{more}\nstart time=500ms"
    with Net("v0", mtu=3400) as net:
        text = config(
            {"in": f"pcap:{tmp_path}/in.pcap", "v0": "af_xdp:v0"}, [("in", "v0")], more=more
        )
        with start(text, net=net) as d:
            d.runs()
            wait(lambda: sum(d.port("v0")[k] for k in ("opackets", "oerrors")) == 300, what="all")
            report = d.end()
    port = next(p for p in report["ports"] if p["name"] == "v0")
    assert (port["opackets"], port["oerrors"]) == (200, 100)
    assert port["xdp"]["tx_invalid_descs"] == 0


@every_memory
@alone_and_two
@pytest.mark.parametrize(
    "kind, sizes, mtu, more",
    [
        ("memif", frames.SMALL, 1500, ""),
        ("memif-jumbo", JUMBO, 1500, "mbuf size=9216"),
        ("vhost", frames.SMALL, 1500, ""),
        ("vhost", JUMBO, 9000, ""),
        ("virtio", frames.SMALL, 1500, ""),
        ("virtio", JUMBO, 9000, ""),
    ],
    ids=["memif", "memif-jumbo", "vhost", "vhost-jumbo", "virtio", "virtio-jumbo"],
)
def test_link(drover, tmp_path, kind, sizes, mtu, more, two, memory):
    sent, taken, reports = link_case(drover, tmp_path, memory, kind, two, sizes, mtu, more)
    for path, want in sent.items():
        assert taken[path] == want, (path, len(want), len(taken[path]))
    for report in reports:
        for port in report["ports"]:
            if port["name"] in sent:
                assert (port["ipackets"], port["opackets"]) == (COUNT, COUNT)
        assert counted(report, *ERRORS) == NONE


@every_memory
@pytest.mark.parametrize("more", ["", "mbuf size=256", "mbuf size=9216"])
def test_memif_counts_what_it_cannot_carry(start, tmp_path, more, memory):
    """What is longer than a slot of it, or in several buffers: the ring goes round some times, and no other packet
    is the worse for it."""
    sent = frames.make(A, JUMBO, 6000)
    room = {"": 2048, "mbuf size=256": 256, "mbuf size=9216": 2048}[more]
    fit = [f for f in sent if len(f) <= room]
    pcapfile.write(tmp_path / "in", sent)
    back = config(
        {"l0": f"memif:server:{tmp_path}/s", "out": f"pcap:-,{tmp_path}/out"}, [("l0", "out")]
    )
    text = config(
        {"l0": f"memif:client:{tmp_path}/s", "in": f"pcap:{tmp_path}/in"},
        [("in", "l0")],
        more=f"{more}\nstart time=1s",
        keys="drop=no\n",
    ).replace("size=4K", "size=64K")
    with start(back, memory=memory) as d:
        d.runs()  # who listens
        with start(text, memory=memory) as c:
            c.runs()
            arrived(d, "out", len(fit))
            (port,) = (p for p in c.end()["ports"] if p["name"] == "l0")
        d.end()
    assert pcapfile.read(tmp_path / "out") == fit
    assert (port["opackets"], port["oerrors"]) == (len(fit), len(sent) - len(fit))


@every_memory
@alone_and_two
@pytest.mark.parametrize(
    "mtu, sizes", [(1500, frames.SMALL), (9000, JUMBO)], ids=["small", "jumbo"]
)
def test_rings_and_captures(start, tmp_path, mtu, sizes, two, memory):
    """From a capture into a ring, and out of it into another, whole and counted by each; a ring alone gives back
    what it got."""
    names = ["r0", "r1"] if two else ["r0"]
    ports, cores, sent = {}, [], {}
    for name, source in zip(names, (A, B)):
        sent[name] = frames.make(source, sizes, COUNT)
        pcapfile.write(tmp_path / f"{name}.in", sent[name])
        ports[f"{name}in"] = f"pcap:{tmp_path}/{name}.in"
        ports[f"{name}out"] = f"pcap:-,{tmp_path}/{name}.out"
        ports[name] = "ring:both" if two else "ring:one"
        cores.append([(f"{name}in", name), (name, f"{name}out")])
    text = config(ports, *cores, mtu=mtu, keys="drop=no\n")
    with start(text, memory=memory) as d:
        d.runs()
        for name in names:
            arrived(d, f"{name}out", COUNT)
        report = d.end()
    for name, other in zip(names, reversed(names)):
        assert pcapfile.read(tmp_path / f"{name}.out") == sent[other]
    for port in report["ports"]:
        want = {"in": (COUNT, 0), "ut": (0, COUNT)}.get(port["name"][-2:], (COUNT, COUNT))
        assert (port["ipackets"], port["opackets"]) == want
    assert counted(report, *ERRORS) == NONE


@every_memory
@pytest.mark.parametrize("kind", ["null", "null:copy"])
def test_null(start, kind, memory):
    """Of what comes from nowhere and goes there each is counted once, at both ends and between."""
    with start(config({"n": kind}, [("n", "n")]), memory=memory) as d:
        d.runs()
        wait(lambda: d.port("n")["ipackets"] > 10 * COUNT)
        report = d.end()
    (port,), (task,) = report["ports"], report["tasks"]
    assert port["ipackets"] == port["opackets"] == task["rx"] == task["tx"] > 10 * COUNT
    assert counted(report, *ERRORS) == NONE


def test_captures_that_are_no_frames(start, tmp_path):
    """Refused by the device as by the generator, in the same words."""
    cases = {
        (101, 60, 60): "is no capture of Ethernet: link type",
        (1, 60, 1514): "packet 1 has 60 of its 1514 bytes: capture whole packets",
        (1, 80, 80): "behind packet 0: truncated",
    }
    for (link, have, length), why in cases.items():
        with open(tmp_path / "c", "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link))
            f.write(struct.pack("<IIII", 0, 0, have, length) + bytes(60))
        device = config({"l0": f"pcap:{tmp_path}/c"}, [("l0", "l0")])
        for text in (device, sends("null", f"pcap file={tmp_path}/c\n")):
            with pytest.raises(AssertionError, match=why):
                with start(text) as d:
                    d.runs()


def test_af_packet_counts_what_is_too_long(start, tmp_path):
    """For what the interface said at the start."""
    with Net("v0", mtu=1500) as net:
        with start(config({"v0": "af_packet:v0"}, [("v0", "v0")]), net=net) as d:
            d.runs()
            for n in ("v0", "v0x"):
                net.run("ip", "link", "set", "dev", n, "mtu", 9000)
            pcapfile.write(tmp_path / "long", frames.make(A, [60, 3000], 100))
            net.run(sys.executable, "-B", frames.__file__, "send", "v0x", tmp_path / "long")
            wait(lambda: sum(d.port("v0")[k] for k in ("ipackets", "ierrors")) == 100, what="all")
            assert d.port("v0")["ierrors"] == 50
