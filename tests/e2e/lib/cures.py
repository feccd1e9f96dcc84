# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Cures that are commands can be pasted, and those of ours are understood: each is tried so that it only looks."""

import shlex
import subprocess

HELP = "--help"  # it changes this machine alone: its options are looked at
ENGINES = "containerd crio docker podman".split()
LOOK = {
    ("doctor",): [],
    ("host", "free"): [],
    ("host", "kernel"): HELP,
    ("host", "prepare"): ["--dry-run"],
    ("nic", "bind"): HELP,
    ("nic", "list"): [],
    ("nic", "unbind"): HELP,
    ("nic", "vfs"): HELP,
    ("runtime", "configure"): HELP,
}
PROGRAMS = "echo mkdir mount pinfold rm swapoff sysctl taskset umount".split()
# it was understood, and there is no room on that machine
NO_ROOM = "memory has room for"


def check(pinfold, cure, tree=None, instead=None):
    """instead: what stands in it for what there is on the machine."""
    if cure.split()[0] not in PROGRAMS:
        return  # a line that says what to do
    subprocess.run(["sh", "-n", "-c", cure], check=True)
    for command in cure.partition(" # ")[0].split(" && "):
        words = [(instead or {}).get(w, w) for w in shlex.split(command)]
        if words[0] != "pinfold":
            continue
        look = next(LOOK[k] for k in LOOK if k == tuple(words[1 : 1 + len(k)]))
        where = ["--host-tree", str(tree)] if tree else []
        if look is HELP:
            names = [w for w in words[3:] if w[0] != "-"]
            assert all(":" in w or w.isdigit() or w in ENGINES for w in names), cure
            words, look, where = [w for w in words if w not in names], [HELP], []
        p = subprocess.run(
            [pinfold, *where, *words[1:], *look], capture_output=True, text=True, check=False
        )
        assert p.returncode in (0, 1) or NO_ROOM in p.stderr, (cure, p.stderr)
