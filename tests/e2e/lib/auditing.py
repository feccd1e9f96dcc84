# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What the auditor says, read."""

import json
import os

import pytest
from features import V2

INSIDE = "/run/pinfold/inside"  # the auditor, in a container
RUNC = next((p for p in ("/usr/sbin/runc", "/usr/bin/runc") if os.access(p, os.X_OK)), None)
RUNTIMES = [
    pytest.param((), id="crun"),
    pytest.param(
        ("--runtime", RUNC or "runc"),
        id="runc",
        marks=pytest.mark.skipif(RUNC is None, reason="package runc is not installed"),
    ),
]
# what takes the last of a limit: tried only where nothing else runs, or with --all
EXHAUST = {"huge-noreserve", "limit-processes", "limit-memory"}
# what cannot be tried at all: with cgroup v2 the kernel would end the whole workload
UNTRIED = {"limit-memory"} if V2 else set()


def verdicts(text):
    return {p["name"]: p["verdict"] for p in json.loads(text)["properties"]}


def untried(text):
    """What cannot be tried on this machine, by its own word or because it has no such thing."""
    return {
        p["name"]
        for p in json.loads(text)["properties"]
        if p["verdict"] == "SKIP"
        and (p["name"] in UNTRIED or p["found"].startswith("not in this kernel"))
    }


def bad(text):
    """What does not hold, or was not tried although it could be."""
    return [
        p
        for p in json.loads(text)["properties"]
        if p["verdict"] != "PASS" and p["name"] not in untried(text)
    ]
