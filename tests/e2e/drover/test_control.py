# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""drover's own socket: who may ask, what is refused, and that no client is in the way of another, of the packets
or of the next start."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest
from drover_config import configuration, core, task
from drover_run import RUNTIME, Control, Drover, config, granted
from workload import CPU, SLOW, needs_root

pytestmark = [pytest.mark.anywhere]
LIMIT = 5  # seconds for a line, and to read an answer
CLIENTS = 32
NOBODY = 65534

CONFIG = configuration(
    {"nil": "null"},
    core("worker", task("l2fwd", "nil", "nil")),
    core("maker", task("gen", "", "nil", "rate=1k")),
    name="control",
)


@pytest.fixture(scope="module")
def running(drover, tmp_path_factory):
    with Drover(drover, tmp_path_factory.mktemp("control"), CONFIG) as d:
        yield d.runs()
        report = d.end()
    # nobody was in the way of its packets
    assert report["tasks"][0]["rx"] == report["tasks"][0]["tx"] > 0


@pytest.fixture
def control(running):
    c = Control(running.socket)
    yield c
    c.close()


def ask(drover, *args):
    return subprocess.run(
        [drover, "ask", *args], capture_output=True, text=True, timeout=30, check=False
    )


def connect(running):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(3 * LIMIT)
    s.connect(running.socket)
    return s


def everything(s):
    """What comes until the other side closes."""
    text = b""
    try:
        while piece := s.recv(1 << 16):
            text += piece
    except ConnectionResetError:
        pass
    return text


def memory(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def test_it_is_the_owners(running):
    mode = os.lstat(running.socket).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600


def test_ask(drover, running):
    p = ask(drover, "--socket", running.socket, "rate", "task=maker", "pps=5000")
    assert p.returncode == 0 and json.loads(p.stdout) == {"task": "maker", "rate_pps": 5000}
    p = ask(drover, "--file-prefix", running.prefix, "help")
    assert p.returncode == 0 and "rate task=... pps=..." in json.loads(p.stdout)
    p = ask(drover, "--file-prefix", running.prefix, "stats", "task=wroker")
    assert p.returncode == 1 and "did you mean 'worker'" in p.stderr and p.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "args, says",
    [
        ([], "name a request"),
        (["stop", "worker"], "write NAME=VALUE"),
        (["--sokcet", "x"], "did you mean '--socket'"),
        (["--socket", "a", "--file-prefix", "b", "info"], "give one"),
    ],
)
def test_usage_of_ask(drover, args, says):
    p = ask(drover, *args)
    assert p.returncode == 2 and says in p.stderr and p.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "line, says",
    [
        (b"", "the request"),
        (b"no", "the request"),
        (b"[1]", "not a JSON object"),
        (b'"stop"', "the request"),
        (b'{"request": "stop", "request": "stop"}', "duplicate"),
        (b'{"request": "stop"', "the request"),
        (b'{"request": "stop"}}', "the request"),
        (b"[" * 8000, "the request"),
        (b'{"request": "\xff"}', "the request"),
        (b'{"request": "st\\u0000op"}', "the request"),
        (b"{}", "'request' is missing"),
        (b'{"request": 7}', "'request' is not a string"),
        (b'{"request": "ports_"}', "did you mean 'ports'?"),
        (b'{"request": "\\u001b[2J"}', "no request"),
        (b'{"request": "stop", "tsk": "worker"}', "did you mean 'task'"),
        (b'{"request": "stop", "task": 5}', "'task' is not a string"),
        (b'{"request": "stop", "task": null}', "'task' is not a string"),
        (b'{"request": "stop", "task": ["worker"]}', "'task' is not a string"),
        (b'{"request": "stop", "task": "worker1"}', "did you mean 'worker'"),
        (b'{"request": "stop", "task": ""}', "no task ''"),
        (b'{"request": "ports", "port": "none"}', "no port 'none'"),
        (b'{"request": "rate", "task": "maker"}', "'pps' is missing: drover ask rate"),
        (b'{"request": "rate", "task": "maker", "pps": 1.5}', "a string or a whole number"),
        (b'{"request": "rate", "task": "maker", "pps": -1}', "a string or a whole number"),
        (b'{"request": "rate", "task": "maker", "pps": "nan"}', "packets a second"),
        (b'{"request": "rate", "task": "maker", "pps": "1e99"}', "packets a second"),
        (b'{"request": "rate", "task": "maker", "pps": ""}', "packets a second"),
        (b'{"request": "rate", "task": "worker", "pps": 5}', "has no rate"),
        (b'{"request": "lat", "task": "worker"}', "measures no latency"),
        (b'{"request": "trace", "task": "worker", "packets": 129}', "from 1 to 128"),
        (b'{"request": "trace_packets", "task": "maker"}', "was not traced"),
        (b'{"request": "reload", "table": "t"}', "no table 't'"),
        (b'{"request": "user_del", "table": "t", "gre_id": 4294967296}', "a whole number"),
    ],
)
def test_what_cannot_be_is_said(control, line, says):
    answer = control.send(line)
    assert list(answer) == ["error"] and says in answer["error"]
    assert all(c.isprintable() for c in answer["error"])
    assert control.ask("tasks") == {"tasks": ["worker", "maker"]}  # and it goes on


