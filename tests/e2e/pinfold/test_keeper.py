# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""A user who is not root, in a grant that root made for him; and that he gets no further."""

import array
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from features import needs_partitions
from owner import KEEPERS, OWNER, STRANGER, ids
from workload import BASIC, CPU, CPUS, EAL_NODES, LEASES, OTHER, PAGE, PYTHON, SLOW, TESTPMD
from workload import (
    Started,
    devices_opened,
    free_pages,
    kill,
    needs_pages,
    needs_root,
    needs_testpmd,
    needs_two,
)
from workload import status_field, unique, wait

pytestmark = [needs_root, needs_pages(64)]


# --- what the owner can do ------------------------------------------------------------------------


@needs_partitions
@needs_two
@pytest.mark.guest
def test_isolated_partition(keep):
    """The kernel takes the owner's CPU from all others as long as the keeper is there."""
    keep.grant("--partition", "isolated")
    assert os.sched_getaffinity(0) == set(CPUS) - {CPU}
    text = keep.shell("cat /proc/self/status")
    assert {int(n) for n in status_field(text, "Cpus_allowed_list").split(",")} == {CPU}
    keep.pf.ok("grant", "remove", keep.name)
    assert os.sched_getaffinity(0) == set(CPUS)


@pytest.mark.guest
def test_run(kept):
    p = kept.run("--", "/bin/sh", "-c", "echo out; echo error >&2; nproc; exit 7")
    assert (p.returncode, p.stdout, p.stderr) == (7, "out\n1\n", "error\n")
    assert kept.run("-i", "--", "/bin/cat", input="hello").stdout == "hello"
    assert kept.run("--", "/bin/cat", input="hello").stdout == ""
    kept.fails(
        "run", "--grant", kept.name, "--", "no-such-program", like="no such program", status=127
    )
    kept.fails(
        "run", "--grant", kept.name, "--", "/etc/passwd", like="it is no program", status=126
    )
    kept.fails("run", "--grant", kept.name, like="no program given")
    # what begins a container may move itself to other limits
    for place in ("/run/pinfold/inside", "/var/run/pinfold/inside"):
        volume = ["-v", f"/bin/true:{place}:ro"]
        kept.fails("run", "--grant", kept.name, *volume, "--", "true", like="has its own")
    assert kept.state() == "idle"


def test_options(kept):
    place = kept.dir / "mine"
    place.mkdir()
    os.chmod(place, 0o777)
    (place / "file").write_text("mine\n")
    out = kept.shell(
        'cat /data/file; id -u; hostname; echo "$X"; echo new > /data/new',
        "-v",
        f"{place}:/data",
        "-e",
        "X=y",
        "--user",
        "1000",
        "--hostname",
        "h1",
    )
    assert out == "mine\n1000\nh1\ny\n"
    kept.ok("run", "-d", "--user", "1000:7", "--grant", kept.name, "--", "/bin/sleep", "1000")
    assert kept.ok("exec", kept.name, "--", "/bin/sh", "-c", "id -u; id -g") == "1000\n7\n"
    kept.ok("stop", "-t", "0", kept.name)
    assert (place / "new").read_text() == "new\n"
    assert kept.run("-v", f"{place}:/data:ro", "--", "/bin/touch", "/data/no").returncode == 1


def test_image(kept, inside):
    image = kept.dir / "image"
    image.mkdir()
    shutil.copy(inside, image / "program")
    run = ["run", "--grant", kept.name, "--image", image, "--"]
    assert kept.ok(*run, "/program", "show") != ""
    assert [p.name for p in image.iterdir()] == ["program"]
    kept.fails(*run, "ls", like="in image", status=127)


