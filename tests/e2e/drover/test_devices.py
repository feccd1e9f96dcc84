# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What goes into a device of drover comes out of it, or is counted: every kind of device, both
directions, alone and two at once, with and without hugepages, short and long frames, tagged and not,
against what the other side saw."""

import struct
import sys

import frames
import pcapfile
import pytest
from drover_devices import (
    A,
    COUNT,
    LINKS,
    MEMORY,
    Drover,
    Net,
    check_all,
    config,
    counted,
    kernel_case,
    link_case,
    port_of,
    sends,
    settle,
)
from workload import needs_root, wait

pytestmark = [pytest.mark.anywhere, needs_root]


@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize("two", [False, True], ids=["alone", "two"])
@pytest.mark.parametrize("kind", ["af_xdp", "af_packet", "tap"])
def test_kernel(drover, tmp_path, kind, two, memory):
    """Through the kernel's interfaces and back, and from one to the other in both directions."""
    check_all(*kernel_case(drover, tmp_path, memory, kind, two, frames.SMALL))


def test_xdp_jumbo(drover, tmp_path):
    """As much as a page holds; a longer frame is counted, and a greater MTU refused."""
    sent, taken, report = kernel_case(
        drover, tmp_path, "--no-huge", "af_xdp", True, [60, 2500, 3414], 3400
    )
    check_all(sent, taken, report)
    with Net("v0") as net, pytest.raises(AssertionError, match="mtu=9000.*at most 3"):
        with Drover(
            drover,
            tmp_path,
            config({"v0": "af_xdp:v0"}, [("v0", "v0")], mtu=9000),
            "--no-huge",
            net,
        ) as d:
            d.runs()


def test_xdp_counts_what_it_cannot_carry(drover, tmp_path):
    """Frames that do not fit into a page come in by another port; those of a kernel are dropped by it."""
    long = frames.make(A, [60, 4000, 8000], 300)
    pcapfile.write(tmp_path / "in.pcap", long)
    more = "start time=500ms"
    with Net("v0", mtu=3400) as net:
        text = config(
            {"in": f"pcap:{tmp_path}/in.pcap", "v0": "af_xdp:v0"}, [("in", "v0")], more=more
        )
        with Drover(drover, tmp_path, text, "--no-huge", net) as d:
            d.runs()
            settle(net)
            report = d.end()
    port = next(p for p in report["ports"] if p["name"] == "v0")
    assert (port["opackets"], port["oerrors"]) == (100, 200)
    assert port["xdp"]["tx_invalid_descs"] == 0


@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize("two", [False, True], ids=["alone", "two"])
@pytest.mark.parametrize("kind", LINKS)
def test_link(drover, tmp_path, kind, two, memory):
    sent, taken, reports = link_case(drover, tmp_path, memory, kind, two, frames.SMALL)
    for path, want in sent.items():
        assert taken[path] == want, (path, len(want), len(taken[path]))
    for report in reports:
        for port in report["ports"]:
            if port["name"] in sent:
                assert (port["ipackets"], port["opackets"]) == (COUNT, COUNT)
        assert counted(report, "imissed", "ierrors", "oerrors", "rx_nombuf")[1] == 0


def test_captures_that_are_no_frames(drover, tmp_path):
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
                with Drover(drover, tmp_path, text, "--no-huge") as d:
                    d.runs()


def test_af_packet_jumbo(drover, tmp_path):
    """In several buffers of the ordinary size; what is longer than the interface said is counted."""
    sizes = [60, 1972, 1990, 2006, 2100, 3000, 8000, 9014]
    check_all(*kernel_case(drover, tmp_path, "--no-huge", "af_packet", True, sizes, 9000))
    with Net("v0", mtu=1500) as net:
        with Drover(
            drover, tmp_path, config({"v0": "af_packet:v0"}, [("v0", "v0")]), "--no-huge", net
        ) as d:
            d.runs()
            for n in ("v0", "v0x"):
                net.run("ip", "link", "set", "dev", n, "mtu", 9000)
            pcapfile.write(tmp_path / "long", frames.make(A, [60, 3000], 100))
            net.run(sys.executable, "-B", frames.__file__, "send", "v0x", tmp_path / "long")
            wait(lambda: port_of(d, "v0")["ierrors"] == 50, 5, "errors")
            assert port_of(d, "v0")["ipackets"] == 50


def test_tap_refuses_jumbo(drover, tmp_path):
    with Net() as net, pytest.raises(
        AssertionError, match="mtu=9000: 'tap:v0' has frames of at most 15"
    ):
        with Drover(
            drover, tmp_path, config({"v0": "tap:v0"}, [("v0", "v0")], mtu=9000), "--no-huge", net
        ) as d:
            d.runs()
