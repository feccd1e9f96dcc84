#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What pinfold-runtime adds to the create of a runtime: tests/bench/creates.py [N]. The three take turns, so that
what else the machine does meets all of them: crun, pinfold-runtime without a grant, and with one."""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests/e2e/lib")]
from bundle import Bundle, Runtime, spec

PINFOLD = os.environ.get("PINFOLD", str(TOP / "build/src/cli/pinfold"))
RUNTIME = os.environ.get("PINFOLD_RUNTIME", f"{PINFOLD}-runtime")
BOUNDS = {"no grant": 2.0, "a grant": 5.0}  # milliseconds more than crun
GRANT = f"creates-{os.getpid()}"


def cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def create(runtime, bundle, doc, number):
    """Milliseconds of one create, and of a CPU for it; the container goes at once."""
    name = f"bench-{os.getpid()}-{number}"
    doc["linux"]["cgroupsPath"] = f"/{name}"
    bundle.write(doc)
    words = ["--bundle", str(bundle.top), "--pid-file", str(bundle.top / "pid"), name]
    begun, used = time.perf_counter(), cpu()
    status = runtime.create(*words)
    taken, used = time.perf_counter() - begun, cpu() - used
    gone = runtime("delete", "--force", name).returncode
    if status != 0 or gone != 0:
        sys.exit(f"creates: create ended with {status}, delete with {gone}")
    return taken * 1000, used * 1000


def measure(count, top):
    bundle = Bundle(f"{top}/bundle", spec("/bin/true"))
    plain, granted = spec("/bin/true"), spec("/bin/true")
    granted["annotations"] = {"dev.pinfold.grant": GRANT}
    own = Runtime(RUNTIME, f"{top}/own")
    rows = {
        "crun": (Runtime(shutil.which("crun"), f"{top}/below"), plain),
        "no grant": (own, plain),
        "a grant": (own, granted),
    }
    found = {what: [] for what in rows}
    for i in range(count + 2):
        for what, (runtime, doc) in rows.items():
            found[what].append(create(runtime, bundle, doc, i))
    return {what: times[2:] for what, times in found.items()}


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    words = ["--name", GRANT, "--cpus", "0", "--hugepages", "2M=8", "--claim-by=annotation"]
    subprocess.run([PINFOLD, "grant", "create", *words], check=True)
    try:
        with tempfile.TemporaryDirectory() as top:
            found = measure(count, top)
    finally:
        subprocess.run([PINFOLD, "grant", "remove", GRANT], check=True)
    base = [statistics.median(part) for part in zip(*found["crun"])]
    print(
        f"median of {count} creates each, load {os.getloadavg()[0]:.1f}: crun {base[0]:.2f} ms, "
        f"of a CPU {base[1]:.2f} ms"
    )
    missed = False
    for what, bound in BOUNDS.items():
        # each against the crun beside it
        pairs = [zip(a, b) for a, b in zip(found[what], found["crun"])]
        more = [statistics.median(part) for part in zip(*([a - b for a, b in p] for p in pairs))]
        missed = missed or more[0] > bound
        print(
            f"pinfold-runtime, {what}: {more[0]:+.2f} ms, of a CPU {more[1]:+.2f} ms; "
            f"must be at most {bound:+.1f} ms"
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
