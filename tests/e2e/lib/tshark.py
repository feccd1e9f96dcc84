# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""tshark as another judge of packets."""

import shutil
import subprocess

import pytest

needs_tshark = pytest.mark.skipif(
    shutil.which("tshark") is None, reason="package tshark is not installed"
)


def tshark(path, *args):
    p = subprocess.run(
        ["tshark", "-n", "-r", path, *args], capture_output=True, text=True, timeout=50, check=False
    )
    assert p.returncode == 0 and "cut short" not in p.stderr, p.stderr
    return p.stdout


def dissect(path, *fields, checks=()):
    """Of each packet the fields; checks: protocols whose checksums are looked at."""
    args = [word for c in checks for word in ("-o", f"{c}.check_checksum:TRUE")]
    args += ["-T", "fields", *(word for f in fields for word in ("-e", f))]
    return [line.split("\t") for line in tshark(path, *args).splitlines()]
