# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The caller's terminal, pipes and files are not the container's; and what is relayed is the same, byte for byte."""

import hashlib
import os
import pty
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import termios
import time
from pathlib import Path

import pytest

from features import CGROUP, NODE, V2
from terminals import on_terminal, read_until, size
from workload import CPU, LOGS, OTHER, PYTHON, SLOW, ids, kill, needs_pages, needs_root, needs_two
from workload import status_field, unique, wait

pytestmark = [needs_root]
MIB = 1 << 20
RUNC = shutil.which("runc", path="/usr/bin:/usr/sbin")
OWNER = 64203

RUNTIMES = [
    pytest.param((), id="crun"),
    pytest.param(
        ("--runtime", RUNC or "runc"),
        id="runc",
        marks=pytest.mark.skipif(RUNC is None, reason="package runc is not installed"),
    ),
]


class Way:
    """How a program gets into a container: the words before it, and who says them."""

    def __init__(self, words, **kw):
        self.words, self.kw = [str(w) for w in words], kw

    def command(self, *flags, program=()):
        verb, *rest = self.words[1:]
        return [self.words[0], verb, *flags, *rest, "--", *map(str, program)]

    def popen(self, *program, flags=(), **kw):
        kw = {"stdin": subprocess.DEVNULL, **self.kw, **kw}
        return subprocess.Popen(self.command(*flags, program=program), **kw)

    def __call__(self, *program, flags=(), **kw):
        if "input" not in kw:
            kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("capture_output", True)
        kw = {"timeout": 40 * SLOW, "check": False, **self.kw, **kw}
        return subprocess.run(self.command(*flags, program=program), **kw)


# one way of each of those who relay is enough in a guest
ELSEWHERE = [
    pytest.param(w, marks=pytest.mark.anywhere) for w in ("run-runc", "exec", "exec-runc", "keeper")
]


@pytest.fixture(params=["run", *ELSEWHERE, pytest.param("keeper-exec", marks=pytest.mark.whole)])
def way(request, pf):
    runtime = ["--runtime", RUNC] if "runc" in request.param else []
    if runtime and RUNC is None:
        pytest.skip("package runc is not installed")
    if "keeper" not in request.param:
        if request.param.startswith("run"):
            yield Way([pf.path, "run", "--cpus", CPU, *runtime])
        else:
            yield Way([pf.path, "exec", pf.detach(*runtime)])
        return
    with tempfile.TemporaryDirectory(prefix="pinfold-streams-") as directory:
        os.chmod(directory, 0o755)
        path = shutil.copy(pf.path, directory)
        name = pf.grant("--cpus", CPU, "--owner", f"{OWNER}:{OWNER}", "--memory", "128M")
        who = {"user": OWNER, "group": OWNER, "extra_groups": [], "cwd": "/"}
        if request.param == "keeper":
            yield Way([path, "run", "--grant", name], **who)
        else:
            run = [path, "run", "-d", "--grant", name, "--", "/bin/sleep", "1000"]
            subprocess.run(run, check=True, capture_output=True, timeout=30 * SLOW, **who)
            yield Way([path, "exec", name], **who)
        pf("grant", "stop", name)


def sh(script):
    return ("/bin/sh", "-c", script)


# --- what is the caller's -------------------------------------------------------------------------


def test_fifo_keeps_its_owner(way, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    with subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE) as reader:
        with open(fifo, "wb") as f:
            way("echo", "hi", stdout=f, stderr=f, capture_output=False)
        assert reader.stdout.read() == b"hi\n"
    st = fifo.stat()
    assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (0, 0, 0o600)


def test_append_only_log_is_neither_read_nor_cut(way, tmp_path):
    log = tmp_path / "log"
    log.write_text("secret\n")
    script = (
        "head -n 1 </proc/self/fd/1; cat /proc/self/fd/2; : >/proc/self/fd/1;"
        "(exec 3<>/proc/self/fd/1); readlink /proc/self/fd/0 /proc/self/fd/1; echo done"
    )
    with open(log, "ab") as f:
        way(*sh(script), stdout=f, stderr=subprocess.DEVNULL, capture_output=False)
    text = log.read_text()
    assert text.startswith("secret\n") and text.count("secret") == 1 and text.endswith("done\n")
    assert str(log) not in text


def test_socket_is_not_the_programs(way):
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            way(
                *sh("test -S /proc/self/fd/1 && echo socket; echo end"),
                stdout=theirs,
                stderr=theirs,
                capture_output=False,
            )
        assert ours.recv(100) == b"end\n"


