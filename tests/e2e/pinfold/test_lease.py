# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""When a lease is over: not before what it was given is back, and never because nobody could look."""

import base64
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from features import V2
from peers import GIVER, Peers
from places import TOP
from workload import (
    CPU,
    LEASES,
    OTHER,
    PAGE,
    PYTHON,
    free_pages,
    needs_pages,
    needs_root,
    needs_two,
)
from workload import SLOW, pool, processes_of, unique, wait

pytestmark = [needs_root, needs_two]


@pytest.fixture
def peers(pf):
    return Peers(pf)


def fits_schema(rows):
    try:
        import jsonschema
    except ImportError:
        return
    schema = json.loads((TOP / "data/schemas/ps.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(rows)


@pytest.mark.guest
@needs_pages(24)
@pytest.mark.parametrize("kind", ["memory", "huge", "file"])
def test_what_was_passed_on_stays_counted(pf, peers, kind):
    """A peer that was granted none of it has it: it is the giver's until the peer gives it back."""
    pages = 0 if kind == "memory" else 16
    # a few beside, which are given back
    flags = ["--hugepages", f"2M={pages + 4}"] if pages else []
    before = free_pages()
    name, said = peers.give(kind, 32, *flags)
    assert f"'{name}' has ended and is draining: " in said and said.count("\n") == 1
    assert f"stop '{peers.taker}'" in said

    fits_schema(pf.json("ps", "--json"))
    row = pf.ps()[name]
    assert row["state"] == "draining" and row["cpus"] == ""
    held = row["held"]
    # who has a file has its file system, with the pages that are reserved for it
    if kind == "file":
        pages += 4
    assert held["hugepages"] == pages * PAGE
    assert held["memory"] == 0 if pages else 32 << 20 <= held["memory"] < 34 << 20
    assert "draining" in pf.ok("ps")
    assert pf.lease(name)["draining"] is True
    assert free_pages() == before - pages
    # nobody else gets the pages, also those that are free now: the giver may still have them
    if pages:
        wanted = pool("nr") - pages + 1
        pf.fails(
            "run", "--cpus", CPU, "--hugepages", f"2M={wanted}", "--", "true", like="available"
        )

    # its name is taken, and whoever is in the way is named
    for command in (("run", "--name", name, "--cpus", CPU, "--", "true"), ("stop", name)):
        pf.fails(*command, like=f"'{name}' has ended and is draining: .*stop '{peers.taker}'")
    assert pf.ok("gc") == "0 cleaned up\n"
    # its CPU is free
    assert pf.shell("echo here") == "here\n"

    peers.end()
    assert pf.ok("gc") == "1 cleaned up\n"
    assert name not in pf.ps() and free_pages() == before


@pytest.mark.guest
@needs_pages(24)
def test_no_page_touched(pf, peers):
    """Whoever has no more than the directory keeps the pages from others."""
    before = free_pages()
    name, said = peers.give("directory", 0, "--hugepages", "2M=16")
    assert free_pages() == before - 16
    assert "draining: 32M of hugepages" in said
    assert pf.ps()[name]["held"] == {"memory": 0, "hugepages": 16 * PAGE, "nics": []}
    pf.fails("run", "--name", name, "--cpus", CPU, "--", "true", like="draining")
    peers.end()
    assert pf.ok("gc") == "1 cleaned up\n" and free_pages() == before


@needs_pages(40)
def test_again_and_again(pf, peers):
    """What three starts of one grant leave with a peer is no more than one may have."""
    name = pf.grant("--cpus", CPU, "--hugepages", "2M=16", *peers.flags)
    pf.names.append(name)
    before = free_pages()
    for _ in range(3):
        p = pf("run", "--grant", name, "--", PYTHON, "-I", "-c", GIVER, peers.socket, "huge", 32)
        assert p.returncode in (0, 125)
    assert before - free_pages() == 16
    pf.fails("grant", "remove", name, like="draining")
    peers.end()
    pf.ok("grant", "remove", name)


@pytest.mark.guest
def test_pipes_are_memory_too(pf, peers):
    name, said = peers.give("pipes", 3)
    assert "draining" in said and 3 << 20 <= pf.ps()[name]["held"]["memory"] < 5 << 20


def is_tmpfs(path):
    p = subprocess.run(["stat", "-fc", "%T", path], capture_output=True, text=True, check=True)
    return p.stdout == "tmpfs\n"


@pytest.mark.guest
@pytest.mark.parametrize("kind", ["tmp", "cache"])
def test_what_the_container_had_alone_is_gone(pf, peers, tmp_path, kind):
    """A file of its own tmpfs that is open elsewhere is held; the cache of a file of the host is not."""
    volume = tmp_path / "v"
    volume.mkdir()
    volume.chmod(0o777)
    if kind == "cache" and is_tmpfs(volume):
        pytest.skip("the directory of the tests is a tmpfs: no file of it has a cache")
    name, said = peers.give(kind, 16, "-v", f"{volume}:/v")
    if kind == "tmp":
        assert "draining" in said and pf.ps()[name]["held"]["memory"] >= 16 << 20
    else:
        assert said == "" and name not in pf.ps()


@pytest.mark.guest
def test_files_of_the_host_are_the_hosts(pf):
    """A program on the bare host leaves some, as EAL does in a /run that is a tmpfs."""
    path = Path("/dev/shm") / unique()
    if not is_tmpfs(path.parent):
        pytest.skip("/dev/shm is no tmpfs")
    name = unique()
    try:
        command = f"dd if=/dev/zero of={path} bs=1M count=8 2>/dev/null"
        p = pf.run(
            "--name", name, "--in", "host", "--memory", "64M", "--", "/bin/sh", "-c", command
        )
        assert (p.returncode, p.stderr) == (0, "") and path.stat().st_size == 8 << 20
        assert not (LEASES / f"{name}.json").exists()
    finally:
        path.unlink(missing_ok=True)


@pytest.mark.guest
@pytest.mark.limit(90)
def test_ordinary_ends_are_no_draining(pf):
    """Whatever it has used, nothing of it is left when it is over."""
    script = (
        "dd if=/dev/zero of=/dev/shm/f bs=1M count=20 2>/dev/null;"
        f"{PYTHON} -I -c 'import mmap; m = mmap.mmap(-1, 32 << 20); m.write(bytes(32 << 20))';"
        "for i in 1 2 3 4 5 6 7 8; do (sleep 100 | cat) & done; ls -R /usr/share >/dev/null 2>&1; true"
    )
    name = unique()
    for _ in range(8 if SLOW == 1 else 3):
        p = pf.run("--name", name, "--memory", "128M", "--", "/bin/sh", "-c", script)
        assert (p.returncode, p.stderr) == (0, "")
        assert not (LEASES / f"{name}.json").exists()


def test_a_supervisor_that_was_killed(pf, peers):
    """The collection sees it too."""
    name = pf.unique()
    s = pf.start(
        "run",
        "--name",
        name,
        "--cpus",
        CPU,
        *peers.flags,
        "--",
        PYTHON,
        "-I",
        "-c",
        GIVER + "\nimport time; time.sleep(1000)",
        peers.socket,
        "memory",
        24,
    )
    s.until("^given")
    s.process.kill()
    s.process.wait()
    for pid in processes_of(pf.lease(name)):
        os.kill(pid, signal.SIGKILL)
    wait(lambda: not processes_of(pf.lease(name)))
    wait(lambda: pf.ok("gc") == "0 cleaned up\n" and pf.ps()[name]["state"] == "draining")
    peers.end()
    assert pf.ok("gc") == "1 cleaned up\n"


@needs_pages(64)
def test_keeper_that_has_ended(pf, keep, peers):
    """A keeper's grant drains as well, and cannot be started until it is over."""
    name = keep.grant("--memory", "128M", "--link", f"memif:{peers.link}")
    code = base64.b64encode(GIVER.encode()).decode()
    s = keep.start(
        f"echo {code} | base64 -d >/tmp/giver; {PYTHON} -I /tmp/giver {peers.socket} memory 24; sleep 1000"
    )
    s.until("^given")
    pf.fails("grant", "stop", name, like=f"draining: .*stop '{peers.taker}'")
    assert pf.ps()[name]["state"] == "draining"
    for command in (
        ("grant", "start", name),
        ("grant", "start", "--all"),
        ("grant", "remove", name),
    ):
        pf.fails(*command, like="draining")
    peers.end()
    pf.ok("gc")
    pf.ok("grant", "start", name)


def test_files_in_the_directory_of_a_link(pf):
    """They are charged to who wrote them, and go with the last that has the link."""
    link = unique("l")
    flags = ["--memory", "64M", "--link", f"memif:{link}"]
    _, stays = pf.begin(*flags, cpu=OTHER)
    write = f"dd if=/dev/zero of=/run/pinfold/links/{link}/f bs=64K count=12 2>/dev/null"
    name = pf.unique()
    p = pf.run("--name", name, *flags, "--", "/bin/sh", "-c", write)
    assert p.returncode == 0, p.stderr
    if name in pf.ps():  # so little need not be charged
        assert pf.ps()[name]["held"]["memory"] >= 12 << 16
    pf.ok("stop", "-t", "0", stays)
    pf.ok("gc")
    assert name not in pf.ps() and not Path(f"/run/pinfold/links/{link}").exists()


# --- liveness -------------------------------------------------------------------------------------


@pytest.mark.skipif(V2, reason="the one hierarchy of cgroup v2 cannot be unmounted")
def test_a_hierarchy_that_is_gone(pf):
    """Where no cgroup can be looked at nothing is given back."""
    _, name = pf.begin()
    mount = "/".join(pf.lease(name)["cgroup"].split("/")[:5])
    covered = subprocess.run(
        [
            "unshare",
            "-m",
            "sh",
            "-c",
            f"umount {mount} && {pf.path} ps --json; {pf.path} gc; {pf.path} ps --json",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if "target is busy" in covered.stderr or "not mounted" in covered.stderr:
        pytest.skip(f"cannot unmount {mount}")
    assert f"clean up after '{name}': look for processes of '{name}'" in covered.stderr
    rows, end = json.JSONDecoder().raw_decode(covered.stdout)
    assert [row["state"] for row in rows] == ["unknown"]
    assert json.loads(covered.stdout[end:]) == rows
    assert pf.ps()[name]["state"] == "running"


def test_cgroups_that_are_mounted_elsewhere(pf, tmp_path):
    """The undo finds them where the plan did. In a container it is the runtime that would not: refused."""
    place = tmp_path / "cg"
    place.mkdir()
    # all that is mounted below /sys/fs/cgroup, there instead
    script = (
        f"mount --make-rprivate / && mount --rbind /sys/fs/cgroup {place} && umount -R -l /sys/fs/cgroup"
        f' && exec {pf.path} run --in "$0" --cpus {CPU} -- /bin/true'
    )
    host, container = (
        subprocess.run(
            ["unshare", "-m", "sh", "-c", script, where],
            capture_output=True,
            text=True,
            check=False,
        )
        for where in ("host", "container")
    )
    assert (host.returncode, host.stderr) == (0, "")
    assert container.returncode == 125 and container.stderr.count("\n") == 1
    assert f"cgroups are mounted at '{place}', and crun looks for them" in container.stderr
    assert [d for top in parents() for d in top.iterdir() if d.is_dir()] == []


def test_a_cgroup_far_below(pf):
    """A process deeper than the runtime would ever put one counts, and is killed."""
    _, name = pf.begin()
    group = Path(pf.lease(name)["cgroup"])
    deep = group / "box" / Path(*["d"] * 30)
    deep.mkdir(parents=True)
    p = subprocess.Popen(["sleep", "1000"])
    (deep / "cgroup.procs").write_text(str(p.pid))
    pf.ok("stop", "-t", "0", name)
    assert p.wait(5) == -signal.SIGKILL
    assert not group.exists()


def parents():
    """The directories that have the leases' cgroups in them, of every hierarchy."""
    below = Path("/sys/fs/cgroup")
    return {d for d in (below / "pinfold", *below.glob("*/pinfold")) if d.is_dir()}


def test_parent_of_cgroups(pf):
    """It stays for the next start; pinfold gc takes it away when no lease is in it."""
    pf.ok("run", "--cpus", CPU, "--", "/bin/true")
    assert parents()
    _, name = pf.begin()
    pf.ok("gc")
    assert parents() and Path(pf.lease(name)["cgroup"]).is_dir()
    pf.ok("stop", "-t", "0", name)
    pf.ok("gc")
    assert not parents()


# --- the exit status is the program's -------------------------------------------------------------


def test_status_one_of_a_program(pf, tmp_path):
    """Also where the runtime has something to say on its standard error."""
    chatty = tmp_path / "runc-like" / "crun"
    chatty.parent.mkdir()
    chatty.write_text(
        '#!/bin/sh\n[ "$1" = --version ] || echo chatter >&2\nexec /usr/bin/crun "$@"\n'
    )
    chatty.chmod(0o755)
    if not os.access("/usr/bin/crun", os.X_OK):
        pytest.skip("no /usr/bin/crun")
    for status in (0, 1, 3):
        p = pf.run("--runtime", chatty, "--", "/bin/sh", "-c", f"exit {status}")
        assert (p.returncode, p.stderr) == (status, "")
    # a directory called runc makes no runc of it
    name = pf.unique()
    s = pf.start(
        "run",
        "--name",
        name,
        "--cpus",
        CPU,
        "--runtime",
        chatty,
        "--",
        "/bin/sh",
        "-c",
        "echo up; sleep 1000",
    )
    s.until("^up")
    assert pf.lease(name)["runc"] is False
    assert pf.ok("exec", name, "/bin/echo", "in").endswith("in\n")


# --- hugetlbfs of the host ------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["escaped", "many"])
def test_no_hugetlbfs_of_the_host_is_seen(pf, tmp_path, how):
    """With --in host, whatever they are called and however many there are."""
    places = [tmp_path / "a b\tc"] if how == "escaped" else [tmp_path / str(i) for i in range(70)]
    for place in places:
        place.mkdir()
    mounts = " && ".join(f"mount -t hugetlbfs none '{place}'" for place in places)
    seen = "grep -c hugetlbfs /proc/self/mounts; true"
    p = subprocess.run(
        [
            "unshare",
            "-m",
            "sh",
            "-c",
            f"{mounts} && exec {pf.path} run --in host --cpus {CPU} -- /bin/sh -c '{seen}'",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (p.returncode, p.stdout, p.stderr) == (0, "0\n", "")


# --- what a terminal would obey -------------------------------------------------------------------


def test_no_order_reaches_a_terminal(pf):
    evil = "a\x1b]0;x\x07\x9bm\u202egnp.\u2066"
    _, name = pf.begin(script="echo up; exec sleep 1000 # " + evil)
    for text in (
        pf.ok("ps"),
        pf.ok("ps", "--json"),
        pf("run", "--name", evil, "--", "true").stderr,
        pf.ok("plan", "--cpus", OTHER, "--", "/bin/true", evil),
    ):
        bad = [
            c
            for c in text
            if (c < " " and c != "\n") or "\x7f" <= c <= "\x9f" or c in "\u202e\u2066"
        ]
        assert bad == [], text
    assert pf.ps()[name]["command"].endswith("gnp.   ")
    raw = subprocess.run([pf.path, "stop", b"x\x9b2J\xff"], capture_output=True, check=False)
    assert raw.returncode == 125 and b"\x9b" not in raw.stderr and b"\xff" not in raw.stderr


# --- a name comes again ---------------------------------------------------------------------------


def test_a_supervisor_that_is_late(pf):
    """One that was held up while `stop` ended its workload leaves the next of that name alone."""
    name = pf.detach()
    late = pf.lease(name)["supervisor"]
    os.kill(late, signal.SIGSTOP)
    try:
        pf.ok("stop", "-t", "1", name, seconds=40)
        assert pf.detach(name=name) == name
        second = pf.lease(name)["supervisor"]
        assert second != late
    finally:
        os.kill(late, signal.SIGCONT)
    wait(lambda: not os.path.exists(f"/proc/{late}"), what="the end of the first supervisor")
    assert pf.ok("exec", name, "--", "echo", "there") == "there\n"


def test_a_stop_that_is_late(pf):
    """One that was held up while the workload ended by itself leaves the next of that name alone."""
    script = 'trap "echo told; sleep 0.4; exit 0" TERM; echo up; sleep 1000 & wait'
    name = pf.detach(command=("/bin/sh", "-c", script))
    wait(lambda: "up" in pf.ok("logs", name), what="the trap")
    with subprocess.Popen([pf.path, "stop", "-t", "5", name]) as stop:
        wait(lambda: "told" in pf.ok("logs", name), what="SIGTERM")
        os.kill(stop.pid, signal.SIGSTOP)
        try:
            wait(lambda: name not in pf.ps(), what="the end")
            pf.detach(name=name)
            time.sleep(5)
        finally:
            os.kill(stop.pid, signal.SIGCONT)
        assert stop.wait(30) == 0
    assert pf.ok("exec", name, "--", "echo", "there") == "there\n"


def test_stop_of_one_that_is_about_to_start(pf, tmp_path):
    """It is asked to end when it can be asked: it is not killed."""
    slow = tmp_path / "crun"
    slow.write_text('#!/bin/sh\n[ "$1" = --version ] || sleep 1\nexec crun "$@"\n')
    slow.chmod(0o755)
    name = unique()
    run = pf.start("run", "--runtime", slow, "--name", name, "--cpus", CPU, "--", "sleep", "1000")
    wait(lambda: (LEASES / f"{name}.json").exists(), what="the lease")
    begin = time.monotonic()
    pf.ok("stop", "-t", "20", name, seconds=40)
    assert run.process.wait(20) == 143 and time.monotonic() - begin < 19
