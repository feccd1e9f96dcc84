# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold run --restart: what is started again, when, and what a loop of starts may not do."""

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from features import needs_guests
from workload import CPU, LEASES, LOGS, OTHER, SLOW, kill, needs_root, needs_two, unique, wait

pytestmark = needs_root

IDS = Path("/run/pinfold/ids.json")
STRACE = shutil.which("strace")


def loop(pf, script, policy, *flags, name=None, where="container"):
    """A detached workload that is started again."""
    return pf.detach(
        "--restart", policy, "--in", where, *flags, name=name, command=("/bin/sh", "-c", script)
    )


def log(name):
    path = LOGS / f"{name}.log"
    return path.read_text() if path.exists() else ""


def gone(name):
    return not (LEASES / f"{name}.json").exists()


FULL = """
mount -t tmpfs -o size=256k,mode=755 none /run/pinfold
"$1" run -d --restart always --name "$2" --cpus "$3" -- /bin/sleep 1000 || exit 3
cat /dev/zero >/run/pinfold/full 2>/dev/null
timeout 20 "$1" stop -t 1 "$2"
status=$?
rm /run/pinfold/full
"$1" ps --json
"$1" stop -t 1 "$2" 2>/dev/null
exit $status
"""


def test_stopped_without_room(pf):
    """What would make room on /run needs none itself."""
    p = subprocess.run(
        ["unshare", "-m", "sh", "-c", FULL, "sh", pf.path, unique(), str(CPU)],
        capture_output=True,
        text=True,
        timeout=50 * SLOW,
        check=False,
    )
    assert (p.returncode, p.stderr) == (0, "")
    assert p.stdout.endswith("[]\n"), p.stdout


@pytest.mark.parametrize("where", ["container", "host"])
def test_on_failure_so_often(pf, leaks, where):
    name = loop(pf, "echo run; exit 3", "on-failure:2", where=where)
    wait(lambda: "is not started again" in log(name), 20, "that it gives up")
    assert gone(name)
    text = log(name)
    assert text.count("run\n") == 3  # its log goes on
    assert "it has ended with status 3; it is started again in 1 s (1 in a row)" in text
    assert "it has ended with status 3; it is started again in 2 s (2 in a row)" in text
    assert "it is not started again after 2 times in a row" in text
    rows = [row for row in pf.json("ps", "-a", "--json") if row["name"] == name]
    assert [row["how"] for row in rows] == ["exit 3"] * 3


@needs_guests
@pytest.mark.limit(200)
def test_a_machine(pf, leaks):
    flags = ["--accel", "tcg", "--memory", "192M"]
    name = loop(pf, "echo run; exit 3", "on-failure:1", *flags, where="vm")
    wait(lambda: "is not started again" in log(name), 90, "that it gives up")
    assert gone(name) and log(name).count("run\n") == 2


def test_in_the_foreground(pf):
    name = unique()
    script = "echo up; exit 4"
    p = pf.run("--restart", "on-failure:1", "--name", name, "--", "/bin/sh", "-c", script)
    assert p.returncode == 4 and p.stdout == "up\nup\n"
    assert f"pinfold: '{name}': it has ended with status 4; it is started again in 1 s" in p.stderr


@pytest.mark.parametrize("policy, script", [("on-failure", "exit 0"), ("no", "exit 3")])
def test_not_again(pf, policy, script):
    name = loop(pf, f"echo run; sleep 0.2; {script}", policy)
    wait(lambda: gone(name), what="the end")
    assert log(name) == "run\n"


def test_a_start_that_fails_is_tried_once(pf):
    p = pf.run("--restart", "always", "--", "/usr/no-such-program")
    assert p.returncode == 127


def test_always(pf):
    name = loop(pf, "echo run; exit 0", "always")
    wait(lambda: log(name).count("run\n") >= 2, what="the second start")
    pf.ok("stop", name)


def waiting(pf, name):
    row = pf.ps().get(name)
    return row if row and row["state"] == "waiting" else None


