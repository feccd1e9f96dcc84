# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The commands beside run: ps, logs, stop, exec, gc, grant."""

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import termios
import time
from datetime import datetime, timezone
from pathlib import Path

import jsonschema
import pytest

from places import TOP
from schemas import validate
from workload import CPU, LEASES, LOGS, OTHER, PYTHON, SLOW, free_pages, ids, needs_pages
from workload import needs_root, needs_two, status_field, unique, wait

pytestmark = [needs_root]
PS_SCHEMA = TOP / "data/schemas/ps.json"
PLACES = [pytest.param((), id="container"), pytest.param(("--in", "host"), id="host")]
STUBBORN = "trap '' TERM; echo up; while :; do sleep 0.05; done"


# --- ps -------------------------------------------------------------------------------------------


@needs_pages(8)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.guest
def test_ps(pf, place):
    s, name = pf.begin(*place, "--hugepages", "2M=8", "--memory", "64M")
    row = pf.ps()[name]
    jsonschema.validate(pf.json("ps", "--json"), json.loads(PS_SCHEMA.read_text()))
    assert row["state"] == "running" and row["detached"] is False
    assert row["in"] == ("host" if place else "container")
    assert row["cpus"] == str(CPU) and row["hugepages"] == "16M" and row["memory"] == "64M"
    assert row["supervisor"] == s.pid and 0 <= row["seconds"] < 60
    assert row["command"].startswith("/bin/sh -c")
    head, *lines = pf.ok("ps").splitlines()
    assert head.split()[:4] == ["NAME", "STATE", "IN", "CPUS"]
    line = next(x for x in lines if x.startswith(f"{name} "))
    assert line.split()[1] == "running"
    s.signal(signal.SIGTERM)
    s.end()
    assert name not in pf.ps()


def test_ps_of_a_long_command(pf):
    script = f"echo up; : {'x' * 3000}; exec sleep 1000"
    _, name = pf.begin(script=script)
    assert len(pf.ps()[name]["command"]) < 256


def test_ps_of_an_odd_command(pf):
    """What the program is called does not break the table."""
    _, name = pf.begin(script="echo up; : '\n\t\033[31m\u009b'; exec sleep 1000")
    lines = pf.ok("ps").splitlines()
    assert sum(x.startswith(f"{name} ") for x in lines) == 1
    assert len(lines) == len(pf.ps()) + 1
    assert not {"\033", "\u009b"} & set(pf.ok("ps"))
    assert pf.ok("ps", "--json").isascii()


class Terminal:
    """What a command prints on one of so many columns."""

    def __init__(self, columns):
        self.columns = columns

    def __call__(self, *command):
        pid, fd = pty.fork()
        if pid == 0:
            # as many from the start: what it prints is laid out by that
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, self.columns, 0, 0))
            os.execv(command[0], command)
        text = b""
        while True:
            try:
                more = os.read(fd, 65536)
            except OSError:
                break
            if not more:
                break
            text += more
        os.close(fd)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, text
        return text.decode().replace("\r\n", "\n")


@needs_two
def test_ps_on_a_terminal(pf):
    """A row is no wider than it; what is cut there is whole elsewhere."""
    long = unique("long") + "-name" * 7
    pf.begin(name=long, script=f"echo up; : {'x' * 100}; exec sleep 1000")
    _, short = pf.begin(cpu=OTHER)
    text = Terminal(80)(pf.path, "ps")
    assert all(len(line) <= 80 for line in text.splitlines()), text
    head, lines = text.splitlines()[:2], text.splitlines()
    assert head[0].split()[-1] == "SECONDS" and head[1] == "  COMMAND"
    at = next(i for i, line in enumerate(lines) if line.startswith(f"{short} "))
    assert lines[at].split()[1] == "running" and lines[at + 1].startswith("  /bin/sh -c echo up")
    # both ends of a name can be told apart
    cut = next(line.split()[0] for line in lines if line.startswith("long-"))
    assert re.fullmatch("long-.*….*-name", cut) and len(cut) < len(long)
    for whole in (pf.ok("ps"), Terminal(300)(pf.path, "ps")):
        row = next(line for line in whole.splitlines() if line.startswith(f"{long} "))
        assert "x" * 100 in row and whole.splitlines()[0].split()[-1] == "COMMAND"
    assert pf.ps()[long]["command"].endswith("exec sleep 1000")


