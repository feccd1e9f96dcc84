# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Ways out of a container. Each property holds in pinfold's, and is seen to fail in a container with
all privileges, so that the test is known to be able to fail; and attacks on the host's side."""

import ctypes
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from auditing import INSIDE, RUNTIMES, bad, untried, verdicts
from fuse import Silent
from trees import listing, small_image
from workload import (
    CPU,
    FULL,
    OTHER,
    PYTHON,
    SLOW,
    needs_pages,
    needs_root,
    needs_two,
    unique,
    wait,
)

pytestmark = [needs_root]

CRUN = shutil.which("crun")


# --- beside a container with all privileges -------------------------------------------------------

CAPS = [
    f"CAP_{n}"
    for n in (
        "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE "
        "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO "
        "SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME "
        "SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG "
        "WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
    ).split()
]


def held_caps():
    """This process's own: a runtime cannot give what it has not."""
    text = Path("/proc/self/status").read_text()
    mask = int(text.split("CapBnd:")[1].split()[0], 16)
    return [c for i, c in enumerate(CAPS) if mask >> i & 1]


def bundle(directory, inside, hugetlbfs, namespaces, own_proc):
    """What docker run --privileged gives, with the host's network, IPC and /proc as well."""
    root = directory / "root"
    for name in (
        "proc",
        "sys",
        "dev",
        "tmp",
        "run/pinfold/links/of-the-host",
        "usr",
        "etc",
        "huge",
    ):
        (root / name).mkdir(parents=True)
    shutil.copy(inside, root / "inside")
    caps = held_caps()

    def bind(what, where):
        return {"destination": where, "type": "bind", "source": what, "options": ["rbind", "rw"]}

    spec = {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": ["/inside", "audit", "--json"],
            "cwd": "/",
            "capabilities": {k: caps for k in ("bounding", "effective", "permitted")},
            "noNewPrivileges": False,
        },
        "root": {"path": str(root), "readonly": False},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"}
            if own_proc
            else bind("/proc", "/proc"),
            bind("/sys", "/sys"),
            bind("/dev", "/dev"),
            bind(str(hugetlbfs), "/huge"),
        ],
        "linux": {
            "namespaces": [{"type": n} for n in namespaces],
            "resources": {"devices": [{"allow": True, "access": "rwm"}]},
        },
    }
    (directory / "config.json").write_text(json.dumps(spec))
    return directory


@pytest.fixture
def neighbour():
    """What another program has: a segment of shared memory, a queue, a socket without a path."""
    libc = ctypes.CDLL(None, use_errno=True)
    segment = libc.shmget(0, 4096, 0o1666)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    name = f"\0{unique('audit')}"
    s.bind(name)
    s.listen(8)
    assert segment >= 0
    yield name
    s.close()
    libc.shmctl(segment, 0, None)


@pytest.fixture
def hugetlbfs(tmp_path):
    where = tmp_path / "huge"
    where.mkdir()
    subprocess.run(["mount", "-t", "hugetlbfs", "none", str(where)], check=True)
    (where / "of-another").touch()
    yield where
    subprocess.run(["umount", str(where)], check=True)


