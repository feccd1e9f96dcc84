# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""How long pinfold takes to run /bin/true in the whole fence, against crun with the same bundle."""

import json
import os
import shutil
import statistics

import peer
import stats
import work
from work import Failure

BOUND = 1.5  # times crun
BLOCK = 8  # starts in a row, then the other's turn
PAGES = 16  # of 2 MiB


def grant(cpu):
    name = f"bench-{os.getpid()}"
    return ["--name", name, "--cpus", str(cpu), "--hugepages", f"2M={PAGES}", "--", "/bin/true"]


def times(argv, count, what, expect=0):
    """Seconds of so many starts; one more before them is not counted."""
    taken = []
    for _ in range(count + 1):
        seconds, status = peer.timed(argv)
        if status != expect:
            raise Failure(f"{what}: ended with status {status}")
        taken.append(seconds)
    return taken[1:]


def script(w, name, text):
    path = f"{w.dir}/{name}"
    with open(path, "w", encoding="ascii") as f:
        f.write(f"#!/bin/sh\n{text}\n")
    os.chmod(path, 0o755)
    return path


def crun_times(w, cpu, crun, count):
    """crun run in a loop, in the mount namespace and the cgroups of one pinfold run."""
    result = f"{w.dir}/peer.json"
    here = os.path.dirname(os.path.abspath(__file__))
    wrapper = script(
        w, "peer", f'exec /usr/bin/python3 -B "{here}/peer.py" "{crun}" {count + 1} "{result}" "$@"'
    )
    argv = [work.PINFOLD, "run", "--runtime", wrapper, *grant(cpu)]
    w.call(argv, 60, "crun in a loop")
    with open(result, encoding="ascii") as f:
        return json.load(f)[1:]


def parts(w, cpu, crun):
    """Where pinfold's own time goes: medians in seconds."""
    null = script(w, "null", 'case "$*" in *--version*) exec "%s" --version ;; esac' % crun)
    # without a runtime the workload never starts, which is a failure, but everything else is done
    devnull = os.open("/dev/null", os.O_WRONLY)
    saved = [os.dup(1), os.dup(2)]
    try:
        os.dup2(devnull, 1)
        os.dup2(devnull, 2)
        return {
            "exec of pinfold alone": statistics.median(
                times([work.PINFOLD, "--help"], 20, "pinfold --help")
            ),
            "pinfold plan (with a look at every process)": statistics.median(
                times([work.PINFOLD, "plan", *grant(cpu)], 20, "pinfold plan")
            ),
            "all but the runtime: plan, steps, undo": statistics.median(
                times([work.PINFOLD, "run", "--runtime", null, *grant(cpu)], 20, "pinfold run", 125)
            ),
        }
    finally:
        for fd, old in zip((1, 2), saved):
            os.dup2(old, fd)
            os.close(old)
        os.close(devnull)


def measure(w, cpu, starts, say):
    crun = shutil.which("crun")
    if crun is None:
        raise Failure("crun is not installed: run scripts/setup")
    blocks = max(2, -(-starts // BLOCK))
    ours, theirs, pairs = [], [], []
    for i in range(blocks):
        say(f"start-up, block {i + 1} of {blocks}")
        measured = {}
        for who in ("pinfold", "crun") if i % 2 == 0 else ("crun", "pinfold"):
            if who == "pinfold":
                measured[who] = times([work.PINFOLD, "run", *grant(cpu)], BLOCK, "pinfold run")
            else:
                measured[who] = crun_times(w, cpu, crun, BLOCK)
        ours += measured["pinfold"]
        theirs += measured["crun"]
        pairs.append([statistics.median(measured[who]) for who in ("pinfold", "crun")])
    say("start-up, the parts")
    found = {"pinfold": ours, "crun": theirs, "ratio": stats.ratio(pairs)}
    return found | {"parts": parts(w, cpu, crun)}


def judge(ratio):
    if ratio.high <= BOUND:
        return "met"
    return "missed" if ratio.low > BOUND else "undecided"
