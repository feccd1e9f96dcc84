# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Topologies of the DPPD dialect: tasks joined by rings, judged by what comes out of the ports; tables
from Lua; and DPPD's own published files, where DPPD_CONFIG_DIR says they are."""

import os

import drover_packets as packets
import pytest
from drover_config import configuration, core, task
from drover_run import execute, published
from scapy.all import ARP, IP, UDP, Dot1AD, Dot1Q, Ether, Raw, raw

pytestmark = [pytest.mark.anywhere]

PUBLISHED = {
    "config": [
        "nop",
        "l2fwd-4ports",
        "l3fwd-4ports",
        "bng-4ports",
        "bng-no-cpu-topology-4ports",
        "bng-1q-4ports",
        "bng-ovs-usv-4ports",
        "bng-8ports",
        "bng-8ports-17cores",
        "bng-8ports-25cores",
        "irq",
    ],
    "gen": [
        "nop-gen",
        "l3fwd-gen",
        "bng-4ports-gen",
        "bng-8ports-gen",
        "bng-8ports-gen-18cores",
        "bng-ovs-usv-4ports-gen",
    ],
}
# what needs more memory than a test without hugepages has is read, not started
STARTED = [name for names in PUBLISHED.values() for name in names if "bng-8ports" not in name]


def qinq(n, inner):
    tags = Dot1AD(vlan=n // 64, type=0x8100) / Dot1Q(vlan=n % 64)
    return raw(Ether(dst=packets.A, src=packets.B) / tags / inner / Raw(packets.patterned(40, n)))


def rings(report):
    return {r["name"]: r for r in report["rings"]}


PORTS = """[port 0]
name=a
device=pcap:in.pcap
[port 1]
name=b
device=pcap:-,b.pcap
[port 2]
name=c
device=pcap:-,c.pcap
[defaults]
mempool size=4K
[core 0s0]
mode=master
"""


def test_chain_of_rings(bench):
    """Through three tasks of two cores, in order, nothing lost though a ring holds 32 packets."""
    sent = [packets.of_size(60 + n % 900) for n in range(3000)]
    bench.give(sent)
    text = (
        PORTS
        + """
[core 1s0]
name=first
task=0
mode=none
rx port=a
tx cores=${self}t1
task=1
mode=none
rx ring=yes
tx cores=2s0
ring size=32
drop=no
[core 2s0]
name=last
task=0
mode=none
rx ring=yes
tx port=b
"""
    )
    report = bench.run(text, len(sent))
    assert bench.read("b") == sent
    found = rings(report)
    assert set(found) == {"first.0 > first.1", "first.1 > last"}
    assert found["first.1 > last"]["size"] == 32
    for ring in found.values():
        assert (ring["sent"], ring["dropped"], ring["used"]) == (len(sent), 0, 0)


def test_protocols_part(bench):
    """A load balancer with outputs for ARP of their own; those are looked at now and then."""
    data = [
        qinq(n, IP(src=f"10.0.{n // 256}.{n % 256}", dst="192.0.2.1") / UDP()) for n in range(600)
    ]
    asks = [qinq(n, ARP(psrc=f"10.0.0.{n % 256}", pdst="10.0.0.1")) for n in range(100)]
    mixed = [p for n in range(100) for p in (*data[6 * n : 6 * n + 6], asks[n])]
    bench.give(mixed)
    text = (
        PORTS
        + """
[core 1s0]
name=lb
task=0
mode=lbqinq
rx port=a
tx cores=(2s0,3s0)t0 proto=ipv4
tx cores=(4s0)t0p proto=arp
drop=no
[core 2s0-3s0]
name=worker
task=0
mode=none
rx ring=yes
tx cores=4s0t1
drop=no
[core 4s0]
name=out
task=0
mode=none
rx port=c
tx port=c
task=1
mode=none
rx ring=yes
tx port=b
"""
    )
    # what comes by the control path leaves with the task's other packets; port c has none of its own
    text = text.replace("device=pcap:-,c.pcap", "device=pcap:empty.pcap,c.pcap")
    bench.give([], "empty")
    report = bench.run(text, len(mixed))
    b, c = bench.read("b"), bench.read("c")
    assert sorted(b) == sorted(data)
    assert c == asks
    found = rings(report)
    assert found["lb > out.0 arp"]["sent"] == len(asks)
    shares = [found["lb > worker"]["sent"], found["lb > worker-2"]["sent"]]
    assert sum(shares) == len(data) and min(shares) > len(data) / 4
    # a subscriber's packets stay in order
    for tags in {p[12:20] for p in data}:
        assert [p for p in b if p[12:20] == tags] == [p for p in data if p[12:20] == tags]


def test_full_ring_is_counted(bench):
    """drop=yes: what a ring does not take is dropped and counted, and nothing else is missing."""
    sent = [packets.of_size(100)] * 2000
    bench.give(sent)
    text = (
        PORTS
        + """
[core 1s0]
name=first
task=0
mode=none
rx port=a
tx cores=2s0
ring size=32
[core 2s0]
name=last
task=0
mode=none
rx ring=yes
tx port=b
"""
    )
    report = bench.run(text, len(sent))
    [ring] = report["rings"]
    assert ring["sent"] + ring["dropped"] == len(sent)
    assert len(bench.read("b")) == ring["sent"]


def test_random_fields(bench):
    """Drawn within their bits, spread over them, with right checksums; the rest stays."""
    frame = raw(Ether(dst=packets.A, src=packets.B) / IP(dst="10.0.0.0") / UDP() / bytes(8))
    keys = f"""count=2000
pkt inline={frame.hex(" ")}
random=0000101XXXXXXXXXXXXX0000XXXXXXXX
rand_offset=30
random=1111000X
rand_offset=42"""
    made = core("maker", task("gen", "", "a", keys))
    bench.write_config(configuration({"a": "pcap:-,b.pcap"}, made))
    # on a busy machine it takes longer
    for duration in ("1s", "10s"):
        p = bench.execute("run", "--duration", duration)
        assert p.returncode == 0, p.stderr
        made = bench.read("b")
        if len(made) == 2000:
            break
    assert len(made) == 2000 and {len(m) for m in made} == {60}
    values = {int.from_bytes(m[30:34], "big") for m in made}
    assert all(v & 0xFE000F00 == 0x0A000000 for v in values) and len(values) > 1900
    seen = 0
    for v in values:
        seen |= v
    assert seen == 0x0BFFF0FF
    assert {m[42] for m in made} == {0xF0, 0xF1}
    for m in made[:200]:
        ip = Ether(m)[IP]
        want = ip.chksum, ip[UDP].chksum
        del ip.chksum, ip[UDP].chksum
        again = IP(raw(ip))
        assert (again.chksum, again[UDP].chksum) == want
        assert m[:24] == frame[:24] and m[26:30] == frame[26:30] and m[34:40] == frame[34:40]


def test_lua_is_read_below_the_file(drover, tmp_path):
    folder = tmp_path / "conf"
    folder.mkdir()
    text = """[lua]
routes = dofile("routes.lua")
label = "from lua"
[global]
name=$label
[port 0]
name=a
[core 1]
task=0
mode=routing
route table=routes
rx port=0
tx port=a
"""
    config = folder / "test.cfg"
    config.write_text(text.replace("rx port=0", "rx port=a"))

    def explain():
        p = execute(drover, "explain", config)
        return p.returncode, p.stdout, p.stderr

    code, _, err = explain()
    assert code == 1 and f"{config}:2: [lua]: dofile 'routes.lua': No such file" in err
    (folder / "routes.lua").symlink_to("../outside.lua")
    (tmp_path / "outside.lua").write_text("return {}")
    code, _, err = explain()
    assert code == 1 and "outside of the configuration's folder" in err
    (folder / "routes.lua").unlink()
    (folder / "routes.lua").write_text(
        """return {
  next_hops = {{id = 3, port_id = 0, ip = ip("192.0.2.1"), mac = mac("02:00:00:00:00:01")}},
  routes = {{cidr = cidr("10.0.0.0/8"), next_hop_id = 3}},
}"""
    )
    code, out, err = explain()
    assert code == 0, err
    assert "from lua" in out and "table routes: 1 route to 1 next hop" in out
    (folder / "routes.lua").write_text("while true do end")
    code, _, err = explain()
    assert code == 1 and "is there a loop without an end?" in err


@pytest.mark.limit(180)
@pytest.mark.parametrize(
    "script",
    [
        # many steps that each take a while
        pytest.param(
            's = "x" while #s < 2^26 do s = s .. s end for i = 1, 1e7 do s:lower() end',
            marks=pytest.mark.full,
        ),
        # the same, of one that catches errors
        pytest.param(
            "t = {} for i = 1, 2^22 do t[i] = i end "
            "for i = 1, 1e7 do pcall(table.insert, t, 1, 0) end",
            marks=pytest.mark.full,
        ),
        # one call that would take days: equal beginnings of 32 MiB, compared 20 million times
        's = "x" while #s < 2^25 do s = s .. s end a, b, t = s .. "a", s .. "b", {} '
        "for i = 1, 2^20 do t[i] = i % 2 == 0 and a or b end pcall(table.sort, t)",
        # and one step: a table whose keys all collide, once it grows
        "t = {} for i = 1, 2^22 + 1 do t[i * (2^23 - 1) // 1 | 0] = 1 end",
    ],
    ids=["steps", "caught", "call", "step"],
)
def test_lua_ends_by_time(drover, tmp_path, script):
    """Wherever it spends it."""
    config = tmp_path / "test.cfg"
    config.write_text(f"[lua]\n{script}\n")
    before = os.times()
    p = execute(drover, "explain", config, seconds=150)
    used = os.times().children_user - before.children_user
    assert p.returncode == 1 and p.stdout == ""
    assert p.stderr.startswith(f"drover: {config}:") and p.stderr.count("\n") == 1
    assert "more than 10 s of CPU time" in p.stderr
    # the kernel's timer goes by ticks, of which a busy machine loses some; without a limit it is days
    assert used < 40


def test_ports_by_number(drover, tmp_path):
    text = "[port 0]\nname=cpe0\n[core 1]\ntask=0\nmode=none\nrx port=cpe0\ntx port=cpe0\n"
    (tmp_path / "test.cfg").write_text(text)
    p = execute(drover, "explain", "--port", "0=ring:x", "test.cfg", cwd=tmp_path)
    assert p.returncode == 0 and "port 0  cpe0  ring:x" in p.stdout
    p = execute(drover, "explain", "--port", "1=null", "test.cfg", cwd=tmp_path)
    assert p.returncode == 1 and "no port of that name in the file" in p.stderr


@pytest.mark.parametrize("folder, name", [(f, n) for f, names in PUBLISHED.items() for n in names])
def test_published(drover, folder, name):
    """DPPD's published file, unmodified."""
    file = published() / folder / f"{name}.cfg"
    p = execute(drover, "explain", file)
    assert p.returncode == 0, p.stderr
    if name not in STARTED:
        return
    ports = file.read_text().count("[port ")
    given = [word for n in range(ports) for word in ("--port", f"{n}=null")]
    p = execute(drover, "check", "--no-huge", "--squeeze", *given, file, seconds=60)
    assert p.returncode == 0, p.stderr
    assert "all of it starts" in p.stdout


def test_published_says_what_is_missing(drover):
    """A mode or key of DPPD's that drover has not is an error that names it."""
    where = published() / "config"
    for name, words in {
        "nop-rings": "unknown key 'rx_ring' in [port]",
        "bng-qos-4ports": "unknown key 'classify' for mode qinqencapv4",
    }.items():
        p = execute(drover, "explain", where / f"{name}.cfg")
        assert p.returncode == 1 and words in p.stderr