@pytest.mark.guest
def test_detached(kept):
    name = kept.name
    assert (
        kept.ok(
            "run",
            "-d",
            "--grant",
            name,
            "--",
            "/bin/sh",
            "-c",
            "echo one; echo two >> /dev/stdout; exec sleep 1000",
        )
        == f"{name}\n"
    )
    row = {r["name"]: r for r in json.loads(kept.ok("ps", "--json"))}[name]
    assert row["state"] == "running" and row["in"] == "keeper" and row["detached"]
    assert row["command"].startswith("/bin/sh -c") and row["cpus"] == str(CPU)
    root = kept.pf.ps()[name]
    assert root["state"] == "running" and root["command"] == row["command"]
    kept.fails("run", "--grant", name, "--", "/bin/true", like="is in use")
    assert kept.ok("exec", name, "--", "/bin/sh", "-c", "echo $X; nproc; id -u", "x") == "\n1\n0\n"
    assert kept.ok("exec", "-u", "7", name, "--", "/usr/bin/id", "-u") == "7\n"
    assert kept.ok("exec", "-e", "X=3", "-i", name, "--", "/bin/cat", input="in") == "in"
    assert kept("exec", name, "--", "/bin/sh", "-c", "exit 9").returncode == 9
    assert kept("exec", name, "--", "/no-such").returncode == 127
    wait(lambda: kept.ok("logs", name) == "one\ntwo\n", what="the log")
    assert kept.pf.ok("logs", name) == "one\ntwo\n"
    follow = Started(kept.command("logs", "-f", name), kept.dir / "follow", **ids(OWNER))
    follow.until("two")
    assert kept.ok("stop", "-t", "1", name) == ""
    assert follow.end() == 0
    assert kept.state() == "idle"
    kept.fails("stop", name, like="does not run")
    kept.fails("exec", name, "--", "/bin/true", like="does not run")
    # the log stays, until the next
    assert kept.ok("logs", name) == "one\ntwo\n"
    p = kept("run", "-d", "--grant", name, "--", "no-such")
    assert p.returncode == 127, p.stderr
    assert kept.ok("logs", name) == "one\ntwo\n"
    kept.ok("run", "-d", "--grant", name, "--", "/bin/echo", "three")
    wait(lambda: kept.state() == "idle", what="the end")
    assert kept.ok("logs", name) == kept.ok("logs", "--since", "1m", name) == "three\n"
    assert re.fullmatch(r"20\S+Z three\n", kept.ok("logs", "-t", name))
    assert kept.ok("logs", "--since", "0s", name) == ""


MIB = 1 << 20


def test_log_is_limited(kept):
    """What came last is kept, in two files of 8 MiB; a reader that follows sees the end."""
    name = kept.name
    script = f"head -c {20 * MIB} /dev/zero | tr '\\0' x; echo; echo last; exec sleep 1000"
    kept.ok("run", "-d", "--grant", name, "--", "/bin/sh", "-c", script)
    follow = Started(kept.command("logs", "-f", name), kept.dir / "follow", **ids(OWNER))
    follow.until("last")
    kept.ok("stop", "-t", "0", name)
    assert follow.end() == 0
    sizes = [os.path.getsize(f"/var/log/pinfold/{name}.log{end}") for end in ("", ".1")]
    assert 0 < sizes[0] <= 8 * MIB and 7 * MIB < sizes[1] <= 8 * MIB, sizes
    text = kept.ok("logs", name)
    assert len(text) == sum(sizes) and set(text[:-6]) == {"x"} and text.endswith("x\nlast\n")
    # when it was said went with it to the other file
    last = kept.ok("logs", "-t", "-n", 1, name)
    assert re.fullmatch(r"20\S+Z last\n", last)
    assert kept.ok("logs", "--since", last.split()[0], name).endswith("last\n")
    assert kept.ok("logs", "-t", name)[:2] == "20"
    # the next begins with both empty; what it says last is not lost with it
    kept.ok("run", "-d", "--grant", name, "--", "/bin/echo", "next")
    wait(lambda: kept.state() == "idle", what="the end")
    assert kept.ok("logs", name) == "next\n"


def test_root_stops_what_the_owner_started(kept):
    kept.ok("run", "-d", "--grant", kept.name, "--", "/bin/sleep", "1000")
    kept.pf.ok("stop", kept.name)
    assert kept.state() == "idle"


def test_signals(kept):
    for number, status in ((signal.SIGTERM, 3), (signal.SIGINT, 4), (signal.SIGUSR1, 5)):
        s = kept.start(
            "trap 'exit 3' TERM; trap 'exit 4' INT; trap 'exit 5' USR1; echo up;"
            "while :; do sleep 0.05; done"
        )
        s.until("^up")
        s.signal(number)
        assert s.end() == status, s.text()
    s = kept.start("echo up; kill -9 $$")
    assert s.end() == 128 + signal.SIGKILL


