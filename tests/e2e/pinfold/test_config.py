# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold run --config: the same configuration on the host, in a container and in a virtual machine."""

import hashlib
import http.server
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from features import needs_guests
from workload import CPU, SLOW, needs_root, wait

pytestmark = [needs_root]
PLACES = [
    ("host", ("--in", "host")),
    ("container", ()),
    pytest.param(
        "vm",
        ("--in", "vm", "--accel", "tcg", "--memory", "192M"),
        marks=[needs_guests, pytest.mark.limit(150)],
    ),
]
places = pytest.mark.parametrize("place, flags", PLACES, ids=["host", "container", "vm"])
TEXT = "[global]\nname=näme\n"
MIB = 1 << 20
# answers that have a body, or none, and not the file
OTHERS = {"/moved": 302, "/choice": 300, "/part": 206, "/nothing": 204}


class Server:
    """Serves on loopback, and knows whose connections it had."""

    def __init__(self):
        self.asked, self.uids = [], set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_args):
                pass

            def do_GET(self):
                outer.asked.append(self.path)
                outer.uids.add(owner_of(self.client_address[1]))
                outer.answer(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_address[1]}{path}"

    @staticmethod
    def answer(h):
        if h.path == "/away":
            h.send_response(302)
            h.send_header("Location", "/bng.cfg")
            h.end_headers()
        elif h.path == "/file":
            h.send_response(302)
            h.send_header("Location", "file:///etc/passwd")
            h.end_headers()
        elif h.path in OTHERS:
            h.send_response(OTHERS[h.path])
            h.end_headers()
            h.wfile.write(b"it is not here\n")
        elif h.path == "/endless":
            h.send_response(200)
            h.send_header("Content-Length", "9" * 24)
            h.end_headers()
            h.wfile.write(b"abc")
        elif h.path.startswith("/to/"):
            h.send_response(302)
            h.send_header("Location", h.path[4:])
            h.end_headers()
            h.wfile.write(b"it has moved\n")
        elif h.path == "/loop":
            h.send_response(302)
            h.send_header("Location", "/loop")
            h.end_headers()
        elif h.path.startswith("/bng.cfg"):
            h.send_response(200)
            h.end_headers()
            h.wfile.write(TEXT.encode())
        elif h.path == "/large":
            h.send_response(200)
            h.end_headers()
            try:
                for _ in range(64):
                    h.wfile.write(b"#" * MIB)
            except OSError:
                pass  # it has seen enough
        else:
            h.send_error(404)


def owner_of(port):
    """The user whose socket has that port of 127.0.0.1 on its own side."""
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if fields[1] == f"0100007F:{port:04X}":
            return int(fields[7])
    return None


@pytest.fixture
def server():
    s = Server()
    yield s
    s.server.shutdown()
    s.server.server_close()


def show(pf, flags, *config, script='cat "$1"; echo "$1"; echo "$PINFOLD_CONFIG"', word="CONFIG"):
    p = pf.run(*flags, *config, "--", "/bin/sh", "-c", script, "sh", word, seconds=70 * SLOW)
    assert p.returncode == 0, p.stderr
    return p.stdout


@places
def test_file(pf, tmp_path, place, flags):
    (tmp_path / "a.cfg").write_text(TEXT)
    out = show(pf, flags, "--config", str(tmp_path / "a.cfg"))
    assert out.startswith(TEXT)
    where, env = out[len(TEXT) :].splitlines()
    assert where == env
    assert (
        where == ("/run/pinfold/box/own" if place == "host" else "/run/pinfold") + "/config/a.cfg"
    )


@places
def test_url(pf, server, place, flags):
    digest = hashlib.sha256(TEXT.encode()).hexdigest()
    out = show(
        pf, flags, "--config", server.url("/bng.cfg?of=" + place), "--sha256", digest.upper()
    )
    assert out.startswith(TEXT) and out.splitlines()[-1].endswith("/config/bng.cfg")
    assert server.asked == ["/bng.cfg?of=" + place]
    assert server.uids == {65534}, "it is fetched by nobody"


def test_directory(pf, tmp_path):
    top = tmp_path / "bng"
    (top / "tables/deep").mkdir(parents=True)
    (top / "main.cfg").write_text("main\n")
    (top / "tables/deep/x.lua").write_text("x\n")
    (top / "tables/link.lua").symlink_to("deep/x.lua")
    (top / "tables/out.lua").symlink_to("/etc/hostname")
    (top / ".hidden").write_text("no\n")
    script = 'cat "$1" "${1%/*}/tables/deep/x.lua" "${1%/*}/tables/link.lua"; ls -A "${1%/*}"; touch "$1"'
    pf.fails("run", "--cpus", str(CPU), "--config", str(top), "--", "/bin/true", like="out.lua")
    (top / "tables/out.lua").unlink()
    p = pf.run("--config", str(top), "--", "/bin/sh", "-c", script, "sh", "CONFIG/main.cfg")
    assert p.stdout.splitlines() == ["main", "x", "x", "main.cfg", "tables"]
    assert "cannot touch" in p.stderr