STEAL = """
import fcntl, os, termios
for fd in range(3):
    try:
        print(fd, termios.tcgetattr(fd) and "terminal")
    except termios.error:
        print(fd, "none")
    try:
        os.set_blocking(fd, False)
        print("read", os.read(fd, 100))
    except OSError as e:
        print("read", e.errno)
"""


def test_terminal_without_t_is_not_the_programs(way):
    program = (PYTHON, "-I", "-c", STEAL + "\nprint('end')")
    main, p = on_terminal(way.command(program=program), **way.kw)
    os.write(main, b"my-secret\n")
    seen = read_until(main, "end\r\n")
    assert p.wait(20 * SLOW) == 0
    assert "terminal" not in seen and "read b'my" not in seen, seen
    os.close(main)


# --- what is relayed ------------------------------------------------------------------------------


def test_every_byte_both_ways(way):
    data = os.urandom(3 * MIB + 17)
    p = way("cat", flags=["-i"], input=data)
    assert (p.returncode, p.stderr) == (0, b"") and p.stdout == data


def test_input_from_a_file(way, tmp_path):
    (tmp_path / "in").write_bytes(b"words\n" * 1000)
    with open(tmp_path / "in", "rb") as f:
        assert way("wc", "-l", flags=["-i"], stdin=f).stdout.split() == [b"1000"]
    with open(tmp_path / "in", "rb") as f:
        assert way("cat", stdin=f).stdout == b""


def test_streams_stay_apart_and_in_order(way):
    p = way(*sh("for i in $(seq 500); do echo $i; echo e$i >&2; done; exit 3"))
    assert p.returncode == 3
    assert p.stdout == b"".join(b"%d\n" % i for i in range(1, 501))
    assert p.stderr == b"".join(b"e%d\n" % i for i in range(1, 501))


def test_slow_reader_slows_and_loses_nothing(way):
    with way.popen("head", "-c", str(8 * MIB), "/dev/zero", stdout=subprocess.PIPE) as p:
        time.sleep(0.5)
        assert p.poll() is None  # what it has said is nowhere but in pipes
        n = 0
        while data := os.read(p.stdout.fileno(), 10000):
            n += len(data)
        assert (p.wait(20 * SLOW), n) == (0, 8 * MIB)


def test_reader_that_goes_ends_it(way):
    with way.popen("yes", stdout=subprocess.PIPE) as p:
        assert p.stdout.read(2) == b"y\n"
        p.stdout.close()
        assert p.wait(20 * SLOW) == 128 + signal.SIGPIPE


def test_a_program_that_closes_its_output(way):
    with way.popen(*sh("echo last; exec >&- 2>&-; sleep 5"), stdout=subprocess.PIPE) as p:
        assert p.stdout.read() == b"last\n"
        assert p.poll() is None
        assert p.wait(20 * SLOW) == 0


def test_a_program_that_closes_its_input(way):
    r, w = os.pipe()
    with way.popen(
        *sh("exec <&-; echo up; exec sleep 1000"), flags=["-i"], stdin=r, stdout=subprocess.PIPE
    ) as p:
        os.close(r)
        assert p.stdout.readline() == b"up\n"

        def refused():
            try:
                os.write(w, b"x")
            except BrokenPipeError:
                return True
            return False

        wait(refused, what="EPIPE")
        os.close(w)
        p.terminate()
        p.wait(20 * SLOW)


def test_output_by_name(way):
    p = way(
        *sh("echo one >/dev/stdout; echo two >>/dev/stderr; cat /dev/stdin"),
        flags=["-i"],
        input=b"three\n",
    )
    assert (p.stdout, p.stderr) == (b"one\nthree\n", b"two\n")


def test_full_disk_is_told(way):
    with open("/dev/full", "wb") as full:
        p = way("echo", "lost", stdout=full, stderr=subprocess.PIPE, capture_output=False)
    assert p.returncode == 125 and b"No space left" in p.stderr
    assert p.stderr.startswith(b"pinfold: ") and p.stderr.count(b"\n") == 1


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_descriptors(way, closed):
    words = " ".join(f"'{w}'" for w in way.command(program=("/bin/sh", "-c", "echo x; exit 4")))
    p = subprocess.run(
        ["/bin/sh", "-c", f"{words} {closed}"],
        capture_output=True,
        check=False,
        timeout=30 * SLOW,
        **way.kw,
    )
    assert p.returncode == 4


