# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold-runtime without a grant: whoever asks gets the same from it as from the runtime below it."""

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from bundle import BUSYBOX, Bundle, Runtime, spec
from places import program
from workload import needs_root, unique, wait

CRUN, STRACE = shutil.which("crun"), shutil.which("strace")
pytestmark = [
    needs_root,
    pytest.mark.skipif(CRUN is None, reason="package crun is not installed"),
    pytest.mark.skipif(not BUSYBOX.exists(), reason="package busybox-static is not installed"),
]


@pytest.fixture
def both(tmp_path, leaks):
    """crun and pinfold-runtime over it, each with a state of its own, and the same bundle."""
    own = program("PINFOLD_RUNTIME", "build/src/cli/pinfold-runtime")
    names = []
    pair = [Runtime(CRUN, tmp_path / "state-below"), Runtime(own, tmp_path / "state-own")]
    bundle = Bundle(tmp_path / "bundle", spec("/bin/sleep", "1000"))
    yield Both(pair, bundle, names)
    for runtime in pair:
        for name in names:
            runtime("delete", "--force", name)


class Both:
    """Asks both the same, and finds no difference."""

    def __init__(self, pair, bundle, names):
        self.pair, self.bundle, self.names = pair, bundle, names
        self.top = str(bundle.top)

    def plain(self, runtime, data):
        """Without what differs from one call to the next: numbers of processes, times, the state's place."""
        text = data.decode("utf-8", "backslashreplace").replace(runtime.root, "ROOT")
        text = text.replace(runtime.path, "RUNTIME").replace(CRUN, "RUNTIME")
        text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[0-9.Z:+]*", "TIME", text)
        return re.sub(r'("pid"\s*:|^[\w-]+\s|^)\s*\d+', r"\1 PID", text, flags=re.M)

    def __call__(self, *args, **kw):
        found = []
        for runtime in self.pair:
            p = runtime(*args, **kw)
            found.append(
                (p.returncode, self.plain(runtime, p.stdout), self.plain(runtime, p.stderr))
            )
        assert found[0] == found[1], args
        return found[0]

    def name(self):
        self.names.append(unique("rt"))
        return self.names[-1]

    def create(self, *options):
        """Of both runtimes at once, so each has another name and the same cgroup is not used twice."""
        name = self.name()
        for runtime in self.pair:
            doc = spec("/bin/sleep", "1000")
            doc["linux"]["cgroupsPath"] = f"/{name}-{os.path.basename(runtime.root)}"
            self.bundle.write(doc)
            assert runtime.create(*options, "--bundle", self.top, name) == 0
        return name


@pytest.mark.parametrize(
    "args",
    [
        ["--version"],
        ["--help"],
        ["create", "--help"],
        ["run", "--help"],
        ["delete", "--help"],
        ["features"],
        [],
        ["no-such-command"],
        ["--no-such-option", "list"],
        ["list"],
        ["list", "-q"],
        ["state", "nobody"],
        ["start", "nobody"],
        ["kill", "nobody", "KILL"],
        ["delete", "nobody"],
        ["exec", "nobody", "true"],
        ["ps", "nobody"],
        ["pause", "nobody"],
        ["resume", "nobody"],
        ["update", "--memory", "10000000", "nobody"],
        ["create"],
        ["create", "--bundle", "/nowhere", "x"],
        ["run", "--bundle", "/nowhere", "x"],
        ["create", "-b"],
    ],
    ids=" ".join,
)
def test_words(both, args):
    both(*args)


def test_a_life(both):
    """From create to delete, with every command on the way."""
    name = both.create()
    assert '"status": "created"' in both("state", name)[1]
    assert both("start", name)[0] == 0
    assert both("start", name)[0] != 0
    assert '"status": "running"' in both("state", name)[1]
    both("list")
    assert both("exec", name, "/bin/sh", "-c", "echo out; echo err >&2; exit 7") == (
        7,
        "out\n",
        "err\n",
    )
    assert both("exec", "--env", "A=b c", "--cwd", "/bin", name, "/bin/sh", "-c", "echo $A $PWD")[
        1
    ] == ("b c /bin\n")
    both("ps", name)
    both("update", "--pids-limit", "100", name)
    assert both("pause", name)[0] == 0
    assert '"status": "paused"' in both("state", name)[1]
    assert both("resume", name)[0] == 0
    assert both("delete", name)[0] != 0, "it runs"
    assert both("kill", name, "KILL")[0] == 0
    for runtime in both.pair:
        wait(lambda r=runtime: r.state(name)["status"] == "stopped", what="its end")
    assert both("delete", name)[0] == 0
    assert both("state", name)[0] != 0