def test_ended_on_a_terminal(pf):
    name = unique()
    pf.run("--name", name, "--memory", "32M", "--", PYTHON, "-I", "-c", "x = b'x' * (256 << 20)")
    text = Terminal(80)(pf.path, "ps", "-a")
    assert all(len(line) <= 80 for line in text.splitlines()), text
    assert f"{name}: it was killed for memory" in " ".join(text.split())


# --- stop -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.guest
def test_stop(pf, place):
    script = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done"
    s, name = pf.begin(*place, script=script)
    start = time.monotonic()
    pf.ok("stop", name)
    assert time.monotonic() - start < 3 * SLOW
    # on the bare host every process is told, also the child that the shell waits for
    assert s.end() == 0 and s.text().replace("Terminated\n", "") == "up\nbye\n"
    assert name not in pf.ps() and not (LEASES / f"{name}.json").exists()
    pf.fails("stop", name, like=f"'{name}' does not run")


@pytest.mark.parametrize("place", PLACES)
def test_stop_of_one_that_does_not_want(pf, place):
    s, name = pf.begin(*place, script=STUBBORN)
    start = time.monotonic()
    pf.ok("stop", "-t", "1", name)
    assert 0.9 < time.monotonic() - start < 4 * SLOW
    assert s.end() == 128 + signal.SIGKILL
    assert name not in pf.ps()


def test_stop_at_once(pf):
    s, name = pf.begin(script=STUBBORN)
    start = time.monotonic()
    pf.ok("stop", "-t", "0", name)
    assert time.monotonic() - start < 2 * SLOW
    assert s.end() == 128 + signal.SIGKILL


@needs_two
def test_stop_of_several(pf):
    _, one = pf.begin()
    _, two = pf.begin(cpu=OTHER)
    p = pf("stop", one, "no-such", two)
    assert p.returncode == 125 and p.stderr.count("\n") == 1 and "'no-such'" in p.stderr
    assert not {one, two} & set(pf.ps())


@needs_two
def test_stop_of_one_that_ends_meanwhile(pf):
    """As a program may whose peer is stopped first: it ran when it was named, and does not now."""
    _, one = pf.begin(script=STUBBORN)
    other, two = pf.begin(script=f"echo up; sleep {3 * SLOW}", cpu=OTHER)
    pf.ok("stop", "-t", int(6 * SLOW), one, two)
    assert other.end() == 0
    assert not {one, two} & set(pf.ps())


def test_stop_twice_at_once(pf):
    """Whoever comes second finds it stopped, or stops it too; nobody hangs."""
    _, name = pf.begin(script=STUBBORN)
    both = [pf.start("stop", "-t", "0", name) for _ in range(3)]
    for s in both:
        assert s.end() == 0 or "does not run" in s.text()
    assert name not in pf.ps()


@pytest.mark.full
def test_stop_of_a_frozen_supervisor(pf):
    """Its supervisor does not get to run: said, or done without it."""
    s, name = pf.begin()
    os.kill(s.pid, signal.SIGSTOP)
    try:
        p = pf("stop", "-t", "0", name, seconds=40)
        assert p.returncode == 0 or f"supervisor {s.pid} does not end" in p.stderr
    finally:
        os.kill(s.pid, signal.SIGCONT)
    s.end()
    assert name not in pf.ps()


# --- exec -----------------------------------------------------------------------------------------


@pytest.fixture(params=PLACES)
def running(pf, request):
    return pf.begin(*request.param)[1]


def test_exec_status_and_output(pf, running):
    p = pf("exec", running, "--", "/bin/sh", "-c", "echo out; echo err >&2; exit 7")
    assert (p.returncode, p.stdout, p.stderr) == (7, "out\n", "err\n")
    assert pf("exec", running, "/bin/sh", "-c", "kill -9 $$").returncode in (137, -9)


def test_exec_of_nothing(pf, running):
    p = pf("exec", running, "--", "/no/such")
    assert p.returncode in (127, 125, 1) and p.stderr != ""


def test_exec_input_and_environment(pf, running):
    assert pf("exec", running, "--", "cat", input="x").stdout == ""
    assert pf("exec", "-i", running, "--", "cat", input="words").stdout == "words"
    p = pf("exec", "-e", "A=b c", running, "--", "env")
    assert "A=b c" in p.stdout.splitlines()


@pytest.mark.guest
def test_exec_is_in_the_fence(pf, running):
    text = pf.ok("exec", running, "--", "cat", "/proc/self/status")
    assert ids(status_field(text, "Cpus_allowed_list")) == {CPU}
    text = pf.ok("exec", running, "--", "nproc", "--all")
    assert text == "1\n"
    group = pf.ok("exec", running, "--", PYTHON, "-c", "print(open('/proc/meminfo').read())")
    assert int(group.split()[1]) == 512 << 10


