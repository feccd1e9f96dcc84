# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What goes into a device of drover comes out of it, or is counted: every kind of device, both
directions, alone and two at once, with and without hugepages, short and long frames, tagged and not,
against what the other side saw."""

import json
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

import frames
import pcapfile
import pytest
from drover_run import Control
from uml import MORTAL
from workload import SLOW, needs_pages, needs_root, unique, wait

pytestmark = [pytest.mark.anywhere, needs_root]
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

    def run(self, *args):
        p = subprocess.run(
            [*self.enter, *map(str, args)],
            capture_output=True,
            text=True,
            timeout=20 * SLOW,
            check=True,
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


class Drover:
    """A running drover; end() gives its report."""

    def __init__(self, drover, directory, text, memory, net=None, args=()):
        self.prefix = unique("devices")
        self.log = directory / f"{self.prefix}.log"
        (directory / f"{self.prefix}.cfg").write_text(text)
        args = [
            drover,
            "run",
            "--squeeze",
            "--json",
            "--file-prefix",
            self.prefix,
            *args,
            directory / f"{self.prefix}.cfg",
        ]
        if memory:
            args.insert(2, memory)
        with open(self.log, "w", encoding="utf-8") as log:
            start = (
                net.popen if net else lambda *a, **k: subprocess.Popen([*MORTAL, *map(str, a)], **k)
            )
            self.process = start(*args, stdout=subprocess.PIPE, stderr=log, text=True)
        self.report = None

    def said(self):
        return self.log.read_text(encoding="utf-8")

    def runs(self):
        def running():
            assert self.process.poll() is None, self.said()
            return "traffic runs" in self.said()

        wait(running, 30, "the start of drover")
        return self

    def end(self):
        if self.report is None:
            self.process.terminate()
            try:
                out, _ = self.process.communicate(timeout=20 * SLOW)
            finally:
                self.process.kill()
                shutil.rmtree(f"/var/run/dpdk/{self.prefix}", ignore_errors=True)
            self.report = json.loads(out) if out else {}
        return self.report

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def config(ports, *cores, mtu=1500, more="", keys=""):
    """ports: name to device; cores: each a list of tasks (from, to)."""
    text = f"[global]\nname=devices\n{more}\n[defaults]\nmempool size=4K\n[core 0]\nmode=master\n"
    for i, (name, device) in enumerate(ports.items()):
        text += f"[port {i}]\nname={name}\ndevice={device}\nmtu={mtu}\n"
    for i, tasks in enumerate(cores):
        text += f"[core {i + 1}]\nname=c{i}\n"
        for k, (rx, tx) in enumerate(tasks):
            text += f"task={k}\nmode=none\nrx port={rx}\ntx port={tx}\n{keys}"
    return text


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


def settle(net):
    """Until nothing moves any more."""
    before = None
    for _ in range(100):
        now = net.run("cat", "/proc/net/dev")
        if now == before:
            return
        before = now
        time.sleep(0.3)


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
        ports = {n: f"{kind}:{n}" for n in names}
        paths = [(outer[0], outer[-1])] + ([(outer[1], outer[0])] if two else [])
        with Drover(drover, directory, config(ports, around(names), mtu=mtu, more=more), memory, net) as d:  # fmt: skip
            d.runs()
            for n in outer:
                net.run("ip", "link", "set", "dev", n, "mtu", mtu, "up")
            ends = Ends(net, directory, paths, sizes)
            ends.send()
            settle(net)
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


LINKS = {
    "memif": ("memif:server:{}", "memif:client:{}"),
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
    with Drover(drover, directory, first, memory) as a:
        a.runs()  # who listens
        with Drover(drover, directory, second, memory) as b:
            b.runs()
            out = [directory / f"{n}.out" for n in names]
            size = None
            while size != (size := [p.stat().st_size for p in out]) or min(size) <= 24:
                time.sleep(0.5)
            for d in (a, b) if kind == "virtio" else (b, a):
                d.end()
    taken = {n: pcapfile.read(directory / f"{n}.out") for n in names}
    back = dict(zip(names, reversed(names)))
    return sent, {n: taken[back[n]] for n in names}, [a.end(), b.end()]


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


def sends(device, more="rate=20000\n"):
    return f"[port 0]\nname=l0\ndevice={device}\n[core 0]\nmode=master\n[core 1]\nname=g\ntask=0\nmode=gen\ntx port=l0\n{more}"


def port_of(d, name="l0"):
    answer = Control(f"/var/run/dpdk/{d.prefix}/drover.sock").ask(f"ports port={name}")
    return answer["ports"][name]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_memif_server_comes_back(drover, tmp_path, how):
    """While a client sends, three times; nothing that was counted is forgotten."""
    server = config({"l0": f"memif:server:{tmp_path}/s"}, [("l0", "l0")])
    ended = Drover(drover, tmp_path, server, "--no-huge").runs()
    with Drover(drover, tmp_path, sends(f"memif:client:{tmp_path}/s"), "--no-huge") as client:
        client.runs()
        before = 0
        for _ in range(3):
            wait(lambda: port_of(client)["opackets"] > before + 1000, 10, "packets")
            ended.process.send_signal(how)
            ended.process.communicate()
            wait(lambda: port_of(client)["link"] == "down", 5, "the end of the link")
            assert port_of(client)["opackets"] >= before + 1000
            before = port_of(client)["opackets"]
            ended = Drover(drover, tmp_path, server, "--no-huge").runs()
            wait(lambda: port_of(client)["link"] == "up", 5, "the link")
        wait(lambda: port_of(client)["opackets"] > before + 1000, 10, "packets")
        ended.end()


def test_memif_client_is_sent_away(drover, tmp_path):
    """By a server that listens but has no port yet, as every server does while it starts."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as busy:
        busy.bind(f"{tmp_path}/s")
        busy.listen()
        with Drover(drover, tmp_path, sends(f"memif:client:{tmp_path}/s"), "--no-huge") as client:
            busy.settimeout(20)
            busy.accept()[0].close()
            time.sleep(0.5)
            assert client.process.poll() is None and "traffic runs" not in client.said()
            busy.close()
            (tmp_path / "s").unlink()
            server = config({"l0": f"memif:server:{tmp_path}/s"}, [("l0", "l0")])
            with Drover(drover, tmp_path, server, "--no-huge") as d:
                d.runs()
                client.runs()  # it waits a minute for its link


