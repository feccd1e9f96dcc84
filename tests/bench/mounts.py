# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The plan for the same grant on a small and on a huge host: its mounts, and how long it takes."""

import json
import os
import statistics
import sys

import peer
import work

sys.path.insert(0, f"{work.TOP}/tests")
import fake_host

# the kinds of tests/fake_host.py, each with hugepages on every node
HOSTS = {"2 CPUs": "two-v2", "1024 CPUs": "huge"}
MOUNTS = ("tmpfs", "hugetlbfs", "overlay", "bind")


def one(w, kind, times):
    machine = fake_host.kinds[kind]()
    for node in machine.nodes.values():
        node.pages = {2048: [1024, 1024, 0]}
    tree = f"{w.dir}/{kind}"
    fake_host.write(machine, tree)
    argv = [work.PINFOLD, "--host-tree", tree, "plan", "--format", "json"]
    argv += ["--cpus", "1", "--hugepages", "2M=16", "--", "/bin/true"]
    text = w.call(argv, 60, f"pinfold plan on a fake host '{kind}'")
    plan = json.loads(text)
    steps = [s["do"] for s in plan["steps"] if s["where"] == "fence"]
    oci = plan["oci"]
    taken = []
    null = os.open("/dev/null", os.O_WRONLY)
    try:
        for _ in range(times):
            taken.append(timed_quiet(argv, null))
    finally:
        os.close(null)
    return {
        "fence": sum(step in MOUNTS for step in steps),
        "container": len(oci["mounts"]),
        "masked": len(oci["linux"]["maskedPaths"]) + len(oci["linux"]["readonlyPaths"]),
        "plan_ms": round(statistics.median(taken) * 1000, 2),
    }


def timed_quiet(argv, null):
    saved = os.dup(1)
    try:
        os.dup2(null, 1)
        return peer.timed(argv)[0]
    finally:
        os.dup2(saved, 1)
        os.close(saved)


def measure(w, say, times=20):
    found = {}
    for name, kind in HOSTS.items():
        say(f"plan on a fake host with {name}")
        found[name] = one(w, kind, times)
    return found


def total(host):
    return host["fence"] + host["container"] + host["masked"]
