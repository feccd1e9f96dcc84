# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What a killed pinfold leaves, and that the next command puts it away.

test_crash_steps.py kills at every single step; here is what needs a workload that goes on, a race or a
lease of a certain kind.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from workload import CPU, CPUS, LEASES, LOGS, OTHER, SLOW, free_pages, kill, needs_pages, needs_root
from workload import needs_two, pool, processes_of, unique, wait

pytestmark = [needs_root, needs_pages(32)]
FLAGS = ["--hugepages", "2M=8", "--link", "memif:crash"]


@pytest.mark.parametrize("place", [(), ("--in", "host")], ids=["container", "host"])
@pytest.mark.guest
def test_container_outlives_its_supervisor(pf, place):
    before = free_pages()
    s, name = pf.begin(*FLAGS, *place)
    s.signal(signal.SIGKILL)
    s.end()
    assert pf.ps()[name]["state"] == "running"
    assert pf.ok("gc") == "0 cleaned up\n"
    pf.fails("run", "--cpus", CPU, "--", "/bin/true", like=f"CPU {CPU} is granted to '{name}'")
    assert pf.ok("exec", name, "--", "/bin/echo", "alive") == "alive\n"
    assert free_pages() == before - 8
    pf.ok("stop", name)
    assert name not in pf.ps() and not (LEASES / f"{name}.json").exists()
    wait(lambda: free_pages() == before, 20, "the return of the pages")


@pytest.mark.guest
def test_next_run_cleans_up(pf):
    """Nobody has to say gc: the next run takes the dead lease's CPU."""
    s, name = pf.begin(*FLAGS)
    pids = processes_of(pf.lease(name))
    for pid in [s.pid, *pids]:
        kill(pid)
    s.end()
    wait(lambda: pf.ps()[name]["state"] == "dead", what="the end")
    assert pf.run("--", "/bin/true").returncode == 0
    assert name not in pf.ps()


def test_link_of_a_lease_that_cannot_be_read(pf):
    """The next one with a link of its name gets another directory."""
    link = unique("l")
    flags = ["--link", f"memif:{link}"]
    path = Path("/run/pinfold/links", link)
    s, name = pf.begin(*flags, script=f"echo secret >{path}/old; echo up; exec sleep 1000")
    assert (path / "old").exists()
    pids = processes_of(pf.lease(name))
    (LEASES / f"{name}.json").write_text("{")
    like = rf"use '/run/pinfold/leases/{name}.json' .*pinfold gc"
    pf.fails("run", "--cpus", CPU, "--", "/bin/true", like=like)
    for pid in [s.pid, *pids]:
        kill(pid)
    s.end()
    wait(lambda: pf("gc").returncode == 0, what="the end")
    assert not path.exists()
    assert name in Path("/run/pinfold/log").read_text().splitlines()[-1]
    assert pf.shell(f"ls {path}", *flags) == ""


@pytest.mark.parametrize("what", ["crun", "init", "program"])
@pytest.mark.guest
def test_kill_of_a_part(pf, what):
    """Whichever process dies, the others end and nothing stays."""
    s, name = pf.begin(*FLAGS)
    lease = pf.lease(name)

    def find():
        for where, _, _ in os.walk(lease["cgroup"]):
            for pid in Path(where, "cgroup.procs").read_text().split():
                comm = Path(f"/proc/{pid}/comm").read_text().strip()
                if comm == {"crun": "crun", "init": "init", "program": "sleep"}[what]:
                    return int(pid)
        return None

    kill(wait(find, what=f"a process for {what}"))
    assert s.end() == 128 + signal.SIGKILL
    assert name not in pf.ps()


# --- races ----------------------------------------------------------------------------------------


def statuses_of_a_race(all_):
    """One of them does not end until all others have, however long those take to begin."""

    def left():
        return [s for s in all_ if s.process.poll() is None]

    wait(lambda: len(left()) <= 1, 30, "the end of the others")
    (one,) = left()
    one.until("^up")
    one.signal(signal.SIGTERM)
    return sorted(s.end() for s in all_)


