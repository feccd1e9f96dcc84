# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What supervisors of detached workloads and keepers have to tell is in the log of events, and in the system's."""

import os
import re
import signal
import socket
import stat
from pathlib import Path

import pytest
from owner import OWNER
from workload import CPU, kill, needs_root, processes_of, unique, wait

pytestmark = [needs_root]
LOG = Path("/run/pinfold/log")
OWN = Path(f"/run/pinfold/log-{OWNER}")  # of keepers of his
SYSTEM = Path("/dev/log")
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ pinfold\[\d+\]: (.*)")


def told(name, log=LOG):
    """All that is said about one, each without its time."""
    lines = log.read_text().splitlines() if log.exists() else []
    assert all(LINE.fullmatch(line) for line in lines), lines
    return [LINE.fullmatch(line)[1] for line in lines if f"'{name}'" in line]


def until(name, like, log=LOG):
    return wait(
        lambda: [t for t in told(name, log) if re.search(like, t)], what=f"{like!r} in {log}"
    )


@pytest.fixture
def emptied():
    """The file as it was is put back: other tests' lines must not make this one's go."""
    former = LOG.read_bytes() if LOG.is_file() and not LOG.is_symlink() else b""
    LOG.parent.mkdir(exist_ok=True)
    LOG.unlink(missing_ok=True)
    yield
    LOG.unlink(missing_ok=True)
    os.close(os.open(LOG, os.O_CREAT | os.O_WRONLY, 0o600))
    LOG.write_bytes(former)


def test_a_detached_workload(pf, emptied):
    name = pf.unique()
    pf.ok("run", "-d", "--name", name, "--cpus", CPU, "--", "/bin/sh", "-c", "exit 3")
    until(name, r"ended with status 3$")
    assert told(name) == [
        f"'{name}' has started: /bin/sh -c exit 3",
        f"'{name}' has ended with status 3",
    ]
    mode = LOG.stat()
    assert stat.S_IMODE(mode.st_mode) == 0o600 and mode.st_uid == 0


def test_what_is_executed_in_it_is_no_start(pf, emptied):
    name = pf.detach()
    pf.ok("exec", name, "--", "/bin/true")
    pf.ok("stop", name)
    until(name, r"ended with status")
    assert [" has started" in line for line in told(name)] == [True, False]


def test_a_refusal(pf, emptied):
    _, name = pf.begin()
    p = pf("run", "-d", "--name", unique(), "--cpus", CPU, "--", "/bin/true")
    assert p.returncode == 125
    # what is said to the caller, who may be a script of a timer's
    assert told(name) == [f"run -d: {p.stderr.strip().removeprefix('pinfold: ')}"]


def test_whose_supervisor_died(pf, emptied):
    name = pf.detach()
    kill(pf.lease(name)["supervisor"])
    for pid in processes_of(pf.lease(name)):
        kill(pid)
    wait(lambda: pf("gc") and name not in pf.ps())
    assert told(name)[-1] == f"'{name}' was cleaned up: nobody watched it any more"


def test_a_keeper(kept, emptied):
    name, who = kept.name, f"the keeper of '{kept.name}'"
    kept.begin("run", "--grant", name, "--", "/bin/sh", "-c", "echo up; exec sleep 1000").until(
        "up"
    )
    assert until(name, "started", OWN) == [f"{who}: started: /bin/sh -c echo up; exec sleep 1000"]
    kept.fails("run", "--grant", name, "--", "/bin/true", like="is in use")
    until(name, f"^{who}: refused: grant '{name}' is in use", OWN)
    kept.ok("stop", "-t", "0", name)
    until(name, f"^{who}: its workload has ended with status 137$", OWN)
    kill(kept.keeper())
    until(name, f"^{who} has ended$")


def test_an_owner_who_floods(kept, emptied):
    """He has a few lines, in a file of his own: the others keep their place, whatever he does."""
    pf, name = kept.pf, kept.name
    for _ in range(100):
        with kept.socket() as s:
            s.send(b"{}")
            s.recv(4096)
    assert 20 < len(told(name, OWN)) < 60
    assert stat.S_IMODE(OWN.stat().st_mode) == 0o600 and OWN.stat().st_uid == 0
    assert told(name) == []
    assert pf.ok("ps")


def test_no_link_is_followed(pf, emptied, tmp_path):
    target = tmp_path / "target"
    target.write_text("")
    LOG.symlink_to(target)
    name = pf.detach()
    pf.ok("stop", "-t", "0", name)
    assert target.read_text() == "" and LOG.is_symlink()


@pytest.mark.skipif(SYSTEM.exists(), reason="the machine has a log of its own")
def test_the_system_log(pf):
    """Whether it reads or not: its queue is full soon."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(SYSTEM))
        log.setblocking(False)
        try:
            name = pf.detach()
            pf.ok("stop", "-t", "0", name)
            said = log.recv(4096).decode()
            assert re.fullmatch(rf"<30>pinfold\[\d+\]: '{name}' has started: .*", said)
            for _ in range(12):
                pf("run", "-d", "--name", name, "--cpus", 9999, "--", "/bin/true")
            name = pf.detach()
        finally:
            SYSTEM.unlink()


def test_a_stopped_writer(pf, emptied):
    """Who holds the file's lock and does not get on keeps nobody."""
    LOG.touch(0o600)
    holder = pf.start_other(
        "/usr/bin/python3",
        "-c",
        f"import fcntl, time; f = open('{LOG}', 'a'); fcntl.flock(f, fcntl.LOCK_EX); print('up', flush=True); time.sleep(60)",
    )
    holder.until("^up")
    holder.signal(signal.SIGSTOP)
    name = pf.detach()
    pf.ok("stop", "-t", "0", name)
    holder.signal(signal.SIGCONT)
