# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold stats and top: what workloads use of their grants."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import termios
import time
from pathlib import Path

import jsonschema
import pytest

from drover_config import configuration
from features import V2
from places import TOP, program
from false_drover import FALSE_DROVER, NUMBERS
from fuse import Silent
from workload import (
    CPU,
    LEASES,
    OTHER,
    PYTHON,
    SLOW,
    needs_pages,
    needs_root,
    needs_two,
    unique,
    wait,
)

pytestmark = [needs_root]
SCHEMA = json.loads((TOP / "data/schemas/stats.json").read_text())
PLACES = [pytest.param((), id="container"), pytest.param(("--in", "host"), id="host")]
DROVER_TASK = ("name=c", "task=0", "name=forward", "mode=l2fwd", "rx port=p", "tx port=p")
DROVER = program("DROVER", "build/drover/drover")
SPIN = "echo up; while :; do :; done"


def stats(pf, *flags):
    rows = pf.json("stats", "--json", *flags)
    jsonschema.validate(rows, SCHEMA)
    return {row["name"]: row for row in rows}


@needs_two
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.guest
def test_who_is_busy(pf, place):
    _, busy = pf.begin(*place, "--memory", "64M", "--pids", "20", script=SPIN)
    _, idle = pf.begin(*place, cpu=OTHER)
    rows = stats(pf, "--seconds", "2")
    a, b = rows[busy], rows[idle]
    assert a["in"] == ("host" if place else "container")
    assert 1.9 < a["seconds"]
    if place and a["cpu"] is None:
        # v1: its processes are in no cgroup of that controller
        assert not Path(f"/sys/fs/cgroup/cpuacct/pinfold/{busy}").exists() and not V2
    else:
        # on a machine that others use it gets what they leave; an emulated one takes a while to execute sleep
        assert 20 < a["cpu"] < 110 and b["cpu"] < min(10 * SLOW, a["cpu"] / 2)
    assert [c["cpu"] for c in a["cpus"]] == [CPU] and [c["cpu"] for c in b["cpus"]] == [OTHER]
    assert a["cpus"][0]["busy"] + a["cpus"][0]["stolen"] > 60
    assert a["cpus"][0]["interrupts"] >= a["cpus"][0]["ticks"] > 0
    assert a["memory_limit"] == 64 << 20 and 0 < a["memory"] < 64 << 20
    assert a["cache"] <= a["memory"]
    assert a["processes_limit"] == 20 and 1 <= a["processes"] <= 4


@needs_pages(16)
@pytest.mark.guest
def test_hugepages_that_are_used(pf):
    _, name = pf.begin(
        "--hugepages", "2M=16", script="fallocate -l 6M /dev/hugepages/x; echo up; sleep 1000"
    )
    (one,) = stats(pf, name)[name]["hugepages"]
    assert one == {"size": "2M", "used": 6 << 20, "reserved": one["reserved"], "granted": 32 << 20}
    line = pf.ok("stats", name).splitlines()[1]
    assert " 2M=3/16 " in line


@pytest.mark.guest
def test_memory_and_what_is_cache(pf):
    """A tmpfs is no cache: nothing is behind it."""
    _, name = pf.begin(
        "--memory", "128M", script="head -c 40M /dev/zero >/dev/shm/x; echo up; sleep 1000"
    )
    row = stats(pf, name)[name]
    assert row["memory"] > 40 << 20 and row["memory"] - row["cache"] > 39 << 20


def test_table(pf):
    _, name = pf.begin("--memory", "64M", "--pids", "20")
    head, line = pf.ok("stats", name).splitlines()
    assert head.split() == (
        "NAME CPUS CPU BUSY STOLEN TICKS INTERRUPTS MEMORY HUGEPAGES PROCESSES".split()
    )
    assert re.match(rf"{name} +{CPU} .* \d+M/64M +- +\d+/20$", line)