@pytest.mark.parametrize("kind", ["vhost:{}", "memif:server:{}"])
def test_socket_of_who_was_killed(drover, tmp_path, kind):
    text = config({"l0": kind.format(tmp_path / "s")}, [("l0", "l0")])
    for _ in range(2):
        d = Drover(drover, tmp_path, text, "--no-huge").runs()
        d.process.kill()
        d.process.communicate()
        shutil.rmtree(f"/var/run/dpdk/{d.prefix}", ignore_errors=True)
        assert (tmp_path / "s").is_socket()


def test_virtio_reports_without_its_vhost(drover, tmp_path):
    with Drover(
        drover, tmp_path, config({"l0": f"vhost:{tmp_path}/s"}, [("l0", "l0")]), "--no-huge"
    ) as a:
        a.runs()
        with Drover(
            drover, tmp_path, config({"l0": f"virtio:{tmp_path}/s"}, [("l0", "l0")]), "--no-huge"
        ) as b:
            b.runs()
            a.end()
            wait(lambda: port_of(b)["link"] == "down", 5, "the end of the link")
            assert b.end()["ports"] and b.process.returncode == 0


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


def test_af_packet_finishes_checksums(drover, tmp_path):
    """Of a local kernel, which leaves them to the interface; and what it leaves that to cut up as well is
    counted, until it is told not to."""
    script = (
        "ip netns add {n}; ip link set {d} netns {n}; ip -n {n} addr add 10.9.0.{i}/24 dev {d};"
        "ip -n {n} link set {d} up; ip -n {n} link set lo up"
    )
    serve = "import socket,sys; s=socket.create_server(('10.9.0.2',5000)); print('ready',flush=True); c,_=s.accept(); n=0\nwhile d:=c.recv(65536): n+=len(d)\nprint(n)"
    call = "import socket; c=socket.create_connection(('10.9.0.2',5000),timeout=10); c.settimeout(20); c.sendall(b'z'*2000000); c.close()"
    names = [unique("dev"), unique("dev")]
    with Net("v0", "v1") as net:
        try:
            for i, n in enumerate(names):
                net.run("sh", "-ec", script.format(n=n, d=f"v{i}x", i=i + 1))
                off = "ip netns exec {} ip link set dev {} gso_max_segs 1".format(n, f"v{i}x")
                net.run("sh", "-ec", off)
            text = config({n: f"af_packet:{n}" for n in ("v0", "v1")}, around(["v0", "v1"]))
            with Drover(drover, tmp_path, text, "--no-huge", net) as d:
                d.runs()
                within = ["ip", "netns", "exec"]
                server = net.popen(
                    *within,
                    names[1],
                    sys.executable,
                    "-c",
                    serve,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                assert server.stdout.readline() == "ready\n"
                net.run(*within, names[0], sys.executable, "-c", call)
                assert server.communicate(timeout=20 * SLOW)[0] == "2000000\n"
        finally:
            for n in names:
                subprocess.run(["ip", "netns", "del", n], check=False)


@pytest.mark.parametrize("kind", ["af_packet", "af_xdp"])
def test_link_of_an_interface(drover, tmp_path, kind):
    """Down with its peer, down when it is gone, and not that of another one with its name."""
    with Net("v0") as net:
        with Drover(
            drover, tmp_path, config({"v0": f"{kind}:v0"}, [("v0", "v0")]), "--no-huge", net
        ) as d:
            d.runs()

            def link(state):
                wait(lambda: port_of(d, "v0")["link"] == state, 5, f"the link {state}")

            link("up")
            net.run("ip", "link", "set", "dev", "v0x", "down")
            link("down")
            net.run("ip", "link", "set", "dev", "v0x", "up")
            link("up")
            net.run("ip", "link", "del", "dev", "v0x")
            link("down")
            net.run(
                "sh",
                "-ec",
                "ip link add name v0 type veth peer name v0x; ip link set dev v0 up; ip link set dev v0x up",
            )
            time.sleep(0.5)
            link("down")
