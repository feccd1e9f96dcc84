# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""--publish: a socket that a program makes is reached from the host, and nothing of the host's through it."""

import errno
import json
import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from drover_config import configuration
from places import program
from workload import CPU, PYTHON, SLOW, needs_pages, needs_root, unique, wait

pytestmark = needs_root
TOP = Path("/run/pinfold/publish")
GROUP = 64203  # of nobody
# Listens at each path that it is told, and says back what it hears.
SERVER = """
import os, socket, sys, threading
def serve(path):
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen()
    ready.release()
    while True:
        c = s.accept()[0]
        c.sendall(os.path.basename(path).encode() + b" heard " + c.recv(100))
        c.close()
ready = threading.Semaphore(0)
for path in sys.argv[1:]:
    threading.Thread(target=serve, args=(path,), daemon=True).start()
    ready.acquire()
print("up", flush=True)
threading.Event().wait()
"""


def ask(path, text=b"you"):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(str(path))
        s.sendall(text)
        return s.recv(200)


def begin(pf, *flags, paths=("/run/app/ctl.sock",), name=None):
    name = name or unique()
    pf.names.append(name)
    s = pf.start(
        *("run", "--name", name, "--cpus", CPU, *flags, "--", PYTHON, "-I", "-c", SERVER, *paths)
    )
    s.until("^up")
    return s, name


@pytest.mark.guest
@pytest.mark.parametrize("user", ["0", "1000:1000"])
def test_a_socket(pf, user):
    s, name = begin(pf, "--publish", "unix:/run/app/ctl.sock", "-u", user)
    path = TOP / name / "app/ctl.sock"
    assert ask(path) == b"ctl.sock heard you"
    st = (TOP / name).stat()
    assert (st.st_uid, st.st_gid, st.st_mode & 0o7777) == (0, 0, 0o700)
    pf.ok("stop", name)
    s.end()
    assert not (TOP / name).exists() and str(TOP / name) not in Path("/proc/mounts").read_text()


