# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold host ticks: whether it counts what the kernel does."""

import json
import os
import subprocess
import time
from pathlib import Path

import jsonschema
import pytest
from places import TOP

from workload import GUEST

SCHEMA = json.loads((TOP / "data/schemas/ticks.json").read_text())
CPU = min(os.sched_getaffinity(0))


def run(pinfold, *args):
    return subprocess.run(
        [pinfold, "host", "ticks", *map(str, args)], capture_output=True, text=True, check=False
    )


def timer(cpu):
    """Interrupts of a CPU's own timer, from /proc/interrupts."""
    head, *lines = Path("/proc/interrupts").read_text().splitlines()
    column = head.split().index(f"CPU{cpu}")
    return sum(int(s.split()[column + 1]) for s in lines if s.split()[0] == "LOC:")


@pytest.mark.guest
def test_counts(pinfold):
    """On a CPU that is busy there are as many as the kernel says meanwhile, and it is told to be busy."""
    spin = subprocess.Popen(["taskset", "-c", str(CPU), "sh", "-c", "while :; do :; done"])
    try:
        before, begun = timer(CPU), time.monotonic()
        p = run(pinfold, "--cpus", CPU, "--json")
        most, took = timer(CPU) - before, time.monotonic() - begun
    finally:
        spin.kill()
        spin.wait()
    assert p.returncode == 0, p.stderr
    rows = json.loads(p.stdout)
    jsonschema.validate(rows, SCHEMA)
    assert [r["cpu"] for r in rows] == [CPU]
    isolated = Path("/sys/devices/system/cpu/isolated").read_text().strip()
    assert rows[0]["isolated"] == (isolated != "" and str(CPU) in isolated)
    assert 0 <= rows[0]["ticks"] <= rows[0]["interrupts"]
    # it counted for a part of that time
    assert rows[0]["ticks"] <= most * 1.05 + 1 and took >= 1
    if most > 20:
        assert rows[0]["ticks"] > most / took / 3
    assert rows[0]["busy"] + rows[0]["stolen"] > 50


# CPU 0 of it is as ever
TICKLESS = "nohz_full=1 isolcpus=managed_irq,domain,1 rcu_nocbs=1"
THIS = "tests/e2e/pinfold/test_host_ticks.py"


@pytest.mark.full
@pytest.mark.anywhere
@pytest.mark.limit(1000)
def test_in_a_guest():
    """What follows, where the kernel's command line makes a CPU tickless."""
    if GUEST:
        pytest.skip("a guest in a guest would be tried for ever")
    p = subprocess.run(
        [TOP / "tests/guest/run", "-t", "600", "-a", TICKLESS, "--",
         TOP / "tests/run", "e2e", THIS, "-k", "test_tickless"],
        capture_output=True,
        text=True,
        timeout=950,
        check=False,
    )  # fmt: skip
    if p.returncode == 77:
        pytest.skip(p.stderr.strip())
    print(p.stdout)
    assert p.returncode == 0 and "1 passed" in p.stdout, p.stderr


@pytest.mark.skipif(
    TICKLESS not in Path("/proc/cmdline").read_text(), reason=f"needs a kernel with {TICKLESS}"
)
@pytest.mark.limit(120)
def test_tickless(pinfold):
    """Of two CPUs that poll the one is interrupted as often as the kernel's HZ has it, the other hardly at all."""
    spins = [
        subprocess.Popen(["taskset", "-c", str(c), "sh", "-c", "while :; do :; done"])
        for c in (0, 1)
    ]
    try:
        time.sleep(3)  # the scheduler has made its peace with them
        p = run(pinfold, "--cpus", "0,1", "--seconds", 3, "--json")
    finally:
        for spin in spins:
            spin.kill()
            spin.wait()
    assert p.returncode == 0, p.stderr
    ordinary, tickless = json.loads(p.stdout)
    assert not ordinary["isolated"] and not ordinary["tickless"]
    assert tickless["isolated"] and tickless["tickless"]
    assert ordinary["busy"] + ordinary["stolen"] > 90 and tickless["busy"] + tickless["stolen"] > 90
    # HZ is 250; a busy machine lets some of them come too late to be counted
    assert 60 < ordinary["ticks"] < 300
    assert tickless["ticks"] <= 3 and tickless["interrupts"] < 10


def test_text_and_nonsense(pinfold):
    lines = run(pinfold, "--cpus", CPU).stdout.splitlines()
    assert lines[0].split()[:4] == ["CPU", "ISOLATED", "TICKLESS", "TICKS"] and len(lines) == 2
    for words, like in [
        (["--cpus", "8191"], "CPU 8191 is not online; those that are: "),
        (["--seconds", "0"], "a number from 1 to 60"),
        (["x"], "'x' is no option"),
    ]:
        p = run(pinfold, *words)
        assert p.returncode == 125 and like in p.stderr and p.stderr.count("\n") == 1
    p = subprocess.run(
        [pinfold, "--host-tree", "/", "host", "ticks"], capture_output=True, text=True, check=False
    )
    assert p.returncode == 125 and "leave --host-tree out" in p.stderr
