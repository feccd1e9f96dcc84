#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""make bench-drover: figures of drover on this machine, each beside a bare loop or others' programs in the same run."""

import argparse
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(f"{TOP}/tests/e2e/lib")

import bng
import machine
import plane
import plane_show
import rivals
import rivals_show
import tables
import term
import work

PARTS = ("cycles", "bng", "tables", "forward", "peers")
TURN = 0.4  # seconds of traffic of drover, then of testpmd
RIVAL_TURN = 0.2  # seconds of traffic of drover, of a peer, and of the ports alone


def arguments():
    p = argparse.ArgumentParser(prog="tests/bench/run.py", description=__doc__)
    p.add_argument("--only", choices=PARTS, action="append", help="one part; may be repeated")
    p.add_argument("--repeats", type=int, default=12, metavar="N", help="sessions of testpmd (12)")
    p.add_argument("--seconds", type=float, default=TURN, metavar="S", help="of traffic each (0.4)")
    p.add_argument("--peer-sessions", type=int, default=1, metavar="N", help="of each peer (1)")
    p.add_argument("--json", metavar="FILE", help="write the figures there, too")
    args = p.parse_args()
    if min(args.repeats, args.peer_sessions) < 1 or args.seconds <= 0:
        p.error("--repeats, --peer-sessions and --seconds must be above 0")
    return args


def print_setup(setup):
    term.heading("Set-up")
    for name in ("cpu", "kernel", "command_line", "dpdk", "crun", "pinfold", "revision", "time"):
        term.out(f"  {name.replace('_', ' '):13} {setup[name]}")
    term.out(f"  {'load before':13} {setup['load']}, {setup['cpus']} CPUs")


def run(args):
    if not os.access(work.PINFOLD, os.X_OK):
        raise work.Failure(f"'{work.PINFOLD}' is not built: run make")
    parts = args.only or PARTS
    value = {"setup": work.setup()}
    print_setup(value["setup"])
    with work.Work() as w:
        cpus = machine.choose_cpus()
        here = [c for c in rivals.CASES if "peers" in parts and rivals.missing(c.peer) is None]
        pages = {"bng": bng.PAGES, "tables": tables.PAGES, "peers": rivals.PAGES if here else 0}
        most = max(pages.get(part, 0) for part in parts)
        w.lend_hugepages(max(plane.PAGES, most))
        if "cycles" in parts:
            value["cycles"] = plane_show.bench_cycles(w, cpus[1])
        if "bng" in parts:
            value["bng"] = bng.measure(w, cpus[1])
        if "tables" in parts:
            value["tables"] = tables.bench(w, cpus)
        if "forward" in parts:
            value["forward"] = plane_show.bench_forward(w, cpus, args.repeats, args.seconds)
        if "peers" in parts:
            turn = min(args.seconds, RIVAL_TURN)
            value["peers"] = rivals_show.bench(w, cpus, args.peer_sessions, turn)
        if args.json:
            work.write_json(args.json, value)
    return 1 if any(plane_show.missed(value.get(n)) for n in PARTS) else 0


if __name__ == "__main__":
    sys.exit(work.main(run, arguments()))