def test_several_and_a_copy(pf, tmp_path, server):
    """The first is CONFIG; what is changed later changes nothing."""
    (tmp_path / "a.lua").write_text("first\n")
    script = 'd=${1%/*}; cat "$d/a.lua"; read x; cat "$d/a.lua"; ls "$d"; echo "$2"'
    s = pf.start(
        "run", "--cpus", str(CPU), "--config", server.url("/bng.cfg"), "--config",
        str(tmp_path / "a.lua"), "-i", "--", "/bin/sh", "-c", script, "sh", "CONFIG", "CONFIGURE",
        stdin=subprocess.PIPE,
    )  # fmt: skip
    s.until("first")
    (tmp_path / "a.lua").write_text("second\n")
    s.process.stdin.write(b"\n")
    s.process.stdin.close()
    assert s.end() == 0
    assert s.text().splitlines() == ["first", "first", "a.lua", "bng.cfg", "CONFIGURE"]


def test_detached_from_another_directory(pf, tmp_path, monkeypatch):
    (tmp_path / "here.cfg").write_text("here\n")
    monkeypatch.chdir(tmp_path)
    name = pf.detach(
        "--config", "here.cfg", command=("/bin/sh", "-c", "cat $PINFOLD_CONFIG; sleep 100")
    )
    wait(lambda: pf.ok("logs", name) == "here\n", what="the file in the log")


def test_a_redirect_to_another_server(pf, server):
    """What asks is this host, which others answer that do not answer the one who says where to go."""
    other = Server()
    try:
        to = other.url("/bng.cfg")
        for where in (to, to.replace("127.0.0.1", "localhost"), to.removeprefix("http:")):
            pf.fails(
                "run", "--cpus", str(CPU), "--config", server.url(f"/to/{where}"), "--", "/bin/true",
                like="it redirects to 'http://.*/bng.cfg'; say that URL",
            )  # fmt: skip
        assert other.asked == []
    finally:
        other.server.shutdown()
        other.server.server_close()
    # at the same one, without what comes with it
    out = show(pf, (), "--config", server.url("/to/" + server.url("/bng.cfg")))
    assert out.startswith(TEXT)


def test_wrong(pf, tmp_path, server):
    """One line, and nothing is started."""
    (tmp_path / "latin.cfg").write_bytes(b"n\xe4me\n")
    (tmp_path / "zero.cfg").write_bytes(b"a\0b\n")
    (tmp_path / "long.cfg").write_bytes(b"#" * (9 * MIB))
    (tmp_path / "a b.cfg").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "x").mkdir()
    for name in ("a.cfg", "x/a.cfg"):
        (tmp_path / name).write_text("x")

    def fails(*config, like):
        pf.fails("run", "--cpus", str(CPU), *config, "--", "/bin/false", like=like)

    for name, like in (
        ("none.cfg", "No such file"),
        ("latin.cfg", "no text in UTF-8"),
        ("zero.cfg", "no text in UTF-8"),
        ("long.cfg", "File too large"),
        ("a b.cfg", "a name of letters"),
        ("empty", "there is no file in it"),
    ):
        fails("--config", str(tmp_path / name), like=like)
    for path, like in (
        ("/none", "the server says 404"),
        ("/large", "it has more than 8388608 bytes"),
        ("/endless", "it has more than 8388608 bytes"),
        *((path, f"the server says {code}") for path, code in OTHERS.items()),
        ("/file", "redirects to 'file:///etc/passwd'"),
        ("/loop", "redirects"),
    ):
        fails("--config", server.url(path), like=like)
    fails("--config", "ftp://127.0.0.1/x", like="a URL of http or https")
    fails("--config", "http://127.0.0.1:1/x", like="onnect")
    fails("--config", server.url("/bng.cfg"), "--sha256", "0" * 64, like="its SHA-256 is")
    fails("--config", server.url("/bng.cfg"), "--sha256", "12", like="64 hexadecimal digits")
    fails("--sha256", "0" * 64, like="after the --config it is of")
    fails("--config", str(tmp_path / "x"), "--sha256", "0" * 64, like="is of a file")
    fails("--config", str(tmp_path / "a.cfg"), "--config", str(tmp_path / "x/a.cfg"), like="too")
    assert server.uids == {65534}


@pytest.mark.full
def test_a_server_that_says_nothing(pf):
    with socket.create_server(("127.0.0.1", 0)) as s:
        url = f"http://127.0.0.1:{s.getsockname()[1]}/x"
        pf.fails("run", "--cpus", str(CPU), "--config", url, "--", "/bin/true", like="timed out")
