# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""A keeper that was taken over as a whole, and what it can do to root's commands."""

import array
import contextlib
import ctypes
import errno
import fcntl
import json
import os
import re
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from fuse import Silent
from owner import KEEPERS, OWNER
from workload import SLOW, needs_root, wait

pytestmark = [needs_root]

MIB = 1 << 20


def linger(s, seconds):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, seconds))


def lingering():
    """A connection whose last close waits half a minute: nobody reads what was sent over it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s = socket.create_connection(server.getsockname())
        other, _ = server.accept()
    s.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            s.send(bytes(65536))
    linger(s, 30)
    return s, other


def send(client, connections):
    """Into the hands of the client, which does not go on before it is the last to close them. False: refused."""
    sent = True
    pid, *_ = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    data = json.dumps({"status": 0, "row": {"state": "running"}}).encode()
    os.kill(pid, signal.SIGSTOP)
    for s in connections:
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno()]))
        try:
            client.sendmsg([data], [rights])
        except PermissionError:  # it is our own still
            linger(s, 0)
            sent = False
        s.close()
    os.kill(pid, signal.SIGCONT)
    return sent


def forget_option():
    """As on a kernel before 6.16: setsockopt(SO_PASSRIGHTS) fails with ENOPROTOOPT."""
    number = {"x86_64": 54, "aarch64": 208}[os.uname().machine]
    load, equal, result = 0x20, 0x15, 0x06
    code = [
        (load, 0, 0, 0),
        (equal, 0, 3, number),
        (load, 0, 0, 32),
        (equal, 0, 1, 83),
        (result, 0, 0, 0x00050000 | errno.ENOPROTOOPT),
        (result, 0, 0, 0x7FFF0000),
    ]
    text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *c) for c in code))
    program = struct.pack("HxxxxxxP", len(code), ctypes.addressof(text))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(22, 2, ctypes.create_string_buffer(program), 0, 0) != 0:  # PR_SET_SECCOMP
        raise OSError(ctypes.get_errno(), "prctl")


@contextlib.contextmanager
def impostor(kept, answer=None):
    """In the keeper's place, one that answers each request so, or with such connections."""
    path = KEEPERS / f"{kept.name}.sock"
    real = path.rename(path.with_suffix(".real"))
    asked, others = [], []

    def serve(client):
        with client, contextlib.suppress(OSError):
            asked.append(json.loads(client.recv(65536))["op"])
            if answer is not None:
                client.sendall(json.dumps(answer).encode())
                return
            pairs = [lingering() for _ in range(2)]
            others.extend(other for _, other in pairs)
            if send(client, [s for s, _ in pairs]):
                client.recv(1)

    def accept(listening):
        with contextlib.suppress(OSError):
            while True:
                serve(listening.accept()[0])

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(path))
        os.chown(path, OWNER, OWNER)
        listening.listen()
        thread = threading.Thread(target=accept, args=[listening])
        thread.start()
        try:
            yield asked
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            for s in others:
                s.close()
            thread.join(60)
            real.rename(path)


@pytest.mark.parametrize(
    "before",
    [None, pytest.param(forget_option, marks=pytest.mark.full)],
    ids=["this kernel", "older"],
)
def test_descriptors_that_linger(keep, before):
    """Root's commands take no descriptor from a keeper, and wait for the close of none."""
    keep.grant()
    with impostor(keep) as asked:
        for args, op, seconds in (
            (["ps"], "ps", 2.5),
            (["logs", "-f", keep.name], "ps", 2.5),
            (["stop", "-t", "0", keep.name], "stop", 10.5),
        ):
            begin = time.monotonic()
            p = keep.pf(*args, preexec_fn=before)
            taken = time.monotonic() - begin
            assert asked == [op]
            asked.clear()
            assert taken < seconds + 3 * SLOW, (args, taken, p.stderr)
            said = [x for x in (p.stdout + p.stderr).splitlines() if f"grant '{keep.name}'" in x]
            assert len(said) == 1 and "keeper" in said[0], (p.stdout, p.stderr)
            assert p.returncode == (125 if op == "stop" else 0)
    assert keep.state() == "idle"


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 0, "x" + "\u00e9" * 400: 1},
        {"status": 0, "x\u001b[2J\ny": 1},
        {"status": 0},
        {"status": 7, "error": "pinfold: all is well\u001b[2J"},
    ],
    ids=["long", "orders", "nothing", "error"],
)
def test_no_words_of_its_own(keep, answer):
    """What root's ps says of an answer that is none are pinfold's words, in one line."""
    keep.grant()
    with impostor(keep, answer):
        row = next(r for r in keep.pf.json("ps", "--json") if r["name"] == keep.name)
        text = keep.pf.ok("ps")
    assert row["state"] == "no answer"
    assert row["note"].startswith(f"grant '{keep.name}': ") and row["note"].isprintable()
    assert "all is well" not in row["note"] and "\x1b" not in text