@needs_pages(48)
@pytest.mark.skipif(CRUN is None, reason="package crun is not installed")
def test_every_property_can_fail(pf, inside, tmp_path, neighbour, hugetlbfs):
    """Each in at least one of three containers with all privileges: one shares the host's processes, one
    has its own, one has its own and the host's /proc. And all of them hold in pinfold's."""
    failed, absent, text = set(), [], {}
    for kind, namespaces, own_proc in (
        ("shared", ["mount"], False),
        ("own", ["mount", "pid"], True),
        ("foreign", ["mount", "pid"], False),
    ):
        d = tmp_path / kind
        d.mkdir()
        bundle(d, inside, hugetlbfs, namespaces, own_proc)
        name = unique("audit")
        with open(__file__, encoding="utf-8") as file:  # of the caller's
            p = subprocess.run(
                [CRUN, "--cgroup-manager=cgroupfs", "run", "--bundle", str(d), name],
                capture_output=True,
                text=True,
                timeout=50 * SLOW,
                check=False,
                stdin=file,
            )
        subprocess.run([CRUN, "delete", "-f", name], capture_output=True, check=False)
        assert p.returncode == 1, p.stdout + p.stderr
        absent.append(untried(p.stdout))
        for one in json.loads(p.stdout)["properties"]:
            text.setdefault(one["name"], []).append(f"{kind}: {one['found']}")
            if one["verdict"] == "FAIL":
                failed.add(one["name"])

    flags = ["--cpus", CPU, "--hugepages", "2M=40", "--memory", "256M", "--pids", "50"]
    p = pf("run", *flags, "--", INSIDE, "audit", "--json")
    assert p.returncode == 0, p.stdout
    fenced = verdicts(p.stdout)
    assert bad(p.stdout) == [] and set(fenced) == set(text)

    # what the kernel does not have cannot be seen to be let through, and it says so each time
    here = set(fenced) - set.intersection(*absent)
    if not os.listdir("/sys/bus/pci/devices"):
        here.discard("pci-functions")
    if not any(
        int(Path(f"/sys/class/net/{i}/flags").read_text(), 16) & 1
        for i in os.listdir("/sys/class/net")
        if i != "lo"
    ):
        here.discard("net-interfaces")
    assert here - failed == set(), "\n".join(f"{n}: {text[n]}" for n in here - failed)
    # nor does a socket, a segment or a page of the neighbour have been harmed
    assert (hugetlbfs / "of-another").exists()


# --- images and volumes of a stranger -------------------------------------------------------------

PLACES = ["dev", "sys", "proc", "run", "tmp", "etc", "var", "mnt", "opt/a"]


@pytest.fixture
def victim(tmp_path):
    tmp_path.chmod(0o755)
    d = tmp_path / "victim"
    (d / "run").mkdir(parents=True)
    (d / "secret").write_text("secret\n")
    return d


@pytest.mark.parametrize("place", RUNTIMES)
@pytest.mark.parametrize("way", ["absolute", "relative"])
def test_image_of_links(pf, tmp_path, victim, place, way):
    """Every place that pinfold or a runtime mounts something on is a link out of the image."""
    root = tmp_path / "image"
    small_image(root)
    target = str(victim) if way == "absolute" else "../" * 14 + str(victim).lstrip("/")
    for name in PLACES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        os.symlink(target, root / name)
    before, image = listing(victim), listing(root)
    script = (
        "for d in /*; do cat $d/secret $d/*/secret; echo x > $d/new; done 2>/dev/null; echo end"
    )
    p = pf.run(*place, "--image", root, "--", "/bin/sh", "-c", script)
    assert "secret" not in p.stdout
    if p.returncode == 125:
        assert p.stderr.startswith("pinfold: ")
    else:
        assert p.stdout == "end\n"
    assert listing(victim) == before and listing(root) == image


def test_var_that_leads_away(pf, tmp_path, victim):
    """Whether the image has a var/run is not asked of what its var points at outside."""
    for name, target in (("a", str(victim)), ("b", "../" * 14 + str(victim).lstrip("/"))):
        root = tmp_path / name
        small_image(root)
        os.symlink(target, root / "var")
        text = pf.ok(
            "run",
            "--cpus",
            CPU,
            "--image",
            root,
            "--",
            "/bin/sh",
            "-c",
            "cd /var/run && echo x > mine && cat /run/mine",
        )
        assert text == "x\n"


def swap(path, other, until):
    """Lets `path` be now itself, now `other`, as fast as it goes."""
    libc = ctypes.CDLL(None, use_errno=True)
    a, b = os.fsencode(path), os.fsencode(other)
    while not until.is_set():
        libc.renameat2(-100, a, -100, b, 2)  # RENAME_EXCHANGE


class Race:
    def __init__(self, path, target):
        self.path, self.other = Path(path), Path(f"{path}.link")
        os.symlink(target, self.other)
        self.until = threading.Event()
        self.thread = threading.Thread(target=swap, args=(self.path, self.other, self.until))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.until.set()
        self.thread.join()
        if self.path.is_symlink():
            os.rename(self.path, f"{self.path}.x")
            os.rename(self.other, self.path)
            os.rename(f"{self.path}.x", self.other)