def test_requests_one_after_the_other(control):
    """In one piece, and byte by byte."""
    control.s.sendall(b'{"request":"tasks"}\n' * 50 + b'{"request":"modes"}\n')
    for _ in range(50):
        assert json.loads(control.answers.readline())["tasks"] == ["worker", "maker"]
    assert "l2fwd" in json.loads(control.answers.readline())
    for byte in b'{"request":"tasks"}\n':
        control.s.sendall(bytes([byte]))
    assert json.loads(control.answers.readline())["tasks"]


def test_a_line_without_end(running, control):
    s = connect(running)
    try:
        s.sendall(b"[" * (1 << 20))
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert "a line of at most" in json.loads(everything(s))["error"]
    s.close()
    assert control.ask("tasks")["tasks"]


def test_half_a_request_has_its_time(running, control):
    """Whoever does not go on is sent away, also if he says a little now and then; others see nothing of it."""
    begin = time.monotonic()
    silent, slow = connect(running), connect(running)
    silent.sendall(b'{"request": ')
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        while time.monotonic() - begin < 3 * LIMIT:
            slow.sendall(b" ")
            before = time.monotonic()
            assert control.ask("tasks")["tasks"]
            assert time.monotonic() - before < LIMIT
            time.sleep(0.2)
    assert LIMIT - 1 < time.monotonic() - begin < 3 * LIMIT
    assert everything(silent) == b""
    silent.close()
    slow.close()


def test_a_client_that_never_reads(running, control):
    """It is sent away, and drover does not keep what it does not read."""
    before = memory(running.process.pid)
    hogs = [connect(running) for _ in range(8)]
    begin = time.monotonic()
    for s in hogs:
        s.setblocking(False)
        try:
            while True:
                s.send(b'{"request":"report"}\n' * 100)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass
    most = 0
    while time.monotonic() - begin < 2 * LIMIT:
        start = time.monotonic()
        assert control.ask("tasks")["tasks"]
        most = max(most, time.monotonic() - start)
        time.sleep(0.1)
    assert most < LIMIT and memory(running.process.pid) - before < 40000
    for s in hogs:
        s.settimeout(LIMIT)
        everything(s)  # has an end
        s.close()


def test_a_hundred_clients(running):
    """As many as there is room for are answered, the others told so; and who is silent makes room."""
    time.sleep(1.2)  # others of this file are gone
    begin = time.monotonic()
    clients = [Control(running.socket) for _ in range(100)]
    answers = []
    for c in clients:
        try:
            answers.append(c.ask("tasks"))
        except (BrokenPipeError, ConnectionResetError):
            answers.append(json.loads(c.answers.readline()))
    told = [a for a in answers if "error" in a]
    # a second of silence makes room: where all of this takes as long, for more of them
    assert len(told) == 100 - CLIENTS or (
        time.monotonic() - begin > 1 and len(told) < 100 - CLIENTS
    )
    assert all("try again" in a["error"] for a in told)
    time.sleep(1.2)
    for _ in range(3):
        late = Control(running.socket)
        assert late.ask("tasks")["tasks"]
        clients.append(late)
    for c in clients:
        c.close()
    late = Control(running.socket)
    assert late.ask("tasks")["tasks"]
    late.close()


