# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""drover's none and l2fwd: packets that scapy built, judged byte by byte; beside a container and in
one; how drover starts, what it refuses, how it ends."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import drover_packets as packets
import pytest
from conftest import TOP, program
from test_drover_stats import Telemetry

from workload import CPU, OTHER, ids, needs_pages, needs_root, needs_two
from workload import processes_of, unique, wait

pytestmark = [pytest.mark.anywhere]
RUNTIME = "/var/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "/tmp")
CONFIGS = Path(TOP, "data/drover")
IMAGE_LIMIT = 40 << 20  # bytes
KINDS = list(packets.kinds().values())
# one segment each in a buffer of 9216 bytes; of several in one of the default size
ONE_SEGMENT = {"mbuf": 9216, "mtu": 9000, "mempool": "2K"}
SEGMENTS = {"mtu": 9000, "mempool": "4K"}


@pytest.fixture(scope="module")
def drover():
    return program("DROVER", "build/drover/drover")


def config(mode="none", keys="", device="null", mtu=1500, mbuf=2048, mempool="2K", more=""):
    """One port, one core, one task."""
    return f"""[port 0]
name=if0
device={device}
mtu={mtu}
[global]
name=test
mbuf size={mbuf}
[defaults]
mempool size={mempool}
{more}
[core 0]
mode=master
[core 1]
name=forward
task=0
mode={mode}
rx port=if0
tx port=if0
{keys}
"""


