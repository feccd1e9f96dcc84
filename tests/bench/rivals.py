# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""drover's BNG against PROX's and its routing against DPDK's l3fwd, over the same ports on one core.

Both are others' programs, found by the environment: PROX=, DPDK_L3FWD=.
"""

import os
import re
import signal
import string
from dataclasses import dataclass, field

import pcapfile
import plane
import traffic
from plane import Drover, Program, Side
from work import Failure

PAGES = 560  # of 2 MiB, for three programs with their buffers and tables
BUFFERS = 72  # K; net_pcap keeps every packet of its file in one
WINDOWS = 6  # of each side, in turns
BURST = 32  # packets, of which each is looked at
MAC = bytes.fromhex("020000000020")  # of l3fwd's next machine

BNG = string.Template(
    """
[port 0]
name=cpe0
mac=02:00:00:00:00:10
lsc=no
[port 1]
name=inet0
mac=02:00:00:00:00:10
lsc=no
[lua]
users, cpes = {}, {}
for i = 0, $users - 1 do
  s, c = i // $cvlans + 1, i % $cvlans + 1
  users[i + 1] = {gre_id = i, svlan_id = s, cvlan_id = c, user_id = i}
  cpes[i + 1] = {dest_id = 0, gre_id = i, svlan_id = s, cvlan_id = c, user_id = i,
    cidr = {ip = ip($cpes + i), depth = 32},
    mac = mac(string.format("02:01:00:00:%02x:%02x", i >> 8, i & 255))}
end
$lua_routes[defaults]
mempool size=${buffers}K
qinq tag=0x0081
[global]
name=bng
[core $main]
mode=master
[core $core]
name=worker
"""
)
UP = """task=0
mode=qinqdecapv4
rx port=cpe0
tx ports from routing table=inet0
route table=lpm4
user table=users
local ipv4=192.0.2.254
handle arp=yes
fast path handle arp=yes
drop=yes
"""
# PROX learns CPEs in the upstream task of the same core alone
DOWN = """mode=qinqencapv4
rx port=inet0
tx ports from cpe table=cpe0
user table=users
drop=yes
"""
# between two ports: routing, and nothing but the ports' own work
PLAIN = string.Template(
    """
