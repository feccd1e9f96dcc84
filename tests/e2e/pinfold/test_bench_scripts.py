# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""make bench-drover: a session whose program crashes is made again, under names that nothing has had."""

import json
import os
import signal
import subprocess
import time

import pytest

from places import TOP
from workload import SLOW, needs_pages, needs_root, needs_testpmd, needs_two


@pytest.mark.anywhere
@needs_root
@needs_two
@needs_pages(320)
@needs_testpmd
@pytest.mark.limit(120)
def test_a_crash_in_a_session(pinfold, leaks, tmp_path):
    argv = [TOP / "tests/bench/run.py", "--only", "forward"]
    argv += ["--repeats", "2", "--seconds", "0.05", "--json", tmp_path / "found.json"]
    p = subprocess.Popen(
        list(map(str, argv)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    hit = False
    while p.poll() is None and not hit:
        # the first generator that there is
        found = subprocess.run(
            ["pgrep", "-P", str(p.pid), "-f", "drover run .*gen-lat.cfg"],
            capture_output=True,
            text=True,
            check=False,
        )
        for pid in found.stdout.split():
            os.kill(int(pid), signal.SIGSEGV)
            hit = True
        time.sleep(0.02)
    out, _ = p.communicate(timeout=110 * SLOW)
    assert hit and "File exists" not in out and "Traceback" not in out, out
    doc = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    forward = doc["forward"]
    assert forward.pop("crashed") == 1, out
    assert len(forward) == 4, out
    for case in forward.values():
        assert len(case["trials"]) == 2, out
        # the interval of both sessions, unless one was disturbed
        assert (
            "ratio" not in case or case["pairs"] < 2 or case["low"] < case["ratio"] < case["high"]
        )