def test_terminal(kept):
    pid, fd = pty.fork()
    if pid == 0:
        os.setgroups([])
        os.setresgid(OWNER, OWNER, OWNER)
        os.setresuid(OWNER, OWNER, OWNER)
        os.execv(
            kept.path,
            kept.command(
                "run",
                "-t",
                "-i",
                "--grant",
                kept.name,
                "--",
                "/bin/sh",
                "-c",
                "tty; read x; echo got $x; exit 6",
            ),
        )
    seen = b""
    try:
        while b"/dev/" not in seen:
            seen += os.read(fd, 4096)
        os.write(fd, b"word\n")
        while True:
            seen += os.read(fd, 4096)
    except OSError:  # EIO: the other side has gone
        pass
    os.close(fd)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 6, seen
    assert b"got word" in seen


@needs_testpmd
@pytest.mark.guest
def test_testpmd(kept):
    """The unmodified program finds its share and nothing else."""
    p = kept.run(
        "--",
        TESTPMD,
        "--lcores",
        f"0@{CPU},1@{CPU}",
        "--vdev",
        "net_null0",
        "--no-pci",
        "--",
        "--total-num-mbufs=2048",
        "--tx-first",
        "--stats-period",
        "0",
        seconds=40,
        input="",
    )
    assert EAL_NODES in p.stdout + p.stderr
    assert p.returncode == 0, p.stdout + p.stderr
    # and leaves no page behind for the next
    assert kept.shell(
        "ls -A /dev/hugepages; df -B 1 --output=avail /dev/hugepages | tail -1"
    ).split() == [str(16 * PAGE)]


def test_many_runs(kept):
    """Nothing of one is left for the next."""
    for i in range(10):
        assert (
            kept.shell(
                "ls -A /tmp /dev/hugepages /dev/shm; touch /tmp/x /dev/shm/x;"
                "head -c 1 /dev/zero > /dev/hugepages/x 2>/dev/null; echo $$"
            )
            != ""
        ), i
    assert "x" not in kept.shell("ls -A /tmp /dev/hugepages /dev/shm")


# --- what holds -----------------------------------------------------------------------------------


@pytest.mark.guest
def test_limits_hold(kept):
    out = kept.shell(
        "grep -E 'Cap(Eff|Prm|Bnd|Amb)|NoNewPrivs|Seccomp:|Cpus_allowed_list' /proc/self/status;"
        "cat /proc/self/uid_map"
    )
    for cap in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
        assert int(status_field(out, cap), 16) == 0
    assert status_field(out, "NoNewPrivs") == "1" and status_field(out, "Seccomp") == "2"
    assert status_field(out, "Cpus_allowed_list") == str(CPU)
    # hugepages: by the mount and past it
    p = kept.run(
        "--",
        PYTHON,
        "-I",
        "-c",
        """
import mmap
m = mmap.mmap(-1, 16 << 21, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | 0x40000)
try:
    mmap.mmap(-1, 1 << 21, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | 0x40000)
except OSError as e:
    print(e.errno)
""",
    )
    assert p.stdout in ("12\n", ""), p.stderr  # ENOMEM; or the first: min_size holds them
    assert kept.state() == "idle"


@pytest.mark.guest
def test_devices(kept):
    """Not even root opens another device from within the cgroup."""
    top = Path("/sys/fs/cgroup")
    box = f"pinfold/{kept.name}/box"
    places = (top / box / "work", *top.glob(f"devices*/{box}"))
    procs = [d / "cgroup.procs" for d in places if d.exists()]
    assert devices_opened(*procs) == BASIC
    if devices_opened() == BASIC:
        pytest.skip("this machine has no other device to try")


@pytest.mark.guest
def test_hugepages_are_held(kept):
    """From when root made the grant until it is removed, whether something runs or not."""
    before = free_pages()
    kept.pf.ok("grant", "stop", kept.name)
    wait(lambda: free_pages() == before + 16, what="the return of the pages")
    kept.pf.ok("grant", "start", kept.name)
    assert free_pages() == before