@pytest.mark.parametrize("user", ["0", "1000"])
def test_exec_has_no_privileges(pf, user):
    _, name = pf.begin()
    text = pf.ok("exec", "--user", user, name, "--", "cat", "/proc/self/status")
    for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status_field(text, field), 16) == 0
    assert status_field(text, "NoNewPrivs") == "1"
    assert status_field(text, "Seccomp") == "2"
    assert set(status_field(text, "Uid").split()) == {user}


def test_exec_is_the_workloads_user(pf):
    _, name = pf.begin("--user", "1234:99")
    assert pf.ok("exec", name, "--", "id", "-u") == "1234\n"
    assert pf.ok("exec", name, "--", "id", "-g") == "99\n"


@needs_two
@pytest.mark.guest
def test_exec_lands_on_the_shared_cpus(pf):
    pool = pf.grant("--pool", "--cpus", OTHER)
    _, name = pf.begin("--shared-cpus", pool)
    text = pf.ok("exec", name, "--", "grep", "Cpus_allowed_list", "/proc/self/status")
    assert ids(status_field(text, "Cpus_allowed_list")) == {OTHER}


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_exec_has_the_links_and_limits(pf, runtime):
    """It may do what the program may: groups of links, umask, limits, capabilities."""
    path = shutil.which(runtime, path="/usr/bin:/usr/sbin")
    if path is None:
        pytest.skip(f"package {runtime} is not installed")
    link = unique("l")
    show = "umask; id -G; ulimit -a -H; ulimit -a -S; grep ^Cap /proc/self/status"
    flags = ["--link", f"memif:{link}", "--cap", "NET_RAW", "--user", "1000", "--runtime", path]
    s, name = pf.begin(*flags, script=f"({show}); echo up; exec sleep 1000")
    s.until("^up$")
    own = s.text().split("up\n")[0]
    assert own.splitlines()[:2] == ["0002", "1000 65536"]
    assert pf.ok("exec", name, "--", "sh", "-c", show) == own
    pf.ok("exec", name, "--", "touch", f"/run/pinfold/links/{link}/there")
    assert pf.ok("exec", "-u", "7:8", name, "--", "id", "-G") == "8 65536\n"


@pytest.mark.parametrize("runtime, file", [("crun", "status"), ("runc", "state.json")])
def test_exec_waits_for_the_runtime(pf, runtime, file):
    """crun lets the program go before it has written down that it runs."""
    path = shutil.which(runtime, path="/usr/bin:/usr/sbin")
    if path is None:
        pytest.skip(f"package {runtime} is not installed")
    _, name = pf.begin("--runtime", path)
    state = Path("/run/pinfold/runtime", name, file)
    wait(state.exists, 10, f"{state}")
    aside = state.rename(state.with_suffix(".aside"))
    s = pf.start("exec", name, "--", "/bin/echo", "there")
    time.sleep(0.3)
    assert s.process.poll() is None
    aside.rename(state)
    assert s.end() == 0 and s.text() == "there\n"


@pytest.mark.parametrize(
    "words, like",
    [
        (["-u", "x", "NAME", "--", "id"], r"user 'x': write UID or UID:GID"),
        (["-u", "1:", "NAME", "--", "id"], r"user '1:'"),
        (["-u", "65536", "NAME", "--", "id"], r"below 65536"),
        (["NAME", "--", "echo", "\udcff"], r"argument '.*' is not UTF-8"),
        (["-e", "A=\udcff", "NAME", "--", "id"], r"environment '.*' is not UTF-8"),
    ],
)
def test_exec_of_nonsense(pf, words, like):
    _, name = pf.begin()
    p = pf("exec", *[name if w == "NAME" else w for w in words], errors="replace")
    assert p.returncode == 125 and re.search(like, p.stderr), p.stderr
    assert p.stderr.count("\n") == 1


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_exec_beside_a_workload_that_has_taken_its_processes(pf, runtime):
    """crun can always start one program; what that forks counts, and is refused."""
    path = shutil.which(runtime, path="/usr/bin:/usr/sbin")
    if path is None:
        pytest.skip(f"package {runtime} is not installed")
    _, name = pf.begin(
        "--pids",
        "32",
        "--runtime",
        path,
        script="n=0; while [ $n -lt 31 ]; do sleep 1000 & n=$((n+1)); done; echo up;"
        "exec sleep 1000",
    )
    if runtime == "runc":
        # its own exec has threads in there, and not always needs one more
        p = pf("exec", name, "--", "/bin/echo", "in")
        assert (p.returncode, p.stdout) == (0, "in\n") or p.returncode == 125, p.stderr
        assert p.stderr.count("\n") == (p.returncode == 125)
        return
    assert pf.ok("exec", name, "--", "/bin/echo", "in") == "in\n"
    p = pf("exec", name, "--", "/bin/sh", "-c", "/bin/true; echo reached")
    assert p.returncode != 0 and "fork" in p.stderr and "reached" not in p.stdout
    p = pf("exec", name, "--", "/no/such")
    assert p.returncode == 127 and f"there is no such program in '{name}'" in p.stderr
    pf.ok("stop", "-t", "0", name)


