# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""How drover starts, what it refuses, how it ends, and on which CPUs of a grant it runs."""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import drover_packets as packets
import pytest
from drover_config import configuration, core, task
from drover_run import RUNTIME, config, directories, execute, granted
from places import TOP
from schemas import validate
from workload import CPU, OTHER, SLOW, ids, needs_root, needs_two
from workload import processes_of, wait

pytestmark = [pytest.mark.anywhere]
CONFIGS = TOP / "data/drover"
PACKETS = list(packets.kinds().values())


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
    [
        "-l=0-3",
        "-c=3",
        "-m=64",
        "-a=00:01.0",
        "--vdev=net_null0",
        "--lcores=0",
        "--lcor=0",
        "--file-prefix=x",
        "--huge-dir=/x",
        "--no-pci=",
        "--proc-type=secondary",
        "--in-memory=",
    ],
)
def test_options_that_the_grant_decides(drover, tmp_path, option):
    (tmp_path / "t.cfg").write_text(f"[eal options]\n{option}\n" + config())
    refused(execute(drover, "check", "--no-huge", tmp_path / "t.cfg"), r"t\.cfg:2: .*grant")


@pytest.mark.parametrize(
    "option", ["--trace=.*", "--trace-d=/x", "-d=/x.so", "--syslog=x", "--log=8"]
)
def test_options_that_are_not_passed_on(drover, tmp_path, option):
    """They write files, or load code; and EAL would take any beginning of a long one."""
    (tmp_path / "t.cfg").write_text(f"[eal options]\n{option}\n" + config())
    refused(
        execute(drover, "check", "--no-huge", tmp_path / "t.cfg"), r"t\.cfg:2: .*(passed on|grant)"
    )


