# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""make bench-drover: a session whose program crashes is made again, under names that nothing has had. make bench-bounds: what is judged of results,
of which each row is one that the benchmark has."""

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
@pytest.mark.full
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


# names of experiment and row, environment; a figure that is good enough, and one that is not
REACH = [
    ("startup", "one bundle: pinfold to crun", "container/container", 1.4, 1.6),
    ("startup", "exec to the guest's init", "vm", 3900, 4100),
    ("startup", "exec to the first forwarded packet", "vm", 14000, 16000),
    ("memory", "of it not the guest's own memory", "vm 256M, on use", 120, 125),
    ("disk", "what an instance adds to its image", "vm", 0, 0.1),
    ("throughput", "none, 64 B: overload", "vm", 0.6, 0.4),
    ("throughput", "none, 64 B: lost at half of that, less what stalls explain", "vm", 0, 0.01),
]


@pytest.mark.anywhere
@pytest.mark.parametrize("missed", [None, *range(len(REACH))])
def test_what_a_machine_is_to_reach(tmp_path, missed):
    experiments = [
        {
            "experiment": experiment,
            "rows": [
                {"name": name, "environment": env, "samples": [bad if i == missed else good],
                 "unit": "x", "emulated": True}
            ],
        }
        for i, (experiment, name, env, good, bad) in enumerate(REACH)
    ]  # fmt: skip
    (tmp_path / "r.json").write_text(json.dumps({"experiments": experiments}))
    p = subprocess.run(
        [TOP / "tests/bench/bounds.py", tmp_path / "r.json"],
        stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert p.returncode == (missed is not None), p.stdout
    lines = p.stdout.splitlines()
    assert [("MISSED" in line) for line in lines] == [i == missed for i in range(len(REACH))]
    assert all(line.endswith("(emulated CPU)") for line in lines)
    (tmp_path / "r.json").write_text('{"experiments": []}')
    p = subprocess.run(
        [TOP / "tests/bench/bounds.py", tmp_path / "r.json"],
        stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert p.returncode == 1 and p.stdout.count("not measured") == len(REACH)