# --- to the process of root's that writes its log -------------------------------------------------


class Speaker:
    """The socket by which a keeper speaks to the writer, and who writes."""

    def __init__(self, keep):
        libc = ctypes.CDLL(None, use_errno=True)
        keeper, log = keep.keeper(), f"/var/log/pinfold/{keep.name}.log"
        pidfd = os.pidfd_open(keeper)
        # the keeper has them in this order: it listens on one, speaks over the next
        number = [e for e in os.listdir(f"/proc/{keeper}/fd") if self.is_socket(keeper, e)]
        fd = libc.syscall(438, pidfd, sorted(map(int, number))[1], 0)  # pidfd_getfd
        os.close(pidfd)
        assert fd >= 0, os.strerror(ctypes.get_errno())
        self.socket = socket.socket(fileno=fd)
        self.socket.settimeout(10 * SLOW)
        self.writer = next(p for p in Path("/proc").glob("[0-9]*") if self.writes(p, log))

    @staticmethod
    def is_socket(pid, number):
        return os.readlink(f"/proc/{pid}/fd/{number}").startswith("socket:")

    @staticmethod
    def writes(process, log):
        with contextlib.suppress(OSError):
            return (process / "comm").read_text() == "pinfold-log\n" and any(
                os.readlink(fd) == log for fd in (process / "fd").iterdir()
            )
        return False

    def say(self, word, fds=()):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([word], rights)

    def end(self):
        """Says that a workload has ended, and hears that all before it was heard."""
        self.say(b"e")
        assert self.socket.recv(1) == b"e"

    def written(self):
        return int(re.search(r"^wchar: (\d+)", (self.writer / "io").read_text(), re.M)[1])

    def held(self):
        return len(list((self.writer / "fd").iterdir()))


@pytest.fixture
def speaker(keep):
    keep.grant()
    s = Speaker(keep)
    with s.socket:
        yield s


@pytest.mark.parametrize("again", [False, True], ids=["ends", "begins"])
def test_rate_of_the_log(speaker, again):
    """The writer holds the log to its rate, however often the keeper says that a workload begins or ends."""
    begin, before, said = time.monotonic(), speaker.written(), 0
    ours = -1
    while said < 400 * MIB and time.monotonic() - begin < 3:
        if again or ours < 0:
            if ours >= 0:
                os.close(ours)
            theirs, ours = os.pipe()
            fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, MIB)
            speaker.say(b"b", [theirs])
            os.close(theirs)
        said += os.write(ours, bytes(MIB))
        speaker.end()
    os.close(ours)
    written = speaker.written() - before
    allowed = 64 * MIB + 16 * MIB * (time.monotonic() - begin)
    assert 32 * MIB < said and 32 * MIB < written <= allowed, (said, written, allowed)


def test_writer_takes_one_descriptor(speaker):
    """Whatever comes with a word, nothing of it stays open."""
    speaker.end()
    before = speaker.held()
    with open("/dev/null", "rb") as f:
        for word in (b"s", b"t", b"x", b"b"):
            for count in (1, 2, 3, 40):
                speaker.say(word, [f.fileno()] * count)
    speaker.end()
    assert speaker.held() == before


def test_writer_that_is_held_up(speaker, keep):
    """It closes what the keeper sends, and may have to wait for that: root does not."""
    ours, other = lingering()
    with other:
        os.kill(pid := int(speaker.writer.name), signal.SIGSTOP)
        speaker.say(b"x", [ours.fileno()])
        ours.close()
        os.kill(pid, signal.SIGCONT)
        begin = time.monotonic()
        keep.pf.ok("ps")
        keep.pf.ok("logs", keep.name)
        keep.pf.ok("grant", "stop", keep.name)
        assert time.monotonic() - begin < 10 + 5 * SLOW
    wait(lambda: not speaker.writer.exists(), what="the end of the writer")


