# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What a container can see and reach, beside what the host has, by pinfold-inside show --probe."""

import json
import os

import work


def show(w, argv, what):
    text = w.call([*argv, "show", "--json", "--probe"], 30, what)
    try:
        return json.loads(text)
    except ValueError:
        raise work.Failure(f"{what}: it printed no JSON") from None


def inside(w, cpu, pages):
    """With the same grant as the container that sends."""
    name = f"try-{os.getpid()}-look"
    grant = ["--name", name, "--cpus", str(cpu), "--hugepages", f"2M={pages}"]
    grant += ["--link", f"memif:{name}"]
    argv = [work.PINFOLD, "run", *grant, "--", f"{work.RUN}/inside"]
    return show(w, argv, "look around in a container")


def outside(w):
    return show(w, [work.INSIDE], "look around on the host")


def names(list_, most=3):
    if not list_:
        return "none"
    return ", ".join(list_) if len(list_) <= most else f"{len(list_)}"


def hugepages(seen):
    words = [
        f"{p['total']} × {p['size']}" + (f", {p['takeable']} to take" if "takeable" in p else "")
        for p in seen["hugepages"]
        if p["total"] > 0
    ]
    return "; ".join(words) or "none"


def calls(seen):
    reach = [s["name"] for s in seen["syscalls"] if s["reach"] == "reachable"]
    return f"{len(reach)} of {len(seen['syscalls'])}"


def rows(box, host):
    """The table's rows: what, in the container, on the host."""

    def user(seen):
        uid = seen["ids"]["euid"]
        first, outer, _ = (int(n) for n in seen["ids"]["uid_map"][0].split())
        return f"{uid}" if outer == first else f"{uid}, outside {outer + uid - first}"

    def memory(seen):
        return f"{seen['memory'] / 2**30:.2f} GiB"

    def seccomp(seen):
        return {0: "none", 1: "strict", 2: "filter"}[seen["seccomp"]]

    def yes(value):
        return "yes" if value else "no"

    parts = [
        ("CPUs seen by EAL", lambda s: s["cpus"]["eal"] or "none"),
        ("CPUs it can run on", lambda s: s["cpus"]["runnable"]),
        ("NUMA nodes", lambda s: s["numa"]["visible"] or "none"),
        ("memory", memory),
        ("hugepages", hugepages),
        ("PCI functions", lambda s: names(s["pci"], 0)),
        ("device nodes", lambda s: names(s["devices"], 0)),
        ("network interfaces", lambda s: names(s["netdevs"], 4)),
        ("processes seen", lambda s: str(s["processes"])),
        ("user", user),
        ("capabilities", lambda s: names(s["capabilities"]["effective"], 0)),
        ("may gain privileges", lambda s: yes(not s["no_new_privs"])),
        ("system call filter", seccomp),
        ("risky calls let through", calls),
        ("root writable", lambda s: yes(s["root_writable"])),
    ]
    return [[name, part(box), part(host)] for name, part in parts]
