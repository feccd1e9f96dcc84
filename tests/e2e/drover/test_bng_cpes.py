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
from drover_devices import Drover, Net, port_of, settle
from drover_run import Control
from scapy.all import ICMP, Ether
from workload import SLOW, needs_root, wait

pytestmark = [pytest.mark.anywhere, needs_root]

MOST = 15
TIMEOUT = 3  # s
ROUTER = "10.0.0.1"
CONFIG = f"""[port 0]
name=cpe0
device=af_packet:v0
mac={bng.GATEWAY}
[port 1]
name=inet0
device=af_packet:v1
mac={bng.GATEWAY}
[defaults]
mempool size=4K
[core 0]
mode=master
[core 1]
name=bng
task=0
mode=qinqdecapv4
rx port=cpe0
tx ports from routing table=inet0,cpe0
route table=tables.csv
user table=tables.csv
local ipv4={bng.LOCAL}
handle arp=yes
gateway ipv4={ROUTER}
cpe table timeout ms={TIMEOUT * 1000}
task=1
mode=qinqencapv4
rx port=inet0
tx ports from cpe table=cpe0,inet0
user table=tables.csv
icmp ipv4={ROUTER}
"""


def address(i):
    return f"10.7.0.{i + 1}"


def mac(i):
    return f"02:00:00:00:20:{i:02x}"


class Side:
    """A kernel's end of one of the two ports: what comes out there while frames are sent."""

    def __init__(self, net, directory, name, other):
        self.net, self.directory, self.name, self.other = net, directory, name, other

    def __call__(self, sent):
        """What came out here and at the other end."""
        pcapfile.write(self.directory / "sent.pcap", sent)
        takers = [self.taker(name) for name in (self.name, self.other)]
        self.net.run(
            sys.executable, "-B", frames.__file__, "send", self.name, self.directory / "sent.pcap"
        )
        settle(self.net)
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
def lab(drover, tmp_path):
    """A running BNG, and what is at its two ends."""
    (tmp_path / "tables.csv").write_text(bng.tables())
    with Net("v0", "v1") as net, Drover(drover, tmp_path, CONFIG, "--no-huge", net) as d:
        d.runs()
        yield d, Side(net, tmp_path, "v0x", "v1x"), Side(net, tmp_path, "v1x", "v0x")


def drops(d, mode):
    tasks = Control(f"/var/run/dpdk/{d.prefix}/drover.sock").ask("stats")["tasks"].values()
    return {k: n for k, n in next(t for t in tasks if t["mode"] == mode)["drops"].items() if n}


def learn(i):
    return bng.access(bng.inner(src=address(i)), src=mac(i))


def down(i):
    return bng.core(bng.inner(to=address(i), src=bng.TO))


def delivered(i):
    return bng.tagged(bng.inner(to=address(i), src=bng.TO), bng.GATEWAY, mac=mac(i))


@pytest.mark.limit(120)
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

    # all but the first are silent for long enough: the 16th and 17th come in
    def silent():
        cpe([learn(0)])
        time.sleep(0.5)
        return time.monotonic() > begin + TIMEOUT + 2

    begin = time.monotonic()
    wait(silent, TIMEOUT + 20, "CPEs to be forgotten")
    cpe([learn(MOST), learn(MOST + 1)])
    _, out = core([down(i) for i in (0, 1, MOST, MOST + 1)])
    assert out == [delivered(i) for i in (0, MOST, MOST + 1)]
    assert drops(d, "qinqdecapv4") == {"too many cpes": 3}
    assert port_of(d, "cpe0")["ierrors"] == 0