@needs_pages(40)
def test_a_drover(pf, tmp_path):
    """As the document has it: the directory of EAL's own is one that is published."""
    drover = program("DROVER", "build/drover/drover")
    task = ("name=c", "task=0", "name=forward", "mode=l2fwd", "rx port=p", "tx port=p")
    (tmp_path / "fw.cfg").write_text(configuration({"p": "null"}, task, mempool="2K"))
    name = pf.unique()
    pf.start(
        *("run", "--name", name, "--cpus", CPU, "--publish", "unix:/run/dpdk/fw/drover.sock"),
        *("--hugepages", "2M=40", "-v", f"{drover}:/opt/drover:ro"),
        *("-v", f"{tmp_path}/fw.cfg:/opt/fw.cfg:ro", "--"),
        *("/opt/drover", "run", "--squeeze", "--file-prefix", "fw", "/opt/fw.cfg"),
    ).until("traffic runs")
    p = subprocess.run(
        [drover, "ask", "--socket", TOP / name / "fw/drover.sock", "tasks"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(p.stdout) == {"tasks": ["forward"]}, p.stderr


def test_what_it_sees_itself(pf):
    """Not where that is on the host; and of it as much as is said."""
    _, name = begin(pf, "--publish", "unix:/run/app/ctl.sock", "--memory", "64M")
    look = (
        "ls -d /run/pinfold/publish 2>/dev/null; grep -c pinfold/publish /proc/self/mountinfo; "
        "stat -f -c '%b %S %c' /run/app"
    )
    seen, blocks = pf.ok("exec", name, "--", "/bin/sh", "-c", look).splitlines()
    assert seen == "0"
    n, size, inodes = map(int, blocks.split())
    assert (n * size, inodes) == (8 << 20, 256)


def test_several(pf):
    paths = ["/run/app/a.sock", "/run/app/b.sock", "/tmp/other/c.sock"]
    flags = [word for path in paths for word in ("--publish", f"unix:{path}")]
    notes = pf.json(
        *("plan", "--format", "json", "--cpus", CPU, *flags, "--name", unique(), "--", "true")
    )["notes"]
    assert len([n for n in notes if "of the host while it runs" in n]) == 3
    _, name = begin(pf, *flags, paths=paths)
    assert ask(TOP / name / "app/a.sock") == b"a.sock heard you"
    assert ask(TOP / name / "app/b.sock") == b"b.sock heard you"
    assert ask(TOP / name / "other/c.sock") == b"c.sock heard you"


@pytest.mark.guest
def test_who_may(pf):
    """Root, and the group that is named; the container cannot open it to others."""
    _, name = begin(pf, "--publish", f"unix:/run/app/ctl.sock,group={GROUP}")
    path = TOP / name / "app/ctl.sock"
    code = f"import socket; socket.socket(socket.AF_UNIX).connect('{path}')"
    words = ["/usr/bin/python3", "-I", "-c", code]
    for groups, fine in ([GROUP], True), ([], False):
        p = subprocess.run(
            words,
            user=64210,
            group=64210,
            extra_groups=groups,
            capture_output=True,
            check=False,
            cwd="/",
        )
        assert (p.returncode == 0) == fine, p.stderr
        code = "import os; [os.chmod(f'/run/app{n}', 0o777) for n in ('', '/ctl.sock')]"
        pf.ok("exec", name, "--", PYTHON, "-I", "-c", code)
    assert path.stat().st_gid == GROUP


def test_leads_nowhere(pf):
    """Links that the container makes are followed by nobody of the host."""
    _, name = begin(pf, "--publish", "unix:/run/app/ctl.sock")
    top = TOP / name / "app"
    script = (
        "ln -s /run/dbus/system_bus_socket /run/app/bus; ln -s /etc/passwd /run/app/file; "
        "ln -s / /run/app/root; rm /run/app/ctl.sock; ln -s /run/pinfold/lock /run/app/ctl.sock"
    )
    pf.ok("exec", name, "--", "/bin/sh", "-c", script)
    for path in ("ctl.sock", "bus", "root/run/pinfold/lock"):
        with pytest.raises(OSError) as e:
            ask(top / path)
        assert e.value.errno == errno.ELOOP
    with pytest.raises(OSError) as e:
        (top / "file").read_text()
    assert e.value.errno == errno.ELOOP


def test_bounds(pf):
    """It fills no file system of the host's, and what is in it counts as the grant's memory."""
    _, name = begin(pf, "--publish", "unix:/run/app/ctl.sock", "--memory", "64M")
    fill = (
        "head -c 32M /dev/zero > /run/app/big; ls -s --block-size=1M /run/app/big | cut -d' ' -f1"
    )
    assert int(pf.ok("exec", name, "--", "/bin/sh", "-c", fill).split()[0]) <= 8
    many = (
        "i=0; while [ $i -lt 400 ] && true > /run/app/$i; do i=$((i+1)); done 2>/dev/null; echo $i"
    )
    made = pf("exec", name, "--", "/bin/sh", "-c", many).stdout
    assert 200 < int(made) < 256


def test_started_again(pf):
    """Each start has it anew."""
    name = unique()
    pf.names.append(name)
    code = SERVER.replace("threading.Event().wait()", "import time; time.sleep(1.5); sys.exit(3)")
    flags = ["-d", "--restart", "always", "--name", name, "--cpus", CPU]
    words = [*flags, "--publish", "unix:/run/app/x", "--", PYTHON, "-I", "-c", code, "/run/app/x"]
    pf.ok("run", *words)
    path = TOP / name / "app/x"
    wait(path.exists, what="its socket")
    wait(lambda: not path.exists(), 20, "its end")
    wait(path.exists, 20, "the next start")
    pf.ok("stop", "-t", "1", name)
    assert not (TOP / name).exists()


def test_after_kill(pf):
    s, name = begin(pf, "--publish", "unix:/run/app/ctl.sock")
    s.process.kill()
    s.process.wait()
    pf.ok("stop", "-t", "1", name)
    assert not (TOP / name).exists()


def test_in_another_mount_namespace(pf):
    """As a unit with PrivateTmp= has it: nobody would find what is mounted there, nor a peer its link. The first process,
    where it is looked for, may not be seen here: it is another one's own."""
    first = ["unshare", "-m", "--propagation", "private", "unshare", "-p", "-f", "--mount-proc"]
    unit = [*first, "sh", "-c", 'unshare -m --propagation slave "$@"; exit $?', "sh"]
    link = unique("l")
    for flags in (["--link", f"memif:{link}"], ["--publish", "unix:/run/app/s"]):
        name = pf.unique()
        command = [pf.path, "run", "--name", name, "--cpus", str(CPU), *flags, "--", "/bin/true"]
        p = subprocess.run(
            [*unit, *command],
            capture_output=True,
            text=True,
            timeout=20 * SLOW,
            check=False,
        )
        where = f"/run/pinfold/(links/{link}|publish/{name})"
        assert p.returncode == 125 and p.stderr.count("\n") == 1
        assert re.match(f"pinfold: mount '{where}': nobody else would see it.*PrivateTmp", p.stderr)
        assert not Path(f"/run/pinfold/links/{link}").exists() and not (TOP / name).exists()
        subprocess.run(command, check=True, timeout=20 * SLOW)


def test_refused(pf):
    for value, like in [
        ("/run/app/x", "write unix:"),
        ("tcp:80", "write unix:"),
        ("unix:/run/x", "directory of its own"),
        ("unix:/run/pinfold/x", "directory of its own"),
        ("unix:/etc/app/x", "directory of its own"),
        ("unix:/run/app/../x", "directory of its own"),
        ("unix:/var/run/app/x", "say /run/app/x"),
        ("unix:/run/app/x,group=no-such-group", "is not in /etc/group"),
        ("unix:/run/app/x,owner=me", "is unknown"),
    ]:
        pf.fails("run", "--cpus", CPU, "--publish", value, "--", "/bin/true", like=like)
    flags = ["--publish", "unix:/run/app/x"]
    for place in ("host", "vm"):
        words = ["run", "--in", place, "--cpus", CPU, *flags, "--", "/bin/true"]
        pf.fails(*words, like="--publish")
    pf.fails(
        *("run", "--cpus", CPU, *flags, "-v", "/usr:/run/app:ro", "--", "/bin/true"),
        like="would hide it",
    )
    long = "x" * 100
    pf.fails(
        *("run", "--cpus", CPU, "--publish", f"unix:/run/app/{long}", "--", "/bin/true"),
        like="longer than the 107",
    )
    assert not TOP.exists() or os.listdir(TOP) == []


def test_not_of_a_user(kept):
    kept.fails(
        *("run", "--grant", kept.name, "--publish", "unix:/run/app/x", "--", "/bin/true"),
        like="--publish",
    )