def execute(drover, *args, seconds=30, prefix=(), **kw):
    """Runs it to its end, which leaves no directory of EAL's behind."""
    p = subprocess.Popen(
        [*prefix, drover, *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, **kw,
    )  # fmt: skip
    try:
        out, err = p.communicate(timeout=seconds)
    finally:
        if p.poll() is None:
            p.kill()
            p.wait()
    assert not os.path.exists(f"{RUNTIME}/dpdk/drover-{p.pid}")
    return subprocess.CompletedProcess(p.args, p.returncode, out, err)


def received(report):
    return sum(port["ipackets"] for port in report["ports"])


def forward(run, expected):
    """The report of a run in which so many packets came in: on a busy machine it takes longer."""
    for duration in ("250ms", "1s", "4s", "10s"):
        p = run("--duration", duration, "--json")
        assert p.returncode == 0, p.stderr
        report = json.loads(p.stdout)
        if received(report) >= expected:
            break
    assert received(report) == expected
    return report


class Bench:
    """A directory with a configuration, the packets in and the packets out."""

    def __init__(self, drover, directory):
        self.drover = drover
        self.directory = directory
        directory.mkdir(exist_ok=True)
        directory.chmod(0o777)  # in a container the writer is nobody
        self.out = directory / "out.pcap"

    def write(self, sent, where=None, **kw):
        packets.write(self.directory / "in.pcap", sent)
        # beside a container it runs in that directory
        at = f"{where}/" if where else ""
        text = config(device=f"pcap:{at}in.pcap,{at}out.pcap", **kw)
        (self.directory / "test.cfg").write_text(text)

    def execute(self, command, *args):
        return execute(
            self.drover, command, "--no-huge", *args, "test.cfg", cwd=self.directory
        )

    def __call__(self, sent, *options, **kw):
        """What came out, and the report."""
        self.write(sent, **kw)

        def run(*args):
            return self.execute("run", *options, *args)

        report = forward(run, len(sent))
        return packets.read(self.out), report


@pytest.fixture
def bench(drover, tmp_path):
    return Bench(drover, tmp_path / "bench")


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


@pytest.mark.skipif(shutil.which("tshark") is None, reason="package tshark is not installed")
def test_tshark_sees_the_same(bench):
    """Another judge than our own reader: all fields but the addresses are the same."""
    fields = ["frame.len", "frame.protocols", "vlan.id", "ip.checksum", "ip.src", "ipv6.dst",
              "udp.length", "eth.src", "eth.dst"]  # fmt: skip

    def dissect(path):
        command = ["tshark", "-n", "-r", path, "-T", "fields"]
        for field in fields:
            command += ["-e", field]
        p = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
        assert p.returncode == 0, p.stderr
        return [line.split("\t") for line in p.stdout.splitlines()]

    sent = [p for name, p in packets.kinds().items() if not re.match("all|random|source", name)]
    keys = "dst mac=02:11:22:33:44:55\nsrc mac=02:66:77:88:99:aa"
    bench(sent, mode="l2fwd", keys=keys)
    before, after = dissect(bench.directory / "in.pcap"), dissect(bench.out)
    assert [row[:-2] for row in after] == [row[:-2] for row in before] and len(after) == len(sent)
    assert {tuple(row[-2:]) for row in after} == {("02:66:77:88:99:aa", "02:11:22:33:44:55")}


def test_both_ways_on_one_core(drover, tmp_path):
    left, right = packets.every_size(14, 800), packets.every_size(60, 1500, 2)
    packets.write(tmp_path / "l.pcap", left)
    packets.write(tmp_path / "r.pcap", right)
    options = [f"--port={name}=pcap:{name[0]}.pcap,{name[0]}-out.pcap"
               for name in ("left", "right")] + [CONFIGS / "both-ways.cfg"]  # fmt: skip

    def run(*args):
        return execute(drover, "run", "--no-huge", *args, *options, cwd=tmp_path)

    report = forward(run, len(left) + len(right))
    own = {p["name"]: p["mac"] for p in report["ports"]}
    assert own["left"] != own["right"]
    assert packets.read(tmp_path / "r-out.pcap") == packets.rewritten(left, own["right"])
    assert packets.read(tmp_path / "l-out.pcap") == packets.rewritten(right, own["left"])
    assert [(t["rx"], t["tx"]) for t in report["tasks"]] == [(n, n) for n in map(len, (left, right))]
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


CHAIN = """[port 0]
name=in
device=pcap:in.pcap
[port 1]
name=a0
device=ring:a
[port 2]
name=a1
device=ring:a
[port 3]
name=b0
device=ring:b
[port 4]
name=b1
device=ring:b
[port 5]
name=out
device=pcap:-,out.pcap
[core 0]
mode=master
[core 1]
task=0
mode=none
rx port=in
tx port=a0
drop=no
[core 2]
task=0
mode=l2fwd
rx port=a1
tx port=b0
dst mac=packet
src mac=packet
drop=no
[core 3]
task=0
mode=none
rx port=b1
tx port=out
drop=no
"""


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
FULL = "[port 1]\nname=full\ndevice=ring:full\n"  # nobody reads it


def full_config(keys, **kw):
    return config(more=FULL, keys=keys, **kw).replace("tx port=if0", "tx port=full")


def test_a_full_output(drover, tmp_path):
    sent = packets.every_size(60, 60) * 9000
    packets.write(tmp_path / "in.pcap", sent)
    text = full_config("drop=yes", device="pcap:in.pcap", mempool="16K")
    (tmp_path / "full.cfg").write_text(text)

    def run(*args):
        return execute(drover, "run", "--no-huge", *args, "full.cfg", cwd=tmp_path)

    (task,) = forward(run, len(sent))["tasks"]
    assert (task["rx"], task["tx"]) == (len(sent), RING)
    assert task["drops"] == {"tx full": len(sent) - RING}


def test_a_full_output_that_is_waited_for(drover, tmp_path):
    """With drop=no nothing is dropped while it runs, and it still ends when it is asked to."""
    packets.write(tmp_path / "in.pcap", packets.every_size(60, 60) * 9000)
    text = full_config("drop=no", device="pcap:in.pcap", mempool="16K")
    (tmp_path / "full.cfg").write_text(text)
    p = subprocess.Popen(
        [drover, "run", "--no-huge", "full.cfg"], cwd=tmp_path, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert "traffic runs" in p.stderr.readline()
        t = Telemetry(f"{RUNTIME}/dpdk/drover-{p.pid}/dpdk_telemetry.v2")
        wait(lambda: t.ask("/drover/ports,full")["ports"]["full"]["opackets"] == RING)
        time.sleep(0.2)
        task = t.ask("/drover/stats,forward")
        # the burst under way is counted when all of it is sent
        assert RING < task["rx"] <= RING + 32 and RING - 32 <= task["tx"] <= RING
        assert set(task["drops"].values()) == {0}
        p.send_signal(signal.SIGTERM)
        assert p.wait(2) == 0
    finally:
        p.kill()
        p.wait()


# ---- the start, what is refused, the end


def refused(p, like, status=1, eal=False):
    """One line; after those of EAL where EAL was started."""
    assert p.returncode == status, p.stderr
    assert p.stdout == ""
    lines = p.stderr.splitlines()
    assert (eal or len(lines) == 1) and lines[-1].startswith("drover: "), p.stderr
    assert re.search(like, lines[-1]), f"{lines[-1]!r} is not like {like!r}"


@pytest.mark.parametrize(
    "old, new, like",
    [
        ("mode=none", "mode=nome", r"t\.cfg:15: .*did you mean 'none'"),
        ("rx port=if0", "rx port=if1", r"t\.cfg:16: .*if1"),
        ("rx port=", "rxport=", r"t\.cfg:16: .*did you mean .*rx port"),
        ("rx port=if0\n", "", r"t\.cfg:\d+: .*rx port"),
        ("[core 1]", "[core x]", r"t\.cfg:12: "),
        ("[core 1]", "[cord 1]", r"t\.cfg:12: .*core"),
        ("mtu=1500", "mtu=1", r"t\.cfg:4: .*mtu"),
        ("mbuf size=2048", "mbuf size=0", r"t\.cfg:7: .*mbuf size"),
        ("device=null", "device=nul", r"t\.cfg:\d: .*did you mean 'null"),
        ("device=null", "device=pcap:", r"t\.cfg:\d: .*pcap:RX"),
        ("mode=none", "mode=l2fwd\ndst mac=02:00", r"t\.cfg:16: .*dst mac"),
        ("mode=none", "mode=none\ndst mac=hw", r"t\.cfg:16: "),
        ("mode=none", "mode=none\ndrop=maybe", r"t\.cfg:16: .*drop"),
    ],
)
@pytest.mark.parametrize("command", ["run", "check"])
def test_a_wrong_file(drover, tmp_path, command, old, new, like):
    text = config()
    assert old in text
    text = re.sub(r"\n\n+", "\n", text).replace(old, new, 1)
    (tmp_path / "t.cfg").write_text(text)
    refused(execute(drover, command, "--no-huge", "t.cfg", cwd=tmp_path), like)


@pytest.mark.parametrize(
    "option",
    ["-l=0-3", "-c=3", "-m=64", "-a=00:01.0", "--vdev=net_null0", "--lcores=0", "--lcor=0",
     "--file-prefix=x", "--huge-dir=/x", "--no-pci=", "--proc-type=secondary", "--in-memory="],
)  # fmt: skip
def test_options_that_the_grant_decides(drover, tmp_path, option):
    (tmp_path / "t.cfg").write_text(f"[eal options]\n{option}\n" + config())
    refused(execute(drover, "check", "--no-huge", tmp_path / "t.cfg"), r"t\.cfg:2: .*grant")


@pytest.mark.parametrize("option", ["--trace=.*", "--trace-d=/x", "-d=/x.so", "--syslog=x", "--log=8"])
def test_options_that_are_not_passed_on(drover, tmp_path, option):
    """They write files, or load code; and EAL would take any beginning of a long one."""
    (tmp_path / "t.cfg").write_text(f"[eal options]\n{option}\n" + config())
    refused(execute(drover, "check", "--no-huge", tmp_path / "t.cfg"), r"t\.cfg:2: .*(passed on|grant)")


@pytest.mark.parametrize(
    "args, like, status",
    [
        (["run"], "configuration file", 2),
        (["run", "a", "b"], "configuration file", 2),
        (["rum", "a"], "did you mean run", 2),
        ([], "no command", 2),
        (["run", "--squeez3", "a"], "did you mean --squeeze", 2),
        (["run", "--duration"], "wants a value", 2),
        (["run", "--duration", "soon", "a"], "--duration", 2),
        (["run", "-D", "x", "a"], "NAME=VALUE", 2),
        (["run", "--port", "=x", "a"], "NAME=VALUE", 2),
        (["run", "/nonexistent.cfg"], "/nonexistent.cfg.*No such file", 1),
        (["run", "/"], "'/'", 1),
        (["run", "--port", "ax=null", CONFIGS / "none.cfg"], "no port of that name", 1),
        (["run", CONFIGS / "none.cfg"], r"none\.cfg:\d+: .*device", 1),
    ],
)
def test_wrong_options(drover, args, like, status):
    refused(execute(drover, *args), like, status)


@pytest.mark.parametrize(
    "device, like",
    [
        ("pcap:nothing.pcap", r"'nothing\.pcap': No such file"),
        ("pcap:t.cfg", r"'t\.cfg': unknown file format.*capture"),
        ("pcap:-,no/out.pcap", r"'no/out\.pcap' in folder 'no': No such file"),
        ("pcap:-,/tmp", "'/tmp' is a folder"),
        ("memif:server:/no/socket", "folder '/no': No such file"),
        ("memif:client:nobodys", "no link 'nobodys'.*--link memif:nobodys"),
        ("vhost:/no/socket", "folder '/no': No such file"),
        ("virtio:/no/socket", "socket '/no/socket': No such file"),
        ("af_packet:nobodys,qpairs=1", "no network interface 'nobodys'"),
        ("af_xdp:nobodys", "no network interface 'nobodys'"),
        ("tap:longer-than-fifteen", "'tap:longer-than-fifteen': .*15 characters"),
        ("null:copies", "'null:copies': write null or null:copy"),
        ("vdev:", "'vdev:': write vdev:ARGS"),
        ("vdev:net_failsafe0,exec(touch pwned)", "net_failsafe runs commands"),
        ("vdev:vdev:eth_failsafe1,dev(net_null0)", "net_failsafe runs commands"),
        ("vdev:net_softnic0,firmware=t.cfg", "net_softnic runs commands"),
    ],
)
def test_a_device_that_cannot_be(drover, tmp_path, device, like):
    (tmp_path / "t.cfg").write_text(config(device=device))
    refused(execute(drover, "run", "--no-huge", "t.cfg", cwd=tmp_path), rf"t\.cfg:1: .*{like}")
    assert os.listdir(tmp_path) == ["t.cfg"]


def test_a_device_that_only_its_driver_knows(drover, tmp_path):
    """The last line names the port; what the driver says is before it."""
    (tmp_path / "t.cfg").write_text(config(device="vdev:net_pcap0"))
    p = execute(drover, "run", "--no-huge", "t.cfg", cwd=tmp_path)
    refused(p, r"t\.cfg:1: port 'if0'.*vdev:net_pcap0.*above", eal=True)


def test_check_is_everything_but_traffic(bench):
    bench.write(KINDS)
    p = bench.execute("check")
    assert p.returncode == 0 and "1 tasks on 1 cores, 1 ports" in p.stdout
    assert packets.read(bench.out) == []


def test_an_address_that_a_port_cannot_take_is_said(bench):
    bench.write(KINDS)
    path = bench.directory / "test.cfg"
    path.write_text(path.read_text().replace("name=if0", "name=if0\nmac=02:00:00:00:00:07", 1))
    p = bench.execute("check")
    assert p.returncode == 0 and "warning: port 'if0'" in p.stderr and "mac=" in p.stderr


def test_memif_has_the_address_of_its_port(drover, tmp_path):
    text = config(device="memif:server:$dir/s").replace("mtu=1500", "mac=02:00:00:00:00:07")
    (tmp_path / "t.cfg").write_text("[variables]\n$dir=/\n" + text)
    # the path of a socket is short
    with tempfile.TemporaryDirectory() as d:
        args = ["--json", "--duration=50ms", "-D", f"dir={d}", tmp_path / "t.cfg"]
        p = execute(drover, "run", "--no-huge", *args)
    assert p.returncode == 0 and "warning" not in p.stderr
    assert json.loads(p.stdout)["ports"][0]["mac"].lower() == "02:00:00:00:00:07"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("state", ["traffic", "before", "full"])
def test_a_signal_ends_it(drover, tmp_path, number, state):
    text = full_config("drop=no") if state == "full" else config()
    if state == "before":
        text = text.replace("name=test", "name=test\nstart time=100s")
    (tmp_path / "t.cfg").write_text(text)
    with open(tmp_path / "report", "w", encoding="utf-8") as report:
        p = subprocess.Popen(
            [drover, "run", "--no-huge", "--json", "t.cfg"], cwd=tmp_path, stdout=report,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            if state == "before":
                where = f"{RUNTIME}/dpdk/drover-{p.pid}/dpdk_telemetry.v2"
                wait(lambda: os.path.exists(where), what="EAL's start")
                time.sleep(0.3)
            else:
                assert "traffic runs" in p.stderr.readline()
            begin = time.monotonic()
            p.send_signal(number)
            assert p.wait(10) == 0
            assert time.monotonic() - begin < 2
        finally:
            p.kill()
            p.wait()
    found = json.loads((tmp_path / "report").read_text())
    assert found["tasks"][0]["name"] == "forward"
    assert not os.path.exists(f"{RUNTIME}/dpdk/drover-{p.pid}")


def test_a_stop_and_a_continuation_do_not(drover, tmp_path):
    """Ctrl-Z and fg of a shell."""
    (tmp_path / "t.cfg").write_text(config())
    p = subprocess.Popen(
        [drover, "run", "--no-huge", "--duration", "2s", "t.cfg"], cwd=tmp_path,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert "traffic runs" in p.stderr.readline()
        begin = time.monotonic()
        for number in (signal.SIGSTOP, signal.SIGCONT) * 3:
            p.send_signal(number)
            time.sleep(0.1)
        assert p.wait(10) == 0
        assert time.monotonic() - begin > 1.8
    finally:
        p.kill()
        p.wait()


# ---- in a container


def inside(drover, directory):
    """Flags of run that show drover and its packets."""
    return ["-v", f"{os.path.dirname(drover)}:/drover:ro", "-v", f"{directory}:/data"]


@needs_root
@pytest.mark.parametrize("mode", ["none", "l2fwd"])
def test_the_same_inside(pf, bench, mode):
    """The same packets in give the same packets out, as root and as a user, with pages and without."""
    sent = KINDS + packets.every_size(1, 1514, 7)
    beside, report = bench(sent, mode=mode)
    counted = report["tasks"][0]
    bench.write(sent, where="/data", mode=mode)
    flags = inside(bench.drover, bench.directory)
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
    flags = [*inside(bench.drover, bench.directory), "--hugepages", "2M=40"]

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
    size = sum(os.lstat(os.path.join(d, f)).st_size for d, _, names in os.walk(image) for f in names)
    assert size <= IMAGE_LIMIT
    beside, _ = bench(KINDS, mode="l2fwd")
    bench.write(KINDS, where="/data", mode="l2fwd")
    bench.out.unlink()

    def run(*args):
        flags = ["--image", image, "-v", f"{bench.directory}:/data"]
        return pf.run(*flags, "--", drover, "run", *args, "/data/test.cfg")

    forward(run, len(KINDS))
    assert packets.read(bench.out) == beside


def threads(lease):
    """Of drover's threads where they may run: {name: CPUs}."""
    found = {}
    for pid in processes_of(lease):
        try:
            if Path(f"/proc/{pid}/comm").read_text().strip() != "drover":
                continue
            for task in Path(f"/proc/{pid}/task").iterdir():
                allowed = re.search(
                    r"^Cpus_allowed_list:\s*(.*)$", (task / "status").read_text(), re.M
                )
                found[(task / "comm").read_text().strip()] = ids(allowed[1])
        except OSError:
            pass
    return found


def workers_text(n):
    """So many cores with a port and a task each."""
    text = "[core 0]\nmode=master\n"
    for i in range(n):
        text += f"[port {i}]\nname=p{i}\ndevice=null\n"
        text += f"[core {i + 1}]\ntask=0\nmode=none\nrx port=p{i}\ntx port=p{i}\n"
    return text + "[defaults]\nmempool size=2K\n"


def begin(pf, drover, directory, cpu, *flags, options=()):
    """A drover that runs; its threads."""
    name = unique()
    pf.names.append(name)
    s = pf.start("run", "--name", name, "--cpus", cpu, *flags, *inside(drover, directory), "--",
                 "/drover/drover", "run", *options, "/data/t.cfg")  # fmt: skip
    s.until("traffic runs")
    found = threads(pf.lease(name))
    s.signal(signal.SIGTERM)
    assert s.end() == 0, s.text()
    return found, s.text()


@pytest.fixture
def folder(tmp_path):
    """That the user of a container may look into."""
    (tmp_path / "data").mkdir(mode=0o755)
    return tmp_path / "data"


def worker_cpus(found):
    return [found[name] for name in sorted(found) if "worker" in name]


@needs_root
def test_one_cpu(pf, drover, folder):
    """Control and worker share it."""
    (folder / "t.cfg").write_text(workers_text(1))
    found, text = begin(pf, drover, folder, CPU)
    assert found["drover"] == {CPU} and worker_cpus(found) == [{CPU}]
    assert "warning" not in text


@needs_root
@needs_two
def test_one_cpu_and_a_shared_one(pf, drover, folder):
    """The worker has its own CPU to itself, control is on the shared one."""
    pool = pf.grant("--pool", "--cpus", OTHER)
    (folder / "t.cfg").write_text(workers_text(1))
    found, _ = begin(pf, drover, folder, CPU, "--shared-cpus", pool)
    assert found["drover"] == {OTHER} and worker_cpus(found) == [{CPU}]


@needs_root
@needs_two
@pytest.mark.parametrize("workers", [1, 2])
def test_two_cpus(pf, drover, folder, workers):
    (folder / "t.cfg").write_text(workers_text(workers))
    found, _ = begin(pf, drover, folder, f"{OTHER},{CPU}")
    cpus = worker_cpus(found)
    assert len(cpus) == workers and all(len(c) == 1 for c in cpus)
    assert len(set.union(*cpus)) == workers and set.union(*cpus) <= {OTHER, CPU}
    assert len(found["drover"]) == 1
    if workers == 1:
        assert found["drover"].isdisjoint(cpus[0])


@needs_root
def test_more_cores_than_granted(pf, drover, folder):
    (folder / "t.cfg").write_text(workers_text(3))
    p = pf.run(*inside(drover, folder), "--", "/drover/drover", "run", "/data/t.cfg")
    refused(p, r"3 polling cores, CPUs granted: 1; grant more.*--squeeze")
    found, text = begin(pf, drover, folder, CPU, options=["--squeeze"])
    assert worker_cpus(found) == [{CPU}] * 3 and "squeezed" in text