@pytest.mark.parametrize(
    "args, like, status",
    [
        (["run"], "configuration file", 2),
        (["run", "a", "b"], "configuration file", 2),
        (["rum", "a"], "did you mean 'run'", 2),
        ([], "no command given; see drover --help", 2),
        (["zzzzzz"], "unknown command 'zzzzzz'; see drover --help", 2),
        (["modes", "--jsn"], "'--jsn' is no option", 2),
        (["modes", "genn"], "no mode 'genn'; did you mean 'gen'", 2),
        (["modes", "zzzzzzzz"], "no mode 'zzzzzzzz'; drover modes prints all", 2),
        (["modes", "gen", "lat"], "name one mode", 2),
        (["run", "--squeez3", "a"], "did you mean '--squeeze'", 2),
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


def test_one_mode(drover):
    every = execute(drover, "modes").stdout
    one = execute(drover, "modes", "gen").stdout
    assert one.startswith("mode=gen") and one.count("mode=") < 3 and "mode=lat" not in one
    assert all(line in every for line in one.splitlines())
    validate("modes", json.loads(execute(drover, "modes", "--json").stdout))
    rows = validate("modes", json.loads(execute(drover, "modes", "--json", "gen").stdout))
    assert [row["name"] for row in rows["modes"]] == ["gen"] and rows["task_keys"]


@pytest.mark.parametrize(
    "device, like",
    [
        ("pcap:nothing.pcap", r"'nothing\.pcap': No such file.*; give the path of a capture"),
        ("pcap:t.cfg", r"'t\.cfg': unknown file format.*capture"),
        ("pcap:-,no/out.pcap", r"'no/out\.pcap' in folder 'no': No such file.*; make the folder"),
        ("pcap:-,/tmp", "'/tmp' is a folder"),
        (
            "memif:server:/no/socket",
            "'/no/socket' in folder '/no': No such file.*; make the folder",
        ),
        (
            "memif:client:/no/socket",
            "'/no/socket' in folder '/no': No such file.*; make the folder",
        ),
        ("memif:client:nobodys", "no link 'nobodys'.*--link memif:nobodys"),
        ("vhost:/no/socket", "'/no/socket' in folder '/no': No such file.*; make the folder"),
        ("virtio:/no/socket", "socket '/no/socket': No such file.*; start the other end first"),
        ("virtio:/no/socket,server=1", "is the end that connects; let the other one listen"),
        ("af_packet:nobodys", "no network interface 'nobodys'; see ip link"),
        ("af_xdp:nobodys", "no network interface 'nobodys'; see ip link"),
        ("tap:longer-than-fifteen", "'tap:longer-than-fifteen': .*15 characters"),
        ("null:copies", "'null:copies': write null or null:copy"),
        ("vdev:", "'vdev:': write vdev:ARGS"),
        ("vdev:net_failsafe0,exec(touch pwned)", "of DPDK's drivers .* are taken"),
        ("vdev:vdev:eth_failsafe1,dev(net_null0)", "of DPDK's drivers .* are taken"),
        ("vdev:net_bonding0,slave=0000:00:01.0", "of DPDK's drivers .* are taken"),
        ("vdev:net_nullfailsafe0", "of DPDK's drivers .* are taken"),
        ("af_xdp:lo,xdp_prog=t.o", "names no program for the kernel"),
        ("vdev:net_af_xdp0,iface=lo,xdp_prog=t.o", "names no program for the kernel"),
        ("vdev:net_softnic0,firmware=t.cfg", "of DPDK's drivers .* are taken"),
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
    bench.write(PACKETS)
    p = bench.execute("check")
    assert p.returncode == 0 and "1 tasks on 1 cores, 1 ports" in p.stdout
    assert packets.read(bench.out) == []


def test_memif_has_the_address_of_its_port(drover, tmp_path):
    text = config(device="memif:server:$dir/s").replace("mtu=1500", "mac=02:00:00:00:00:07")
    (tmp_path / "t.cfg").write_text("[variables]\n$dir=/\n" + text)
    # the path of a socket is short
    with tempfile.TemporaryDirectory() as d:
        args = ["--json", "--duration=50ms", "-D", f"dir={d}", tmp_path / "t.cfg"]
        p = execute(drover, "run", "--no-huge", *args)
    assert p.returncode == 0 and "warning" not in p.stderr
    assert json.loads(p.stdout)["ports"][0]["mac"].lower() == "02:00:00:00:00:07"


@pytest.mark.parametrize("more", ["", ",rsize=10"])
def test_the_socket_that_a_killed_server_left_is_not_in_the_way(drover, tmp_path, more):
    (tmp_path / "t.cfg").write_text(
        "[variables]\n$dir=/\n" + config(device=f"memif:server:$dir/s{more}")
    )
    with tempfile.TemporaryDirectory() as d:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.bind(f"{d}/s")
        args = ["--duration=50ms", "-D", f"dir={d}", tmp_path / "t.cfg"]
        p = execute(drover, "run", "--no-huge", *args)
    assert p.returncode == 0, p.stderr


def test_a_file_in_the_place_of_a_socket_stays(drover, tmp_path):
    (tmp_path / "t.cfg").write_text("[variables]\n$dir=/\n" + config(device="memif:server:$dir/s"))
    with tempfile.TemporaryDirectory() as d:
        Path(f"{d}/s").write_text("precious")
        args = ["--duration=50ms", "-D", f"dir={d}", tmp_path / "t.cfg"]
        p = execute(drover, "run", "--no-huge", *args)
        assert p.returncode == 1 and Path(f"{d}/s").read_text() == "precious"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("state", ["traffic", "before", "full"])
def test_a_signal_ends_it(drover, tmp_path, number, state):
    text = config(keys="drop=no", to="full") if state == "full" else config()
    if state == "before":
        text = text.replace("name=test", "name=test\nstart time=100s")
    (tmp_path / "t.cfg").write_text(text)
    others = directories()
    with open(tmp_path / "report", "w", encoding="utf-8") as report:
        p = subprocess.Popen(
            [drover, "run", "--no-huge", "--json", "t.cfg"],
            cwd=tmp_path,
            stdout=report,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            if state == "before":
                where = f"{RUNTIME}/dpdk/drover-{p.pid}/drover.sock"
                wait(lambda: os.path.exists(where), what="EAL's start")
                time.sleep(0.3)
            else:
                assert "traffic runs" in p.stderr.readline()
            begin = time.monotonic()
            p.send_signal(number)
            assert p.wait(20 * SLOW) == 0
            assert time.monotonic() - begin < 10 * SLOW
        finally:
            p.kill()
            p.wait()
    found = json.loads((tmp_path / "report").read_text())
    assert found["tasks"][0]["name"] == "forward"
    assert f"drover-{p.pid}" not in directories() - others


def test_a_stop_and_a_continuation_do_not(drover, tmp_path):
    """Ctrl-Z and fg of a shell."""
    (tmp_path / "t.cfg").write_text(config())
    p = subprocess.Popen(
        [drover, "run", "--no-huge", "--json", "--duration", "2s", "t.cfg"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert "traffic runs" in p.stderr.readline()
        for number in (signal.SIGSTOP, signal.SIGCONT) * 3:
            p.send_signal(number)
            time.sleep(0.1)
        out, _ = p.communicate(timeout=20 * SLOW)
        assert p.returncode == 0 and json.loads(out)["seconds"] > 1.9
    finally:
        p.kill()
        p.wait()


# ---- the CPUs of a grant


def threads(lease):
    """Of drover's threads where they may run: {name: CPUs}."""
    found = {}
    for pid in processes_of(lease):
        try:
            if Path(f"/proc/{pid}/comm").read_text().strip() != "drover":
                continue
            for thread in Path(f"/proc/{pid}/task").iterdir():
                allowed = re.search(
                    r"^Cpus_allowed_list:\s*(.*)$", (thread / "status").read_text(), re.M
                )
                found[(thread / "comm").read_text().strip()] = ids(allowed[1])
        except OSError:
            pass
    return found


def workers_text(n):
    """So many cores with a port and a task each."""
    cores = (core(f"c{i}", task("none", f"p{i}", f"p{i}")) for i in range(n))
    return configuration({f"p{i}": "null" for i in range(n)}, *cores, mempool="2K")


def begin(pf, drover, directory, cpu, *flags, options=()):
    """A drover that runs; its threads."""
    name = pf.unique()
    s = pf.start(
        "run",
        "--name",
        name,
        "--cpus",
        cpu,
        *flags,
        *granted(drover, directory),
        "--",
        "/drover/drover",
        "run",
        *options,
        "/data/t.cfg",
    )
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
    p = pf.run(*granted(drover, folder), "--", "/drover/drover", "run", "/data/t.cfg")
    refused(p, r"3 polling cores, CPUs granted: 1; grant more.*--squeeze")
    found, text = begin(pf, drover, folder, CPU, options=["--squeeze"])
    assert worker_cpus(found) == [{CPU}] * 3 and "squeezed" in text


def test_takes_nothing_beside_its_cores(start, tmp_path):
    """Its other threads sleep, where there is no link to look after: in a machine of one CPU they share it with a core
    that polls."""
    conf = tmp_path / "quiet.cfg"
    conf.write_text(config(mode="l2fwd"))

    def woken(process):
        found = {}
        for thread in Path(f"/proc/{process.pid}/task").iterdir():
            status = dict(
                line.split(":", 1) for line in (thread / "status").read_text().splitlines()
            )
            if not status["Name"].strip().startswith(("rte-worker", "lcore-worker")):
                found[thread.name] = int(status["voluntary_ctxt_switches"])
        return found

    with start(conf) as run:
        process = run.runs().process
        time.sleep(0.5)
        before = woken(process)
        time.sleep(1.5)
        after = woken(process)
    assert len(before) >= 2
    assert all(n - before.get(thread, n) <= 2 for thread, n in after.items()), (before, after)
