#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Whether pinfold reaches what it is to: a start beside crun's of the same bundle; a virtual machine whose CPU is emulated.
tests/bench/bounds.py [RESULTS.json...], of pinfold bench run startup throughput memory disk. Without a file those are run first, in some
five minutes.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PINFOLD = os.environ.get("PINFOLD", str(TOP / "build/src/cli/pinfold"))
RUNS = (["--brief", "startup", "throughput"], ["--quick", "memory", "disk"])
# experiment, row, environment; what it is at most, or at least
BOUNDS = [
    ("startup", "one bundle: pinfold to crun", "container/container", "most", 1.5),
    ("startup", "exec to the guest's init", "vm", "most", 4000),
    ("startup", "exec to the first forwarded packet", "vm", "most", 15000),
    ("memory", "of it not the guest's own memory", "vm 256M, on use", "most", 130e6 / 2**20),
    ("disk", "what an instance adds to its image", "vm", "most", 0),
    ("throughput", "none, 64 B: overload", "vm", "least", 0.5),
    ("throughput", "none, 64 B: lost at half of that, less what stalls explain", "vm", "most", 0),
]


def measure(top):
    for i, words in enumerate(RUNS):
        where = f"{top}/{i}"
        subprocess.run([PINFOLD, "bench", "run", "-o", where, *words], check=False, stdout=2)
        if os.path.exists(f"{where}/results.json"):
            yield f"{where}/results.json"


def rows_of(files):
    for file in files:
        for e in json.loads(Path(file).read_text(encoding="utf-8"))["experiments"]:
            for row in e["rows"]:
                yield (e["experiment"], row["name"], row.get("environment")), row


def judge(rows):
    missed = 0
    for experiment, name, env, side, bound in BOUNDS:
        row = rows.get((experiment, name, env), {})
        samples = [s for s in row.get("samples", []) if s is not None]
        if not samples or row.get("invalid"):
            missed += 1
            print(f"{name}: not measured: {row.get('reason', 'no such row')}")
            continue
        value = statistics.median(samples)
        unit = f" {row['unit']}" if "unit" in row else ""
        held = value <= bound if side == "most" else value >= bound
        missed += not held
        print(
            f"{name}: {value:.4g}{unit} (of {len(samples)}), is to be at {side} {bound:.4g}: "
            f"{'reached' if held else 'MISSED'}{' (emulated CPU)' if row.get('emulated') else ''}"
        )
    return missed


def main():
    with tempfile.TemporaryDirectory(prefix="pinfold-guests-") as top:
        return 1 if judge(dict(rows_of(sys.argv[1:] or list(measure(top))))) else 0


if __name__ == "__main__":
    sys.exit(main())
