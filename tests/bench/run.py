#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""make bench: figures of this machine, each against a peer in the same run."""

import argparse
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/scripts/try")
sys.path.append(f"{TOP}/tests/e2e/lib")

import bng
import mounts
import pair
import plane
import plane_show
import rates
import rivals
import rivals_show
import startup
import stats
import tables
import term
import work

PARTS = ("startup", "plan", "pair", "cycles", "bng", "tables", "forward", "peers", "generator")
TRAFFIC = 2.0  # seconds of a trial of the generator at most
TURN = 0.4  # seconds of traffic of drover, then of testpmd, at most
TRIALS = 12  # of the generator, and sessions of drover and testpmd
RIVAL_TURN = 0.2  # seconds of traffic of drover, of a peer, and of the ports alone


def arguments():
    p = argparse.ArgumentParser(prog="tests/bench/run.py", description=__doc__)
    p.add_argument("--only", choices=PARTS, action="append", help="one part; may be repeated")
    p.add_argument("--starts", type=int, default=48, metavar="N", help="of each (default 48)")
    p.add_argument("--repeats", type=int, default=12, metavar="N", help="pairs of trials (12)")
    p.add_argument("--seconds", type=float, default=4.0, metavar="S", help="of traffic each (4)")
    p.add_argument("--peer-sessions", type=int, default=1, metavar="N", help="of each peer (1)")
    p.add_argument("--json", metavar="FILE", help="write the figures there, too")
    args = p.parse_args()
    if min(args.starts, args.repeats, args.peer_sessions) < 1 or args.seconds <= 0:
        p.error("--starts, --repeats, --peer-sessions and --seconds must be above 0")
    return args


def print_setup(setup):
    term.heading("Set-up")
    for name in ("cpu", "kernel", "command_line", "dpdk", "crun", "pinfold", "revision", "time"):
        term.out(f"  {name.replace('_', ' '):13} {setup[name]}")
    term.out(f"  {'load before':13} {setup['load']}, {setup['cpus']} CPUs")


def bench_startup(w, cpu, starts):
    steal = pair.stolen(range(os.cpu_count()))
    found = startup.measure(w, cpu, starts, term.progress.say)
    steal = pair.stolen(range(os.cpu_count())) - steal
    ratio, verdict = found["ratio"], startup.judge(found["ratio"])

    def row(name):
        ms = [t * 1000 for t in found[name]]
        return [name + " run", *(f"{stats.percentile(ms, part):.1f}" for part in (0.5, 0.9, 1))]

    term.heading("Start-up: /bin/true in the whole fence, with hugepages")
    term.table(["ms", "median", "90 %", "most"], [row("pinfold"), row("crun")])
    colour = {"met": term.green, "missed": term.red}.get(verdict, term.yellow)
    term.out(f"  pinfold/crun {ratio.text()}; must be at most {startup.BOUND}: {colour(verdict)}")
    term.note(
        f"{len(found['pinfold'])} starts each in {ratio.pairs} interleaved blocks, the interval"
        " from the medians of blocks. crun gets the bundle, mounts and cgroups that pinfold made for it,"
        f" and is started in a loop there. Stolen by the machine below: {steal:.2f} s."
    )
    term.table(
        ["where pinfold's time goes", "median ms"],
        [[name, f"{t * 1000:.2f}"] for name, t in found["parts"].items()],
    )
    return {
        name: {
            "median_ms": round(stats.percentile(found[name], 0.5) * 1000, 3),
            "p90_ms": round(stats.percentile(found[name], 0.9) * 1000, 3),
            "ms": [round(t * 1000, 3) for t in found[name]],
        }
        for name in ("pinfold", "crun")
    } | {
        "ratio": ratio.json() | {"verdict": verdict},
        "bound": startup.BOUND,
        "parts_ms": {k: round(v * 1000, 3) for k, v in found["parts"].items()},
        "steal_seconds": round(steal, 3),
    }


def bench_plan(w):
    found = mounts.measure(w, term.progress.say)
    term.heading("The plan of one grant on a small and on a huge host (fake trees)")
    parts = ("fence", "container", "masked", "plan_ms")
    term.table(
        ["", "mounts", "in the fence", "of the container", "masked", "pinfold plan, ms"],
        [
            [name, str(mounts.total(h)), *(str(h[part]) for part in parts)]
            for name, h in found.items()
        ],
    )
    same = len({mounts.total(h) for h in found.values()}) == 1
    term.out(f"  the same number: {term.green('yes') if same else term.red('no')}")
    return {"hosts": found, "same": same}


def bench_pair(w, cpus, repeats, seconds):
    pairs = pair.measure(w, cpus, repeats, seconds, term.progress.say)
    return rates.to_json(pairs, cpus, seconds, *rates.show(pairs, cpus, seconds))


def run(args):
    if not os.access(work.PINFOLD, os.X_OK):
        raise work.Failure(f"'{work.PINFOLD}' is not built: run make")
    parts = args.only or PARTS
    value = {"setup": work.setup()}
    print_setup(value["setup"])
    with work.Work() as w:
        cpus = pair.choose_cpus()
        w.lend("hugetlb-cgroup")
        here = [c for c in rivals.CASES if "peers" in parts and rivals.missing(c.peer) is None]
        pages = {"bng": bng.PAGES, "tables": tables.PAGES, "peers": rivals.PAGES if here else 0}
        most = max(pages.get(part, 0) for part in parts)
        w.lend_hugepages(max(2 * pair.PAGES, plane.PAGES, most))
        if "startup" in parts:
            value["startup"] = bench_startup(w, cpus[1], args.starts)
        if "plan" in parts:
            value["plan"] = bench_plan(w)
        if "pair" in parts:
            value["pair"] = bench_pair(w, cpus, args.repeats, args.seconds)
        few, short = min(args.repeats, TRIALS), min(args.seconds, TRAFFIC)
        if "cycles" in parts:
            value["cycles"] = plane_show.bench_cycles(w, cpus[1])
        if "bng" in parts:
            value["bng"] = bng.measure(w, cpus[1])
        if "tables" in parts:
            value["tables"] = tables.bench(w, cpus)
        if "forward" in parts:
            turn = min(args.seconds, TURN)
            value["forward"] = plane_show.bench_forward(w, cpus, few, turn)
        if "peers" in parts:
            turn = min(args.seconds, RIVAL_TURN)
            value["peers"] = rivals_show.bench(w, cpus, args.peer_sessions, turn)
        if "generator" in parts:
            value["generator"] = plane_show.bench_generator(w, cpus, few, short)
        if args.json:
            work.write_json(args.json, value)
    missed = value.get("startup", {}).get("ratio", {}).get("verdict") == "missed"
    differs = not value.get("plan", {}).get("same", True)
    ours = any(plane_show.missed(value.get(n)) for n in PARTS[3:])
    return 1 if missed or differs or ours else 0


if __name__ == "__main__":
    sys.exit(work.main(run, arguments()))