def test_what_is_left_behind_holds_nobody_up(pf):
    name = pf.detach()
    start = time.monotonic()
    script = "(trap '' HUP; while :; do echo more; done) & echo left; exit 6"
    p = pf("exec", name, "--", *sh(script))
    assert p.returncode == 6 and p.stdout.count("left") == 1
    assert time.monotonic() - start < 10 * SLOW


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_output_outlives_the_supervisor(pf, runtime):
    s, name = pf.begin(*runtime, script="echo up; sleep 1; echo after; exec sleep 1000")
    kill(s.pid)
    s.end()
    wait(lambda: "after" in s.text(), 30, "what it says without its supervisor")
    assert pf.ps()[name]["state"] == "running"
    pf.ok("stop", "-t", "0", name)


def relays(name, lease):
    found = {}
    for where, _, _ in os.walk(lease["cgroup"]):
        for pid in Path(where, "cgroup.procs").read_text().split():
            status = Path(f"/proc/{pid}/status").read_text()
            found[status_field(status, "Name")] = ids(status_field(status, "Cpus_allowed_list"))
    return found


@needs_two
def test_relay_runs_on_the_grant(pf):
    _, name = pf.begin()
    found = wait(lambda: (f := relays(name, pf.lease(name))).get("pinfold-relay") == {CPU} and f)
    assert found["pinfold-relay"] == {CPU}


@needs_two
def test_relay_runs_on_the_shared_cpus(pf):
    pool = pf.grant("--pool", "--cpus", OTHER)
    _, name = pf.begin("--shared-cpus", pool)
    wait(lambda: relays(name, pf.lease(name)).get("pinfold-relay") == {OTHER}, what="its place")


def cgroup(pid):
    return Path(f"/proc/{pid}/cgroup").read_text()


@pytest.fixture
def unit():
    """A cgroup without the granted CPU, as a unit with AllowedCPUs= may have."""
    top = CGROUP if V2 else CGROUP / "cpuset"
    group = top / unique("unit")
    if V2:
        (top / "cgroup.subtree_control").write_text("+cpuset")
    group.mkdir()
    (group / "cpuset.cpus").write_text(str(OTHER))
    (group / "cpuset.mems").write_text((NODE / "has_memory").read_text() if NODE.is_dir() else "0")
    yield group
    wait(lambda: (group / "cgroup.procs").read_text() == "", what="the end of all in it")
    group.rmdir()


@needs_two
def test_relay_of_a_unit_without_the_granted_cpus(pf, unit):
    """To the journal it carries from the unit's, for everybody else from the grant's."""
    for ours, where in ((True, {OTHER}), (False, {CPU})):
        relay_to_the_journal(pf, ours, where, lambda: (unit / "cgroup.procs").write_text("0"))


@pytest.mark.parametrize("stream", ["ours", "another"])
def test_relay_to_the_journal(pf, stream):
    """systemd's journal puts lines down to the unit in whose cgroup their writer is: it stays there."""
    relay_to_the_journal(pf, stream == "ours", {CPU})


def relay_to_the_journal(pf, ours, where, enter=None):
    r, w = os.pipe()
    st = os.fstat(w)
    env = {**os.environ, "JOURNAL_STREAM": f"{st.st_dev}:{st.st_ino + (not ours)}"}
    script = "echo up; sleep 1000"
    p = subprocess.Popen(
        [pf.path, "run", "--cpus", str(CPU), "--", "/bin/sh", "-c", script],
        stdin=subprocess.DEVNULL, stdout=w, env=env, preexec_fn=enter,
    )  # fmt: skip
    os.close(w)
    try:
        assert os.read(r, 3) == b"up\n"
        children = Path(f"/proc/{p.pid}/task/{p.pid}/children")
        relay = next(
            pid for pid in children.read_text().split()
            if Path(f"/proc/{pid}/comm").read_text() == "pinfold-relay\n"
        )  # fmt: skip
        assert (cgroup(relay) == cgroup(p.pid)) == ours
        assert os.sched_getaffinity(int(relay)) == where
    finally:
        p.terminate()
        assert p.wait(20 * SLOW) == 128 + signal.SIGTERM
        os.close(r)
    wait(lambda: not os.path.exists(f"/proc/{relay}"), what="its end")


# --- -t -------------------------------------------------------------------------------------------


@pytest.fixture
def typed(way):
    """A shell with a terminal; the caller's, and its settings before."""
    main, side = pty.openpty()
    size(main, 37, 101)
    before = termios.tcgetattr(side)
    command = way.command("-i", "-t", program=["/bin/sh"])
    p = subprocess.Popen(
        ["setsid", "-c", "-w", *command], stdin=side, stdout=side, stderr=side, **way.kw
    )
    read_until(main, r"[#$] ")
    yield main, side, p, before
    if p.poll() is None:
        p.kill()
    p.wait()
    os.close(main)
    os.close(side)


