# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""drover's routing and both halves of the BNG: packets that scapy built, judged byte by byte and by
tshark; what is wrong with them is counted under its name."""

import re
from collections import Counter

import bng_packets as bng
import pytest
from drover_config import configuration, core, section, task
from drover_run import Bench
from tshark import dissect, needs_tshark

pytestmark = [pytest.mark.anywhere]


def bng_config(arp="", back="cpe0", handle="no", up="", down="", mempool="4K", mbuf=2048):
    """Both halves; arp: a further output of the upstream one."""
    ports = {
        name: (f"pcap:{name}-in.pcap,{name}-out.pcap", f"mac={bng.GATEWAY}")
        for name in ("cpe0", "inet0")
    } | {"spare": "null"}
    tables = "route table=tables.csv\nuser table=tables.csv\nlocal ipv4=192.0.2.254"
    both = (
        task(
            "qinqdecapv4",
            "cpe0",
            "",
            f"tx ports from routing table=inet0{arp}\n{tables}\nhandle arp={handle}",
            up,
        ),
        task(
            "qinqencapv4",
            "inet0",
            "",
            f"tx ports from cpe table={back}\nuser table=tables.csv",
            down,
        ),
    )
    return configuration(ports, core("worker", *both), mempool=mempool, keys=[f"mbuf size={mbuf}"])


def l3fwd(*cores, mbuf=2048, out="tx port=out"):
    ports = {"in": ("pcap:in.pcap", f"mac={bng.GATEWAY}"), "out": "pcap:-,out.pcap"}
    route = core("route", task("l3fwd", "in", "", "route table=tables.csv", out))
    return configuration(ports, route, *cores, keys=[f"mbuf size={mbuf}"])


class Bng(Bench):
    def __init__(self, drover, directory):
        super().__init__(drover, directory)
        (directory / "tables.csv").write_text(bng.tables())

    def __call__(self, sent_up=(), sent_down=(), text=None, **kw):
        """What came out on both sides, and the report."""
        self.give(sent_up, "cpe0-in")
        self.give(sent_down, "inet0-in")
        report = self.run(text or bng_config(**kw), len(sent_up) + len(sent_down))
        return self.read("inet0-out"), self.read("cpe0-out"), report

    def macs(self):
        """A device of pcap gets its address from its number: it is the same in each run."""
        report = self()[2]
        return {p["name"]: p["mac"] for p in report["ports"]}


@pytest.fixture
def bench(drover, tmp_path):
    return Bng(drover, tmp_path)


def of_mode(report, mode):
    return next(t for t in report["tasks"] if t["mode"] == mode)


def judge(cases, came, drops):
    """Which packets came, in their order; and why others did not."""
    want = [(name, out) for name, _, out in cases if not isinstance(out, str)]
    for (name, out), got in zip(want, came, strict=False):
        assert got.hex() == out.hex(), name
    assert len(came) == len(want)
    reasons = Counter(out for _, _, out in cases if isinstance(out, str))
    assert {k: v for k, v in drops.items() if v} == reasons


def learn(user=bng.USER, src=bng.ADDRESS, mac=bng.CPE):
    return bng.access(bng.inner(src=src), user, src=mac)


@pytest.mark.parametrize("mbuf", [2048, 256], ids=["one segment", "segments"])
def test_upstream(bench, mbuf):
    own = bench.macs()["inet0"]
    cases = list(bng.upstream(own))
    sent = [p for _, p, _ in cases if p]
    cases = [c for c in cases if c[1]]
    came, _, report = bench(sent, mbuf=mbuf, mempool="16K")
    judge(cases, came, of_mode(report, "qinqdecapv4")["drops"])


@pytest.mark.parametrize("mbuf", [2048, 256], ids=["one segment", "segments"])
def test_downstream(bench, mbuf):
    own = bench.macs()["cpe0"]
    cases = [c for c in bng.downstream(own) if c[1]]
    # learned first: the upstream task has its turn before
    up = [learn()]
    _, came, report = bench(up, [p for _, p, _ in cases], mbuf=mbuf, mempool="16K")
    judge(cases, came, of_mode(report, "qinqencapv4")["drops"])


def judge_routing(bench, text):
    bench.give([])
    report = bench.run(text, 0)
    cases = [c for c in bng.routed(report["ports"][1]["mac"]) if c[1]]
    bench.give([p for _, p, _ in cases])
    report = bench.run(text, len(cases))
    judge(cases, bench.read("out"), report["tasks"][0]["drops"])


@pytest.mark.parametrize("mbuf", [2048, 256], ids=["one segment", "segments"])
def test_routing(bench, mbuf):
    judge_routing(bench, l3fwd(mbuf=mbuf))


CHAINS = {
    "none": [task("none", "ring", "out")],
    "two": [
        task("lb5tuple", "ring", "", "tx cores=2t1"),
        task("l2fwd", "ring", "out", "dst mac=no"),
    ],
}


@pytest.mark.parametrize("chain", CHAINS)
def test_routing_by_way_of_tasks(bench, chain):
    """The address and the MTU are those of the port that packets reach."""
    next_core = core("next", *CHAINS[chain])
    judge_routing(bench, l3fwd(next_core, out="tx cores from routing table=2"))


def test_bng_by_way_of_tasks(bench):
    """As DPPD's files have it: a core that only sends, on both sides."""
    own = bench.macs()
    up = [bng.inner(1468), bng.inner(1469)]
    down = [bng.inner(n, bng.ADDRESS, bng.TO) for n in (1500, 1501)]
    text = bng_config()
    text = text.replace("tx ports from routing table=inet0", "tx cores from routing table=2t0")
    text = text.replace("tx ports from cpe table=cpe0", "tx cores from cpe table=2t1 remap=cpe0")
    send = core("send", task("none", "ring", "inet0"), task("tagmpls", "ring", "cpe0", "label=7"))
    text += section("core 2", *send)
    came, back, report = bench([bng.access(p) for p in up], [bng.core(p) for p in down], text)
    assert came == [bng.tunnelled(up[0], own["inet0"])]
    # behind a label there is room for 1496
    assert back == []
    assert of_mode(report, "qinqdecapv4")["drops"]["too long"] == 1
    assert of_mode(report, "qinqencapv4")["drops"]["too long"] == 2