# short ones for each change, more of them before a piece of work is called done
ROUNDS = 150 if FULL else 12


@pytest.mark.limit(240)
@pytest.mark.parametrize("place", ["var", "dev", "proc", "data", "etc", "bin"])
def test_race_in_an_image(pf, tmp_path, victim, place):
    """A directory of the image is now there, now a link to one of the host, while it starts."""
    root = tmp_path / "image"
    small_image(root)
    (root / place).mkdir(exist_ok=True)
    if place == "var":
        (root / "var/run").mkdir()
    before = listing(victim)
    script = f"cat /{place}/secret; echo x > /{place}/new; echo x > /{place}/run/new; :"
    started = 0
    with Race(root / place, victim):
        for i in range(ROUNDS):
            flags = ["-v", f"{tmp_path}/image:/data/x:ro"] if place == "data" else []
            p = pf.run("--image", root, *flags, "--", "/bin/sh", "-c", script)
            assert "secret" not in p.stdout, f"round {i}"
            started += p.returncode == 0
    assert listing(victim) == before
    if place not in ("data", "bin"):
        assert started > 0


@pytest.mark.limit(240)
def test_race_of_a_volume(pf, tmp_path, victim):
    """What is bound is what was looked at, or the start fails and says so."""
    share = tmp_path / "share"
    share.mkdir()
    share.chmod(0o777)
    (share / "which").write_text("share\n")
    (victim / "which").write_text("victim\n")
    said = set()
    with Race(share, victim):
        for _ in range(2 * ROUNDS):
            p = pf.run("-v", f"{share}:/data", "--", "cat", "/data/which")
            if p.returncode == 0:
                said.add(p.stdout)
            else:
                assert p.returncode == 125 and "another file is there" in p.stderr, p.stderr
    assert said <= {"share\n", "victim\n"}


def test_volume_that_changed(pf, tmp_path, victim):
    """The same without a race: a runtime that is asked for its version swaps the source meanwhile."""
    share = tmp_path / "share"
    share.mkdir()
    runtime = tmp_path / "crun"
    runtime.write_text(f'#!/bin/sh\nrmdir {share}; ln -s {victim} {share}\nexec {CRUN} "$@"\n')
    runtime.chmod(0o755)
    flags = ["--runtime", runtime, "-v", f"{share}:/data"]
    pf.fails(
        "run", "--cpus", CPU, *flags, "--", "cat", "/data/secret", like="another file is there"
    )


# --- what does not answer, at the end of a path that others lead ----------------------------------


@pytest.fixture
def nowhere(tmp_path):
    """A path by which whoever walks it waits for ever, in the mount namespace of a process."""
    if not os.path.exists("/dev/fuse"):
        pytest.skip("there is no /dev/fuse")
    silent = Silent(tmp_path / "silent", 65534, others=True)
    yield f"/proc/{os.getpid()}/root{silent.top}/x"
    silent.end()


def ends_soon(pf, *words, **kwargs):
    """A command, whose end is waited for only so long: nothing else can kill one that walks there."""
    s = pf.start(*words, **kwargs)
    return s.end(20), s.text()


def test_seccomp_file_that_leads_nowhere(pf, tmp_path, nowhere):
    """Its path is kept by the grant, and walked at each start."""
    file, name = tmp_path / "filter.json", unique("nowhere")
    file.write_text('{"defaultAction": "SCMP_ACT_ERRNO"}')
    pf.ok("grant", "create", "--name", name, "--cpus", CPU, "--seccomp", f"strict:{file}")
    try:
        file.unlink()
        file.symlink_to(nowhere)
        status, said = ends_soon(pf, "run", "--grant", name, "--", "true")
        assert status == 125 and "a process's own ones in /proc" in said, said
        pf.ok("gc")
    finally:
        pf.ok("grant", "remove", name)