def test_terminal_size_and_keys(typed):
    main, side, p, before = typed
    assert termios.tcgetattr(side) != before
    os.write(main, b"stty size; tty\n")
    read_until(main, r"37 101\r\n/dev/pts/")
    size(main, 20, 60)
    # what is typed is not yet what is said
    os.write(main, b"until stty size | grep '^20 6[0]'; do sleep 0.1; done\n")
    read_until(main, "20 60")
    os.write(main, b"sh -c 'echo in-$((1+1)); exec sleep 1000'\n")
    read_until(main, "in-2")
    os.write(main, b"\x03")
    read_until(main, r"\^C")
    os.write(main, b"exit 5\n")
    assert p.wait(20 * SLOW) == 5
    assert termios.tcgetattr(side) == before


def test_terminal_is_given_back_after_a_signal(typed):
    main, side, p, before = typed
    os.kill(p.pid, signal.SIGHUP)  # setsid has become it
    wait(lambda: p.poll() is not None, 30, "its end")
    assert termios.tcgetattr(side) == before


def test_terminal_without_one_of_the_callers(way):
    p = way(*sh("tty; read x; echo got $x; exit 3"), flags=["-i", "-t"], input=b"word\n")
    assert p.returncode == 3 and b"/dev/pts/" in p.stdout and b"got word" in p.stdout
    p = way("cat", flags=["-i", "-t"], input=b"")
    assert p.returncode == 0
    p = way("seq", "20000", flags=["-t"])
    assert p.stdout.replace(b"\r", b"") == b"".join(b"%d\n" % i for i in range(1, 20001))


# --- the log --------------------------------------------------------------------------------------


def writer(lease):
    for where, _, _ in os.walk(lease["cgroup"]):
        if os.path.basename(where) == "super":
            for pid in Path(where, "cgroup.procs").read_text().split():
                if Path(f"/proc/{pid}/comm").read_text().startswith("pinfold"):
                    return int(pid)
    return None


@needs_two
def test_log_costs_the_grant_and_has_a_rate(pf):
    """Its writer is on the granted CPU; the disk gets a burst and then a rate; the last is kept."""
    script = "head -c 200000000 /dev/zero; echo; echo last words; exec sleep 1000"
    begin = time.monotonic()
    name = pf.detach(command=sh(script))
    pid = wait(lambda: writer(pf.lease(name)), what="the writer")
    status = Path(f"/proc/{pid}/status").read_text()
    assert ids(status_field(status, "Cpus_allowed_list")) == {CPU}
    log = LOGS / f"{name}.log"
    wait(lambda: b"last words" in log.read_bytes()[-100:], 30, "the end")
    written = int(re.search(r"^wchar: (\d+)", Path(f"/proc/{pid}/io").read_text(), re.M)[1])
    allowed = 64 * MIB + 16 * MIB * (time.monotonic() - begin)
    assert 64 * MIB <= written <= allowed + 16 * MIB
    if allowed > 200000000:
        pytest.skip("200 MB took so long here that they were never more than 16 MiB/s")
    assert re.search(r"\[pinfold: \d+ bytes left out: more than 16 MiB/s\]", pf.ok("logs", name))
    pf.ok("stop", "-t", "0", name)


@needs_pages(1)
def test_log_of_an_owner_is_roots(pf):
    """He reads it; neither he nor his keeper can write to it."""
    name = pf.grant("--cpus", CPU, "--owner", f"{OWNER}:{OWNER}")
    keeper = pf.lease(name)["supervisor"]
    for end in ("", ".1", ".times", ".1.times"):
        st = os.stat(LOGS / f"{name}.log{end}")
        assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (0, 0, 0o640)
    logs = [
        fd for fd in Path(f"/proc/{keeper}/fd").iterdir() if os.readlink(fd).startswith(str(LOGS))
    ]
    assert len(logs) == 4
    for fd in logs:
        flags = re.search(r"flags:\s*(\d+)", Path(f"/proc/{keeper}/fdinfo/{fd.name}").read_text())[
            1
        ]
        assert int(flags, 8) & os.O_ACCMODE == os.O_RDONLY


def test_big_output_is_the_same(pf):
    p = pf.run(
        "--",
        PYTHON,
        "-I",
        "-c",
        "import sys\nfor i in range(64): sys.stdout.buffer.write(bytes([i]) * (1 << 20))",
        text=False,
    )
    want = hashlib.sha256(b"".join(bytes([i]) * MIB for i in range(64))).hexdigest()
    assert hashlib.sha256(p.stdout).hexdigest() == want