[port 0]
name=p0
mac=02:00:00:00:00:10
[port 1]
name=p1
mac=02:00:00:00:00:10
[defaults]
mempool size=${buffers}K
[core 0]
mode=master
[core 1]
name=worker
task=0
rx port=p$source
$task
"""
)
BARE = "ports alone"


@dataclass(frozen=True, eq=False)
class Case:
    """What is compared. The port that packets leave by is the one that they do not come from."""

    name: str
    peer: str
    bound: float | None  # times the peer, at least; None: for comparison
    source: int  # the port that packets come from
    lookup: str = ""  # l3fwd's
    nets: list = ()

    def key(self):
        return re.sub(r"\W+", "-", self.name)

    def leaves(self):
        return 1 - self.source


CASES = (
    Case("upstream", "PROX", 1.5, 0, nets=traffic.BNG_NETS),
    Case("downstream", "PROX", 2.0, 1),
    # the bound is for the largest table that l3fwd can load
    Case("routing, 1024 routes", "l3fwd", None, 0, "lpm", traffic.prefixes(1024)),
    Case("routing, 65536 routes", "l3fwd", 1.0, 0, "fib", traffic.prefixes(65536)),
)
VARIABLE = {"PROX": "PROX", "l3fwd": "DPDK_L3FWD"}


def missing(peer):
    """Why there is nothing to compare with, or None."""
    name = VARIABLE[peer]
    path = os.environ.get(name)
    if not path:
        return f"{name}= does not say where {peer} is: give the path of the program built for this DPDK"
    return None if os.access(path, os.X_OK) else f"{name}={path} cannot be run"


def write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


# ---- the programs


class Prox(Program):
    def __init__(self, w, cpus, number, text, devices):
        eal = " ".join(f"--vdev {d}" for d in devices)
        file = f"{w.dir}/{number}-prox.cfg"
        write(
            file,
            f"[eal options]\n-n=4\nno-pci=yes\neal=--in-memory --file-prefix bench {eal}\n{text}",
        )
        self.thread = f"worker-{cpus[1]}"
        argv = [os.environ["PROX"], "-o", "none", "-l", f"{w.dir}/{number}-prox.log", "-f", file]
        super().__init__(w, "PROX", ",".join(map(str, cpus)), number, argv)

    def end(self):
        # asked to end it takes some 5 s; net_pcap has flushed what it wrote
        if self.telemetry is not None:
            self.telemetry.close()
        self.process.kill()
        self.work.stop(self.process)


class L3fwd(Program):
    def __init__(self, w, cpu, number, case, devices):
        # one lcore, as it wants an output queue for each, and net_pcap has one
        self.thread = os.path.basename(os.environ["DPDK_L3FWD"])[:15]
        argv = [os.environ["DPDK_L3FWD"], "--lcores", f"0@{cpu}", "--no-pci"]
        argv += ["--in-memory", "--file-prefix", "bench"]
        for d in devices:
            argv += ["--vdev", d]
        argv += ["--", "-p", "3", "--config=(0,0,0)", f"--lookup={case.lookup}", "--parse-ptype"]
        argv += [f"--rule_ipv4={w.dir}/{case.key()}.rules", f"--rule_ipv6={w.dir}/six.rules"]
        argv += [f"--rx-queue-size={BUFFERS * 512}", f"--eth-dest=1,{MAC.hex(':')}"]
        super().__init__(w, "l3fwd", cpu, number, argv)

    def leave(self):
        self.process.send_signal(signal.SIGINT)


def pcap(number, **keys):
    return ",".join([f"net_pcap{number}", *(f"{k}={v}" for k, v in keys.items())])


def devices(w, case, out=None):
    """Of ports 0 and 1. Without out packets come over and over and vanish as they leave; with it a few
    come once, and are written there."""
    few = "few-" if out else ""
    keys = {} if out else {"infinite_rx": 1}
    source = pcap(case.source, rx_pcap=f"{w.dir}/{few}{case.key()}.pcap", **keys)
    keys = {"rx_pcap": f"{w.dir}/{few}arp.pcap"} if case.name == "downstream" else {}
    if out:
        keys["tx_pcap"] = out
    sink = pcap(case.leaves(), **keys) if keys else f"net_null{case.leaves()}"
    return [sink, source] if case.source else [source, sink]


def bng_text(case, who, cpus):
    head = BNG.substitute(
        users=traffic.USERS,
        cvlans=traffic.CVLANS,
        cpes=traffic.CPES,
        lua_routes=traffic.lua_routes(
            len(traffic.BNG_NETS),
            traffic.BNG_NETS[0] << 8,
            traffic.BNG_NETS[1] - traffic.BNG_NETS[0] << 8,
        ),
        buffers=BUFFERS,
        main=cpus[0],
        core=cpus[1],
    )
    if case.name == "upstream":
        return head + UP
    if who == "drover":
        return f"{head}task=0\n{DOWN}cpe table=cpes\n"
    return f"{head}{UP}task=1\n{DOWN}"


def start(w, who, case, cpus, name, out=None):
    ports = devices(w, case, out)
    if who == "PROX":
        return Prox(w, cpus, name, bng_text(case, who, cpus), ports)
    if who == "l3fwd":
        return L3fwd(w, cpus[1], name, case, ports)
    names, sink = ("p0", "p1"), f"p{case.leaves()}"
    if who == BARE:
        task = f"mode=none\ntx port={sink}"
    else:
        task = f"mode=routing\ntx ports from routing table={sink}\nroute table=./{case.key()}.csv"
    text = PLAIN.substitute(buffers=BUFFERS, source=case.source, task=task)
    if who == "drover" and case.peer == "PROX":
        names, text = ("cpe0", "inet0"), bng_text(case, who, cpus)
    file = f"{w.dir}/{name}-drover.cfg"
    write(file, text)
    return Drover(w, who, cpus[1], name, file, {n: f"vdev:{d}" for n, d in zip(names, ports)})


def when_sent(program, port, count=1):
    program.wait(lambda p: p.telemetry.ask(f"/ethdev/stats,{port}")["opackets"] >= count)


def side(w, who, case, cpus, name, started):
    program = start(w, who, case, cpus, name)
    started.append(program)
    when_sent(program, case.leaves())
    if who == "PROX" and case.name == "downstream":  # all CPEs are known
        arp = f"/ethdev/stats,{case.leaves()}"
        program.wait(lambda p: p.telemetry.ask(arp)["ipackets"] >= traffic.USERS)
    return Side([program], cpus[1:], lambda: program.sent(case.leaves()))


# ---- packets, in and out


def prepare(w, case):
    """Writes what comes in, and the routes; returns what the few packets are."""
    users = traffic.shuffled(traffic.USERS)
    if case.name == "downstream":
        flows, make = [(user,) for user in users], traffic.downstream
        for few, who in (("", range(traffic.USERS)), ("few-", users[:BURST])):
            pcapfile.write(f"{w.dir}/{few}arp.pcap", map(traffic.arp, who))
    else:
        pick = traffic.Network(case.nets).pick
        flows = [(user, *pick()) for user in users]
        upstream = case.name == "upstream"

        def make(user, to, _hop):
            return traffic.upstream(user, to) if upstream else traffic.routed(to)

    packets = [make(*f) for f in flows]
    pcapfile.write(f"{w.dir}/{case.key()}.pcap", packets)
    pcapfile.write(f"{w.dir}/few-{case.key()}.pcap", packets[:BURST])
    if case.lookup:
        write_routes(w, case)
    return flows[:BURST]


def write_routes(w, case):
    """The same for both; l3fwd knows a next hop for each port only, drover gets more."""
    nets = [(traffic.dotted(n << 8), i) for i, n in enumerate(case.nets)]
    write(f"{w.dir}/{case.key()}.rules", "".join(f"R{net}/24 1\n" for net, _ in nets))
    write(f"{w.dir}/six.rules", "R2001:db8::/32 1\n")
    routes = "".join(f"route,{net}/24,{i % traffic.HOPS}\n" for net, i in nets)
    write(f"{w.dir}/{case.key()}.csv", traffic.hop_lines() + routes)


@dataclass
class Found:
    mhz: float = 0  # of the TSC
    notes: dict = field(default_factory=dict)  # what of its work a program does not do
    turns: list = field(default_factory=list)  # trials of (drover, the peer, the ports alone)


def check(w, who, case, cpus, few, ret):
    """A few packets go through: each must come out, and be the right one."""
    out = f"{w.dir}/{case.key()}-{who}.out"
    program = start(w, who, case, cpus, f"few-{case.key()}-{who[0]}", out)
    try:
        when_sent(program, case.leaves(), len(few))
        if who == "drover":
            ret.mhz = program.ask("/drover/info")["tsc_hz"] / 1e6
        plane.end(program)
    finally:
        plane.drop(program)
    packets = pcapfile.read(out)
    notes = {}
    if len(packets) != len(few):
        raise Failure(
            f"{who}, {case.name}: {len(packets)} packets came out of {len(few)}", program.log
        )
    for packet, flow in zip(packets, few):
        if case.name == "downstream":
            right, found = traffic.check_downstream(packet, *flow)
        elif case.name == "upstream":
            right, found = traffic.check_upstream(packet, *flow)
        else:
            mac = traffic.hop_mac(flow[2]) if who == "drover" else MAC
            right, found = traffic.check_routed(packet, flow[1], mac)
        if not right:
            raise Failure(f"{who}, {case.name}: a wrong packet came out: {packet.hex()}")
        notes |= dict.fromkeys(found)
    ret.notes[who] = list(notes)


def compare(w, case, cpus, repeats, seconds, say):
    say(f"{case.name}: what drover and {case.peer} send")
    few, found = prepare(w, case), Found()
    for who in ("drover", case.peer):
        check(w, who, case, cpus, few, found)
    for i in range(repeats):
        say(f"{case.name}, drover and {case.peer}, {i + 1} of {repeats}")
        sides = ("drover", case.peer, BARE)
        found.turns += plane.session(w, side, case, cpus, w.number(), seconds, sides, WINDOWS)
    return found
