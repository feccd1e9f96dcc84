# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold bench with packets, whose functions and testers are killed in their trials."""

import json
import os
import signal

import pytest

from processes import descendants, words
from workload import needs_pages, needs_root, needs_two, wait

pytestmark = [pytest.mark.anywhere, needs_root, needs_two, needs_pages(224)]


def program(pid, name, word):
    """One of that name below that process, with a word in its command line."""
    for p in descendants(pid):
        found = words(p)
        if found and found[0].endswith("/" + name) and word in found:
            return p
    return None


def disturbed(pf, tmp_path, experiment, name, word, kills=1, size="--quick"):
    """Its rows, of a run in which the first such programs are killed."""
    env = os.environ | {"PINFOLD_BENCH_TINY": "1", "PINFOLD_GUEST_CACHE": "/nonexistent"}
    s = pf.start("bench", "run", size, "-o", tmp_path / "out", experiment, env=env)
    for i in range(kills):
        killed = wait(lambda: program(s.pid, name, word), 40, f"{name} {i}")
        os.kill(killed, signal.SIGKILL)
        wait(lambda: not words(killed), 10, "its end")
    assert s.end(110) == 0, s.text()
    assert "File exists" not in s.text()
    doc = json.loads((tmp_path / "out/results.json").read_text(encoding="utf-8"))
    (found,) = [e for e in doc["experiments"] if e["experiment"] == experiment]
    assert found["complete"] and "failed" not in found, found
    return found["rows"]


@pytest.mark.limit(150)
def test_functions_that_are_killed(pf, tmp_path):
    """Their trials are made again, under names that nothing has had, and the run says how often and why."""
    rows = disturbed(pf, tmp_path, "throughput", "drover", "vnf", 2, "--brief")
    assert sum(row.get("repeated", 0) for row in rows) >= 2, rows
    assert any(row.get("repeated-because") for row in rows), rows


@pytest.mark.limit(150)
def test_testers_that_are_killed(pf, tmp_path):
    """The same of the tester, which is alone at first: that trial is made again, too."""
    rows = disturbed(pf, tmp_path, "throughput", "drover", "tester", 1, "--brief")
    (alone,) = [row for row in rows if row["name"] == "generator and meter alone, 64 B"]
    assert alone["repeated"] >= 1 and "tester" in alone["repeated-because"], rows


@pytest.mark.parametrize(
    "experiment, name, word",
    [
        ("cost", "drover", "vnf"),
        ("jitter", "drover", "vnf"),
        ("latency", "drover", "vnf"),
        ("links", "drover", "tester"),
        ("memory", "sleep", "600"),
        ("neighbours", "drover", "vnf"),
    ],
)
@pytest.mark.full
@pytest.mark.limit(200)
def test_programs_that_are_killed(pf, tmp_path, experiment, name, word):
    """The same of the other experiments."""
    rows = disturbed(pf, tmp_path, experiment, name, word)
    assert sum(row.get("repeated", 0) for row in rows) >= 1, rows