def test_the_program_is_nobody_outside(kept):
    s = kept.start("echo up; exec sleep 1000")
    s.until("^up")
    kept.pf.program(kept.name, "sleep")
    lease = kept.pf.lease(kept.name)
    keeper = lease["supervisor"]
    outside = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            held = f":/pinfold/{kept.name}" in Path(f"/proc/{pid}/cgroup").read_text()
        except OSError:
            continue
        if held:
            outside.setdefault(status_field(status, "Name"), []).append(status)
    (sleep,) = outside["sleep"]
    base = lease["uid-base"]
    assert status_field(sleep, "Uid").split() == [str(base)] * 4
    assert base not in (0, OWNER)
    for status in outside["pinfold"] + outside["crun"]:
        assert status_field(status, "Uid").split() == [str(OWNER)] * 4
        assert status_field(status, "Gid").split() == [str(OWNER)] * 4
        assert "\nGroups:\t \n" in status
        assert status_field(status, "NoNewPrivs") == "1"
    # SYS_MODULE, NET_ADMIN, SYS_RAWIO, SYS_TIME, MKNOD: not even over its own namespace
    caps = int(status_field(Path(f"/proc/{keeper}/status").read_text(), "CapBnd"), 16)
    assert caps & (1 << 16 | 1 << 12 | 1 << 17 | 1 << 25 | 1 << 27) == 0
    assert caps.bit_count() == 12
    ns = os.readlink(f"/proc/{keeper}/ns/user")
    assert ns != os.readlink("/proc/self/ns/user")


