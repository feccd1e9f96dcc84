# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""A process of a workload on the bare host that is not root makes a mount namespace of its own, as anybody may: what it
has there root neither runs, nor reads, nor writes."""

import os
import re
import subprocess

import pytest

from workload import needs_root

pytestmark = needs_root
USER = 65500
AS_USER = f"setpriv --reuid {USER} --regid {USER} --clear-groups unshare -Urm"
ALONE, BESIDE = (
    "exec ",
    "sleep 1000 & exec ",
)  # a process of root's with a greater number, found after it


@pytest.fixture
def evil(pf, tmp_path_factory):
    """A directory that the user sees."""
    if subprocess.run(["sh", "-c", f"{AS_USER} true"], check=False).returncode != 0:
        pytest.skip("who is not root makes no mount namespace here")
    top = pf.directory / "evil"
    top.mkdir()
    for d in [top, *top.parents]:
        if os.stat(d).st_mode & 1 == 0:
            os.chmod(d, os.stat(d).st_mode | 0o001)
    return top


def begin(pf, who, bind, over):
    script = f"{who}{AS_USER} sh -c 'mount --bind {bind} {over} && echo up; exec sleep 1000'"
    return pf.begin("--in", "host", "--memory", "64M", script=script)


@pytest.mark.parametrize("who", [ALONE, BESIDE], ids=["alone", "beside"])
def test_exec(pf, evil, who):
    program = evil / "id"
    program.write_text("#!/bin/sh\necho evil; whoami\n")
    program.chmod(0o755)
    _, name = begin(pf, who, program, "/usr/bin/id")
    if who == ALONE:
        pf.fails("exec", name, "--", "id", like="no process any more where pinfold started it")
    else:
        assert re.match(r"uid=0\(", pf.ok("exec", name, "--", "id"))


@pytest.mark.parametrize("who", [ALONE, BESIDE], ids=["alone", "beside"])
@pytest.mark.parametrize("kind", ["file", "fifo"])
def test_update(pf, evil, who, kind):
    victim = evil / "victim"
    if kind == "fifo":
        os.mkfifo(victim, 0o666)
    else:
        victim.write_text("what only root may write\n")
    _, name = begin(pf, who, victim, "/run/pinfold/box/own/grant.json")
    pf.ok("update", name, "--memory", "128M", seconds=10)
    assert kind == "fifo" or victim.read_text() == "what only root may write\n"
    if who == BESIDE:
        assert '"128M"' in pf.ok("exec", name, "--", "cat", "/run/pinfold/grant.json")
