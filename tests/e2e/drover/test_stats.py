# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""drover's figures: what a running drover answers, over its own socket and over DPDK's telemetry, and drover top
as a client, also of a server that is not what it should be."""

import json
import os
import pty
import select
import shutil
import signal
import socket
import tempfile
import threading
import time

import pytest
from drover_config import configuration, core, task
from drover_run import Control, Drover, Telemetry, top
from workload import SLOW, wait

pytestmark = [pytest.mark.anywhere]
GEN, LAT, FWD = "generator", "meter", "pair.0"
CONFIG = configuration(
    {"loop": "ring:stats", "nil": "null"},
    core(GEN, task("gen", "", "loop", "rate=1k")),
    core(LAT, task("lat", "loop")),
    core("pair", task("l2fwd", "nil", "nil"), task("none", "nil", "nil")),
    name="figures",
)


@pytest.fixture(scope="module")
def running(drover, tmp_path_factory):
    with Drover(drover, tmp_path_factory.mktemp("drover"), CONFIG) as d:
        yield d.runs()


@pytest.fixture
def control(running):
    c = Control(running.socket)
    yield c
    c.close()


@pytest.fixture
def tel(running):
    t = Telemetry(running.telemetry)
    yield t
    t.s.close()


def test_tasks_and_info(control, tel, running):
    assert control.ask("tasks") == {"tasks": [GEN, LAT, FWD, "pair.1"]}
    info = control.ask("info")
    assert info["name"] == "figures" and info["pid"] == running.process.pid == tel.hello["pid"]
    assert info["configuration"] == str(running.log.with_suffix(".cfg"))
    assert info["tasks"] == 4 and info["ports"] == 2 and info["traffic"]


def test_stats_of_one_and_of_all(control):
    task = control.ask(f"stats task={FWD}")
    assert task["name"] == FWD and task["mode"] == "l2fwd" and task["rx"] > 0
    # net_null fills every burst; the counters are not read at one moment
    assert task["packets_per_burst"] == pytest.approx(32, rel=1e-3)
    assert task["drops"] == {"tx full": 0, "too short": 0}
    assert task["time_ns"] > task["since_ns"] > 0
    tasks = control.ask("stats")["tasks"]
    assert list(tasks) == [GEN, LAT, FWD, "pair.1"] and tasks[FWD]["rx"] >= task["rx"]


def test_report_has_all_of_it(control):
    report = control.ask("report")
    assert [t["name"] for t in report["tasks"]] == [GEN, LAT, FWD, "pair.1"]
    assert [p["name"] for p in report["ports"]] == ["loop", "nil"]
    assert report["info"]["name"] == "figures" and report["time_ns"] > report["since_ns"] > 0


def test_counters_only_grow_and_agree(control):
    first = control.ask("stats")["tasks"]["pair.1"]
    keys = "rx", "tx", "bursts", "polls", "busy_cycles"

    def grown():
        now = control.ask("stats")["tasks"]["pair.1"]
        assert all(now[key] >= first[key] for key in keys)
        return now if all(now[key] > first[key] for key in keys) else None

    second = wait(grown, what="traffic")
    assert second["packets"] == second["rx"]


def test_ports(control):
    ports = control.ask("ports")["ports"]
    assert list(ports) == ["loop", "nil"]
    assert ports["nil"]["device"] == "null" and ports["nil"]["link"] == "up"
    assert ports["nil"]["ipackets"] > 0
    assert list(control.ask("ports port=nil")["ports"]) == ["nil"]


def test_latency(control):
    assert list(control.ask("lat")["tasks"]) == [LAT]
    deadline = time.monotonic() + 10
    while True:
        report = control.ask(f"lat task={LAT}")["tasks"][LAT]
        if report["latency"]["count"] > 0 or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    points = ["min", "p50", "p90", "p99", "p99.9", "p99.99", "max"]
    values = [report["latency"][p] for p in points]
    # a TSC may run ahead of another's by about as much as a packet takes
    assert values == sorted(values) and values[0] >= 0 and values[-1] > 0
    assert report["lost"] == 0


def test_stop_start_rate_clear(control):
    def stats(name):
        return control.ask(f"stats task={name}")

    def rests():
        """FWD, once the burst under way has its end, also on a core that does not run just then."""
        before = stats(FWD)["rx"]
        time.sleep(0.5)
        return stats(FWD)["rx"] == before

    assert control.ask(f"stop task={FWD}") == {"stopped": 1}
    assert stats(FWD)["running"] is False
    wait(rests, what="its rest")
    before = stats(FWD)["rx"]
    time.sleep(0.2)
    assert stats(FWD)["rx"] == before
    assert control.ask(f"start task={FWD}") == {"started": 1}
    wait(lambda: stats(FWD)["rx"] > before, what="traffic")
    assert control.ask("stop") == {"stopped": 4}
    wait(rests, what="its rest")
    assert control.ask("clear") == {"cleared": 4}
    assert stats(FWD)["rx"] == 0 and stats(LAT)["report"]["received"] == 0
    assert control.ask("ports port=nil")["ports"]["nil"]["ipackets"] == 0
    assert control.ask("start") == {"started": 4}
    assert control.ask(f"rate task={GEN} pps=2.5k") == {"task": GEN, "rate_pps": 2500}
    assert stats(GEN)["rate_pps"] == 2500
    assert control.ask(f"rate task={GEN} pps=0.4")["rate_pps"] == pytest.approx(0.4)
    assert stats(GEN)["rate_pps"] == pytest.approx(0.4)  # and not 0, "as fast as it can"
    assert "wants packets" in str(control.ask(f"rate task={GEN} pps=0.01"))
    assert control.ask(f"rate task={GEN} pps=1000")["rate_pps"] == 1000


def test_telemetry_shows_the_same(control, tel):
    """In its own words: exporters know them."""
    assert tel.ask("/drover/tasks") == [GEN, LAT, FWD, "pair.1"]
    task = tel.ask(f"/drover/stats,{FWD}")
    assert task["packets_per_burst_millionths"] == pytest.approx(32e6, rel=1e-3)
    assert task["drops"] == {"tx_full": 0, "too_short": 0} and task["running"] == 1
    listing = tel.ask("/drover/stats")
    assert listing["omitted"] == 0
    # keys are words of telemetry, names are exact
    assert [t["name"] for t in listing["tasks"].values()] == [GEN, LAT, FWD, "pair.1"]
    assert listing["tasks"]["pair_0"]["rx"] >= task["rx"]
    assert list(tel.ask("/drover/ports,nil")["ports"]) == ["nil"]
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        latency = tel.ask(f"/drover/lat,{LAT}")["tasks"][LAT]["latency"]
        if latency["count"] > 0:
            break
        time.sleep(0.1)
    assert {"p99_9_millionths", "p99_99_millionths"} <= set(latency)
    assert tel.ask("/drover/info")["pid"] == control.ask("info")["pid"]


@pytest.mark.parametrize(
    "command, does_it",
    [
        (f"/drover/stop,{FWD}", "drover ask stop [task=...]"),
        ("/drover/clear", "drover ask clear"),
        ("/drover/rate,generator,5", "drover ask rate task=... pps=..."),
        ("/drover/report", "drover ask report"),
        (f"/drover/trace,{FWD}", "drover ask trace task=... [packets=...]"),
        ("/drover/reload,t", "drover ask reload table=... [file=...]"),
    ],
)
def test_telemetry_changes_nothing(control, tel, command, does_it):
    before = control.ask(f"stats task={FWD}")
    answer = tel.ask(command)
    assert list(answer) == ["error"] and does_it in answer["error"]
    after = control.ask(f"stats task={FWD}")
    assert after["running"] and after["since_ns"] == before["since_ns"]


@pytest.mark.parametrize(
    "command, says",
    [
        ("/drover/stats,metre", "did you mean 'meter'"),
        ("/drover/stats," + "x" * 900, "no task"),
        ("/drover/stats,%s%n%s", "no task"),
        ("/drover/stats,\x1b[2J\xff", "no task"),
        ("/drover/ports,none", "no port 'none'"),
        ("/drover/lat,pair.0", "measures no latency"),
        ("/drover/cpes", "'table' is missing"),
        ("/drover/cpes,t", "no table 't'"),
    ],
)
def test_what_telemetry_cannot_show_is_said(tel, command, says):
    answer = tel.ask(command)
    assert list(answer) == ["error"] and says in answer["error"]
    assert tel.ask("/drover/tasks")  # and it goes on


def test_many_clients_at_once(running):
    failures = []

    def work():
        try:
            t = Control(running.socket)
            for _ in range(30):
                assert len(t.ask("stats")["tasks"]) == 4
                t.ask("clear")
        except Exception as e:  # the thread's failure is the test's
            failures.append(repr(e))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures


def test_top_once(drover, running):
    r = top(drover, "--once", "--interval", "0.3", "--file-prefix", running.prefix)
    assert r.returncode == 0 and r.stderr == ""
    lines = r.stdout.splitlines()
    assert lines[0].startswith("drover ") and "figures" in lines[0]
    assert any(line.startswith("pair.0") and "l2fwd" in line for line in lines)
    assert any(line.startswith("LATENCY") for line in lines)
    assert "\x1b" not in r.stdout


def test_top_json_has_the_same_figures(drover, running, control):
    before = control.ask(f"stats task={FWD}")
    r = top(drover, "--once", "--json", "--interval", "0.5", "--socket", running.socket)
    after = control.ask(f"stats task={FWD}")
    task = next(t for t in json.loads(r.stdout)["tasks"] if t["name"] == FWD)
    assert before["rx"] < task["rx"] <= after["rx"]
    assert task["packets_per_burst"] == pytest.approx(32, rel=1e-3)
    assert 0.4 < task["interval"]["seconds"] < 5
    rate = (after["rx"] - before["rx"]) / ((after["time_ns"] - before["time_ns"]) / 1e9)
    assert task["interval"]["rx_pps"] == pytest.approx(rate, rel=0.9)


def test_report_at_the_end(start):
    with start(CONFIG) as d:
        d.runs()
        time.sleep(0.3)
        d.ask("clear")
        time.sleep(1)
        # a core that has not had the CPU has them in its ring
        wait(lambda: d.ask(f"stats task={LAT}")["rx"] > 0, what="traffic")
        d.ask(f"stop task={GEN}")

        def arrived():
            tasks = d.ask("stats")["tasks"]
            return abs(tasks[GEN]["tx"] - tasks[LAT]["rx"]) <= 64

        wait(arrived, what="its arrival")
        report = d.end()
    assert report["name"] == "figures" and 0.9 < report["seconds"] < 30
    tasks = {t["name"]: t for t in report["tasks"]}
    # tasks are not cleared at one moment, and a burst or two is under way
    assert tasks[LAT]["rx"] > 0 and abs(tasks[GEN]["tx"] - tasks[LAT]["rx"]) <= 64
    assert tasks[FWD]["drops"] == {"tx full": 0, "too short": 0}
    assert tasks[FWD]["rx_pps"] == pytest.approx(tasks[FWD]["rx"] / report["seconds"], rel=0.2)
    assert {p["name"] for p in report["ports"]} == {"loop", "nil"}


# ---- a server made for the test


class Fake:
    """Speaks as a drover does; what it answers is up to the test."""

    def __init__(self, answer):
        self.folder = tempfile.mkdtemp(prefix="drv")
        self.path = f"{self.folder}/s"
        self.answer = answer
        self.asked = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            with s, s.makefile("rb") as lines:
                try:
                    for line in lines:
                        self.asked.append(json.loads(line))
                        reply = self.answer(self.asked[-1])
                        if reply is None:
                            break
                        text = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
                        s.sendall(text + b"\n")
                except OSError:
                    pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # which closing alone would not wake
        self.thread.join(10 * SLOW)
        self.listener.close()
        shutil.rmtree(self.folder)


class Model:
    """A well-behaved drover of one generator."""

    def __init__(self, **changes):
        self.changes = changes
        self.packets = 0
        self.time = 1_000_000_000
        self.since = 500_000_000

    def task(self):
        self.packets += 1000
        self.time += 100_000_000
        return {
            "name": "g",
            "mode": "gen",
            "running": True,
            "rate_pps": 10000,
            "rx": 0,
            "tx": self.packets,
            "packets": self.packets,
            "bursts": self.packets // 10,
            "busy_cycles": self.packets * 50,
            "idle_cycles": self.packets * 50,
            "drops": {"tx full": self.packets // 2},
        } | self.changes

    def __call__(self, request):
        info = {"version": "1", "name": "fake", "pid": 7}
        if request["request"] == "info":
            return info
        if request["request"] != "report":
            return {"ok": 1}
        task = self.task()
        moment = {"time_ns": self.time, "since_ns": self.since, "seconds": 9.9}
        return moment | {"info": info, "tasks": [task], "ports": [], "rings": []}


@pytest.fixture
def fake():
    made = []

    def make(*args, **kwargs):
        made.append(Fake(*args, **kwargs))
        return made[-1]

    yield make
    for f in made:
        f.close()


def once(drover, server, *more):
    return top(drover, "--once", "--json", "--interval", "0.1", "--socket", server.path, *more)


def test_rates_are_differences(drover, fake):
    r = once(drover, fake(Model()))
    interval = json.loads(r.stdout)["tasks"][0]["interval"]
    assert interval == {
        "seconds": 0.1,
        "rx_pps": 0,
        "tx_pps": 10000,
        "cycles_per_packet": 50,
        "packets_per_burst": 10,
        "idle_share": 0.5,
        "drops_pps": {"tx full": 5000},
    }


def test_drops_are_named(drover, fake):
    r = top(drover, "--once", "--interval", "0.1", "--socket", fake(Model()).path)
    row = next(line for line in r.stdout.splitlines() if line.startswith("g "))
    assert row.endswith("tx full 5000/s") and "10.00 kpps" in row


def test_a_clear_in_between_counts_from_zero(drover, fake):
    model = Model()

    def answer(request):
        if request["request"] == "report" and model.packets == 1000:
            model.since, model.packets, model.time = 1_200_000_000, -500, 1_300_000_000
        return model(request)

    interval = json.loads(once(drover, fake(answer)).stdout)["tasks"][0]["interval"]
    assert interval["seconds"] == pytest.approx(0.2) and interval["tx_pps"] == 2500


def test_what_a_server_says_cannot_reach_the_terminal(drover, fake):
    evil = Model(
        name="g\x1b]0;owned\x07",
        mode="\u202eevil",
        verdict="\x1b[2J\n\r\x9b\\\x1b",
        report={"\x1b[3m": 1, "\\": "\\u001b"},
        drops={"\x1b[4m": 10000},
    )

    def raw(request):
        """The same, with characters as they are in UTF-8, where JSON permits it."""
        return json.dumps(evil(request), ensure_ascii=False).encode()

    for server in (fake(evil), fake(raw)):
        for way in ([], ["--json"]):
            r = top(drover, "--once", *way, "--interval", "0.1", "--socket", server.path)
            assert r.returncode == 0 and "owned" in r.stdout
            assert all(" " <= c <= "~" or c == "\n" for c in r.stdout)


def test_what_is_readable_is_left(drover, fake):
    server = fake(Model(name='zürich \\ "a"'))
    r = top(drover, "--once", "--json", "--interval", "0.1", "--socket", server.path)
    assert json.loads(r.stdout)["tasks"][0]["name"] == 'z?u00fcrich \\ "a"'


BAD = {
    "not drover": lambda q: {"name": "fake"},
    "cut": lambda q: b'{"version": "1", "na',
    "not json": lambda q: b"\x00\xff\xfe",
    "deep": lambda q: b"[" * 10000,
    "without end": lambda q: b"x" * 20_000_000,
    "wrong types": lambda q: [1, {"a": None}, "b"],
    "hangs up": lambda q: None,
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_server_is_one_line(drover, fake, kind):
    r = once(drover, fake(BAD[kind]))
    assert r.returncode == 1 and r.stdout == ""
    assert r.stderr.startswith("drover: ") and r.stderr.count("\n") == 1


@pytest.mark.parametrize("kind", ["info", "tasks", "ports", "rings", "time_ns"])
@pytest.mark.parametrize("value", [None, 1, "x", [], {}, [None, 1], {"a": 1}, [{"name": 5}]])
def test_strange_answers_do_no_harm(drover, fake, kind, value):
    model = Model()

    def answer(request):
        answer = model(request)
        return answer | {kind: value} if request["request"] == "report" else answer

    r = top(drover, "--once", "--interval", "0.1", "--socket", fake(answer).path)
    assert r.returncode in (0, 1) and r.stderr.count("\n") <= 1


def test_another_socket_is_told_apart(drover, running):
    r = top(drover, "--once", "--socket", running.telemetry)
    assert r.returncode == 1 and "drover.sock" in r.stderr


def test_a_server_that_hangs(drover, fake):
    hang = threading.Event()
    start = time.monotonic()
    r = once(drover, fake(lambda c: hang.wait(28 * SLOW) and None))
    hang.set()
    assert r.returncode == 1 and "does not answer" in r.stderr
    assert time.monotonic() - start < 8 * SLOW


def test_nobody_there(drover, tmp_path):
    r = top(drover, "--once", "--socket", str(tmp_path / "none"))
    assert r.returncode == 1 and "No such file" in r.stderr
    r = top(drover, "--once", "--file-prefix", "nobody-here")
    assert r.returncode == 1 and "--file-prefix nobody-here" in r.stderr


@pytest.mark.parametrize(
    "args, says",
    [
        (["--onze"], "did you mean '--once'"),
        (["--interval", "0"], "--interval"),
        (["--interval", "nan"], "--interval"),
        (["--interval"], "wants a value"),
        (["--socket", "a", "--file-prefix", "b"], "give one"),
        (["more"], "more"),
    ],
)
def test_usage(drover, args, says):
    r = top(drover, *args)
    assert r.returncode == 2 and says in r.stderr and r.stderr.count("\n") == 1


# ---- the screen


class Terminal:
    def __init__(self, drover, *args, env=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update({"TERM": "xterm", "LINES": "", "COLUMNS": ""} | (env or {}))
            del os.environ["LINES"], os.environ["COLUMNS"]
            os.execv(drover, [drover, "top", *args])
        self.seen = b""

    def until(self, text, seconds=10):
        deadline = time.monotonic() + seconds
        while text.encode() not in self.seen:
            left = deadline - time.monotonic()
            assert left > 0, f"no '{text}' in {self.seen[-2000:]!r}"
            if select.select([self.fd], [], [], left)[0]:
                try:
                    self.seen += os.read(self.fd, 65536)
                except OSError:
                    break
        assert text.encode() in self.seen
        self.seen = b""

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def end(self):
        """The exit status."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    os.read(self.fd, 65536)
                except OSError:
                    pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid != 0:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        pytest.fail("top does not end")


