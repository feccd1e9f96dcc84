# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The AppArmor profile: its syntax, that containers run under it where it is loaded, and what it refuses
that nothing else does."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from places import TOP
from workload import CPU, PYTHON, needs_root

pytestmark = [needs_root]
PROFILE = TOP / "data/apparmor/pinfold-default"
PARSER = shutil.which("apparmor_parser")
ENABLED = Path("/sys/module/apparmor/parameters/enabled")
LOADED = Path("/sys/kernel/security/apparmor/profiles")
ON = ENABLED.exists() and ENABLED.read_text().strip() == "Y"
ONE = ["--cpus", CPU]
WHO = ["--", "/bin/cat", "/proc/self/attr/current"]

needs_parser = pytest.mark.skipif(PARSER is None, reason="package apparmor is not installed")
needs_apparmor = pytest.mark.skipif(not ON, reason="AppArmor is off in this kernel")
needs_none = pytest.mark.skipif(ON, reason="AppArmor is on in this kernel")


@needs_parser
def test_syntax():
    p = subprocess.run([PARSER, "-Q", "-K", PROFILE], capture_output=True, text=True, check=False)
    assert p.returncode == 0, p.stderr


@needs_none
def test_without_apparmor(pf):
    assert pf.json("host", "inventory", "--json")["apparmor"] == "off"
    assert "AppArmor" not in pf.ok("plan", *ONE, *WHO)
    pf.fails("run", *ONE, "--apparmor", "pinfold-default", *WHO, like="AppArmor is off")
    assert pf.run("--apparmor", "unconfined", "--", "/bin/true").returncode == 0


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 200])
def test_bad_names(pf, name):
    pf.fails("run", *ONE, "--apparmor", name, *WHO, like="--apparmor")


def test_not_on_the_host(pf):
    pf.fails(
        "run",
        *ONE,
        "--in",
        "host",
        "--apparmor",
        "unconfined",
        *WHO,
        like="--apparmor is not for --in host",
    )


@pytest.fixture
def loaded():
    """The profile of this checkout, for the time of a test."""
    if PARSER is None:
        pytest.skip("package apparmor is not installed")
    before = "pinfold-default " in LOADED.read_text()
    subprocess.run([PARSER, "-r", "-K", PROFILE], check=True, timeout=60)
    yield
    if not before:
        subprocess.run([PARSER, "-R", PROFILE], check=True, timeout=60)


@needs_apparmor
@pytest.mark.guest
def test_not_loaded(pf):
    if "pinfold-default " in LOADED.read_text():
        pytest.skip("the profile is loaded here")
    assert pf.json("host", "inventory", "--json")["apparmor"] == "no-profile"
    assert "profile pinfold-default is not loaded" in pf.ok("plan", *ONE, *WHO)
    pf.fails("run", *ONE, "--apparmor", "pinfold-default", *WHO, like="no such profile is loaded")
    assert pf.ok("run", *ONE, *WHO).strip("\0\n") == "unconfined"


@needs_apparmor
@pytest.mark.guest
def test_containers_run_under_it(pf, loaded):
    assert pf.json("host", "inventory", "--json")["apparmor"] == "ready"
    assert "AppArmor: profile pinfold-default" in pf.ok("plan", *ONE, *WHO)
    assert pf.ok("run", *ONE, *WHO).strip("\0\n") == "pinfold-default (enforce)"
    assert pf.ok("run", *ONE, "--user", "1000", *WHO).strip("\0\n") == "pinfold-default (enforce)"
    assert pf.ok("run", *ONE, "--apparmor", "unconfined", *WHO).strip("\0\n") == "unconfined"
    pf.fails("run", *ONE, "--apparmor", "no-such", *WHO, like="no such profile is loaded")


@needs_apparmor
@pytest.mark.guest
def test_exec_and_stop(pf, loaded):
    name = pf.detach()
    assert pf.ok("exec", name, *WHO).strip("\0\n") == "pinfold-default (enforce)"
    pf.ok("stop", "-t", "10", name, seconds=30)
    assert name not in pf.ps()


# Attaches to a child of its own, which only the filter and the profile forbid.
ATTACH = r"""
import ctypes, os, signal
libc = ctypes.CDLL(None, use_errno=True)
pid = os.fork()
if pid == 0:
    signal.pause()
r = libc.ptrace(16, pid, 0, 0)
print("attached" if r == 0 else os.strerror(ctypes.get_errno()))
os.kill(pid, 9)
"""


@needs_apparmor
@pytest.mark.guest
def test_it_refuses_by_itself(pf, pinfold, loaded, tmp_path):
    """With a filter that lets ptrace through, the profile is what refuses it."""
    doc = pf.json("seccomp", "show", "--json")["profile"]
    doc["syscalls"].append({"names": ["ptrace"], "action": "SCMP_ACT_ALLOW"})
    wide = tmp_path / "wide.json"
    wide.write_text(json.dumps(doc))
    os.chown(wide, 0, 0)
    got = [
        pf.python(ATTACH, "--seccomp", wide, *more).strip()
        for more in ([], ["--apparmor", "unconfined"])
    ]
    assert got == ["Permission denied", "attached"]


@needs_apparmor
@pytest.mark.guest
def test_programs_do_not_notice(pf, loaded):
    """Files, sockets, signals and threads are as they were."""
    code = (
        "import os, signal, socket, subprocess, threading\n"
        "open('/tmp/f', 'w').write('x'); os.rename('/tmp/f', '/tmp/g')\n"
        "a, b = socket.socketpair(); a.send(b'x'); assert b.recv(1) == b'x'\n"
        "s = socket.socket(socket.AF_UNIX); s.bind('/run/s'); s.listen()\n"
        "c = socket.socket(socket.AF_UNIX); c.connect('/run/s')\n"
        "socket.socket(socket.AF_INET).close()\n"
        "p = subprocess.Popen(['/bin/sleep', '9']); p.send_signal(15); assert p.wait() == -15\n"
        "t = threading.Thread(target=print, args=('fine',)); t.start(); t.join()\n"
    )
    assert pf.python(code) == "fine\n"
    assert pf.run("--", PYTHON, "-c", "open('/proc/sys/kernel/hostname', 'w')").returncode != 0


@needs_apparmor
@pytest.mark.guest
def test_under_a_keeper(keep, loaded):
    """The container's first process enters its cgroup under the profile."""
    keep.grant("--pids", "20")
    assert keep.ok("run", "--grant", keep.name, *WHO).strip("\0\n") == "pinfold-default (enforce)"
    keep.ok("run", "-d", "--grant", keep.name, "--", "/bin/sleep", "1000")
    assert keep.ok("exec", keep.name, *WHO).strip("\0\n") == "pinfold-default (enforce)"
    keep.ok("stop", "-t", "0", keep.name)