def test_it_keeps_what_it_has(pf, leaks):
    """While it waits, nobody takes its name or its CPU; and gc leaves it alone."""
    name = loop(pf, "exit 3", "always")
    row = wait(lambda: waiting(pf, name), what="that it waits")
    assert "is started again" in row["note"] and row["cpus"] == str(CPU)
    pf.ok("gc")
    p = pf.run("--", "/bin/true")
    assert p.returncode == 125 and f"CPU {CPU} is granted to '{name}'" in p.stderr
    refused = "waits for its next start"
    wait(lambda: refused in pf("exec", name, "--", "/bin/true").stderr, what="an exec meanwhile")
    pf.ok("stop", name)
    assert gone(name)


def test_a_volume_that_was_exchanged(pf, leaks, tmp_path):
    """What it was shown at first is not there any more: it does not get the other, and goes on to try."""
    shown = tmp_path / "shown"
    shown.mkdir()
    name = loop(pf, "echo run; exit 3", "always", "-v", f"{shown}:/data:ro")
    wait(lambda: waiting(pf, name), what="that it waits")
    shown.rename(tmp_path / "former")
    shown.mkdir()
    wait(lambda: "another file is there than" in log(name), 20, "that it is refused")
    runs = log(name).count("run\n")
    wait(lambda: waiting(pf, name), what="that it waits again")
    assert log(name).count("run\n") == runs
    pf.ok("stop", name)
    assert gone(name)


def test_stop_while_it_waits(pf, leaks):
    name = loop(pf, "exit 3", "always")
    wait(lambda: waiting(pf, name), what="that it waits")
    supervisor = pf.lease(name)["supervisor"]
    pf.ok("stop", name)
    assert gone(name)
    wait(lambda: not os.path.exists(f"/proc/{supervisor}"), what="the end of its supervisor")


def test_stop_while_it_runs(pf, leaks):
    name = loop(pf, "echo run; exec sleep 1000", "always")
    wait(lambda: "run" in log(name), what="the start")
    supervisor = pf.lease(name)["supervisor"]
    pf.ok("stop", name)
    wait(lambda: not os.path.exists(f"/proc/{supervisor}"), what="the end of its supervisor")
    assert gone(name) and log(name) == "run\n"


@pytest.mark.skipif(STRACE is None, reason="package strace is not installed")
@pytest.mark.parametrize(
    "state, call", [("runs", "flock"), pytest.param("waits", "pidfd_open", marks=pytest.mark.full)]
)
def test_stop_that_meets_the_next_run(pf, leaks, tmp_path, state, call):
    """It has looked, and is slow: what has begun meanwhile ends, too, whatever it does with SIGTERM."""
    calls, second, go = tmp_path / "calls", tmp_path / "second", tmp_path / "go"
    script = f"""echo run
        if [ -e {second} ]; then trap '' TERM; while :; do sleep 0.1; done; fi
        touch {second}; until [ -e {go} ]; do sleep 0.05; done; exit 3"""
    if state == "waits":
        go.touch()
    name = loop(pf, script, "always", where="host")
    supervisor = pf.lease(name)["supervisor"]
    wait(second.exists, what="the first run")
    if state == "waits":
        wait(lambda: waiting(pf, name), what="that it waits")
    at = ["-e", f"trace=openat2,{call}", "-e", f"inject={call}:delay_enter={4 * SLOW}s:when=1"]
    s = pf.start_other(STRACE, "-qq", "-o", calls, *at, pf.path, "stop", "-t", "1", name)
    wait(lambda: calls.exists() and f"{name}.json" in calls.read_text(), what="its look")
    go.touch()
    assert s.end(40) == 0, s.text()
    assert gone(name) and log(name).count("run\n") == 2
    wait(lambda: not os.path.exists(f"/proc/{supervisor}"), what="the end of its supervisor")


