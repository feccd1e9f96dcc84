# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""./try: a short run of pinfold bench, printed for people, that gives back all that it takes."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from features import GUESTS, needs_guests
from places import TOP
from workload import SLOW, needs_root, needs_two, wait

BUILT = "build/src/cli/pinfold"
pytestmark = [
    pytest.mark.anywhere,
    needs_root,
    needs_two,
    # it makes and runs what is in build/
    pytest.mark.skipif(
        (TOP / os.environ.get("PINFOLD", BUILT)).resolve() != TOP / BUILT,
        reason="the tested pinfold is not the one that ./try runs",
    ),
]


def begin(*words, **env):
    # few rounds of what there is least of: the figures say nothing about a machine
    env = os.environ | {"PINFOLD_BENCH_TINY": "1", "PINFOLD_GUEST_CACHE": "/nonexistent"} | env
    return subprocess.Popen(
        [TOP / "try", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    )


def end(p, seconds):
    """What it printed. One that takes too long is stopped in order, or what it took would stay."""
    try:
        return p.communicate(timeout=seconds * SLOW)
    except subprocess.TimeoutExpired:
        p.terminate()
        p.communicate(timeout=40 * SLOW)
        raise


@pytest.mark.limit(290)
def test_a_first_look(pinfold, leaks, tmp_path):
    p = begin("-o", tmp_path / "kept")
    out, error = end(p, 240)
    assert p.returncode == 0, out + error
    # host and container with real packets, side by side, and what they see
    for word in ("In short", "exec to ready", "none, 64 B: overload", "container/host"):
        assert word in out, out
    seen = next(line for line in out.splitlines() if "CPUs that it can run on" in line)
    assert len(seen.split()) >= 8, seen
    assert "all that was taken is put back" in out.splitlines()[-1]
    doc = json.loads((tmp_path / "kept/results.json").read_text(encoding="utf-8"))
    assert doc["size"] == "brief" and (tmp_path / "kept/report.html").exists()
    # without a kernel for guests, each row of a machine says why it has no figure
    rows = machine_rows(doc)
    why = re.compile("no kernel for guests|QEMU .* is not installed")
    assert rows and all(why.search(r["reason"]) for r in rows), rows
    names = [e["experiment"] for e in doc["experiments"]]
    assert names == ["machine", "startup", "view", "throughput", "latency"]
    assert all(e["complete"] and "failed" not in e for e in doc["experiments"]), doc


def machine_rows(doc):
    return [r for e in doc["experiments"] for r in e["rows"] if r.get("environment") == "vm"]


@needs_guests
@pytest.mark.full
@pytest.mark.limit(500)
def test_a_machine(pinfold, leaks, tmp_path):
    """Where there are QEMU and a kernel, it also has the start of a virtual machine, and what none does in it."""
    p = begin("-o", tmp_path / "kept", PINFOLD_GUEST_CACHE=str(GUESTS))
    out, error = end(p, 450)
    assert p.returncode == 0, out + error
    doc = json.loads((tmp_path / "kept/results.json").read_text(encoding="utf-8"))
    check_machine(" ".join(out.split()), machine_rows(doc))


def check_machine(out, rows):
    """The start of a virtual machine by its parts, and what none forwards in it; of an emulated one that is said."""
    said = re.search(
        r"A virtual machine takes (\S+) m?s .*until its init \(firmware .*, kernel .*\), then .* of user space and "
        r".* until its program runs; none in it forwards ([\d.]+) Mpps(.*?)\.",
        out,
    )
    assert said, out
    emulated = {r.get("emulated", False) for r in rows if "samples" in r}
    assert (said[3] == " (emulated CPU, no comparison)") == (emulated == {True}), said
    names = {r["name"] for r in rows if "reason" not in r}
    assert {"exec to the first forwarded packet", "exec to the guest's init"} <= names, names


@pytest.mark.limit(60)
def test_interrupted(pinfold, leaks):
    """A signal to the script alone, while a program of the measurement runs."""
    p = begin()
    wait(lambda: list(Path("/tmp").glob("pinfold-try-*/results/results.json")), 50, "a result")
    time.sleep(0.5)
    p.send_signal(signal.SIGTERM)
    out, error = end(p, 40)
    assert p.returncode == 143 and "all that was taken is put back" in error, out + error
    assert not list(Path("/tmp").glob("pinfold-try-*"))


@pytest.mark.parametrize(
    "words, status, said",
    [
        (["--help"], 0, "Usage: ./try [-o DIR]"),
        (["--no"], 2, "unknown word '--no'"),
        (["-o"], 2, "-o wants a directory"),
    ],
)
def test_words(pinfold, words, status, said):
    p = begin(*words)
    out, error = end(p, 20)
    assert p.returncode == status and said in out + error, out + error
