# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The packet experiments of pinfold bench: every packet accounted for, a known rate found, disturbed on purpose."""

import json
import math
import os
import signal
import statistics
import subprocess
import threading
import time
from pathlib import Path

import pytest
from places import program
from workload import SLOW, needs_pages, needs_root, needs_two, wait

PAGES = 224  # of 2 MiB: RIG_PAGES
# not in the guest: cores that poll are what an emulated CPU is slowest at
pytestmark = [pytest.mark.anywhere, needs_root, needs_two, needs_pages(PAGES)]


class Rig:
    """tests/e2e/lib/rig.c: a function and its tester."""

    def __init__(self, pinfold, log, *words):
        env = os.environ | {"PINFOLD": pinfold, "DROVER": program("DROVER", "build/drover/drover")}
        with open(log, "wb") as f:
            self.process = subprocess.Popen(
                [program("RIG", "build/tests/e2e/lib/rig"), *map(str, words)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=f, text=True, env=env,
            )  # fmt: skip
        self.log = log
        self.pid = self.line()["ready"]

    def line(self):
        text = self.process.stdout.readline()
        if not text:
            pytest.fail(f"it ended: {self.log.read_text()}")
        return json.loads(text)

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def next(self):
        self.go()
        return self.line()

    def end(self):
        self.process.stdin.close()
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(30)


@pytest.fixture
def rig(pinfold, tmp_path, leaks):
    made = []

    def make(*words):
        made.append(Rig(pinfold, tmp_path / "rig.log", *words))
        return made[-1]

    yield make
    for r in made:
        r.end()


def busy(found):
    """What a machine that does other things as well gives: no failure of what is tested."""
    if found.get("busy"):
        pytest.skip(f"the machine is busy: {found['error']}")
    assert "error" not in found, found


@pytest.mark.parametrize(
    "env, function, link",
    [
        ("loop", "none", "memif"),
        ("host", "BNG", "memif"),
        pytest.param("host", "l3fwd", "memif", marks=pytest.mark.full),
        ("host", "none", "ring"),
        ("host", "none", "vhost"),
        ("container", "l2fwd", "memif"),
        ("container", "BNG", "memif"),
    ],
)
def test_accounts_for_every_packet(rig, env, function, link):
    """At overload and at a rate, however busy the machine is."""
    r = rig(env, function, link, "offer", 0, 0.2, "offer", 50000, 0.2)
    for asked in (0, 50000):
        w = r.next()
        assert "error" not in w, w
        assert w["received"] > 100 and w["unaccounted"] == 0, w
        if env != "loop":
            assert w["sent"] == w["received"] + w["dropped"], w
        if asked:
            due = w["sent"] + w["full"] + w["late"]
            assert due == pytest.approx(asked * w["seconds"], rel=0.05), w


def test_known_capacity(rig):
    """A port that is policed to 200000 packets a second, to 1 % and what the windows excused as the machine's stalls."""
    found = rig("host", "policed", "memif", "search", 1e6).next()
    busy(found)
    assert found["found"], found
    for rate in ("ndr", "pdr"):
        assert found[rate] == pytest.approx(200000, rel=0.01 + found["excused"]), found


def stop_for(pid, seconds):
    os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(pid, signal.SIGCONT)


def test_disturbed_window(rig):
    """A function that stands still makes a window invalid, with the reason; the next try counts."""
    # long ones, for which nobody who is late himself is too early or too late
    r = rig("host", "none", "memif", "offer", 50000, 2, "valid", 50000, 0.4, "valid", 50000, 1)
    r.go()
    time.sleep(0.5)
    stop_for(r.pid, 0.2)
    w = r.line()
    assert not w["valid"] and "function stood still" in w["why"], w
    # what was lost is the machine's
    assert w["excused"] == w["loss"] and w["unaccounted"] == 0, w

    r.go()
    time.sleep(0.1)
    stop_for(r.pid, 0.1)
    w = r.line()
    busy(w)
    assert w["valid"], w

    # as long as it is disturbed there is no result, and it ends
    r.go()
    over = threading.Event()

    def disturb():
        while not over.is_set():
            stop_for(r.pid, 0.05)
            time.sleep(0.05)

    t = threading.Thread(target=disturb)
    t.start()
    begun = time.monotonic()
    w = r.line()
    over.set()
    t.join()
    assert w["busy"], w
    assert time.monotonic() - begun < 15 * SLOW


def test_disturbed_search(rig):
    """Windows of a search in which the function stood still are made again, and the known rate is found all the same."""
    r = rig("host", "policed", "memif", "search", 1e6)
    r.go()
    try:
        for _ in range(6):
            time.sleep(0.5)
            stop_for(r.pid, 0.1)
    except ProcessLookupError:
        pass  # it is done already
    found = r.line()
    busy(found)
    assert found["found"] and found["repeated"] >= 1, found
    for rate in ("ndr", "pdr"):
        assert found[rate] == pytest.approx(200000, rel=0.01 + found["excused"]), found


@pytest.mark.full
@pytest.mark.limit(400)
def test_a_against_a(rig):
    """The same twice, a hundred times, with packets: no more are called different than the stated 5 %, and what chance
    adds to that once in a hundred such tests (binomial)."""
    r = rig("host", "none", "memif", *["valid", 0, 0.05] * 800)
    different = 0
    for _ in range(100):
        pairs = []
        for i in range(4):
            sides = [r.next() for _ in "ab"]
            busy(sides[0])
            busy(sides[1])
            first, second = (w["received"] / w["seconds"] for w in sides)
            pairs.append(math.log(first / second) * (-1 if i % 2 else 1))
        half = 3.182 * statistics.stdev(pairs) / 2  # Student's t of three degrees
        mean = statistics.mean(pairs)
        different += abs(mean) > half and abs(mean) + half > math.log(1.03)
    assert different <= 11


def test_function_that_dies(rig):
    r = rig("host", "none", "memif", "offer", 50000, 2)
    r.go()
    time.sleep(0.1)
    os.kill(r.pid, signal.SIGKILL)
    assert "vnf" in r.line()["error"]


def results(tmp_path):
    file = tmp_path / "out/results.json"
    found = json.loads(file.read_text())["experiments"] if file.exists() else []
    return {r["experiment"]: r for r in found}


@pytest.mark.limit(460)
def test_run_and_ctrl_c(pf, tmp_path):
    """All the way from the command to rows, each with figures or why not; ctrl-C in the middle of a trial keeps what
    was found and leaves nothing (the fixture looks); --resume makes what lacks, and that alone."""
    env = os.environ | {"PINFOLD_BENCH_TINY": "1"}
    names = ("throughput", "latency", "jitter")
    s = pf.start("bench", "run", "--quick", "-o", tmp_path / "out", *names, env=env)

    def in_latency():
        assert s.process.poll() is None, s.text()
        leases = list(Path("/run/pinfold/leases").glob("bench-*"))
        return "throughput" in results(tmp_path) and leases

    wait(in_latency, 260, "a function of 'latency' in a container")
    s.signal(signal.SIGINT)
    assert s.end(20) == 130, s.text()

    r = results(tmp_path)
    assert "jitter" not in r and not r.get("latency", {}).get("complete")
    assert r["throughput"]["complete"] and "failed" not in r["throughput"], r
    rows = r["throughput"]["rows"]
    assert rows and all(
        row["kind"] in ("missing", "fact")
        or row.get("interval", {}).get("n")
        or row.get("reason")
        or row.get("text")
        for row in rows
    ), rows
    have = {(row["name"], row.get("environment")) for row in rows}
    for env_name in ("host", "container", "container/host"):
        for value in ("overload", "a packet", "no-drop rate"):
            assert (f"none, 64 B: {value}", env_name) in have, have
    assert ("none, 64 B, twice: overload", "host again/host") in have, have

    s = pf.start("bench", "run", "--resume", tmp_path / "out", "latency", env=env)
    assert s.end(140) == 0, s.text()
    again = results(tmp_path)
    assert again["throughput"] == r["throughput"]
    assert again["latency"]["complete"] and "failed" not in again["latency"], again["latency"]

    # not every row may be one that only says why: but for a machine that does other things as well
    rates = [row for row in rows if row["name"] == "none, 64 B: overload" and row.get("unit")]
    reasons = [row["reason"] for row in rates if row.get("invalid")]
    if reasons and all("stood still" in why or "another speed" in why for why in reasons):
        pytest.skip(f"the machine is busy: {reasons[0]}")
    assert len(rates) == 2 and not reasons, rates
    assert all(row["interval"]["value"] > 0.01 for row in rates), rates