@pytest.mark.guest
def test_the_owner_cannot_touch_the_fence(kept):
    """He may end his keeper, but neither look into it nor change what confines it."""
    keeper = kept.keeper()
    cgroups = Path(f"/proc/{keeper}/cgroup").read_text()
    tried = []
    for line in cgroups.splitlines():
        _, names, path = line.split(":", 2)
        for top in (names, "unified") if names else ("", "unified"):
            where = Path("/sys/fs/cgroup") / top / path.lstrip("/")
            if "/pinfold/" in path and where.is_dir():
                tried += [str(f) for d in (where, where.parent) for f in d.iterdir() if f.is_file()]
    assert any(f.endswith("cgroup.procs") for f in tried)
    code = f"""
import os
for f in {tried!r}:
    try:
        os.close(os.open(f, os.O_WRONLY))
        print("opened", f)
    except PermissionError:
        pass
    except OSError as e:
        if e.errno not in (13, 22): print(e)
for ns in ("user", "mnt", "pid"):
    try:
        os.open("/proc/{keeper}/ns/" + ns, os.O_RDONLY)
        print("entered", ns)
    except PermissionError:
        pass
for f in ("mem", "root", "cwd", "fd", "environ"):
    try:
        p = "/proc/{keeper}/" + f
        os.listdir(p) if f in ("root", "cwd", "fd") else open(p, "rb").read(1)
        print("read", f)
    except PermissionError:
        pass
try:
    os.unlink("{KEEPERS}/{kept.name}.sock")
    print("unlinked")
except PermissionError:
    pass
"""
    p = subprocess.run(
        [PYTHON, "-I", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=20 * SLOW,
        **ids(OWNER),
    )
    assert (p.stdout, p.stderr) == ("", "")


def test_files_of_others_stay_theirs(kept):
    """What the owner cannot read outside, no container of his can."""
    secret = kept.dir / "secret"
    secret.mkdir()
    (secret / "file").write_text("root's\n")
    os.chmod(secret / "file", 0o600)
    p = kept.run("-v", f"{secret}:/data", "--", "/bin/cat", "/data/file")
    assert p.returncode == 1 and "root's" not in p.stdout
    assert kept.run("-v", f"{secret}:/data", "--", "/bin/touch", "/data/new").returncode == 1
    os.chmod(secret, 0o700)
    kept.fails(
        "run",
        "--grant",
        kept.name,
        "-v",
        f"{secret}/file:/data",
        "--",
        "/bin/true",
        like="ermission",
    )
    kept.fails(
        "run", "--grant", kept.name, "--image", f"{secret}/x", "--", "/bin/true", like="ermission"
    )
    assert kept.run("--", "/bin/cat", "/etc/shadow").returncode == 1
    # past the command line's own look
    s = kept.socket()
    send(
        s,
        {"op": "run", "argv": ["/bin/cat", "/data"], "volumes": [f"{secret}/file:/data:ro"]},
        [0, 1, 2],
    )
    assert json.loads(s.recv(65536))["status"] == 125
    # and of the ledger it sees nothing, also not through a volume
    assert kept.run("-v", "/run/pinfold:/data:ro", "--", "/bin/ls", "/data/leases").returncode != 0


UNDO_MOUNTS = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
MS_REMOUNT, MS_BIND, MNT_DETACH = 32, 4096, 2
rows = [line.split() for line in open("/proc/self/mountinfo")]
rows = [row for row in rows if row[4] != "/proc"]  # the keeper's own, of its processes
assert libc.mount(b"t", b"/tmp", b"tmpfs", 0, None) == 0, os.strerror(ctypes.get_errno())
assert libc.umount2(b"/tmp", 0) == 0
for row in rows:
    point, options = row[4].encode().decode("unicode_escape").encode("latin1"), row[5].split(",")
    if libc.umount2(point, MNT_DETACH) == 0:
        print("taken off", row[4])
    for flag in {"ro", "nosuid", "nodev", "noexec"} & set(options):
        bits = {"ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8}
        keep = sum(bits[f] for f in bits if f in options and f != flag)
        if libc.mount(None, point, None, MS_REMOUNT | MS_BIND | keep, None) == 0:
            print("not", flag, "any more:", row[4])
print(len(rows), "mounts")
"""


def test_what_root_mounted_stays(kept):
    """Who has all rights in the keeper's namespaces, more than it has itself, gets no further."""
    enter = ["nsenter", "-t", str(kept.keeper()), "-U", "-m", "-p"]
    enter += [PYTHON, "-I", "-c", UNDO_MOUNTS]
    p = subprocess.run(enter, capture_output=True, text=True, timeout=20 * SLOW, check=False)
    assert p.returncode == 0, p.stderr
    *undone, last = p.stdout.splitlines()
    assert int(last.split()[0]) > 10
    assert undone == []
    assert kept.shell("echo here") == "here\n"


def test_one_that_stands_still(kept):
    """Its owner may stop it; root's commands wait for it no longer than they say."""
    os.kill(kept.keeper(), signal.SIGSTOP)
    begin = time.monotonic()
    rows = {r["name"]: r for r in kept.pf.json("ps", "--json")}
    assert kept.name in rows
    assert time.monotonic() - begin < 2 + 5 * SLOW
    begin = time.monotonic()
    kept.pf.ok("grant", "stop", kept.name)
    assert time.monotonic() - begin < 10 + 5 * SLOW
    assert not (LEASES / f"{kept.name}.json").exists()


@pytest.mark.full
@pytest.mark.limit(90)
def test_stop_behind_one_that_stands_still(kept):
    kept.ok("run", "-d", "--grant", kept.name, "--", "/bin/sleep", "1000")
    os.kill(kept.keeper(), signal.SIGSTOP)
    begin = time.monotonic()
    p = kept.pf("stop", kept.name, seconds=60)
    taken = time.monotonic() - begin
    assert taken < 20 + 5 * SLOW, (taken, p.returncode, p.stderr)
    kept.pf.ok("grant", "stop", kept.name)


def test_only_the_owner(kept):
    name = kept.name
    kept.ok("run", "-d", "--grant", name, "--", "/bin/sleep", "1000")
    for args in (
        ["run", "--grant", name, "--", "/bin/true"],
        ["stop", name],
        ["logs", name],
        ["exec", name, "--", "/bin/true"],
    ):
        kept.fails(*args, uid=STRANGER, like="belongs to another user")
    assert name not in kept.ok("ps", uid=STRANGER)
    with pytest.raises(PermissionError):
        kept.socket(STRANGER)
    # root's own id is none in the keeper's namespace: it hangs up
    with kept.socket(0) as s:
        assert s.recv(1) == b""
    assert kept.state() == "running"


def test_only_that_grant(keep):
    if len(CPUS) < 2:
        pytest.skip("needs two CPUs")
    keep.grant(cpu=OTHER, owner=STRANGER)
    theirs = keep.name
    keep.grant(cpu=CPU)
    keep.fails("run", "--grant", theirs, "--", "/bin/true", like="belongs to another user")
    keep.fails("run", "--grant", unique(), "--", "/bin/true", like="has no keeper here")
    keep.fails("run", "--grant", "../x", "--", "/bin/true", like="../x")
    keep.fails("run", "--cpus", OTHER, "--", "/bin/true", like="run needs root")
    for flags in (["--in", "host"], ["--apparmor", "unconfined"], ["--allow-missing", "pids"]):
        keep.fails("run", *flags, "--grant", keep.name, "--", "/bin/true", like="root's")
    keep.fails(
        "grant", "create", "--name", unique(), "--cpus", OTHER, like="open directory '/etc/pinfold"
    )
    keep.fails("grant", "stop", theirs, like="needs root")
    assert keep.shell("nproc; cat /proc/self/status | grep Cpus_allowed_list").split()[-1] == str(
        CPU
    )


# --- root's side ----------------------------------------------------------------------------------


def test_create_with_an_owner(pf):
    for owner, words in (
        ("root", "root"),
        ("no-such-user-x", "no such user"),
        ("0:5", "root"),
        (str(OWNER), "UID:GID"),
        ("5:x", "number"),
    ):
        pf.fails("grant", "create", "--name", unique(), "--cpus", CPU, "--owner", owner, like=words)
    pf.fails(
        "grant",
        "create",
        "--pool",
        "--name",
        unique(),
        "--cpus",
        CPU,
        "--owner",
        "5:5",
        like="pool",
    )
    name = pf.grant("--cpus", CPU)
    pf.fails("grant", "start", name, like="has no owner")
    pf.fails("grant", "stop", name, like="has no keeper")


def test_create_that_fails_leaves_nothing(pf):
    before = set(os.listdir("/etc/pinfold/grants.d"))
    pool = free_pages()
    name = unique()
    pf.fails(
        "grant",
        "create",
        "--name",
        name,
        "--count",
        "2",
        "--cpu-count",
        "1",
        "--hugepages",
        f"2M={pool // 2 + 1}",
        "--owner",
        "5:5",
        like="hugepages",
    )
    assert set(os.listdir("/etc/pinfold/grants.d")) == before


def test_definition(kept):
    shown = json.loads(kept.pf.ok("grant", "show", kept.name))
    assert shown["owner"] == {"uid": OWNER, "gid": OWNER}
    assert "owner" not in json.loads(kept.shell("cat /run/pinfold/grant.json"))


def test_root_does_not_get_in_between(kept):
    kept.pf.fails("run", "--grant", kept.name, "--", "/bin/true", like="hands of its keeper")
    kept.pf.fails("run", "--cpus", CPU, "--", "/bin/true", like=f"granted to '{kept.name}'")
    kept.pf.fails("exec", kept.name, "--", "/bin/true", like="belongs to user")
    kept.pf.fails("grant", "start", kept.name, like="in use")
    kept.pf.ok("grant", "stop", kept.name)
    kept.fails("run", "--grant", kept.name, "--", "/bin/true", like="has no keeper here")
    assert kept.pf("run", "--grant", kept.name, "--", "/bin/true").returncode == 0
    kept.pf.ok("grant", "start", "--all")
    assert kept.run("--", "/bin/true").returncode == 0


@pytest.mark.parametrize("how", ["remove", pytest.param("stop", marks=pytest.mark.full)])
@pytest.mark.guest
def test_root_ends_it(kept, how):
    s = kept.start("trap '' TERM; echo up; while :; do sleep 1; done")
    s.until("^up")
    begin = time.monotonic()
    kept.pf.ok("grant", how, kept.name)
    assert time.monotonic() - begin < 15 * SLOW
    assert s.end() == 125 or s.process.returncode == 128 + signal.SIGKILL
    assert not (LEASES / f"{kept.name}.json").exists()
    assert not (KEEPERS / f"{kept.name}.sock").exists()


# --- what dies ------------------------------------------------------------------------------------


def test_client_killed(kept):
    """The container of a client that is gone ends; a detached one goes on."""
    s = kept.start("trap 'echo told; exit 0' TERM; echo up; while :; do sleep 0.05; done")
    s.until("^up")
    kill(s.pid)
    s.end()
    wait(lambda: kept.state() == "idle", what="the end of its container")
    assert "told" in s.text()
    assert kept.run("--", "/bin/true").returncode == 0


@pytest.mark.full
def test_client_killed_and_a_program_that_does_not_end(kept):
    s = kept.start("trap '' TERM; echo up; while :; do sleep 0.05; done")
    s.until("^up")
    kill(s.pid)
    s.end()
    assert kept.state() == "running"
    wait(lambda: kept.state() == "idle", 15, "the end of its container")


@pytest.mark.guest
def test_keeper_killed(kept):
    before = free_pages()
    s = kept.start("echo up; exec sleep 1000")
    s.until("^up")
    kill(kept.keeper())
    assert s.end() == 125
    assert "the keeper ended" in s.text()
    wait(lambda: kept.pf.ps()[kept.name]["state"] == "dead", what="the end of all it started")
    kept.fails("run", "--grant", kept.name, "--", "/bin/true", like="has ended")
    assert kept.pf.ok("gc") == "1 cleaned up\n"
    wait(lambda: free_pages() == before + 16, what="the return of the pages")
    kept.pf.ok("grant", "start", kept.name)
    assert kept.run("--", "/bin/true").returncode == 0


@pytest.mark.parametrize("what", ["crun", "job"])
def test_kill_of_a_part(kept, what):
    s = kept.start("echo up; exec sleep 1000")
    s.until("^up")
    keeper = kept.keeper()
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        parent, comm = status_field(status, "PPid"), status_field(status, "Name")
        if (what == "job" and int(parent) == keeper and comm == "pinfold") or (
            what == "crun"
            and comm == "crun"
            and status_field(status, "Uid").split()[0] == str(OWNER)
        ):
            found.append(int(pid))
    assert found
    # by the owner himself
    subprocess.run(["/bin/kill", "-9", *map(str, found)], check=True, **ids(OWNER))
    assert s.end() == 128 + signal.SIGKILL
    assert kept.state() == "idle"
    assert kept.run("--", "/bin/true").returncode == 0


# --- the socket -----------------------------------------------------------------------------------


def send(s, message, fds=()):
    data = message if isinstance(message, bytes) else json.dumps(message).encode()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    s.sendmsg([data], rights)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"{}",
        {"op": "x"},
        {"op": "ps", "more": 1},
        {"op": "run"},
        {"op": "run", "argv": []},
        {"op": "run", "argv": [1]},
        {"op": "run", "argv": ["a"], "volumes": ["x:/y:rw"]},
        {"op": "stop"},
        {"op": "signal", "number": 15},
        {"op": "run", "argv": ["/bin/true"]},
        {"op": "run", "argv": ["/bin/true"], "image": "x"},
        b"x" * 65537,
    ],
    ids=str,
)
def test_bad_message(shared, message):
    with shared.socket() as s:
        send(s, message)
        answer = s.recv(65536)
        assert answer == b"" or json.loads(answer)["status"] == 125
        if answer:
            assert "\n" not in json.loads(answer)["error"]
    assert shared.state() == "idle"