@needs_pages(8)
@pytest.mark.guest
def test_prometheus_reads_it(pf):
    """By the parser of its own client library."""
    parser = pytest.importorskip(
        "prometheus_client.parser", reason="package python3-prometheus-client is not installed"
    )
    _, name = pf.begin("--hugepages", "2M=8", "--memory", "64M", script=SPIN)

    def read():
        found = {}
        for family in parser.text_string_to_metric_families(pf.ok("stats", "--prometheus")):
            assert family.documentation and family.type in ("counter", "gauge")
            assert family.name.startswith("pinfold_")
            for s in family.samples:
                key = (s.name, *sorted(s.labels.items()))
                assert key not in found
                found[key] = s.value
        return found

    def of(found, metric, **labels):
        return found[("pinfold_" + metric, *sorted({"name": name, **labels}.items()))]

    a, cpu = read(), {"cpu": str(CPU)}
    assert of(a, "memory_limit_bytes") == 64 << 20
    assert of(a, "hugepages_granted_bytes", size="2M") == 16 << 20
    assert of(a, "hugepages_bytes", size="2M") == 0
    assert abs(of(a, "start_time_seconds") - time.time()) < 60 * SLOW
    assert of(a, "limit_hits_total", limit="memory") == 0
    wait(lambda: of(read(), "workload_cpu_seconds_total") > of(a, "workload_cpu_seconds_total"))
    wait(
        lambda: of(read(), "cpu_busy_seconds_total", **cpu) > of(a, "cpu_busy_seconds_total", **cpu)
    )
    b = read()
    assert set(k for k in a if name in str(k)) == set(k for k in b if name in str(k))
    for key, value in a.items():
        if key[0].endswith("_total") and name in str(key):
            assert b[key] >= value


def test_one_that_is_not_there(pf):
    pf.fails("stats", unique("none"), like="does not run; see pinfold ps")
    pf.fails("stats", "../x", like="workload")
    for words, like in (
        (("--seconds", "0"), "a number from 1"),
        (("--seconds", "1x"), "a number from 1"),
        (("--json", "--prometheus"), "without --json"),
        (("--prometheus", "--seconds", "2"), "without --seconds"),
        (("a", "b"), "'b': name one workload"),
        (("--jsen",), "--json"),
    ):
        pf.fails("stats", *words, like=like)
    pf.fails("--host-tree", str(TOP / "tests"), "stats", like="--host-tree")


def test_a_lease_that_cannot_be_read(pf):
    """The others are shown, and it is said."""
    _, name = pf.begin()
    bad = LEASES / f"{unique('bad')}.json"
    bad.write_text("{")
    try:
        p = pf("stats", "--json")
        assert p.returncode == 125 and bad.stem in p.stderr and p.stderr.count("\n") == 1
        assert name in [row["name"] for row in json.loads(p.stdout)]
    finally:
        bad.unlink()


def test_without_root(pf, pinfold):
    p = subprocess.run(
        [pinfold, "stats"], user=65534, group=65534, capture_output=True, text=True, check=False
    )
    assert p.returncode == 125 and "sudo" in p.stderr


# ---- top


class Screen:
    """pinfold top on a terminal of 24 lines."""

    def __init__(self, pf, *args, rows=24, columns=100):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(pf.path, [pf.path, "top", *args], os.environ | {"TZ": "XYZ-9"})
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def more(self):
        if select.select([self.fd], [], [], 0.2)[0]:
            try:
                self.text += os.read(self.fd, 65536).decode()
            except OSError:
                pass  # it has ended
        return self.text

    def until(self, pattern):
        wait(lambda: re.search(pattern, self.more()), what=pattern)

    def end(self):
        """Its exit status, when it has."""
        found = []

        def ended():
            self.more()
            found[:] = os.waitpid(self.pid, os.WNOHANG)
            return found[0] != 0

        wait(ended, what="the end of top")
        self.more()  # what it printed since the look before
        os.close(self.fd)
        return os.waitstatus_to_exitcode(found[1])


@pytest.mark.parametrize("how", ["q", "signal", "hang-up"])
def test_top(pf, how):
    _, name = pf.begin(script=SPIN)
    screen = Screen(pf)
    screen.until(rf"\n{name} ")
    seen = len(screen.text)
    wait(lambda: len(screen.more()) > seen, what="another look")
    if how == "q":
        os.write(screen.fd, b"xq")
    elif how == "signal":
        os.kill(screen.pid, 15)
    else:
        os.kill(screen.pid, 1)
    assert screen.end() == 0
    # the terminal is as it was
    assert screen.text.endswith("\033[?7h\033[?25h\033[?1049l")


def test_top_on_a_narrow_screen(pf):
    """Where there is no room for all columns, figures are whole or not there."""
    _, name = pf.begin("--memory", "64M", "--pids", "20")
    screen = Screen(pf, columns=60)
    screen.until(rf"\n{name} .*\n")
    os.write(screen.fd, b"q")
    assert screen.end() == 0
    lines = [line.rstrip("\r") for line in screen.text.split("\n")]
    at = next(i for i, line in enumerate(lines) if line.startswith("NAME "))
    assert lines[at].split()[2] == "CPU" and "INTERRUPTS" not in lines[at], lines
    (row,) = [line for line in lines[at + 1 :] if line.startswith(f"{name} ")][:1]
    assert max(len(lines[at]), len(row)) <= 60 and "…" not in row, lines
    assert len(row.split()) == len(lines[at].split()), lines
    # in UTC, as all of it
    said = re.search(r"pinfold top  (\d\d):(\d\d)", screen.text)
    now = time.gmtime()
    assert (now.tm_hour * 60 + now.tm_min - int(said[1]) * 60 - int(said[2])) % 1440 <= 2