@pytest.mark.parametrize("state", ["runs", "waits"])
def test_a_signal_to_the_supervisor_ends_it(pf, leaks, state):
    name = loop(pf, "exec sleep 1000" if state == "runs" else "exit 3", "always")
    if state == "runs":
        pf.program(name, "sleep")
    else:
        wait(lambda: waiting(pf, name), what="that it waits")
    kill(pf.lease(name)["supervisor"], signal.SIGTERM)
    wait(lambda: gone(name), what="the end")


@pytest.mark.skipif(STRACE is None, reason="package strace is not installed")
def test_its_name_is_never_free(pf, tmp_path):
    """Its lease becomes one that waits, and that the next: who looks without a lock always finds it."""
    name, calls = unique(), tmp_path / "calls"
    run = [pf.path, "run", "--cpus", CPU, "--name", name, "--restart", "on-failure:1"]
    trace = ["-f", "-qq", "-o", calls, "-e", "trace=unlink,unlinkat"]
    assert pf.start_other(STRACE, *trace, *run, "--", "/bin/false").end() == 1
    assert len(re.findall(rf'unlink.*"{name}\.json"', calls.read_text())) == 1


@pytest.mark.skipif(STRACE is None, reason="package strace is not installed")
@pytest.mark.limit(150)
def test_a_signal_at_any_moment(pf, leaks):
    """Whenever the supervisor has just changed which signals it takes: nothing is left that nobody waits for."""
    for n in range(1, 13):
        name = unique()
        at = ["-e", "trace=rt_sigprocmask", "-e", f"inject=rt_sigprocmask:signal=TERM:when={n}"]
        run = [pf.path, "run", "--cpus", CPU, "--name", name, "--restart", "always"]
        s = pf.start_other(STRACE, "-qq", "-o", "/dev/null", *at, *run, "--", "/bin/false")
        s.end()
        assert gone(name) and name not in pf.ps(), f"at the {n}th"


@pytest.mark.skipif(STRACE is None, reason="package strace is not installed")
@pytest.mark.parametrize("call", ["clone", "socketpair", "pipe2"])
def test_a_later_start_that_fails_is_tried_again(pf, leaks, tmp_path, call):
    """Before its lease is on disk, too: it waits for the next, and is stopped as ever."""
    name = pf.unique()
    run = [pf.path, "run", "--cpus", CPU, "--name", name, "--restart", "always", "--", "/bin/false"]
    log, first = tmp_path / "calls", tmp_path / "first"
    # how often the first start makes the call
    words = [STRACE, "-qq", "-e", f"trace={call}", "-o", first]
    once = [*run[:5], unique(), "--", "/bin/false"]
    subprocess.run([*map(str, words), *map(str, once)], check=False, timeout=60)
    made = first.read_text().count(call)
    if made == 0:
        pytest.skip(f"a start makes no {call}")
    at = ["-e", f"trace={call}", "-e", f"inject={call}:error=EAGAIN:when={made + 1}"]
    s = pf.start_other(STRACE, "-qq", "-o", log, *at, *run)
    wait(
        lambda: log.exists() and log.read_text().count(call) > made + 1,
        30,
        "a start after the one that failed",
    )
    assert "INJECTED" in log.read_text()
    pf.ok("stop", name)
    assert gone(name)
    s.end()


def ends(pf, name):
    """How many runs have ended."""
    rows = pf.json("ps", "-a", "--json")
    return len([row for row in rows if row["name"] == name and row.get("how")])


@pytest.mark.skipif(STRACE is None, reason="package strace is not installed")
@pytest.mark.parametrize("runs", [1, 2])
def test_a_lock_that_fails_at_its_end(pf, leaks, tmp_path, runs):
    """Its lease could not become one that waits: it is started again all the same, and stopped before or after."""
    name, first, calls = unique(), tmp_path / "first", tmp_path / "calls"
    run = [pf.path, "run", "--cpus", CPU, "--name", name, "--restart", "always", "--", "/bin/false"]
    # the last lock of a run
    once = [*run[:5], unique(), "--", "/bin/false"]
    words = [STRACE, "-qq", "-e", "trace=flock", "-o", first, *once]
    subprocess.run([*map(str, words)], check=False, timeout=60)
    last = first.read_text().count("LOCK_EX")
    pf.names.append(name)
    at = ["-e", "trace=flock", "-e", f"inject=flock:error=ENOLCK:when={last}"]
    s = pf.start_other(STRACE, "-qq", "-o", calls, *at, *run)
    wait(lambda: ends(pf, name) >= runs, 30, "its end")
    wait(lambda: "INJECTED" in calls.read_text())
    pf.ok("stop", name)
    assert gone(name)
    ended = ends(pf, name)
    s.end()
    assert gone(name) and ends(pf, name) == ended