@pytest.mark.parametrize("how", ["", ":ro", ":rw,idmap"])
def test_volume_that_leads_nowhere(pf, tmp_path, nowhere, how):
    """Whoever may rename above it exchanges it once it was looked at."""
    share, runtime = tmp_path / "share", tmp_path / "crun"
    share.mkdir()
    runtime.write_text(
        f'#!/bin/sh\nif rmdir {share}; then ln -s {nowhere} {share}; fi\nexec {CRUN} "$@"\n'
    )
    runtime.chmod(0o755)
    status, said = ends_soon(
        pf, "run", "--cpus", CPU, "--runtime", runtime, "-v", f"{share}:/data{how}", "--", "true"
    )
    assert status == 125 and "another file is there" in said, said
    pf.ok("gc")


def test_volume_that_does_not_answer(pf, tmp_path):
    """A start by a path where root waits too has nothing yet that others need."""
    if not os.path.exists("/dev/fuse"):
        pytest.skip("there is no /dev/fuse")
    silent = Silent(tmp_path / "silent", 65534, others=True)
    try:
        s = pf.start("run", "--cpus", CPU, "-v", f"{silent.top}:/data", "--", "true")
        wait(lambda: silent.read, 30, "somebody who asks")
        status, said = ends_soon(pf, "run", "--cpus", CPU, "--", "true")
        assert status == 0, said
    finally:
        silent.end()
    assert s.end(20) == 125, s.text()


@pytest.mark.full
@pytest.mark.limit(150)
def test_volume_that_stops_to_answer(pf, tmp_path):
    """Exchanged once it was looked at: a start that waits there cannot be killed, and keeps the ledger for a minute."""
    if not os.path.exists("/dev/fuse"):
        pytest.skip("there is no /dev/fuse")
    share, runtime = tmp_path / "share", tmp_path / "crun"
    share.mkdir()
    silent = Silent(tmp_path / "silent", 65534, others=True)
    swap = f"if rmdir {share} 2>/dev/null; then ln -s {silent.top}/x {share}; fi"
    runtime.write_text(f'#!/bin/sh\n{swap}\nexec {CRUN} "$@"\n')
    runtime.chmod(0o755)
    try:
        flags = ["--cpus", CPU, "--runtime", runtime, "-v", f"{share}:/data"]
        s = pf.start("run", *flags, "--", "true")
        wait(lambda: silent.read, 30, "somebody who asks")
        assert s.end(90) == 125, s.text()
        status, said = ends_soon(pf, "gc")
        assert status == 0 and not silent.aborted, said
    finally:
        silent.end()


NOWHERE_AS_ROOT = """
import os, sys, time
fd = os.open(sys.argv[1], os.O_PATH)
os.fchdir(fd)
os.chroot(".")
print("up", flush=True)
time.sleep(600)
"""


def test_root_of_a_process_that_leads_nowhere(pf, nowhere):
    """Whoever looks for the mount namespace of a workload asks nothing below the roots of its processes."""
    name = unique("nowhere")
    top = nowhere.removesuffix("/x")
    s = pf.start(
        "run", "--in", "host", "--name", name, "--cpus", CPU, "--memory", "64M", "--",
        PYTHON, "-c", NOWHERE_AS_ROOT, top,
    )  # fmt: skip
    s.until("^up")
    status, said = ends_soon(pf, "exec", name, "--", "true")
    assert status == 125 and "no process any more" in said, said
    status, said = ends_soon(pf, "update", name, "--memory", "128M")
    assert status == 0, said
    pf.ok("stop", name)
    s.end()


# --- watching and holding up the host -------------------------------------------------------------