def test_exit_codes_streams_and_bytes(both):
    """The program's status, and what passes through: bytes that are no text, and all there is to read."""
    script = "cat | od -An -tx1; printf '\\377\\376'; echo e >&2; exit 42"
    both.bundle.write(spec("/bin/sh", "-c", script))
    status, out, err = both(
        "run", "--bundle", both.top, both.name(), input=bytes(range(256)), stdin=None
    )
    assert (status, err) == (42, "e\n") and "f0 f1" in out and out.endswith("\\xff\\xfe")
    both.bundle.write(spec("/bin/sh", "-c", "sh -c 'kill -9 $$'; exit $?"))
    assert both("run", "--bundle", both.top, both.name())[0] == 137
    both.bundle.write(spec("/bin/nothing"))
    assert both("run", "--bundle", both.top, both.name())[0] != 0


def test_arguments_with_any_bytes(both):
    name = both.create()
    both("start", name)
    word = bytes(b for b in range(1, 256))
    assert both("exec", name, "/bin/echo", word)[0] == 0
    both("delete", b"\xff\xfe")
    both("delete", "--force", name)


def test_descriptors(both):
    """Those that are to be kept are, and no others come."""
    both.bundle.write(spec("/bin/sh", "-c", "cat <&3; ls /proc/self/fd"))
    for number in ("1", "0"):
        here, there = os.pipe()
        os.write(there, b"from outside\n")
        os.close(there)
        found = []
        for runtime in both.pair:
            copy = os.open("/dev/null", os.O_RDONLY)
            os.close(copy)
            found.append(run_with_three(runtime, number, both))
        os.close(here)
        assert found[0] == found[1]


def run_with_three(runtime, number, both):
    here, there = os.pipe()
    os.write(there, b"from outside\n")
    os.close(there)
    script = 'exec 3<&"$1"; shift; exec "$@"'
    words = ["run", f"--preserve-fds={number}", "--bundle", both.top, both.name()]
    p = subprocess.run(
        ["/bin/bash", "-c", script, "-", str(here), runtime.path, "--root", runtime.root, *words],
        pass_fds=[here],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=30,
        check=False,
    )
    os.close(here)
    return p.returncode, p.stdout, both.plain(runtime, p.stderr)


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_fails_is_in_the_log(both, tmp_path, form):
    found = []
    for runtime in both.pair:
        log = tmp_path / f"log-{os.path.basename(runtime.root)}"
        p = runtime("start", "nobody", before=["--log", str(log), "--log-format", form])
        found.append(
            (p.returncode, both.plain(runtime, p.stderr), both.plain(runtime, log.read_bytes()))
        )
    assert found[0] == found[1] and found[0][2]


def test_a_terminal(both, tmp_path):
    """The engine gets it over the socket that it named."""
    found = []
    for runtime in both.pair:
        both.bundle.write(spec("/bin/sh", "-c", "echo on; cat", terminal=True))
        name = both.name()
        path = str(tmp_path / f"console-{os.path.basename(runtime.root)}")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            p = runtime("create", "--console-socket", path, "--bundle", both.top, name)
            assert p.returncode == 0, p.stderr
            with listener.accept()[0] as peer:
                _, fds, _, _ = socket.recv_fds(peer, 100, 1)
        assert runtime("start", name).returncode == 0
        assert os.isatty(fds[0])
        found.append(os.read(fds[0], 4))
        os.close(fds[0])
        runtime("delete", "--force", name)
    assert found[0] == found[1] == b"on\r\n"


def test_the_other_runtime(both, tmp_path):
    """Which is below says a file of root's; what it does not say in the right words is refused."""
    runc = shutil.which("runc")
    if runc is None:
        pytest.skip("package runc is not installed")
    # in a mount namespace of its own: the file is the machine's
    for text, like in (
        (f'{{"runtime": "{runc}"}}', rb"^runc version"),
        ('{"runtim": "/usr/bin/crun"}', rb"^pinfold-runtime: .*runtime"),
        ('{"runtime": "/nowhere"}', rb"^pinfold-runtime: run '/nowhere': No such file"),
        ("{", rb"^pinfold-runtime: .*runtime.json"),
    ):
        etc = tmp_path / "etc"
        etc.mkdir(exist_ok=True)
        (etc / "runtime.json").write_text(text)
        script = 'mkdir -p /etc/pinfold && mount --bind "$1" /etc/pinfold && exec "$2" --version'
        p = subprocess.run(
            ["unshare", "-m", "/bin/sh", "-c", script, "-", str(etc), both.pair[1].path],
            capture_output=True,
            check=False,
            timeout=30,
        )
        assert re.search(like, p.stdout + p.stderr), p
        assert p.returncode == (0 if like.startswith(b"^runc") else 1)


@pytest.mark.skipif(STRACE is None, reason="package strace is not installed")
def test_it_takes_little(both):
    """Some tens of system calls more than the runtime makes itself: it reads nothing of the host."""
    made = []
    for runtime in both.pair:
        log = f"{runtime.root}.calls"
        words = [STRACE, "-f", "-qq", "-o", log, runtime.path, "--root", runtime.root, "list"]
        subprocess.run(words, capture_output=True, timeout=60, check=True)
        made.append(Path(log).read_text().count("\n"))
    assert made[1] - made[0] <= 40, made
