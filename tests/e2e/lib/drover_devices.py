# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Devices of drover and what is at their other ends: a kernel in a network of its own, or another drover."""

import subprocess
import sys
import time

import frames
import pcapfile
import pytest
from drover_config import configuration, core, task
from drover_run import Drover
from uml import MORTAL
from workload import SLOW, needs_pages, unique

COUNT = 900
A, B = bytes.fromhex("02000000000a"), bytes.fromhex("02000000000b")
MEMORY = [
    pytest.param("--no-huge", id="no-huge"),
    pytest.param(None, id="huge", marks=needs_pages(256)),
]


class Net:
    """A network of its own: pairs of interfaces, NAME for drover and NAMEx for its kernel."""

    def __init__(self, *pairs, mtu=1500):
        script = "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1;"
        for name in pairs:
            script += f"ip link add name {name} mtu {mtu} type veth peer name {name}x mtu {mtu};"
            script += f"ip link set dev {name} up; ip link set dev {name}x up;"
        self.holder = subprocess.Popen(
            [*MORTAL, "unshare", "--net", "sh", "-ec", f"{script} echo ready; exec sleep infinity"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = self.holder.stdout.readline()
        if said != "ready\n":
            self.end()
            pytest.skip(f"no network namespace with veth here: {said.strip()}")
        self.enter = ["nsenter", "-t", str(self.holder.pid), "-n"]

    def run(self, *args, check=True):
        p = subprocess.run(
            [*self.enter, *map(str, args)],
            capture_output=True,
            text=True,
            timeout=20 * SLOW,
            check=check,
        )
        return p.stdout

    def popen(self, *args, **kw):
        return subprocess.Popen([*MORTAL, *self.enter, *map(str, args)], **kw)

    def end(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


class Kernels:
    """Two of one's own, each with an address of both families on what is at the other end of v0 or v1."""

    SCRIPT = """ip netns add {n}; ip link set {dev} netns {n}; ip -n {n} addr add 10.9.0.{i}/24 dev {dev}
ip -n {n} addr add fd00::{i}/64 dev {dev} nodad; ip -n {n} link set {dev} up; ip -n {n} link set lo up"""

    def __init__(self, kind, directory):
        self.kind, self.directory = kind, directory
        self.names = [unique("dev"), unique("dev")]
        self.net = Net(*([] if kind == "tap" else ["v0", "v1"]))
        self.moved = False

    def device(self, i):
        return f"v{i}" if self.kind == "tap" else f"v{i}x"

    @staticmethod
    def address(i, family):
        return f"10.9.0.{i + 1}" if family == "4" else f"fd00::{i + 1}"

    def connect(self):
        """A tap is there when drover runs."""
        if self.moved:
            return
        self.moved = True
        for i, n in enumerate(self.names):
            script = self.SCRIPT.format(n=n, dev=self.device(i), i=i + 1)
            self.net.run("sh", "-ec", "sysctl -qw net.ipv6.conf.default.disable_ipv6=0; " + script)

    def each(self, command):
        self.connect()
        for i in (0, 1):
            self.run(i, "sh", "-ec", command.format(dev=self.device(i)))

    def run(self, i, *args):
        return self.net.run("ip", "netns", "exec", self.names[i], *args)

    def popen(self, i, *args, **kw):
        return self.net.popen("ip", "netns", "exec", self.names[i], *args, **kw)

    def counters(self, i):
        """As nstat has them."""
        found = {}
        for name in ("snmp", "netstat", "snmp6"):
            lines = [line.split() for line in self.run(i, "cat", f"/proc/net/{name}").splitlines()]
            if name == "snmp6":
                found |= {key: int(n) for key, n in lines}
                continue
            for keys, values in zip(lines[::2], lines[1::2]):
                found |= {keys[0] + k: int(v) for k, v in zip(keys[1:], values[1:])}
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for n in self.names:
            subprocess.run(["ip", "netns", "del", n], check=False, stderr=subprocess.DEVNULL)
        self.net.end()


def config(ports, *cores, mtu=1500, more="", keys=""):
    """ports: name to device; cores: each a list of tasks (from, to)."""
    made = (
        core(f"c{i}", *(task("none", rx, tx, keys) for rx, tx in tasks))
        for i, tasks in enumerate(cores)
    )
    ports = {name: (device, f"mtu={mtu}") for name, device in ports.items()}
    return configuration(ports, *made, mempool="4K", keys=[more])


class Ends:
    """The kernel at the other ends: what is sent into each, and what comes out of which."""

    def __init__(self, net, directory, paths, sizes, count=COUNT):
        self.net, self.directory = net, directory
        self.sent, self.takers = {}, {}
        sources = dict(zip(paths, (A, B)))
        for path in paths:
            self.sent[path] = frames.make(sources[path], sizes, count)
            pcapfile.write(directory / f"{path[0]}.in", self.sent[path])
        for path in paths:
            self.takers[path] = net.popen(
                sys.executable,
                "-B",
                frames.__file__,
                "take",
                path[1],
                directory / f"{path[1]}.out",
                sources[path].hex(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert self.takers[path].stdout.readline() == "ready\n"

    def send(self):
        senders = [
            self.net.popen(
                sys.executable,
                "-B",
                frames.__file__,
                "send",
                path[0],
                self.directory / f"{path[0]}.in",
            )
            for path in self.sent
        ]
        for s in senders:
            assert s.wait(30 * SLOW) == 0

    def taken(self):
        found = {}
        for path, p in self.takers.items():
            p.communicate(timeout=20 * SLOW)
            found[path] = pcapfile.read(self.directory / f"{path[1]}.out")
        return found


def counted(report, *errors):
    """Of all ports and tasks."""
    ports = {k: sum(p.get(k, 0) for p in report["ports"]) for k in errors}
    drops = sum(sum(t["drops"].values()) for t in report["tasks"])
    return ports, drops


def settle(net, d):
    """Until nothing moves any more. Who stands still for a while looks like that: when it is known what comes, ask
    passed() first."""
    before = None
    for _ in range(100):
        now = net.run("cat", "/proc/net/dev"), [(t["rx"], t["tx"], t["drops"]) for t in d.tasks()]
        if now == before:
            return
        before = now
        time.sleep(0.3)


def passed(d, net, ports):
    """Waits until these ports got and sent so many packets each. A drover that has not had the CPU has them in its
    rings, where nobody counts them; what does not come at all is lost, and the kernel may say where.
    """

    def lacks():
        for name, (received, sent) in ports.items():
            port = d.port(name)
            if port["ipackets"] < received or port["opackets"] < sent:
                return True
        return False

    deadline = time.monotonic() + 20 * SLOW
    while lacks():
        if time.monotonic() > deadline:
            print(*(d.port(name) for name in ports), d.tasks(), d.said(), sep="\n")
            for command in (
                ("ip", "-s", "-s", "-d", "link"),
                ("ss", "--xdp", "-e", "-m"),
                *(("ethtool", "-S", name) for name in ports),
            ):
                print(*command, net.run(*command, check=False), sep="\n")
            break
        time.sleep(0.05)
    settle(net, d)


def around(names):
    """From one to the other in both directions; what is alone gets its own back."""
    return [(names[0], names[-1]), (names[-1], names[0])][: len(names)]


def kernel_case(drover, directory, memory, kind, two, sizes, mtu=1500, setup=(), more=""):
    """What was sent, what came out and what drover says."""
    names = ["v0", "v1"] if two else ["v0"]
    tap = kind == "tap"
    with Net(*([] if tap else names), mtu=mtu) as net:
        for command in setup:
            net.run("sh", "-ec", command)
        outer = names if tap else [f"{n}x" for n in names]
        vdev = "vdev:net_af_xdp{n[1]},iface={n}" if kind == "vdev" else f"{kind}:{{n}}"
        ports = {n: vdev.format(n=n) for n in names}
        paths = [(outer[0], outer[-1])] + ([(outer[1], outer[0])] if two else [])
        with Drover(drover, directory, config(ports, around(names), mtu=mtu, more=more), memory=memory, net=net) as d:  # fmt: skip
            d.runs()
            for n in outer:
                net.run("ip", "link", "set", "dev", n, "mtu", mtu, "up")
            ends = Ends(net, directory, paths, sizes)
            ends.send()
            passed(d, net, dict.fromkeys(names, (COUNT, COUNT)))
            report = d.end() if not tap else None
            taken = ends.taken()
            report = report or d.end()
    return ends.sent, taken, report


def check_all(sent, taken, report):
    for path, want in sent.items():
        missing = [len(f) for f in want if f not in taken[path]]
        assert taken[path] == want, (
            path,
            len(want),
            len(taken[path]),
            missing[:20],
            report["ports"],
        )
    total = sum(map(len, sent.values()))
    assert sum(p["opackets"] for p in report["ports"]) == total
    assert sum(p["ipackets"] for p in report["ports"]) == total
    assert counted(report, "imissed", "ierrors", "oerrors", "rx_nombuf") == (
        dict.fromkeys(("imissed", "ierrors", "oerrors", "rx_nombuf"), 0),
        0,
    )


SLOT = ",bsize=9216"  # of a memif for jumbo frames
LINKS = {
    "memif": ("memif:server:{}", "memif:client:{}"),
    "memif-jumbo": (f"memif:server:{{}}{SLOT}", f"memif:client:{{}}{SLOT}"),
    "vhost": ("vhost:{}", "virtio:{}"),
    "virtio": ("virtio:{}", "vhost:{}"),
}


def link_case(drover, directory, memory, kind, two, sizes, mtu=1500, more=""):
    """One drover sends back, or from one link to the other, what another one reads from captures and writes
    to others; nothing is dropped that can wait. Each kind of end is once with either."""
    names = ["l0", "l1"] if two else ["l0"]
    own, other = ([f.format(directory / n) for n in names] for f in LINKS[kind])
    keys = "drop=no\n"
    near = config(dict(zip(names, own)), around(names), mtu=mtu, more=more, keys=keys)
    sent, ports = {}, {}
    for name, device, source in zip(names, other, (A, B)):
        sent[name] = frames.make(source, sizes, COUNT)
        pcapfile.write(directory / f"{name}.in", sent[name])
        ports |= {
            name: device, f"{name}in": f"pcap:{directory}/{name}.in", f"{name}out": f"pcap:-,{directory}/{name}.out"
        }  # fmt: skip
    reads, writes = [(f"{n}in", n) for n in names], [(n, f"{n}out") for n in names]
    far = config(ports, reads, writes, mtu=mtu, more=more, keys=keys)
    first, second = (far, near) if kind == "virtio" else (near, far)
    with Drover(drover, directory, first, memory=memory) as a:
        a.runs()  # who listens
        with Drover(drover, directory, second, memory=memory) as b:
            b.runs()
            writer = a if kind == "virtio" else b
            for n in names:
                arrived(writer, f"{n}out", COUNT)
            for d in (a, b) if kind == "virtio" else (b, a):
                d.end()
    taken = {n: pcapfile.read(directory / f"{n}.out") for n in names}
    back = dict(zip(names, reversed(names)))
    return sent, {n: taken[back[n]] for n in names}, [a.end(), b.end()]


def sends(device, keys="rate=20000"):
    return configuration({"l0": device}, core("g", task("gen", "", "l0", keys)))


def arrived(d, name, count):
    """Waits until so many packets were written by that port; whoever compares says which are missing."""
    deadline = time.monotonic() + 20 * SLOW
    while d.port(name)["opackets"] < count and time.monotonic() < deadline:
        time.sleep(0.05)