def test_exec_ends_with_the_workload(pf):
    _, name = pf.begin()
    s = pf.start("exec", name, "--", "/bin/sh", "-c", "echo in; exec sleep 1000")
    s.until("^in")
    pf.ok("stop", "-t", "1", name)
    assert s.end() != 0


# --- logs -----------------------------------------------------------------------------------------


def test_logs_follow(pf):
    name = pf.detach(command=("/bin/sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.1; done"))
    s = pf.start("logs", "-f", name)
    assert s.end() == 0
    assert s.text() == "1\n2\n3\n"


def test_logs_are_of_the_last(pf):
    name = pf.detach(command=("/bin/sh", "-c", "echo first"))
    wait(lambda: name not in pf.ps(), what="the end")
    pf.detach(name=name, command=("/bin/sh", "-c", "echo second"))
    wait(lambda: name not in pf.ps(), what="the end")
    assert pf.ok("logs", name) == "second\n"
    st = os.stat(f"/var/log/pinfold/{name}.log")
    assert st.st_mode & 0o777 == 0o640


@pytest.mark.parametrize("end", ["\\n", ""], ids=["ended", "unended"])
def test_logs_tail(pf, end):
    script = f"seq 3000; printf 'last{end}'"
    name = pf.detach(command=("/bin/sh", "-c", script))
    wait(lambda: name not in pf.ps(), what="the end")
    whole = pf.ok("logs", name)
    lines = whole.splitlines(keepends=True)
    assert len(lines) == 3001
    for n in (0, 1, 2, 1500, 3000, 3001, 9999):
        assert pf.ok("logs", "--tail", n, name) == "".join(lines[len(lines) - min(n, 3001) :])
    assert pf.ok("logs", "-n", 2, "-f", name) == "".join(lines[-2:])
    # what is in the file before counts, too
    log = Path(f"/var/log/pinfold/{name}.log")
    before = log.with_suffix(".log.1")
    before.write_text("one\ntwo\n")
    log.write_text("three\nfour\n")
    log.with_suffix(".log.times").unlink()
    assert pf.ok("logs", "-n", 3, name) == "two\nthree\nfour\n"
    assert pf.ok("logs", "-n", 2, name) == "three\nfour\n"
    assert pf.ok("logs", "-n", 9, name) == "one\ntwo\nthree\nfour\n"
    # nobody knows when that was written
    pf.fails("logs", "--since", "1h", name, like="leave --since out")
    assert pf.ok("logs", "-t", "-n", 2, name) == "- three\n- four\n"
    before.unlink()
    for words in (["--tail", "-1"], ["--tail", "x"], ["-n", ""]):
        pf.fails("logs", *words, name, like="a number of lines")


STAMP = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\dZ) "


def stamped(pf, name, *words):
    """Of each line when it was said, in seconds since 1970, and the line."""
    found = []
    for line in pf.ok("logs", "-t", *words, name).splitlines():
        m = re.match(STAMP, line)
        assert m, line
        found.append((datetime.fromisoformat(m[1]).timestamp(), line[m.end() :]))
    return found


