# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Processes below another one."""

from pathlib import Path


def descendants(pid):
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [int(c) for c in children] + [d for c in children for d in descendants(int(c))]


def words(pid):
    """Of its command line; none where it has ended."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return []
    return line.split("\0")[:-1]


def named(pid, name):
    """The first descendant that runs the program."""
    for p in descendants(pid):
        try:
            if Path(f"/proc/{p}/comm").read_text(encoding="ascii").strip() == name:
                return p
        except OSError:
            pass
    return None
