# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Cycles a packet of drover's routing and BNG with tables of the size they are for, beside bare loops."""

import json
import os
import statistics

import plane
import plane_show
import term
import work

PROGRAM = f"{work.TOP}/build/tests/bench/bng_cycles"
PAGES = 640  # of 2 MiB: a million routes, and subscribers three times
RATIO_BOUND = 1.35  # times the bare loop
GROWTH_BOUND = 1.6  # a million subscribers, times a thousand
LOAD_BOUND = 2.0  # seconds, for a million routes and as many subscribers out of text
BOUND_CASES = ("routing", "upstream 65536", "downstream 65536")  # the others are for the growth


def run(w, cpu):
    if not os.access(PROGRAM, os.X_OK):
        raise work.Failure(f"'{PROGRAM}' is not built: run make")
    env = os.environ | {"RUNTIME_DIRECTORY": w.dir}
    text = w.call([PROGRAM, str(cpu)], 120, "bng_cycles", env=env)
    return json.loads(text[text.index("{") :])


def word(value, bound):
    return "met" if value <= bound else "missed"


def measure(w, cpu):
    found = run(w, cpu)
    rows, value, medians = [], {}, {}
    for name, case in found["cases"].items():
        ours, theirs = (statistics.median(p[i] for p in case["pairs"]) for i in (0, 1))
        # the median of pairs, not their mean: an interrupt in one of them is no cost of ours
        ratio = statistics.median(a / b for a, b in case["pairs"])
        verdict = word(ratio, RATIO_BOUND) if name in BOUND_CASES else ""
        medians[name] = ours
        rows.append([name, f"{ours:.1f}", f"{theirs:.1f}", f"{ratio:.3f}", verdict])
        value[name] = {"drover": ours, "bare": theirs, "ratio": round(ratio, 4), "verdict": verdict}
        value[name]["pairs"] = case["pairs"]
    term.heading("Routing and BNG: cycles a packet, beside a bare loop that does the same work")
    head = ["median", "drover", "bare loop", "ratio", f"at most {RATIO_BOUND}"]
    term.table(head, rows, {(i, 4): plane_show.verdict for i in range(len(rows))})
    for way in ("upstream", "downstream"):
        growth = medians[f"{way} 1000000"] / medians[f"{way} 1000"]
        verdict = word(growth, GROWTH_BOUND)
        value[f"{way} growth"] = {"ratio": round(growth, 4), "verdict": verdict}
        term.out(
            f"  {way}, a million subscribers instead of a thousand: {growth:.2f} times;"
            f" must be at most {GROWTH_BOUND}: {plane_show.verdict(verdict)}"
        )
    load = sum(found["load_seconds"].values())
    value["load"] = found["load_seconds"] | {"verdict": word(load, LOAD_BOUND)}
    term.out(
        f"  {found['routes']} routes and a million subscribers from text to tables: {load:.2f} s;"
        f" must be at most {LOAD_BOUND:g}: {plane_show.verdict(value['load']['verdict'])}"
    )
    ours, theirs = plane.flags("/task/vnf/routing.c"), plane.flags("/bng_bare.c")
    same = "the same flags" if ours == theirs else "DIFFERENT flags"
    term.note(
        f"TSC cycles at {found['tsc_mhz']} MHz on CPU {cpu}; 64 B, burst {found['burst']},"
        f" {found['packets']} packets from ring to ring, written anew before each pass (not counted)"
        " with destinations and subscribers at random. The bare loops judge packets as drover does,"
        f" for one format, one input and one output. One program, {same} for both: {ours}."
    )
    return value
