# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The packet experiments of pinfold bench: every packet accounted for, a known rate found, disturbed on purpose."""

import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from places import program
from workload import SLOW, needs_pages, needs_root, needs_two, wait

PAGES = 224  # of 2 MiB: RIG_PAGES
pytestmark = [needs_root, needs_two, needs_pages(PAGES)]


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
    why = found.get("error") or found.get("why", "")
    if "stood still" in why or "too late" in why or "offered" in why:
        pytest.skip(f"the machine is busy: {why}")


@pytest.mark.parametrize(
    "env, function, link",
    [
        ("loop", "none", "memif"),
        ("host", "none", "memif"),
        ("host", "BNG", "memif"),
        ("host", "l3fwd", "memif"),
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
    """A port that is policed to 200000 packets a second."""
    found = rig("host", "policed", "memif", "search", 1e6).next()
    busy(found)
    assert found["found"], found
    assert found["ndr"] == pytest.approx(200000, rel=0.01), found
    assert found["pdr"] == pytest.approx(200000, rel=0.01), found


def stop_for(pid, seconds):
    os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(pid, signal.SIGCONT)


def test_disturbed_window(rig):
    """A function that stands still for 100 ms makes a window invalid, with the reason; the next try counts."""
    r = rig("host", "none", "memif", "offer", 50000, 0.4, "valid", 50000, 0.4, "valid", 50000, 0.4)
    r.go()
    time.sleep(0.1)
    stop_for(r.pid, 0.1)
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
    assert "stood still" in w["error"] or "too late" in w["error"], w
    assert time.monotonic() - begun < 15 * SLOW


def test_function_that_dies(rig):
    r = rig("host", "none", "memif", "offer", 50000, 0.4)
    r.go()
    time.sleep(0.1)
    os.kill(r.pid, signal.SIGKILL)
    assert "vnf" in r.line()["error"]


def tiny(pf, tmp_path, *names):
    env = os.environ | {"PINFOLD_BENCH_TINY": "1"}
    return pf.start("bench", "run", "--quick", "-o", tmp_path / "out", *names, env=env)


def rows(tmp_path, experiment):
    found = json.loads((tmp_path / "out/results.json").read_text())
    return next(r for r in found["experiments"] if r["experiment"] == experiment)


@pytest.mark.limit(120)
def test_tiny_run(pf, tmp_path):
    """All the way from the command to rows: each has figures, or says why not."""
    s = tiny(pf, tmp_path, "throughput", "jitter")
    assert s.end(110) == 0, s.text()
    r = rows(tmp_path, "throughput")
    assert r["complete"] and "failed" not in r, r
    names = {(row["name"], row.get("environment")) for row in r["rows"]}
    for env in ("host", "container"):
        for value in ("overload", "a packet", "no-drop rate"):
            assert (f"none, 64 B: {value}", env) in names
    for row in r["rows"]:
        assert (
            row["kind"] == "missing" or row.get("interval", {}).get("n") or row.get("reason")
        ), row
    longest = [row for row in rows(tmp_path, "jitter")["rows"] if "longest" in row["name"]]
    assert longest and all(row["interval"]["n"] == 2 for row in longest)


def test_ctrl_c(pf, tmp_path):
    """In the middle of a trial: what was found is kept, and nothing is left (the fixture looks)."""
    s = tiny(pf, tmp_path, "latency")
    s.until("latency: ", 40)
    wait(lambda: list(Path("/run/pinfold/leases").glob("bench-*")), 30, "a function in a container")
    s.signal(signal.SIGINT)
    assert s.end(20) == 130, s.text()
    assert not rows(tmp_path, "machine").get("failed")
