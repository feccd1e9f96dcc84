# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What became of workloads: pinfold ps -a, and which logs are kept."""

import json
import os
import signal

import jsonschema
import pytest

from places import TOP
from workload import LOGS, OTHER, PYTHON, kill, needs_root, needs_two, unique, wait

pytestmark = needs_root

SCHEMA = json.loads((TOP / "data/schemas/ps.json").read_text())
KEPT = 64
LOGS_KEPT = 32


def ended(pf, name):
    """The last that had the name."""
    rows = pf.json("ps", "-a", "--json")
    jsonschema.validate(rows, SCHEMA)
    return next((row for row in rows if row["name"] == name and row["state"] == "ended"), None)


def shell(pf, script, *flags, where="container"):
    name = unique()
    pf.run("--name", name, "--in", where, *flags, "--", "/bin/sh", "-c", script)
    return ended(pf, name)


@pytest.mark.parametrize("where", ["container", "host"])
def test_how_it_ended(pf, where):
    row = shell(pf, "exit 0", where=where)
    assert (row["how"], row["status"], row["in"]) == ("exit 0", 0, where)
    assert row["command"].startswith("/bin/sh -c") and row["note"] == ""
    row = shell(pf, "exit 3", where=where)
    assert (row["how"], row["status"]) == ("exit 3", 3) and "signal" not in row
    row = shell(pf, "kill -SEGV $$", where=where)
    assert (row["how"], row["status"], row["signal"]) == ("SIGSEGV", 128 + signal.SIGSEGV, "SEGV")


def test_memory(pf):
    fill = ["--memory", "32M", "--", PYTHON, "-I", "-c", "x = b'x' * (256 << 20)"]
    name = unique()
    pf.run("--name", name, *fill)
    row = ended(pf, name)
    assert (row["how"], row["limit"], row["status"]) == ("memory", "memory", 137)
    assert "its limit of 32M was reached" in row["note"]
    line = next(row for row in pf.ok("ps", "-a").splitlines() if row.startswith(f"{name} "))
    assert " memory " in line
    assert f"{name}: it was killed for memory" in pf.ok("ps", "-a")


def test_a_start_that_failed_is_none(pf):
    name = unique()
    pf.run("--name", name, "--", "/usr/no-such")
    assert ended(pf, name) is None


def test_what_was_stopped(pf):
    name = pf.detach()
    pf.ok("stop", name)
    assert ended(pf, name)["how"] == "SIGTERM"
    assert name not in pf.ps()


@pytest.mark.parametrize("by", ["gc", "stop"])
def test_whose_supervisor_was_killed(pf, by):
    name = pf.detach()
    kill(pf.lease(name)["supervisor"])
    if by == "gc":
        for pid in [pf.program(name, "sleep")]:
            kill(pid)
        wait(lambda: pf.ps()[name]["state"] == "dead", what="the end")
        pf.ok("gc")
    else:
        pf.ok("stop", name)
    row = ended(pf, name)
    assert row["how"] == "unknown" and "status" not in row
    assert "supervisor" in row["note"]


@pytest.fixture
def records():
    """The file of records, as it was before."""
    path = LOGS / "ended"
    before = path.read_bytes() if path.exists() else None
    yield path
    if before is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(before)


def test_a_number_is_kept(pf, records):
    shell(pf, "exit 0")
    line = records.read_text().splitlines()[-1]
    other = json.loads(line)
    # one for each start: started tells them apart
    lines = [json.dumps({**other, "name": f"x-{i}", "note": "n" * 300}) for i in range(1000)]
    # a line that was cut short, and one that nobody understands, are passed over
    records.write_text("\n".join([*lines, "[]", '{"name": "x', ""]) + "x")
    assert records.stat().st_size > 256 << 10
    row = shell(pf, "exit 4")
    rows = [row for row in pf.json("ps", "-a", "--json") if row["state"] == "ended"]
    assert rows[0] == row and row["status"] == 4
    assert len(rows) <= KEPT and rows[1]["name"] == "x-999"
    assert records.stat().st_size < 100 << 10
    assert records.stat().st_mode & 0o777 == 0o600


def test_records_that_cannot_be_written(pf, records):
    """A directory is in the way: the workload matters more."""
    records.unlink(missing_ok=True)
    records.mkdir()
    try:
        assert pf.run("--", "/bin/true").returncode == 0
    finally:
        records.rmdir()


@pytest.fixture
def old_logs(pf):
    """As many as are kept, of long ago."""
    names = [unique("old") for _ in range(LOGS_KEPT + 2)]
    pf.names += names
    for i, name in enumerate(names):
        for end in ("", ".1", ".times", ".1.times"):
            log = LOGS / f"{name}.log{end}"
            log.write_text("old\n")
            os.utime(log, (1000 + i, 1000 + i))
    return names


@needs_two
def test_old_logs_go(pf, old_logs):
    running = pf.detach(cpu=OTHER)
    os.utime(LOGS / f"{running}.log", (1, 1))
    name = pf.detach(command=("/bin/echo", "new"))
    wait(lambda: name not in pf.ps(), what="the end")
    wait(lambda: not (LOGS / f"{old_logs[0]}.log").exists(), what="that old logs go")
    assert not list(LOGS.glob(f"{old_logs[0]}.log*"))
    kept = [log for log in LOGS.glob("*.log") if log.name != f"{running}.log"]
    wait(
        lambda: len(list(LOGS.glob("*.log"))) <= LOGS_KEPT + len(pf.ps()), what="that the rest goes"
    )
    assert kept and (LOGS / f"{running}.log").exists()
    assert pf.ok("logs", name) == "new\n"


def test_not_for_users(pf):
    p = pf("ps", "-a", user=65534, group=65534, extra_groups=[])
    assert p.returncode == 125 and "needs root" in p.stderr