@needs_two
def test_top_on_a_low_screen(pf):
    pf.begin()
    pf.begin(cpu=OTHER)
    screen = Screen(pf, rows=5)
    screen.until(rf"{len(pf.ps())} workloads.*\nNAME .*\n.*\nand {len(pf.ps()) - 1} more")
    os.write(screen.fd, b"q")
    assert screen.end() == 0


def test_top_without_a_terminal(pf):
    pf.fails("top", like="pinfold stats")
    pf.fails("top", "--seconds", "3", "x", like="drover top's options")


def drover_in(pf, tmp_path):
    """A container in which drover forwards; its name, and the program in there."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "t.cfg").write_text(configuration({"p": "null"}, DROVER_TASK, mempool="2K"))
    name = pf.unique()
    s = pf.start(
        "run",
        "--name",
        name,
        "--cpus",
        CPU,
        "--hugepages",
        "2M=40",
        "-v",
        f"{os.path.dirname(DROVER)}:/drover:ro",
        "-v",
        f"{data}:/data:ro",
        "--",
        "/drover/drover",
        "run",
        "--squeeze",
        "/data/t.cfg",
    )
    s.until("traffic runs")
    return name, "/drover/drover"


@needs_pages(40)
def test_packets_of_a_drover(pf, tmp_path):
    """What it counts itself, to the packet."""
    name, drover = drover_in(pf, tmp_path)
    _, other = pf.begin(cpu=OTHER)
    ask = ["exec", name, "--", drover, "ask"]
    # on a busy machine it answers too late for one look
    rows = wait(lambda: (r := stats(pf))[name]["packets"] and r, 20, "an answer of drover")
    assert rows[other]["packets"] is None
    packets = rows[name]["packets"]
    assert packets["received"] > 1000 and packets["sent"] > 1000 and packets["dropped"] == 0
    assert 0 <= packets["idle_polling"] <= 100
    head, line = pf.ok("stats", name).splitlines()
    assert (
        "  PACKETS " in head
        and "  IDLE-POLLING " in head
        and re.search(r" [\d.]+[kMG]/[\d.]+[kMG]/0 ", line)
    )
    screen = Screen(pf, columns=160)
    screen.until(rf"PACKETS.*\n(.*\n)*{name} .*[kMG]/0 ")
    os.write(screen.fd, b"q")
    assert screen.end() == 0
    pf.ok(*ask, "stop")
    (port,) = pf.json(*ask, "ports")["ports"].values()
    text = pf.ok("stats", "--prometheus")
    assert re.search(rf'pinfold_polling_busy_cycles_total{{name="{name}"}} [1-9]', text)
    for metric, key in (("received", "ipackets"), ("sent", "opackets")):
        assert f'pinfold_packets_{metric}_total{{name="{name}"}} {port[key]}\n' in text
    assert f'pinfold_packets_dropped_total{{name="{name}"}} 0\n' in text
    assert f'packets_received_total{{name="{other}"}}' not in text
    packets = stats(pf)[name]["packets"]
    assert packets.pop("idle_polling") in (None, 100)  # it polls no more, or for nothing
    assert packets == {"received": 0, "sent": 0, "dropped": 0}


def false_drover(pf, how, *flags, where="/run/dpdk/x", says="{}", cpu=CPU):
    name = pf.unique()
    command = [PYTHON, "-I", "-c", FALSE_DROVER, where, how, says]
    pf.start("run", "--name", name, "--cpus", cpu, *flags, "--", *command).until("^up")
    return name


@pytest.mark.parametrize("how", ["silent", "full", "endless", "slow"])
def test_who_does_not_answer_as_a_drover(pf, how):
    """Keeps nobody waiting, and the others are shown."""
    name = false_drover(pf, how)
    begun = time.monotonic()
    row = stats(pf, name)[name]
    assert time.monotonic() - begun < 5 * SLOW
    assert row["packets"] is None and row["memory"] > 0


def test_top_hears_a_key(pf):
    """Also where each look waits for somebody as long as it is until the next."""
    name = false_drover(pf, "silent")
    screen = Screen(pf, "--seconds", "1")
    screen.until(rf"\n{name} ")
    os.write(screen.fd, b"q")
    assert screen.end() == 0


@pytest.fixture
def silent(pf):
    """A file system in which nothing is ever found nor missing, for root either."""
    if not os.path.exists("/dev/fuse"):
        pytest.skip("there is no /dev/fuse")
    one = Silent(pf.directory / "silent", 65534, others=True)
    yield one
    one.end()


def test_who_cannot_be_killed_is_one(pf, silent):
    """A workload whose root does not answer holds up who asks it: one process, however often top looks."""
    name = pf.unique()
    code = "import os, sys, time; os.chdir(sys.argv[1]); os.chroot('.'); print('up', flush=True); time.sleep(1000)"
    command = [PYTHON, "-I", "-c", code, silent.top]
    pf.start("run", "--in", "host", "--name", name, "--cpus", CPU, "--", *command).until("^up")
    screen = Screen(pf, "--seconds", "1")
    children = Path(f"/proc/{screen.pid}/task/{screen.pid}/children")
    wait(lambda: children.read_text(), what="one that asks")
    wait(lambda: len(re.findall(rf"\n{name} ", screen.more())) >= 4, 20, "four looks")
    late = children.read_text().split()
    os.kill(screen.pid, 15)
    assert screen.end() == 0
    assert len(late) == 1
    assert stats(pf, name)[name]["packets"] is None


@needs_two
def test_numbers_and_nothing_else(pf):
    name = false_drover(pf, "answer", says=NUMBERS)
    bad = false_drover(pf, "answer", says='{"ports": 1}', cpu=OTHER)
    text = pf.ok("stats", "--prometheus")
    assert f'pinfold_packets_received_total{{name="{name}"}} 7\n' in text
    assert f'pinfold_packets_sent_total{{name="{name}"}} 0\n' in text
    assert bad not in "".join(line for line in text.splitlines() if "_packets_" in line)
    assert "\033" not in pf.ok("stats")


def test_only_the_workload_itself_is_asked(pf, tmp_path):
    """Not by a link, not in a volume, not by a socket that another one has."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    said = "PACKETS"
    name = false_drover(
        pf, "answer", "-v", f"{shared}:/run/dpdk", where="/run/dpdk/x", says=NUMBERS
    )
    assert said not in pf.ok("stats", name)
    pf.ok("stop", "-t", "0", name)
    name = false_drover(pf, "link", where="/run/real/x", says=NUMBERS)
    assert said not in pf.ok("stats", name)
    pf.ok("stop", "-t", "0", name)
    # --in host: the directory is the host's, and so are its sockets
    where = Path(f"/run/dpdk/{unique('x')}")
    mine = pf.start_other(PYTHON, "-I", "-c", FALSE_DROVER, where, "answer", NUMBERS)
    mine.until("^up")
    try:
        _, name = pf.begin("--in", "host")
        assert said not in pf.ok("stats", name)
        pf.ok("stop", "-t", "0", name)
        own = Path(f"{where}-own")
        name = false_drover(pf, "answer", "--in", "host", where=str(own), says=NUMBERS)
        assert f'packets_received_total{{name="{name}"}} 7\n' in pf.ok("stats", "--prometheus")
    finally:
        for directory in Path("/run/dpdk").glob(f"{where.name}*"):
            shutil.rmtree(directory)