def test_the_other_type_of_tag(bench):
    """Both spellings of 0x8100, that of DPPD's files too."""
    own = bench.macs()
    for word in ("0x8100", "0x0081"):
        p = bng.inner()
        back = bng.inner(to=bng.ADDRESS, src=bng.TO)
        came, down, report = bench(
            [bng.access(p, stype=0x8100), bng.access(p)],
            [bng.core(back)],
            up=f"qinq tag={word}",
            down=f"qinq tag={word}",
        )
        assert came == [bng.tunnelled(p, own["inet0"])]
        assert down == [bng.tagged(back, own["cpe0"], stype=0x8100)]
        assert of_mode(report, "qinqdecapv4")["drops"]["not qinq"] == 1


def test_cpes_are_learned(bench):
    """By subscriber and address: the same address behind two, 15 behind one, and one that moves."""
    own = bench.macs()["cpe0"]
    many = [f"10.7.0.{i}" for i in range(1, 16)]
    up = [learn(bng.USERS[1]), learn(bng.USERS[0], mac="02:00:00:00:77:77"), learn(bng.USERS[0])]
    up += [learn(bng.USERS[2], ip, f"02:00:00:00:20:{i:02x}") for i, ip in enumerate(many)]
    assert len(up) <= 32  # one burst

    def to(user, ip):
        return bng.core(bng.inner(to=ip, src=bng.TO), key=user[2])

    down = [to(bng.USERS[0], bng.ADDRESS), to(bng.USERS[1], bng.ADDRESS)]
    down += [to(bng.USERS[2], ip) for ip in many] + [to(bng.USERS[3], bng.ADDRESS)]
    _, came, report = bench(up, down)
    want = [(bng.USERS[0], bng.ADDRESS, bng.CPE), (bng.USERS[1], bng.ADDRESS, bng.CPE)]
    want += [(bng.USERS[2], ip, f"02:00:00:00:20:{i:02x}") for i, ip in enumerate(many)]
    assert came == [
        bng.tagged(bng.inner(to=ip, src=bng.TO), own, user, mac) for user, ip, mac in want
    ]
    assert of_mode(report, "qinqencapv4")["drops"]["unknown cpe"] == 1


def test_arp(bench):
    """Answered where there is an output (a pcap device has one sender), and learned from."""
    own = bench.macs()["cpe0"]
    cases = list(bng.asked(own))
    _, came, report = bench([p for _, p, _ in cases], handle="yes", arp=",cpe0", back="spare")
    judge(cases, came, of_mode(report, "qinqdecapv4")["drops"])
    down = [bng.core(bng.inner(to=ip, src=bng.TO)) for ip in (bng.ADDRESS, "10.0.0.9", "10.0.0.7")]
    _, came, _ = bench([p for _, p, _ in cases], down, handle="yes")
    assert came == [
        bng.tagged(bng.inner(to=ip, src=bng.TO), own)
        for ip in (bng.ADDRESS, "10.0.0.9", "10.0.0.7")
    ]
    # of one gateway only
    up = [bng.access(bng.arp(target=ip)) for ip in ("10.0.0.1", "10.0.0.5")]
    _, came, _ = bench(up, handle="yes", arp=",cpe0", back="spare", up="gateway ipv4=10.0.0.5")
    assert came == [bng.arp_answer(own, target="10.0.0.5")]
    assert of_mode(bench(up)[2], "qinqdecapv4")["drops"]["arp"] == 2