STAYS = ["/bin/sh", "-c", "echo up; exec sleep 1000"]


def test_race_for_one_cpu(pf):
    """Eight at once: one has it, seven are told who."""
    all_ = [pf.start("run", "--cpus", CPU, "--", *STAYS) for _ in range(8)]
    assert statuses_of_a_race(all_) == [125] * 7 + [128 + signal.SIGTERM]
    for s in all_:
        if s.process.returncode == 125:
            assert s.text().count("\n") == 1 and "is granted to 'vnf-" in s.text()


def test_race_for_one_name(pf):
    name = unique()
    all_ = [
        pf.start("run", "--name", name, "--cpus", CPUS[i % len(CPUS)], "--", *STAYS)
        for i in range(4)
    ]
    assert statuses_of_a_race(all_) == [125, 125, 125, 128 + signal.SIGTERM]


@needs_two
def test_different_grants_at_once(pf):
    for _ in range(5):
        both = [pf.start("run", "--cpus", c, *FLAGS, "--", "/bin/true") for c in (CPU, OTHER)]
        assert [s.end() for s in both] == [0, 0], [s.text() for s in both]


def test_race_of_gc(pf):
    """Collecting while others start and end disturbs nobody."""
    collectors = [pf.start("gc") for _ in range(4)]
    for _ in range(5):
        assert pf.run("--", "/bin/true").returncode == 0
        collectors.append(pf.start("gc"))
    assert {s.end() for s in collectors} == {0}


@pytest.mark.parametrize("flags", [(), ("-t",)], ids=["pipes", "terminal"])
def test_gc_before_the_last_words(pf, flags):
    """A lease that was taken back while its supervisor was held up: neither output nor status is lost."""
    name = unique()
    s = pf.start(
        "run", "--name", name, "--cpus", str(CPU), *flags, "--",
        "/bin/sh", "-c", "sleep 0.5; echo last; exit 7",
    )  # fmt: skip
    wait((LEASES / f"{name}.json").exists, what="the lease")
    pf.program(name, "sleep")
    s.signal(signal.SIGSTOP)
    wait(lambda: pf.ok("gc") == "1 cleaned up\n", what="the collection")
    s.signal(signal.SIGCONT)
    assert s.end() == 7, s.text()
    assert s.text().splitlines() == ["last"]


# --- leases on disk -------------------------------------------------------------------------------


@pytest.fixture
def lease_file(pf):
    """Writes a lease by hand; removed again whatever happens."""
    written = []
    s, name = pf.begin()
    doc = pf.lease(name)
    s.signal(signal.SIGTERM)
    s.end()

    def write(name, text=None, **changes):
        path = LEASES / f"{name}.json"
        if text is None:
            new = json.loads(json.dumps(doc))
            new["grant"]["name"] = name
            new["cgroup"] = new["cgroup"].rpartition("/")[0] + "/" + name
            new["undo"] = [u for u in new["undo"] if u["what"] == "cgroup"]
            for u in new["undo"]:
                u["path"] = f"pinfold/{name}"
            new.update(changes)
            text = json.dumps(new)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        written.append(path)
        return path

    yield write
    for path in written:
        path.unlink(missing_ok=True)


OTHER_BOOT = "00000000-0000-0000-0000-000000000000"


@pytest.mark.guest
def test_lease_of_another_boot_is_collected(pf, lease_file):
    name = unique()
    path = lease_file(name, **{"boot-id": OTHER_BOOT})
    assert pf.ps()[name]["state"] == "dead"
    assert pf.run("--", "/bin/true").returncode == 0
    assert not path.exists()


