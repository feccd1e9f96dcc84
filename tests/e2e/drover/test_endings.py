# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""How drover ends when something does not: output that cannot be written, a core that does not come back,
a clean-up that waits for ever, a kill; and DPDK's own messages."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import threading

import pytest
from drover_run import RUNTIME, config, execute
from workload import wait

pytestmark = [pytest.mark.anywhere]
PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000


@pytest.fixture
def conf(tmp_path):
    path = tmp_path / "end.cfg"
    path.write_text(config(mode="l2fwd"))
    return path


def into_full(*args):
    with open("/dev/full", "w") as full:
        return subprocess.run(args, stdout=full, stderr=subprocess.PIPE, text=True, timeout=50)


@pytest.mark.parametrize(
    "args",
    [["--help"], ["--version"], ["modes"], ["modes", "--json"], ["explain", "CONF"], ["top", "--help"],
     ["check", "--no-huge", "CONF"], ["run", "--no-huge", "--duration", "100ms", "CONF"],
     ["run", "--no-huge", "--json", "--duration", "100ms", "CONF"]],
    ids=" ".join,
)  # fmt: skip
def test_nothing_printed_is_a_failure(drover, conf, args):
    p = into_full(drover, *[str(conf) if a == "CONF" else a for a in args])
    assert p.returncode == 1
    assert "standard output" in p.stderr and "drover: " in p.stderr


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["run", "--help"], ["host", "inventory"], ["ps", "--json"]],
                         ids=" ".join)  # fmt: skip
def test_nothing_printed_is_a_failure_of_pinfold(pinfold, args):
    p = into_full(pinfold, *args)
    assert p.returncode == 125
    assert "standard output" in p.stderr


def worker(process):
    for tid in os.listdir(f"/proc/{process.pid}/task"):
        with open(f"/proc/{process.pid}/task/{tid}/comm") as f:
            if f.read().startswith(("rte-worker", "lcore-worker")):
                return int(tid)
    pytest.fail("no worker")


def test_a_core_that_does_not_end(start, conf):
    """What it uses is not released while it runs: the report comes, and the process ends and says why."""
    libc = ctypes.CDLL(None, use_errno=True)
    with start(conf) as run:
        tid = worker(run.runs().process)
        held, over = threading.Event(), threading.Event()

        def hold():
            if (
                libc.ptrace(PTRACE_SEIZE, tid, 0, 0) == 0
                and libc.ptrace(PTRACE_INTERRUPT, tid, 0, 0) == 0
            ):
                os.waitpid(tid, WALL)
                held.set()
            over.wait(50)

        tracer = threading.Thread(target=hold)
        tracer.start()
        if not held.wait(10):
            over.set()
            pytest.skip("threads cannot be traced here")
        run.process.terminate()
        try:
            # a tracer is told of the end of what it traces before anybody else
            wait(lambda: not os.path.exists(run.directory), 40, "the end")
        finally:
            over.set()
            tracer.join()
        out, _ = run.process.communicate(timeout=20)
        assert run.process.returncode == 1
        assert "core 'forward' does not end: nothing is cleaned up" in run.said()
        assert json.loads(out)["tasks"][0]["name"] == "forward"


@pytest.mark.full
@pytest.mark.skipif(shutil.which("prlimit") is None, reason="package util-linux is not installed")
def test_no_signal_can_be_queued(start, conf):
    """DPDK's clean-up waits for a thread that it could not signal: drover does not for ever."""
    with start(conf, prefix=["prlimit", "--sigpending=0"]) as run:
        begun = len(run.runs().said())
        run.process.terminate()
        out, _ = run.process.communicate(timeout=50)
        assert run.process.returncode == 0
        assert json.loads(out)["tasks"][0]["name"] == "forward"
        if said := run.said()[begun:]:
            assert "clean-up is not over after 20 s: left to the kernel" in said
        assert not os.path.exists(run.directory)


def test_a_killed_one_leaves_nothing_for_long(drover, start, conf):
    """The next start takes away its directory, and not that of one that runs."""
    with start(conf) as lives, start(conf) as killed:
        lives.runs()
        killed.runs()
        killed.process.send_signal(signal.SIGKILL)
        killed.process.wait()
        assert os.path.exists(killed.directory + "/config")
        other = f"{RUNTIME}/dpdk/drover-x1"
        os.mkdir(other)
        try:
            p = execute(drover, "check", "--no-huge", conf)
            assert p.returncode == 0, p.stderr
            assert not os.path.exists(killed.directory)
            assert os.path.exists(lives.directory) and os.path.exists(other)
        finally:
            os.rmdir(other)


def test_messages_of_dpdk(drover, conf):
    quiet = execute(drover, "check", "--no-huge", conf)
    loud = execute(drover, "check", "--no-huge", "--log-level=debug", conf)
    part = execute(drover, "check", "--no-huge", "--log-level", "lib.eal:debug", conf)
    assert (quiet.returncode, loud.returncode, part.returncode) == (0, 0, 0)
    said = [len((p.stdout + p.stderr).splitlines()) for p in (quiet, part, loud)]
    assert said[0] < said[1] < said[2]


@pytest.mark.parametrize(
    ("level", "says"),
    [("debg", "'debg' is no level; did you mean 'debug'"), ("lib.eal:", "'' is no level"),
     ("Lib eal:debug", "'Lib eal' is no part of DPDK"), (":debug", "is no part of DPDK")],
)  # fmt: skip
def test_levels_that_are_none(drover, conf, level, says):
    p = execute(drover, "check", "--no-huge", "--log-level", level, conf)
    assert p.returncode == 2 and says in p.stderr