def test_logs_times(pf):
    """Also of one that runs and of one that has ended; what it said is left as it was."""
    script = "echo one; sleep 1; printf two; sleep 1; echo ,three; sleep 1; echo four"
    before = time.time()
    name = pf.detach(command=("/bin/sh", "-c", script))
    follow = pf.start("logs", "-f", "-t", "--since", "5m", name)
    assert follow.end() == 0
    after = time.time()
    rows = stamped(pf, name)
    assert [text for _, text in rows] == ["one", "two,three", "four"]
    assert before - 0.02 <= rows[0][0] <= rows[1][0] - 0.9 <= rows[2][0] - 2.8 <= after - 2.8
    assert follow.text() == pf.ok("logs", "-t", name)
    assert pf.ok("logs", name) == "one\ntwo,three\nfour\n"

    def since(at, *words):
        return pf.ok("logs", "--since", at, *words, name)

    def written(at):
        return datetime.fromtimestamp(at, timezone.utc).isoformat()

    assert since("1h") == since("2h30m") == since(written(before - 1)) == pf.ok("logs", name)
    assert since(written(rows[1][0])) == "two,three\nfour\n"
    assert since(written(rows[1][0] + 0.5)) == "two,three\nfour\n"  # the rest of the line
    assert since(written(rows[2][0] - 0.3)) == since(written(rows[2][0])) == "four\n"
    assert since(written(rows[1][0]), "-n", 1) == since(written(rows[2][0]), "-n", 9) == "four\n"
    assert since("0s") == since(written(after + 60)) == since("0s", "-f") == ""
    assert stamped(pf, name, "--since", written(rows[2][0])) == rows[2:]
    pf.fails("logs", "--since", "yesterday", name, like="'yesterday': how long ago .10m")


def test_logs_times_cannot_be_faked(pf):
    lie = "2001-01-01T00:00:00.00Z"
    script = rf"printf 'a\r{lie} b\033[2K\033[1G{lie} c\302\2331Gd\n{lie} e\n\302\r\2332K\302\r\2331G{lie}\2332K g\n'"
    name = pf.detach(command=("/bin/sh", "-c", script))
    wait(lambda: name not in pf.ps(), what="the end")
    said = pf("logs", "-t", name, text=False).stdout
    assert not set(said) & {*range(10), *range(11, 32), 127} and b"\xc2\x9b" not in said
    for line in said.splitlines():
        assert re.match(STAMP.encode(), line) and not line.startswith(lie.encode())
    assert pf("logs", name, text=False).stdout.startswith(b"a\r" + lie.encode())


def test_logs_times_are_few(pf):
    """However many small pieces it says: what is kept of them is limited, and the log is whole."""
    script = "i=0; while [ $i -lt 300 ]; do echo $i; i=$((i + 1)); sleep 0.002; done"
    begin = time.monotonic()
    name = pf.detach(command=("/bin/sh", "-c", script))
    wait(lambda: name not in pf.ps(), 30, "the end")
    times = LOGS / f"{name}.log.times"
    # one in ten milliseconds, where each line would have its own
    most = min(300, (time.monotonic() - begin) * 100 + 2)
    assert 8 * 10 < times.stat().st_size <= 8 * (most + 1)
    assert times.stat().st_mode & 0o777 == 0o640
    assert [int(text) for _, text in stamped(pf, name)] == list(range(300))


@pytest.mark.parametrize("cycles", [2])
def test_logs_times_of_starts(pf, cycles):
    """A log that goes on when the program is started again; what pinfold says has its time, too."""
    name = unique()
    words = ["--restart", f"on-failure:{cycles}", "--", "/bin/sh", "-c", "echo hi; exit 3"]
    pf.names.append(name)
    pf.ok("run", "-d", "--name", name, "--cpus", CPU, *words)
    wait(lambda: name not in pf.ps(), 30, "the end")
    rows = stamped(pf, name)
    said = [at for at, text in rows if text == "hi"]
    assert len(said) == cycles + 1 and rows == sorted(rows, key=lambda row: row[0])
    assert said[1] - said[0] > 0.9
    assert any("pinfold: " in text and at - said[0] < 0.9 for at, text in rows)


# --- gc -------------------------------------------------------------------------------------------


def test_gc_of_nothing(pf):
    assert pf.ok("gc") == "0 cleaned up\n"


@pytest.mark.guest
def test_gc_leaves_what_runs(pf):
    s, name = pf.begin()
    assert pf.ok("gc") == "0 cleaned up\n"
    assert pf.ps()[name]["state"] == "running" and s.process.poll() is None


# --- grant ----------------------------------------------------------------------------------------