@pytest.mark.parametrize("command", [["gc"], ["stop", "-t", "1"]], ids=["gc", "stop"])
def test_lease_of_another_boot_touches_nobody(pf, lease_file, command):
    """Its files go. Its cgroup and its supervisor's pid are somebody else's now."""
    name = unique("boot")
    with subprocess.Popen(["/bin/sleep", "1000"]) as stranger:
        try:
            start = process_start(stranger.pid)
            link = Path("/run/pinfold/links", name)
            state = Path("/run/pinfold/runtime", name)
            for made in (link, state):
                made.mkdir(parents=True)
            path = lease_file(
                name,
                supervisor=stranger.pid,
                undo=[
                    {"what": "cgroup", "path": f"pinfold/{name}"},
                    {"what": "link", "path": str(link)},
                    {"what": "tree", "path": str(state)},
                ],
                **{"boot-id": OTHER_BOOT, "supervisor-start": start},
            )
            theirs = Path(json.loads(path.read_text())["cgroup"])
            theirs.mkdir(parents=True)
            (theirs / "cgroup.procs").write_text(str(stranger.pid))
            pf.ok(*command, *([name] if command[0] == "stop" else []))
            assert not path.exists() and not link.exists() and not state.exists()
            assert stranger.poll() is None
            assert (theirs / "cgroup.procs").read_text() == f"{stranger.pid}\n"
        finally:
            stranger.kill()
            stranger.wait()
            for made in (theirs, theirs.parent):
                made.rmdir()


def process_start(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[19])


def test_lease_says_which_process_watches(pf):
    s, name = pf.begin()
    lease = pf.lease(name)
    assert (lease["supervisor"], lease["supervisor-start"]) == (s.pid, process_start(s.pid))


@needs_two
def test_stop_is_not_fooled_by_a_reused_pid(pf):
    """The supervisor is dead, and its pid is now that of another pinfold, which will not help."""
    s, name = pf.begin(*FLAGS)
    other, _ = pf.begin(cpu=OTHER)
    s.signal(signal.SIGKILL)
    s.end()
    lease = pf.lease(name)
    lease["supervisor"] = other.pid
    (LEASES / f"{name}.json").write_text(json.dumps(lease))
    start = time.monotonic()
    pf.ok("stop", "-t", "1", name)
    assert time.monotonic() - start < 5 * SLOW, "waited for a supervisor that is dead"
    assert not (LEASES / f"{name}.json").exists()
    assert other.process.poll() is None


@pytest.mark.full
@pytest.mark.limit(120)
def test_start_has_one_limit(pf):
    """A runtime that says nothing is killed after a minute, whoever wakes the supervisor meanwhile."""
    runtime = pf.directory / "mute"
    runtime.write_text(
        '#!/bin/sh\ncase "$*" in *--version*) exec crun --version ;; esac\n'
        "trap '' USR1\nwhile :; do sleep 1; done\n"
    )
    runtime.chmod(0o755)
    pf.directory.chmod(0o755)
    start = time.monotonic()
    s = pf.start("run", "--cpus", CPU, "--runtime", runtime, "--", "/bin/true")
    while s.process.poll() is None and time.monotonic() - start < 60 + 30 * SLOW:
        time.sleep(0.2)
        s.signal(signal.SIGUSR1)
    assert s.end() == 125 and "no word from the runtime after 60 s" in s.text()
    assert 59 < time.monotonic() - start < 60 + 10 * SLOW