def test_keys(drover, fake):
    server = fake(Model())
    t = Terminal(drover, "--interval", "0.2", "--socket", server.path)
    t.until("CYC/PKT")
    for key, request in {
        "s": {"request": "stop", "task": "g"},
        "c": {"request": "clear"},
        "+": {"request": "rate", "task": "g", "pps": 11000},
    }.items():
        t.type(key)
        deadline = time.monotonic() + 5
        while request not in server.asked and time.monotonic() < deadline:
            time.sleep(0.02)
        assert request in server.asked
    t.type("h")
    t.until("Keys of drover top")
    t.type("q")
    assert t.end() == 0


def test_it_waits_for_a_drover_that_went_away(drover, fake):
    gone = threading.Event()
    model = Model()
    server = fake(lambda c: None if gone.is_set() else model(c))
    t = Terminal(drover, "--interval", "0.1", "--socket", server.path, env={"NO_COLOR": "1"})
    t.until("fake")
    gone.set()
    t.until("waiting for drover")
    gone.clear()
    t.until("fake")
    os.kill(t.pid, signal.SIGTERM)
    assert t.end() == 0


def test_a_terminal_that_is_closed_ends_it(drover, fake):
    t = Terminal(drover, "--interval", "0.1", "--socket", fake(Model()).path)
    t.until("fake")
    os.close(t.fd)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        pid, _ = os.waitpid(t.pid, os.WNOHANG)
        if pid != 0:
            return
        time.sleep(0.05)
    os.kill(t.pid, signal.SIGKILL)
    os.waitpid(t.pid, 0)
    pytest.fail("top does not end with its terminal")


def test_an_unknown_terminal_is_said(drover, fake):
    t = Terminal(drover, "--socket", fake(Model()).path, env={"TERM": "no-such-terminal"})
    t.until("no-such-terminal")
    assert t.end() == 1