@needs_pages(8)
@pytest.mark.guest
def test_grant_create_show_run_remove(pf):
    name = pf.grant("--cpus", CPU, "--hugepages", "2M=8", "--memory", "64M", "--pids", "50")
    doc = pf.json("grant", "show", name)
    assert (doc["name"], doc["cpus"], doc["memory"], doc["pids"]) == (name, str(CPU), "64M", 50)
    assert doc["hugepages"][0]["count"] == 8
    assert pf.json("grant", "show", "--json", name) == doc
    rows = validate("grants", pf.json("grant", "list", "--json"))
    row = next(g for g in rows if g["name"] == name)
    assert row["in-use"] is False
    assert any(line.startswith(f"{name} ") for line in pf.ok("grant", "list").splitlines())
    before = free_pages()
    s = pf.start("run", "--grant", name, "--", "/bin/sh", "-c", "echo up; exec sleep 1000")
    s.until("^up")
    assert free_pages() == before - 8
    assert next(g for g in pf.json("grant", "list", "--json") if g["name"] == name)["in-use"]
    pf.fails("run", "--grant", name, "--", "/bin/true", like=f"'{name}' is in use")
    pf.fails("grant", "remove", name, like=f"in use; stop it first: pinfold stop {name}")
    pf.ok("stop", name)
    s.end()
    assert free_pages() == before
    assert pf.run("--", "/bin/true").returncode == 125  # the definition goes on holding the CPU
    pf.ok("grant", "remove", name)
    assert pf.run("--", "/bin/true").returncode == 0
    pf.fails("grant", "show", name, like=name)


@needs_two
def test_grant_slots_are_all_or_none(pf):
    name = unique("g")
    pf.grants += [f"{name}-1", f"{name}-2"]
    out = pf.ok("grant", "create", "--name", name, "--cpu-count", "1", "--count", "2")
    assert out == f"{name}-1\n{name}-2\n"
    cpus = [pf.json("grant", "show", f"{name}-{i}")["cpus"] for i in (1, 2)]
    assert len(set(cpus)) == 2
    both = [
        pf.start(
            "run", "--grant", f"{name}-{i}", "--", "grep", "Cpus_allowed_l", "/proc/self/status"
        )
        for i in (1, 2)
    ]
    assert [s.end() for s in both] == [0, 0]
    assert [status_field(s.text(), "Cpus_allowed_list") for s in both] == cpus
    pf.ok("grant", "remove", f"{name}-1", f"{name}-2")
    more = unique("g")
    pf.fails(
        "grant",
        "create",
        "--name",
        more,
        "--cpu-count",
        "1",
        "--count",
        "4096",
        like="grant [0-9]+ of 4096",
    )
    assert not any(g["name"].startswith(more) for g in pf.json("grant", "list", "--json"))


@needs_two
def test_pool_that_is_used_stays(pf):
    pool = pf.grant("--pool", "--cpus", CPU)
    user = pf.grant("--cpus", OTHER, "--shared-cpus", pool)
    pf.fails("grant", "remove", pool, like=f"pool '{pool}' is used by '{user}'")
    pf.fails("run", "--grant", pool, "--", "/bin/true", like=f"'{pool}' is a pool")
    pf.grants.reverse()  # the pool last


def test_definition_survives_and_is_read_strictly(pf):
    name = pf.grant("--cpus", CPU)
    path = Path(f"/etc/pinfold/grants.d/{name}.json")
    assert path.stat().st_mode & 0o777 == 0o600
    doc = json.loads(path.read_text())
    for change in ({"cpu": "1"}, {"cpus": 1}, {"cpus": "9-1"}):
        path.write_text(json.dumps({**doc, **change}))
        pf.fails("run", "--grant", name, "--", "/bin/true", like=f"{name}")
    path.write_text(json.dumps(doc))
    assert pf("run", "--grant", name, "--", "/bin/true").returncode == 0


def test_request_document(pf, tmp_path):
    file = tmp_path / "request.json"
    file.write_text(json.dumps({"cpus": str(CPU), "memory": "64M", "pids": 33}))
    doc = json.loads(pf.ok("run", "--from", file, "--", "cat", "/run/pinfold/grant.json"))
    assert (doc["cpus"], doc["memory"], doc["pids"]) == (str(CPU), "64M", 33)
    more = ["--from", file, "--pids", "44"]
    doc = json.loads(pf.ok("run", *more, "--", "cat", "/run/pinfold/grant.json"))
    assert doc["pids"] == 44


def test_cpu_count_takes_what_is_free(pf):
    _, name = pf.begin(cpu=OTHER)
    held = {int(c) for c in pf.ps()[name]["cpus"].split(",")}
    if CPU == OTHER:
        pytest.skip("needs two CPUs")
    text = pf.ok("run", "--cpu-count", "1", "--", "grep", "Cpus_allowed_l", "/proc/self/status")
    assert not held & ids(status_field(text, "Cpus_allowed_list"))
