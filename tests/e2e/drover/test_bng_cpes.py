# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""More CPEs behind one pair of tags than drover's BNG takes note of: the ones too many are counted, answered by nobody and
told of to who sends to them; and one that goes silent makes room."""

import sys
import time

import bng_packets as bng
import frames
import pcapfile
import pytest
from drover_config import configuration, core, task
from drover_devices import Net, passed
from scapy.all import ICMP, Ether
from workload import SLOW, needs_root

pytestmark = [pytest.mark.anywhere, needs_root]

MOST = 15
ROUTER = "10.0.0.1"


def config(timeout):
    return configuration(
        {n: (f"af_packet:v{i}", f"mac={bng.GATEWAY}") for i, n in enumerate(["cpe0", "inet0"])},
        core(
            "bng",
            task(
                "qinqdecapv4",
                "cpe0",
                "",
                "tx ports from routing table=inet0,cpe0\nroute table=tables.csv\nuser table=tables.csv",
                f"local ipv4={bng.LOCAL}\nhandle arp=yes\ngateway ipv4={ROUTER}",
                f"cpe table timeout ms={timeout * 1000}",
            ),
            task(
                "qinqencapv4",
                "inet0",
                "",
                "tx ports from cpe table=cpe0,inet0\nuser table=tables.csv",
                f"icmp ipv4={ROUTER}",
            ),
        ),
    )


def address(i):
    return f"10.7.0.{i + 1}"


def mac(i):
    return f"02:00:00:00:20:{i:02x}"


class Side:
    """A kernel's end of one of the two ports: what comes out there while frames are sent."""

    def __init__(self, d, net, directory, port, name, other):
        self.d, self.net, self.directory = d, net, directory
        self.port, self.name, self.other = port, name, other

    def __call__(self, sent):
        """What came out here and at the other end."""
        pcapfile.write(self.directory / "sent.pcap", sent)
        takers = [self.taker(name) for name in (self.name, self.other)]
        received = self.d.port(self.port)["ipackets"] + len(sent)
        self.net.run(
            sys.executable, "-B", frames.__file__, "send", self.name, self.directory / "sent.pcap"
        )
        passed(self.d, self.net, {self.port: (received, 0)})
        for t in takers:
            t.communicate(timeout=20 * SLOW)
        return [pcapfile.read(self.directory / f"{n}.out") for n in (self.name, self.other)]

    def taker(self, name):
        t = self.net.popen(
            sys.executable,
            "-B",
            frames.__file__,
            "take",
            name,
            self.directory / f"{name}.out",
            bng.GATEWAY.replace(":", ""),
            stdin=-1,
            stdout=-1,
            text=True,
        )
        assert t.stdout.readline() == "ready\n"
        return t


@pytest.fixture
def lab(start, tmp_path, request):
    """A running BNG, and what is at its two ends."""
    (tmp_path / "tables.csv").write_text(bng.tables())
    with Net("v0", "v1") as net, start(config(request.param), net=net) as d:
        d.runs()
        yield d, Side(d, net, tmp_path, "cpe0", "v0x", "v1x"), Side(
            d, net, tmp_path, "inet0", "v1x", "v0x"
        )


def drops(d, mode):
    return {k: n for k, n in d.tasks(mode)[0]["drops"].items() if n}


def learn(i):
    return bng.access(bng.inner(src=address(i)), src=mac(i))


def down(i):
    return bng.core(bng.inner(to=address(i), src=bng.TO))


def delivered(i):
    return bng.tagged(bng.inner(to=address(i), src=bng.TO), bng.GATEWAY, mac=mac(i))


@pytest.mark.limit(120)
@pytest.mark.parametrize("lab", [900], indirect=True)
def test_more_than_there_is_room_for(lab):
    d, cpe, core = lab
    _, out = cpe([learn(i) for i in range(MOST + 2)])
    assert out == [bng.tunnelled(bng.inner(src=address(i)), bng.GATEWAY) for i in range(MOST)]
    assert drops(d, "qinqdecapv4") == {"too many cpes": 2}

    # those that are known have their packets; who sends to the others is told, each time
    back, out = core([down(i) for i in range(MOST + 2)])
    assert out == [delivered(i) for i in range(MOST)]
    assert drops(d, "qinqencapv4") == {"unknown cpe": 2}
    told = [Ether(p)[ICMP] for p in back]
    assert [(t.type, t.code, t.payload.dst) for t in told] == [
        (3, 1, address(i)) for i in (MOST, MOST + 1)
    ]

    # nor does ARP make room: only the router's answers to who is known come
    asks = [bng.access(bng.arp(1, address(i), ROUTER, mac(i)), src=mac(i)) for i in (0, MOST)]
    answers, _ = cpe(asks)
    assert answers == [bng.arp_answer(bng.GATEWAY, address(0), ROUTER, mac=mac(0))]
    assert drops(d, "qinqdecapv4") == {"too many cpes": 3}


@pytest.mark.limit(120)
@pytest.mark.parametrize("lab", [10], indirect=True)
def test_who_is_silent_makes_room(lab):
    d, cpe, core = lab
    cpe([learn(i) for i in range(MOST + 1)])
    assert drops(d, "qinqdecapv4") == {"too many cpes": 1}
    time.sleep(12.5)
    _, out = cpe([learn(MOST)])
    assert out == [bng.tunnelled(bng.inner(src=address(MOST)), bng.GATEWAY)]
    assert drops(d, "qinqdecapv4") == {"too many cpes": 1}
    _, out = core([down(MOST)])
    assert out == [delivered(MOST)]