WATCH = """
import ctypes, fcntl, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
notify = libc.inotify_init1(os.O_NONBLOCK)
held = []
for path in sys.argv[1:]:
    assert libc.inotify_add_watch(notify, path.encode(), 0xFFF) >= 0, path
    held.append(os.open(path, os.O_RDONLY))
    fcntl.flock(held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
    if not os.path.isdir(path):
        # a lock of bytes, by the file that was opened
        fcntl.fcntl(held[-1], 37, __import__("struct").pack("hhqqi4x", 0, 0, 0, 0, 0))
paths = {p: [os.stat(p).st_dev, os.stat(p).st_ino] for p in sys.argv[1:]}
try:
    os.read(notify, 1 << 16)  # its own
except BlockingIOError:
    pass
print(json.dumps(paths), flush=True)
sys.stdin.readline()
try:
    print("heard", len(os.read(notify, 1 << 16)))
except BlockingIOError:
    print("heard nothing")
"""
NODES = [f"/dev/{n}" for n in ("null", "zero", "full", "random", "urandom")]
SHOWN = [
    "/usr",
    "/usr/bin",
    "/usr/bin/true",
    "/etc",
    "/etc/passwd",
    *["/opt"] * os.path.isdir("/opt"),
]


def lock(path, kind):
    """Whether somebody else may have a lock of it now."""
    fd = os.open(path, os.O_RDWR if kind is fcntl.lockf else os.O_RDONLY)
    try:
        kind(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def watched(*command):
    """While a program inside watches and locks all it can: the host uses it, and is neither seen nor
    made to wait."""
    paths = [*SHOWN, *NODES, "/run/pinfold/inside"]
    # through a pipe: the program is to wait until the host has done its part
    p = subprocess.Popen(
        [*map(str, command), "-i", "--", PYTHON, "-I", "-c", WATCH, *paths],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        inside = json.loads(p.stdout.readline())
        assert set(inside) == set(paths)
        for path in NODES:
            assert inside[path] != [os.stat(path).st_dev, os.stat(path).st_ino], path
        for path in [*SHOWN, *NODES]:
            assert lock(path, fcntl.flock), path
        assert lock("/etc/passwd", fcntl.lockf)
        subprocess.run(["/usr/bin/true"], check=True)
        Path("/etc/passwd").read_text()
        Path("/dev/null").write_text("x")
        os.listdir("/usr/bin")
        yield
        p.stdin.write("\n")
        p.stdin.close()
        assert p.stdout.read() == "heard nothing\n"
        assert p.wait(20 * SLOW) == 0
    finally:
        p.terminate()
        p.wait()


@needs_two
@pytest.mark.parametrize("place", RUNTIMES)
def test_the_host_is_not_watched(pf, place):
    name = pf.unique()
    for _ in watched(pf.path, "run", "--name", name, "--cpus", CPU, *place):
        # another container starts, with the same program of pinfold's
        assert pf.run("--", "/bin/true", cpu=OTHER).returncode == 0


@needs_two
def test_the_host_is_not_watched_by_a_user(pf):
    grant = pf.grant("--cpus", CPU, "--owner", "5000:5000")
    user = ["setpriv", "--reuid=5000", "--regid=5000", "--clear-groups"]
    for _ in watched(*user, pf.path, "run", "--grant", grant):
        assert pf.run("--", "/bin/true", cpu=OTHER).returncode == 0


def test_an_empty_input_is_nobody_elses(pf):
    """Without -i there is no descriptor of a device of the host."""
    look = "stat -L -c '%d %i' /proc/self/fd/0"
    null = f"{os.stat('/dev/null').st_dev} {os.stat('/dev/null').st_ino}\n"
    assert pf.shell(look) != null
    _, name = pf.begin()
    assert pf.ok("exec", name, "--", "/bin/sh", "-c", look) != null


# --- taking too much ------------------------------------------------------------------------------


def pids_of(name):
    for path in ("pids/pinfold", "pinfold"):
        file = Path(f"/sys/fs/cgroup/{path}/{name}/box/pids.current")
        if file.exists():
            return int(file.read_text())
    return pytest.fail("no pids.current")


@pytest.mark.guest
def test_fork_bomb(pf):
    """It stays within its limit, the host still starts processes, and stop ends all of it."""
    code = (
        "import os, signal\nsignal.signal(15, signal.SIG_IGN)\nprint(chr(117) + chr(112), flush=True)\n"
        "while True:\n  try: os.fork()\n  except OSError: pass\n"
    )
    _, name = pf.begin("--pids", "64", script=f"exec {PYTHON} -I -c '{code}'")
    wait(lambda: pids_of(name) >= 60, 20, "the limit being reached")
    for _ in range(20):
        assert pids_of(name) <= 65
        assert subprocess.run(["/bin/true"], check=False).returncode == 0
    begin = time.monotonic()
    pf.ok("stop", "-t", "1", name)
    assert time.monotonic() - begin < 15 * SLOW and name not in pf.ps()


@needs_two
@pytest.mark.guest
def test_memory_over_the_limit(pf):
    """The container dies of it, its neighbour and the host do not."""
    _, other = pf.begin("--memory", "64M", cpu=OTHER)
    code = "x = [bytearray(1 << 20) for _ in range(4096)]"
    p = pf.run("--memory", "64M", "--", PYTHON, "-I", "-c", code)
    assert p.returncode == 137
    assert pf.ps()[other]["state"] == "running"
    assert pf.ok("exec", other, "--", "echo", "well") == "well\n"


FILL = """
import errno, os, sys
for top in ("/tmp", "/run", "/dev/shm", "/dev"):
    n = 0
    try:
        with open(f"{top}/fill", "wb", 0) as f:
            while n < 1 << 30:
                n += f.write(b"x" * (1 << 16))
    except OSError as e:
        print(top, n >> 10, errno.errorcode[e.errno], flush=True)
    try:
        os.unlink(f"{top}/fill")
    except OSError:
        pass
"""


def test_full_tmpfs(pf):
    """Each is bounded, full is an error of the writer, and the container ends as ever."""
    name = unique()
    text = pf.python(FILL, "--name", name, "--memory", "512M")
    seen = {w[0]: (int(w[1]), w[2]) for w in map(str.split, text.splitlines())}
    assert set(seen) == {"/tmp", "/run", "/dev/shm", "/dev"}
    for top, (kib, why) in seen.items():
        assert why in ("ENOSPC", "EACCES") and kib <= 64 << 10, (top, kib, why)
    assert name not in pf.ps()
    assert os.statvfs("/run").f_bavail > 0


def test_files_without_end(pf):
    """Files without content cost kernel memory: that is the container's too."""
    code = (
        "import os\nn = 0\n"
        "try:\n  while n < 2000000:\n    os.close(os.open(f'/tmp/{n}', os.O_CREAT | os.O_WRONLY))\n"
        "    n += 1\n"
        "except OSError as e: print(e.errno)\n"
    )
    begin = time.monotonic()
    p = pf.run("--memory", "48M", "--", PYTHON, "-I", "-c", code)
    assert p.returncode == 137 or p.stdout.strip().isdigit(), (p.returncode, p.stdout)
    assert time.monotonic() - begin < 40 * SLOW


@pytest.mark.parametrize("place", RUNTIMES)
def test_stop_of_what_resists(pf, place):
    """It ignores what it can, starts anew what is ended, and has stopped processes."""
    script = (
        "trap '' TERM INT HUP QUIT; for i in 1 2 3; do (while :; do sleep 0.01; done) & done; "
        "sleep 1000 & kill -STOP $!; echo up; while :; do sleep 0.01; done"
    )
    s, name = pf.begin(*place, script=script)
    begin = time.monotonic()
    pf.ok("stop", "-t", "1", name)
    assert 0.9 < time.monotonic() - begin < 12 * SLOW
    assert s.end() == 128 + signal.SIGKILL and name not in pf.ps()


@needs_two
@needs_pages(8)
def test_pages_of_a_neighbour(pf):
    """A file of hugepages of one container is not there in another, by any path."""
    script = (
        "echo mine > /dev/hugepages/of-a 2>/dev/null; : > /dev/hugepages/of-a; echo up; sleep 1000"
    )
    _, a = pf.begin("--hugepages", "2M=4", cpu=OTHER, script=script)
    text = pf.shell(
        "ls -A /dev/hugepages; ls -A /proc/1/root/dev/hugepages; "
        "find / -name of-a -not -path '/proc/*' 2>/dev/null; :",
        "--hugepages",
        "2M=4",
    )
    assert "of-a" not in text and pf.ps()[a]["state"] == "running"