def test_too_many_descriptors(shared):
    def held():
        return len(os.listdir(f"/proc/{shared.keeper()}/fd"))

    before = held()
    for count in (40, *[3] * 50):
        with shared.socket() as s:
            send(s, {"op": "ps"}, [0] * count)
            assert json.loads(s.recv(65536))["status"] == 125
    # the keeper hears of the last client's end after its answer
    wait(lambda: held() <= before)


@pytest.mark.full
def test_too_many_clients(shared):
    """The seventeenth is turned away; when they go, or say nothing for long, there is room."""
    held = []
    while len(held) < 16:
        held.append(shared.socket())
        held[-1].settimeout(15 * SLOW)
        time.sleep(0.01)  # the queue of those that were not accepted yet is shorter
    with shared.socket() as s:
        assert s.recv(1) == b""
    held.pop().close()
    assert shared.state() == "idle"
    assert json.loads(held[0].recv(65536))["error"].endswith("none came in time")
    for s in held:
        s.close()


def test_orders_to_a_terminal(shared):
    shared.ok(
        "run", "-d", "--grant", shared.name, "--", "/bin/sh", "-c", "sleep 1000", "\x1b[31m\n"
    )
    try:
        assert "\x1b" not in shared.pf.ok("ps") and "\x1b" not in shared.ok("ps")
    finally:
        shared.ok("stop", "-t", "0", shared.name)


@pytest.fixture
def shared(keep):
    """A grant without hugepages: the quickest there is."""
    keep.grant()
    return keep
