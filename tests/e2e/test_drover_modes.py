# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""drover's modes beside forwarding: the jitter meter."""

import json
import os

import pytest
from conftest import program
from test_drover_stats import Running, Telemetry, top

from workload import CPU, wait

pytestmark = [pytest.mark.anywhere]


@pytest.fixture(scope="module")
def drover():
    return program("DROVER", "build/drover/drover")


# ---- irq

# on one CPU: each is a gap to the others
JITTER = """
[global]
name=jitter
[core 0]
mode=master
[core 1]
name=one
task=0
mode=irq
threshold=20us
buckets=yes
[core 2]
name=two
task=0
mode=irq
[core 3]
name=three
task=0
mode=irq
"""


def check_jitter(report, dot="."):
    gap, from_ = report["gap"], report["gaps_from"]
    assert report["gaps"] == gap["count"] == sum(from_.values()) > 0
    points = [gap[p.replace(".", dot)] for p in ("min", "p50", "p99", "p99.9", "p99.99", "max")]
    assert points == sorted(points) and points[0] >= 0.99 * report["threshold_ns"]
    assert 0 < report["lost_share"] <= 1
    assert report["lost_ns"] >= points[-1]
    assert report["lost_ns"] <= report["measured_seconds"] * 1e9 * 1.01


def test_jitter(drover, tmp_path):
    """Over telemetry, in top and in the report. Cores that share a CPU lose much of their time."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CPU})
    try:
        r = Running(drover, tmp_path, f"jitter{os.getpid()}", JITTER)
    finally:
        os.sched_setaffinity(0, allowed)
    try:
        tel = Telemetry(r.socket)
        assert list(tel.ask("/drover/irq")["tasks"]) == ["one", "two", "three"]
        wait(lambda: tel.ask("/drover/irq,one")["tasks"]["one"]["gaps"] > 100, what="gaps")
        assert "measures no jitter" not in str(tel.ask("/drover/irq"))
        assert "measures no latency" in tel.ask("/drover/lat,one")["error"]
        assert "no task" in tel.ask("/drover/irq,four")["error"]
        seen = top(drover, "--once", "--interval", "0.2", "--socket", r.socket)
        assert seen.returncode == 0, seen.stderr
        rows = [line for line in seen.stdout.splitlines() if line.startswith(("JITTER", "one "))]
        assert any("LOST SHARE" in row for row in rows) and rows[-1].endswith("%")
        as_json = top(drover, "--once", "--json", "--interval", "0.2", "--socket", r.socket)
        check_jitter(json.loads(as_json.stdout)["tasks"][0]["report"], dot="_")
    finally:
        out = r.end()
    tasks = {t["name"]: t for t in json.loads(out)["tasks"]}
    for task in tasks.values():
        assert task["rx"] == task["tx"] == 0
        check_jitter(task["report"])
        assert "lost" in task["verdict"]
    one = tasks["one"]["report"]
    assert one["threshold_ns"] == pytest.approx(20000, rel=1e-3)
    assert sum(n for _, n in one["buckets"]) == one["gaps"]
    assert "buckets" not in tasks["two"]["report"]
    # of three on one CPU two are kept from it
    assert sum(t["report"]["lost_share"] for t in tasks.values()) > 1
