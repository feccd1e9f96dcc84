# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold --debug tells what is done to the machine, and what is undone, with times."""

import os
import re
import socket
import threading
from pathlib import Path

import pytest
from workload import needs_root, unique, wait

pytestmark = [needs_root]
LINE = r"pinfold: debug: \d+\.\d{3} ms (apply|undo) [a-z-]+ '[^']+', took \d+\.\d{3} ms"
LOG = Path("/dev/log")
NAME = unique("debug")


def steps(text):
    return [line for line in text.splitlines() if " debug: " in line]


@pytest.mark.parametrize("way", ["option", "environment"])
def test_each_step(pf, way):
    """As many as the plan has, then the undo; what the program says is not touched."""
    words = ["--debug"] if way == "option" else []
    env = os.environ | ({"PINFOLD_DEBUG": "1"} if way == "environment" else {})
    p = pf(*words, "run", "--cpus", 1, "--", "/bin/sh", "-c", "ls /proc/self/fd", env=env)
    assert p.returncode == 0
    told = steps(p.stderr)
    assert all(re.fullmatch(LINE, line) for line in told), p.stderr
    plan = pf.json("plan", "--cpus", 1, "--format", "json", "--", "/bin/true")
    assert sum(" apply " in line for line in told) == len(plan["steps"])
    assert any(" undo cgroup " in line for line in told)
    # nothing of it goes into the container
    assert set(p.stdout.split()) == {"0", "1", "2", "3"}


def test_nothing_else_is_told(pf):
    p = pf("run", "--cpus", 1, "--", "/bin/true", env=os.environ | {"PINFOLD_DEBUG": "0"})
    assert p.returncode == 0 and p.stderr == ""


@pytest.mark.skipif(LOG.exists(), reason="the machine has a log of its own")
def test_a_detached_one_tells_the_log(pf):
    said = []

    def read(log):
        while line := log.recv(4096):
            said.append(line.decode())

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(LOG))
        reader = threading.Thread(target=read, args=[log])
        reader.start()
        try:
            # and its caller's pipe is closed: this returns
            p = pf("--debug", "run", "-d", "--name", NAME, "--cpus", 1, "--", "/bin/sleep", 1000)
            pf.names.append(NAME)
            assert p.returncode == 0 and p.stdout == f"{NAME}\n"
            wait(lambda: any(re.search(r"pinfold\[\d+\]: .* apply cgroup '", s) for s in said))
            pf.ok("stop", NAME)
            wait(lambda: any(re.search(r" undo (tree|cgroup) '", s) for s in said))
        finally:
            log.shutdown(socket.SHUT_RDWR)
            reader.join()
            LOG.unlink()