def test_a_signal_for_the_program_while_it_waits(pf, leaks):
    name = loop(pf, "exit 3", "always")
    wait(lambda: waiting(pf, name), what="that it waits")
    supervisor = pf.lease(name)["supervisor"]
    for sig in (signal.SIGUSR1, signal.SIGUSR2):
        kill(supervisor, sig)
    runs = ends(pf, name)
    wait(lambda: ends(pf, name) > runs, what="the next run")
    pf.ok("stop", name)
    assert gone(name)


@needs_two
def test_a_link_is_not_handed_on(pf, leaks):
    """Stopped while it waits, its peer being gone: the directory goes, and what it left there."""
    link = unique("l")
    peer = pf.detach("--link", f"memif:{link}", cpu=CPU, command=("/bin/sleep", "1000"))
    where = Path(f"/run/pinfold/links/{link}")
    flags = ["--in", "container", "--link", f"memif:{link}", "--memory", "64M"]
    name = pf.unique()
    pf.ok("run", "-d", "--name", name, "--cpus", OTHER, "--restart", "always", *flags, "--",
          "/bin/sh", "-c", f"echo x > /run/pinfold/links/{link}/left; exit 3")  # fmt: skip
    wait(lambda: waiting(pf, name), what="that it waits")
    assert (where / "left").exists()
    pf.ok("stop", "-t", "0", peer)
    wait(lambda: waiting(pf, name), what="that it waits")
    pf.ok("stop", name)
    assert gone(name) and not where.exists()


def test_a_supervisor_that_is_killed_while_it_waits(pf, leaks):
    name = loop(pf, "exit 3", "always")
    wait(lambda: waiting(pf, name), what="that it waits")
    kill(pf.lease(name)["supervisor"])
    assert wait(lambda: pf.ps()[name]["state"] == "dead", what="its death")
    pf.ok("gc")
    assert gone(name)


def test_a_loop_uses_no_ids_up(pf):
    """Ranges are given out once in a boot: a workload that goes on has its own."""
    name = loop(pf, "cat /proc/self/uid_map; exit 3", "on-failure:2")
    before = json.loads(IDS.read_text())["ranges"]
    wait(lambda: gone(name), 20, "that it gives up")
    maps = {line.split()[1] for line in log(name).splitlines() if line[:1].isspace()}
    assert len(maps) == 1 and log(name).count(maps.pop()) == 3
    assert json.loads(IDS.read_text())["ranges"] == before


def test_of_a_definition(pf, leaks):
    grant = pf.grant("--cpus", CPU)
    pf.ok("run", "-d", "--restart", "always", "--grant", grant, "--", "/bin/sh", "-c", "exit 1")
    wait(lambda: waiting(pf, grant), what="that it waits")
    pf.fails("run", "--grant", grant, "--", "/bin/true", like="in use")
    pf.ok("stop", grant)


@pytest.mark.parametrize(
    "flags, like",
    [
        (["--restart", "sometimes"], "no, on-failure, on-failure:N"),
        (["--restart", "on-failure:0"], "on-failure:N"),
        (["--restart", "on-failure:x"], "on-failure:N"),
        (["--restart", "on-failure:"], "on-failure:N"),
        (["--restart", "on-failure:12345678"], "on-failure:N"),
        (["--restart", "always", "-i"], "does not go with -i"),
    ],
)
def test_refused(pf, flags, like):
    pf.fails("run", "--cpus", CPU, *flags, "--", "/bin/true", like=like)