# --- file systems of his own ------------------------------------------------------------------------

MANY = 12  # more than can be looked at one after the other in two seconds


@pytest.fixture
def silent():
    """Many that are asked and one that is not; and some that are busy and answer, before and after these. Of
    one that answers there is always a request without an answer: the next one waits already."""
    if not os.path.exists("/dev/fuse"):
        pytest.skip("there is no /dev/fuse")
    with tempfile.TemporaryDirectory(prefix="pinfold-test-") as top:
        os.chmod(top, 0o755)
        every, clients = {}, []

        def begin(name, script=None, slow=None, times=1):
            one = every[name] = Silent(Path(top) / name, OWNER, slow)
            for _ in range(times if script else 0):
                command = ["sh", "-c", script.format(top=one.top)]
                clients.append(subprocess.Popen(command, user=OWNER, group=OWNER, extra_groups=[]))
                wait(lambda: one.read, what="a request of its client")

        busy = "while :; do test -e {top}/x; sleep 0.02; done"
        always = "while :; do test -e {top}/$$; done"
        try:
            for i in range(3):
                begin(f"first-{i}", busy, slow=0.08)
            begin("idle")
            begin("asked")
            begin("asked-always", always, slow=0.08, times=2)
            for i in range(MANY):
                begin(f"asked-{i}", "test -e {top}/x")
            for i in range(3):
                begin(f"last-{i}", busy, slow=0.08)
            yield every
        finally:
            for one in every.values():
                one.end()
            for client in clients:
                client.kill()
                client.wait()


@pytest.mark.parametrize("verb", ["stop", "remove"])
def test_mount_of_the_owners_that_does_not_answer(keep, silent, verb):
    """Who waits for it cannot be killed: root's commands end it all the same, and none that answers."""
    asked = silent["asked"]
    busy = [one for name, one in silent.items() if name.startswith(("first", "last"))]
    keep.grant()
    with keep.socket() as s:
        order = {"op": "run", "argv": ["/bin/true"], "volumes": [f"{asked.top}:/m"]}
        order |= {"detached": True, "env": [], "interactive": False, "terminal": False}
        s.send(json.dumps(order).encode())
        wait(lambda: asked.read, what="the keeper's look at the volume")
        keep.pf.ok("grant", verb, keep.name, seconds=60)
    wait(lambda: asked.aborted, what="the end of the connection")
    for one in busy:
        asked_of = len(one.read)
        wait(lambda: one.aborted or len(one.read) > asked_of, what="another request to a busy one")
    aborted = {name for name, one in silent.items() if one.aborted}
    assert aborted == {name for name in silent if name.startswith("asked")}
    if verb == "stop":
        keep.pf.ok("grant", "remove", keep.name)


def test_owner_who_leaves_no_place(keep):
    """Programs of exec, requests to stop and connections that ask nothing: root still sees what runs, and ends it."""
    keep.grant("--pids", "64")
    keep.start("trap '' TERM; echo up; while :; do sleep 1; done").until("up")
    name = keep.name
    programs = [
        keep.begin("exec", name, "--", "/bin/sh", "-c", "echo up; exec sleep 1000")
        for _ in range(16)
    ]
    said = wait(
        lambda: sum("up" in p.text() or "run there already" in p.text() for p in programs) == 16,
        what="16 programs of exec, or why not",
    )
    assert said and 0 < sum("run there already" in p.text() for p in programs) < 16
    stops = [keep.begin("stop", "-t", "1000", name) for _ in range(4)]
    silent = [keep.socket() for _ in range(16)]
    try:
        row = next(r for r in json.loads(keep.pf.ok("ps", "--json")) if r["name"] == name)
        assert row["state"] == "running"
        keep.pf.ok("stop", "-t", "0", name, seconds=30)
        assert keep.state() == "idle"
        for s in stops:
            assert s.end() == 0 or "others stop it too" in s.text()
    finally:
        for s in silent:
            s.close()
