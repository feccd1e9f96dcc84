# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold bench with packets, whose functions are killed in their trials."""

import json
import os
import signal

import pytest

from processes import descendants, words
from workload import needs_pages, needs_root, needs_two, wait

pytestmark = [pytest.mark.anywhere, needs_root, needs_two, needs_pages(224)]


def function(pid):
    """A drover under test, below that process."""
    for p in descendants(pid):
        found = words(p)
        if found and found[0].endswith("/drover") and "vnf" in found:
            return p
    return None


@pytest.mark.limit(150)
def test_functions_that_are_killed(pf, tmp_path):
    """Their trials are made again, under names that nothing has had, and the run says how often and why."""
    env = os.environ | {"PINFOLD_BENCH_TINY": "1"}
    s = pf.start("bench", "run", "--brief", "-o", tmp_path / "out", "throughput", env=env)
    for i in range(2):
        killed = wait(lambda: function(s.pid), 40, f"function {i}")
        os.kill(killed, signal.SIGKILL)
        wait(lambda: not words(killed), 10, "its end")
    assert s.end(90) == 0, s.text()
    assert "File exists" not in s.text()
    doc = json.loads((tmp_path / "out/results.json").read_text(encoding="utf-8"))
    (found,) = [e for e in doc["experiments"] if e["experiment"] == "throughput"]
    assert found["complete"] and "failed" not in found, found
    assert sum(row.get("repeated", 0) for row in found["rows"]) >= 2, found["rows"]
    assert any(row.get("repeated-because") for row in found["rows"]), found["rows"]