def test_cpes_that_are_configured(bench):
    own = bench.macs()["cpe0"]
    (bench.directory / "cpes.csv").write_text(f"cpe,{bng.USER[2]},{bng.ADDRESS},{bng.CPE},0\n")
    back = bng.inner(to=bng.ADDRESS, src=bng.TO)
    # traffic with another MAC does not move it
    up = [learn(mac="02:00:00:00:66:66")]
    _, came, _ = bench(up, [bng.core(back)], down="cpe table=cpes.csv")
    assert came == [bng.tagged(back, own)]


def test_local_address(bench):
    """With one, tunnels to others do not end here."""
    own = bench.macs()["cpe0"]
    back = bng.inner(to=bng.ADDRESS, src=bng.TO)
    ours = bng.core(back, outer={"dst": bng.LOCAL})
    _, came, report = bench([learn()], [ours, bng.core(back)], down=f"local ipv4={bng.LOCAL}")
    assert came == [bng.tagged(back, own)]
    assert of_mode(report, "qinqencapv4")["drops"]["not for us"] == 1


FIELDS = """frame.protocols mpls.label mpls.bottom ip.src ip.dst ip.ttl ip.flags.df ip.checksum.status
gre.flags_and_version gre.key vlan.id ieee8021ad.id _ws.malformed""".split()


@needs_tshark
def test_tshark_understands_it(bench):
    """Another judge: fields, checksums, and nothing malformed."""
    p, back = bng.inner(200), bng.inner(200, bng.ADDRESS, bng.TO)
    bench([bng.access(p)], [bng.core(back)])
    found = (
        dissect(bench.directory / f"{side}-out.pcap", *FIELDS, checks=["ip"])
        for side in ("inet0", "cpe0")
    )
    up, down = (dict(zip(FIELDS, row, strict=True)) for (row,) in found)
    assert up["frame.protocols"].startswith("eth:ethertype:mpls:ip:gre:ip:udp")
    assert (up["mpls.label"], up["mpls.bottom"]) == ("100", "1")
    assert up["ip.src"] == f"{bng.LOCAL},{bng.ADDRESS}" and up["ip.dst"] == f"192.0.2.1,{bng.TO}"
    assert up["ip.ttl"] == "64,63" and up["ip.flags.df"].split(",")[0] in ("1", "True")
    assert up["ip.checksum.status"] == "1,1"
    assert up["gre.flags_and_version"] == "0x2000" and int(up["gre.key"], 0) == bng.USER[2]
    assert down["frame.protocols"].startswith(
        "eth:ethertype:ieee8021ad:ethertype:vlan:ethertype:ip:udp"
    ) or ("ieee8021ad" in down["frame.protocols"])
    assert (
        down["ieee8021ad.id"].split(",")[0] == "7"
        and "42" in down["vlan.id"] + down["ieee8021ad.id"]
    )
    assert down["ip.ttl"] == "63" and down["ip.checksum.status"] == "1"
    assert up["_ws.malformed"] == down["_ws.malformed"] == ""


@pytest.mark.parametrize(
    "old, new, like",
    [
        ("user,7,42,700042", "user,7,4096,700042", "tables.csv:8: .*SVLAN"),
        ("user,7,43,700043", "user,7,42,700043", "tags 7 and 42"),
        ("user,7,43,700043", "user,7,43,700042", "700042 is there twice"),
        ("route,198.18.0.0/15,0", "route,198.18.0.1/15,0", "behind its prefix"),
        ("route,198.18.0.0/15,0", "route,198.18.0.0/33,0", "tables.csv:4: .*PREFIX"),
        ("route,198.18.0.0/15,0", "route,198.18.0.0/15,9", "hop 9"),
        ("hop,0,192.0.2.1,02:", "hop,0,192.0.2.1,03:", "group"),
        ("hop,0,192.0.2.1", "hop,1,192.0.2.1", "hop 1 is there twice"),
        (",100,0\n", ",100,1\n", "output 1"),
        (",100,0\n", ",1048576,0\n", "20 bits"),
        ("hop,0", "hip,0", "tables.csv:2: "),
    ],
)
def test_a_wrong_table(bench, old, new, like):
    text = bng.tables()
    assert old in text
    (bench.directory / "tables.csv").write_text(text.replace(old, new, 1))
    for name in ("cpe0", "inet0"):
        bench.give([], f"{name}-in")
    p = bench.check(bng_config())
    assert p.returncode == 1
    assert re.search(like, p.stderr.splitlines()[-1]), p.stderr