def test_clients_that_go_in_the_middle(running, control):
    for sent in (b"", b'{"requ', b'{"request":"report"}', b'{"request":"report"}\n' * 20):
        for _ in range(20):
            s = connect(running)
            s.sendall(sent)
            s.close()
    assert control.ask("tasks")["tasks"]
    # one that has written all it has to say is answered
    s = connect(running)
    s.sendall(b'{"request":"tasks"}\n')
    s.shutdown(socket.SHUT_WR)
    assert json.loads(everything(s))["tasks"]
    s.close()


@needs_root
def test_another_user(drover, running):
    """Cannot reach it; and is refused where somebody changed its mode."""

    def tried():
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            os.seteuid(NOBODY)
            try:
                s.connect(f"/proc/self/fd/{place}")
            finally:
                os.seteuid(0)
            try:
                s.sendall(b'{"request":"stop"}\n')
            except BrokenPipeError:
                pass
            return json.loads(everything(s))

    place = os.open(running.socket, os.O_PATH)
    try:
        with pytest.raises(PermissionError):
            tried()
        os.chmod(running.socket, 0o666)
        assert "only the user" in tried()["error"]
    finally:
        os.chmod(running.socket, 0o600)
        os.close(place)
    assert json.loads(ask(drover, "--socket", running.socket, "stats", "task=worker").stdout)[
        "running"
    ]


# ---- where it lies


def test_what_a_killed_one_left(drover, start):
    """Is in nobody's way: not of those who look, nor of the next of its name."""
    prefix = f"killed{os.getpid()}"
    where = f"{RUNTIME}/dpdk/{prefix}"
    name = "--file-prefix", prefix
    first = start(config(keys="drop=no"), *name).runs()
    first.process.kill()
    first.process.wait()
    try:
        assert os.path.exists(f"{where}/drover.sock")
        p = ask(drover, *name, "info")
        assert p.returncode == 1 and "no drover runs" in p.stderr
        with start(config(keys="drop=no"), *name) as second:
            second.runs()
            p = ask(drover, *name, "info")
            assert json.loads(p.stdout)["pid"] == second.process.pid
        assert not os.path.exists(f"{where}/drover.sock")
    finally:
        shutil.rmtree(where)
        first.end()


def test_several(drover, running, start):
    with start(config()) as other:
        other.runs()
        p = ask(drover, "info")
        assert p.returncode == 1 and running.socket in p.stderr and other.socket in p.stderr
        p = ask(drover, "--file-prefix", other.prefix, "info")
        assert json.loads(p.stdout)["pid"] == other.process.pid


def test_one_that_is_stopped(drover, start):
    """Does not hold up those who ask; its path may be longer than the kernel takes for a socket."""
    with start(config()) as d:
        long = "/proc/self/root" * 10 + d.runs().socket
        assert json.loads(ask(drover, "--socket", long, "info").stdout)["pid"] == d.process.pid
        d.process.send_signal(signal.SIGSTOP)
        try:
            begin = time.monotonic()
            p = ask(drover, "--socket", long, "info")
            assert p.returncode == 1 and "does not answer" in p.stderr
            assert time.monotonic() - begin < 8 * SLOW
        finally:
            d.process.send_signal(signal.SIGCONT)


@needs_root
@pytest.mark.parametrize("more", [[], ["--user", "1000"]])
def test_in_a_container(pf, drover, tmp_path, more):
    """From inside, and by the host's root, who has no number there."""
    tmp_path.chmod(0o755)
    (tmp_path / "t.cfg").write_text(config("none"))
    name = pf.unique()
    flags = [*more, *granted(drover, tmp_path), "--", "/drover/drover", "run", "/data/t.cfg"]
    s = pf.start("run", "--name", name, "--cpus", CPU, *flags)
    s.until("traffic runs")
    inside = json.loads(pf.ok("exec", name, "--", "/drover/drover", "ask", "info"))
    root = Path(f"/proc/{pf.program(name, 'drover')}/root")
    (path,) = [p for top in ("run", "tmp") for p in root.glob(f"{top}/dpdk/*/drover.sock")]
    assert stat.S_IMODE(path.lstat().st_mode) == 0o600
    p = ask(drover, "--socket", str(path), "info")
    assert p.returncode == 0, p.stderr
    assert json.loads(p.stdout)["pid"] == inside["pid"]
    s.signal(signal.SIGTERM)
    assert s.end() == 0, s.text()
