# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""A program that is the guest's first process, as an operating system's init is."""

import os
import re
from pathlib import Path

import pytest

from features import needs_guests
from machines import BOOT, VM
from workload import CPU, needs_root, unique

SYSTEMD = "/usr/lib/systemd/systemd"

pytestmark = [needs_root, needs_guests, pytest.mark.limit(200)]
needs_systemd = pytest.mark.skipif(
    not os.access(SYSTEMD, os.X_OK), reason="package systemd is not installed"
)


def test_it_is_the_first(pf):
    """Its output, its environment, and the end when the machine is switched off."""
    # no program is started while the machine goes down: it may no longer be found
    script = "echo $$ $WORD; cat /proc/1/comm; echo o >/proc/sysrq-trigger; while :; do :; done"
    p = pf.run(*VM, "--first", "-e", "WORD=x", "--", "/bin/sh", "-c", script, seconds=BOOT)
    assert (p.returncode, p.stdout) == (0, "1 x\nsh\n"), p.stderr


def test_one_that_ends(pf):
    """A machine without its first process panics."""
    p = pf.run(*VM, "--first", "--", "/bin/sh", "-c", "echo said; exit 3", seconds=BOOT)
    assert p.returncode == 125 and "panic" in p.stderr and p.stdout == "said\n"


def test_refusals(pf, tmp_path):
    pf.fails("run", "--first", "--cpus", CPU, "--", "/bin/sh", like="for --in vm")
    pf.fails("run", *VM, "--first", "--cpus", CPU, "--", "sh", like="by its absolute path")
    pf.fails("run", *VM, "--first", "-u", "5", "--cpus", CPU, "--", "/bin/sh", like="runs as 0")
    (tmp_path / "no").write_text("#!/no/such\n")
    for d in (tmp_path.parent, tmp_path, tmp_path / "no"):
        d.chmod(0o755)
    p = pf.run(*VM, "--first", "-v", f"{tmp_path}:/opt/no:ro", "--", "/opt/no/no", seconds=BOOT)
    assert p.returncode == 127


@needs_systemd
def test_systemd(pf):
    """It comes to its default target, is entered with exec, and is switched off by stop."""
    units = str(Path(SYSTEMD).parent / "system")
    name = pf.detach(
        *VM[:4], "--memory", "512M", "--first", "-e", f"SYSTEMD_UNIT_PATH={units}", "-e",
        "SYSTEMD_GENERATOR_PATH=/nonexistent", name=unique("vm"), command=(SYSTEMD,),
    )  # fmt: skip
    script = (
        "until systemctl is-system-running --wait 2>/dev/null | grep -E 'running|degraded'; do"
        " sleep 0.1; done; systemctl is-active default.target; cat /proc/1/comm"
    )
    said = pf.ok("exec", name, "--", "/bin/sh", "-c", script, seconds=150).split()
    assert said[0] in ("running", "degraded") and said[1:] == ["active", "systemd"]
    assert re.search(r"\d", pf.ok("exec", name, "--", "systemd-analyze", "time"))
    pf.ok("stop", "-t", "30", name)