@needs_pages(40)
def test_top_of_a_drover(pf, tmp_path):
    """What drover's own screen says, by one command."""
    name, drover = drover_in(pf, tmp_path)
    sample = pf.json("top", name, "--once", "--json", "--interval", "0.1")
    assert [t["name"] for t in sample["tasks"]] == ["forward"]
    # in its container the others find it as well: it is the one that there is
    inside = ["exec", name, "--", drover]
    packets = pf.ok(*inside, "trace", "--json", "forward", "2").splitlines()
    assert len([json.loads(p) for p in packets]) == 2
    assert pf.json(*inside, "ask", "info")["version"]
    # and out here there is none: how to come to it is said
    p = subprocess.run([DROVER, "top", "--once"], capture_output=True, text=True, check=False)
    assert p.returncode == 1 and "pinfold top NAME" in p.stderr
    # in use and reserved, as the kernel counts
    (one,) = stats(pf, name)[name]["hugepages"]
    assert max(one["used"], one["reserved"]) > 0
    screen = Screen(pf, name)
    screen.until("forward")
    os.write(screen.fd, b"q")
    assert screen.end() == 0


def test_top_of_no_drover(pf):
    _, name = pf.begin()
    p = pf("top", name)
    assert p.returncode == 127 and "drover" in p.stderr
    pf.fails("top", unique("none"), like="does not run")