def test_plain_directories_of_runc_go(pf):
    """Where the hugetlb controller is not mounted runc makes directories and files of its own."""
    runc = shutil.which("runc", path="/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin")
    top = Path("/sys/fs/cgroup/hugetlb")
    if runc is None or not os.path.ismount(top):
        pytest.skip("needs runc, and a version 1 hierarchy of the hugetlb controller to unmount")
    script = (
        f"umount {top} && {pf.path} run --runtime {runc} --allow-missing=hugetlb --cpus {CPU} "
        f"-- /bin/echo ran; s=$?; test ! -e {top}/pinfold || echo left; {pf.path} gc; exit $s"
    )
    p = subprocess.run(
        ["unshare", "-m", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (p.returncode, p.stdout) == (0, "ran\n0 cleaned up\n"), p.stdout + p.stderr


# --- definitions on disk --------------------------------------------------------------------------


@needs_two
def test_corrupt_definition(pf):
    """What it holds is unknown: nothing is chosen beside it. What was set apart earlier goes on."""
    good = pf.grant("--cpus", OTHER)
    bad = unique("g")
    pf.grants.append(bad)
    path = Path("/etc/pinfold/grants.d", f"{bad}.json")
    s, name = pf.begin()
    path.write_text('{"format": 1, "name": "' + bad)
    for command in (
        ["run", "--cpu-count", "1", "--", "/bin/true"],
        ["grant", "create", "--name", unique("g"), "--cpu-count", "1"],
        ["run", "--grant", bad, "--", "/bin/true"],
    ):
        assert str(path) in pf.fails(*command, like="mend or remove it")
    p = pf("grant", "list")
    assert p.returncode == 125 and good in p.stdout and str(path) in p.stderr
    assert pf("run", "--grant", good, "--", "/bin/true").returncode == 0
    assert pf.ok("exec", name, "--", "/bin/echo", "alive") == "alive\n"
    assert pf.ps()[name]["state"] == "running"
    pf.ok("stop", name)
    assert s.end() == 128 + signal.SIGTERM
    pf.ok("gc")
    pf.ok("grant", "remove", bad)
    assert not path.exists()
    assert pf.run("--", "/bin/true").returncode == 0


# --- logs -----------------------------------------------------------------------------------------

LOG_BYTES = 8 << 20  # of each of the two files, as in src/run/log.c


@pytest.mark.parametrize("orphan", [False, True], ids=["supervised", "orphan"])
def test_log_has_a_limit(pf, orphan):
    """However much a workload says, and whether or not its supervisor lives; the end is kept."""
    script = "sleep 0.3; yes 0123456789abcde | head -c 40000000; echo last; exec sleep 1000"
    name = pf.detach(command=("/bin/sh", "-c", script))
    if orphan:
        kill(pf.lease(name)["supervisor"])
    logs = [LOGS / f"{name}.log{end}" for end in ("", ".1")]
    wait(lambda: pf("logs", name).stdout.endswith("last\n"), 30, "the end of the log")
    assert all(0 < log.stat().st_size <= LOG_BYTES for log in logs)
    text = pf.ok("logs", name)
    assert text.endswith("0123456789abcde\nlast\n")
    assert len(text) == sum(log.stat().st_size for log in logs)
    # when it was said went round with it
    times = [line[:22] for line in pf.ok("logs", "-t", name).splitlines()]
    assert len(times) == len(text.splitlines()) and times == sorted(times)
    assert all(time.startswith("20") for time in times)
    assert pf.ok("logs", "--since", "1h", name) == text
    assert pf.ok("logs", "--since", times[-1], name).endswith("last\n")
    pf.ok("stop", "-t", "1", name)
    assert pf.ok("logs", name).endswith("last\n")


@pytest.mark.guest  # v1 counts the log's writer elsewhere
def test_log_on_a_tmpfs_is_not_memory_passed_on(pf):
    """Where /var/log is one, the log of a workload is memory that its grant paid for: it stays, and the
    lease ends all the same."""
    name = unique()
    log = f"{LOGS}/{name}.log"
    script = f"""
        mkdir -p {LOGS} && mount -t tmpfs -o mode=755 none {LOGS} || exit 1
        {pf.path} run -d --cpus {CPU} --memory 64M --pids 20 --name {name} -- /bin/sh -c \
            "yes 0123456789abcde | head -c 12000000; echo last; exec sleep 1000" || exit 1
        for i in $(seq 200); do tail -c 5 {log} | grep -q last && break; sleep 0.1; done
        {pf.path} stop -t 1 {name} && stat -c %s {log} {log}.1
    """
    command = ["unshare", "--mount", "sh", "-c", script]
    try:
        p = subprocess.run(command, capture_output=True, text=True, timeout=60 * SLOW, check=False)
    finally:
        pf("stop", "-t", "0", name)
    assert p.returncode == 0, p.stderr
    assert sum(map(int, p.stdout.split()[-2:])) == 12000005
    assert name not in pf.ps()


def test_log_of_a_short_life_is_whole(pf):
    """Nothing of what was said at the very end is lost."""
    for _ in range(5):
        name = pf.detach(command=("/bin/sh", "-c", "echo begin; seq 20000; echo end"))
        wait(lambda: name not in pf.ps(), what="the end")
        log = LOGS / f"{name}.log"
        assert log.read_text() == "begin\n" + "".join(f"{i}\n" for i in range(1, 20001)) + "end\n"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"format": 1}', b"\xff\xfe", "null", "x" * (2 << 20)],
    ids=["empty", "cut", "array", "short", "bytes", "null", "huge"],
)
def test_corrupt_lease(pf, lease_file, text):
    """The one line names the file and says the cure, and the cure works."""
    name = unique("corrupt")
    path = lease_file(name, text)
    for command in (["run", "--cpus", CPU, "--", "/bin/true"], ["gc"], ["ps"]):
        p = pf(*command)
        if p.returncode == 0:
            continue
        assert p.returncode == 125 and p.stderr.count("\n") == 1, p.stderr
        assert str(path) in p.stderr and "remove" in p.stderr, p.stderr
    path.unlink(missing_ok=True)
    assert pf.run("--", "/bin/true").returncode == 0


