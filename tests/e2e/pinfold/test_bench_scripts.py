# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""make bench: a trial whose program crashes is made again, under names that nothing has had."""

import json
import os
import signal
import subprocess
import time

import pytest

from places import TOP
from workload import SLOW, needs_pages


@pytest.mark.anywhere
@needs_pages(320)
@pytest.mark.limit(90)
def test_a_crash_in_the_generator(pinfold, leaks, tmp_path):
    """Both parts have a link in each trial, and the second is disturbed on purpose."""
    argv = [TOP / "tests/bench/run.py", "--only", "pair", "--only", "generator"]
    argv += ["--repeats", "2", "--seconds", "0.3", "--json", tmp_path / "found.json"]
    p = subprocess.Popen(
        list(map(str, argv)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    hit = False
    while p.poll() is None and not hit:
        # the generator of the first trial: it has its own file
        found = subprocess.run(
            ["pgrep", "-P", str(p.pid), "-f", "drover run .*-gen.cfg"],
            capture_output=True,
            text=True,
            check=False,
        )
        for pid in found.stdout.split():
            os.kill(int(pid), signal.SIGSEGV)
            hit = True
        time.sleep(0.02)
    out, _ = p.communicate(timeout=80 * SLOW)
    assert hit and "File exists" not in out and "Traceback" not in out, out
    doc = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert doc["generator"]["crashed"] == 1 and len(doc["pair"]["trials"]) == 2, out