def test_lease_with_evil_undo(pf, lease_file):
    """A lease file is root's, and still leads nowhere but to pinfold's own."""
    victim = pf.directory / "victim"
    victim.mkdir()
    for what, path in (
        ("tree", str(victim)),
        ("tree", f"/run/pinfold/../..{victim}"),
        ("link", str(victim)),
        ("cgroup", "../../../tmp"),
        ("cgroup", "."),
        ("nonsense", "/x"),
    ):
        file = lease_file(unique(), undo=[{"what": what, "path": path}])
        pf("gc")
        assert victim.is_dir()
        file.unlink(missing_ok=True)
    assert os.path.isdir("/sys/fs/cgroup") and os.path.isdir("/tmp")
    assert pf.run("--", "/bin/true").returncode == 0


@contextlib.contextmanager
def locked(path):
    """By another process, which lets it go when it is told."""
    code = (
        "import fcntl, sys\nf = open(sys.argv[1], 'a+')\nfcntl.flock(f, fcntl.LOCK_EX)\n"
        "print('up', flush=True)\ninput()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(["/usr/bin/python3", "-c", code, path], **pipes) as p:
        assert p.stdout.readline() == "up\n"
        try:
            yield p
        finally:
            if p.poll() is None:
                p.communicate("\n")


def test_lock_that_is_held(pf):
    """Waits for it, and goes on when it is free."""
    with locked("/run/pinfold/lock") as p:
        s = pf.start("run", "--cpus", CPU, "--", "/bin/true")
        time.sleep(0.5)
        assert s.process.poll() is None
        p.communicate("\n")
        assert s.end() == 0


@pytest.mark.skipif(Path("/run/pinfold/prepared.json").exists(), reason="the machine is prepared")
def test_prepare_and_starts_do_not_wait_for_each_other(pf):
    """A module may take a minute to load."""
    wanted = f"2M={pool('nr')}"
    try:
        with locked("/run/pinfold/lock"):
            assert pf.ok("host", "prepare", "--hugepages", wanted, seconds=18)
        with locked("/run/pinfold/prepare.lock") as p:
            assert pf.run("--", "/bin/true", seconds=18).returncode == 0
            s = pf.start("host", "prepare", "--hugepages", wanted)
            time.sleep(0.5)
            assert s.process.poll() is None
            p.communicate("\n")
            assert s.end() == 0
    finally:
        pf.ok("host", "undo")
