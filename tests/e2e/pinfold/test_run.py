# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold run: exit status, signals, volumes, users, terminals, and what a container sees."""

import errno
import json
import os
import pty
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

import leftovers
from features import needs_v2
from workload import (
    BASIC,
    CPU,
    LOGS,
    OTHER,
    PYTHON,
    SLOW,
    devices_opened,
    ids,
    needs_pages,
    needs_root,
    needs_two,
    processes_of,
)
from workload import status_field, unique, wait

pytestmark = [needs_root]

RUNC = next((p for p in ("/usr/sbin/runc", "/usr/bin/runc") if os.access(p, os.X_OK)), None)
STRACE = shutil.which("strace")
RUNTIMES = [
    pytest.param((), id="crun"),
    pytest.param(
        ("--runtime", RUNC or "runc"),
        id="runc",
        marks=pytest.mark.skipif(RUNC is None, reason="package runc is not installed"),
    ),
]
PLACES = [*RUNTIMES, pytest.param(("--in", "host"), id="host")]


# --- exit status and signals ----------------------------------------------------------------------


@pytest.mark.anywhere
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("status", [0, 1, 77, 124, 255])
def test_exit_status_is_the_programs(pf, place, status):
    p = pf.run(*place, "--", "/bin/sh", "-c", f"exit {status}")
    assert (p.returncode, p.stdout, p.stderr) == (status, "", "")


@pytest.mark.anywhere
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_exit_status_of_a_signal(pf, place, number):
    p = pf.run(*place, "--", "/bin/sh", "-c", f"kill -{int(number)} $$")
    assert (p.returncode, p.stderr) == (128 + number, "")


@pytest.mark.parametrize("place", PLACES)
def test_a_caller_without_zombies(pf, place):
    """An ignored SIGCHLD is inherited, comes to no signalfd(2) and leaves nothing to wait for."""

    def ignore():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    p = pf.run(*place, "--", "/bin/sh", "-c", "exit 4", preexec_fn=ignore, seconds=20)
    assert p.returncode == 4


def test_a_caller_with_small_files(pf):
    """A unit's LimitFSIZE= ends neither the log's writer nor the supervisor; nor does a small stack."""
    name = pf.unique()
    say = "yes 0123456789 | head -c 60000; exit 7"

    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (10000, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_STACK, (1 << 16, 1 << 23))

    flags = ["--name", name, "--cpus", CPU]
    pf.ok("run", "-d", *flags, "--", "/bin/sh", "-c", say, preexec_fn=small)
    wait(lambda: name not in pf.ok("ps"), 20, f"the end of {name}")
    assert (LOGS / f"{name}.log").stat().st_size == 60000
    assert [r["how"] for r in pf.json("ps", "-a", "--json") if r["name"] == name] == ["exit 7"]
    # on the bare host its limits are the caller's
    seen = pf.run("--in", "host", "--", "/bin/sh", "-c", "ulimit -f", preexec_fn=small)
    assert int(seen.stdout) * 512 <= 10000


@pytest.mark.parametrize("place", PLACES)
def test_not_found_is_127(pf, place):
    for program in ("no-such-program", "/usr/no/such"):
        pf.fails("run", "--cpus", CPU, *place, "--", program, like=f"'{program}'", status=127)


@pytest.mark.parametrize("place", PLACES)
def test_cannot_run_is_126(pf, place):
    for program in ("/etc/passwd", "/usr/bin"):
        pf.fails("run", "--cpus", CPU, *place, "--", program, like=f"'{program}'", status=126)


def test_program_of_unknown_format_is_126(pf, tmp_path):
    program = tmp_path / "odd"
    program.write_bytes(b"\0\1\2\3")
    program.chmod(0o755)
    flags = ["--cpus", CPU, "-v", f"{program}:/odd:ro"]
    pf.fails("run", *flags, "--", "/odd", like="'/odd'.*[Ff]ormat", status=126)
    program.write_text("#!/no/such/interpreter\n")
    p = pf("run", *flags, "--", "/odd")
    assert p.returncode in (126, 127) and p.stderr.count("\n") == 1


@pytest.mark.anywhere
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP])
def test_signals_are_handed_on(pf, place, number):
    script = f"trap 'echo got; exit 42' {int(number)}; echo up; while :; do sleep 0.01; done"
    s, _ = pf.begin(*place, script=script)
    s.signal(number)
    assert s.end() == 42
    assert s.text() == "up\ngot\n"


@pytest.mark.anywhere
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_signals_that_the_caller_ignores(pf, place, number):
    """As a shell has it for what runs in the background, and nohup: a shell can trap none that it was started with
    ignored."""
    script = f"trap 'echo got; exit 42' {int(number)}; echo up; while :; do sleep 0.01; done"
    s, _ = pf.begin(*place, script=script, preexec_fn=lambda: signal.signal(number, signal.SIG_IGN))
    s.signal(number)
    assert s.end() == 42


@pytest.mark.parametrize("place", PLACES)
def test_a_signal_that_is_not_caught(pf, place):
    s, _ = pf.begin(*place)
    s.signal(signal.SIGTERM)
    assert s.end() == 128 + signal.SIGTERM
    assert s.text() == "up\n"


def test_output_and_errors_stay_apart(pf):
    p = pf.run("--", "/bin/sh", "-c", "echo out; echo err >&2; exit 3")
    assert (p.returncode, p.stdout, p.stderr) == (3, "out\n", "err\n")


def test_much_output_is_complete(pf):
    text = pf.python("import sys; sys.stdout.write('x' * (4 << 20))")
    assert len(text) == 4 << 20


def test_children_of_the_program_end_with_it(pf):
    name = unique()
    pf.ok("run", "--name", name, "--cpus", CPU, "--", "/bin/sh", "-c", "sleep 1000 & exit 0")
    assert name not in pf.ps()


# --- standard input, environment, user, host name -------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
def test_standard_input(pf, place):
    assert pf.run(*place, "--", "cat", input="words\n").stdout == ""
    assert pf.run(*place, "-i", "--", "cat", input="words\n").stdout == "words\n"
    # the program's end of the pipe is the caller's own
    big = "y" * (1 << 20)
    p = pf.run(*place, "-i", "--", "sh", "-c", "wc -c", input=big)
    assert p.stdout.strip() == str(len(big))


def test_standard_input_is_empty(pf, tmp_path):
    (tmp_path / "in").write_text("words\n")
    with open(tmp_path / "in", encoding="ascii") as f:
        text = pf.shell("readlink /proc/self/fd/0; cat; echo end", stdin=f)
    assert str(tmp_path) not in text and text.splitlines()[1:] == ["end"]


def test_descriptors_do_not_leak(pf):
    r, w = os.pipe()
    try:
        text = pf.shell("ls /proc/self/fd", pass_fds=(r, w))
    finally:
        os.close(r)
        os.close(w)
    # the fourth is the directory that ls reads
    assert text.split() == ["0", "1", "2", "3"]


def test_leftovers_are_seen(tmp_path):
    """What the check for leaks passes over it passes over only as what pinfold keeps there."""
    run = tmp_path / "run"
    for name in ("leases", "box"):
        (run / name).mkdir(parents=True)
    for name in ("grant.json", "lock"):
        (run / name).touch()
    before = leftovers.files(str(run))
    left = [run / name for name in ("grant.json", "pen", "runtime", "ids.json", "box/x")]
    left[0].write_text("{}")
    left[1].touch()
    left[2].symlink_to("/etc")
    left[3].mkdir()
    left[4].touch()
    assert leftovers.files(str(run)) - before == {f"file {path}" for path in left}


def own_group(pid):
    """Directory of its cgroup in the first hierarchy that has a controller (v1) or the only one."""
    lines = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    names, path = next(([n, p] for _, n, p in lines if n), lines[0][1:])
    return Path(f"/sys/fs/cgroup/{names}{path}")


@pytest.mark.skipif(STRACE is None, reason="package strace is not installed")
def test_stays_where_it_is_moved_while_it_starts(pf):
    """Its thread that moves itself to where it is (apply/grace.c) does not move the process."""
    group = own_group("self") / unique("elsewhere")
    group.mkdir()
    try:
        # no write for a while: the thread has looked where it is
        slow = [STRACE, "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=write"]
        slow += ["-e", "inject=write:delay_enter=700000:when=1"]
        name = pf.unique()
        run = [pf.path, "run", "--name", name, "--cpus", CPU, "--", "/bin/sleep", "1000"]
        pid = str(pf.start_other(*slow, *run).pid)
        wait(lambda: len(os.listdir(f"/proc/{pid}/task")) == 2, what="its second thread")
        time.sleep(0.2)
        (group / "cgroup.procs").write_text(pid)
        wait(lambda: len(os.listdir(f"/proc/{pid}/task")) == 1, what="the end of that")
        assert own_group(pid) == group
    finally:
        pf.put_away()
        wait(lambda: not (group / "cgroup.procs").read_text(), what="its end")
        group.rmdir()


@pytest.mark.parametrize("place", PLACES)
def test_environment(pf, place):
    p = pf.run(*place, "-e", "A=b c", "--env", "EMPTY=", "-e", "E=x=y", "--", "env")
    lines = p.stdout.splitlines()
    assert {"A=b c", "EMPTY=", "E=x=y", "PINFOLD_GRANT=/run/pinfold/grant.json"} <= set(lines)


def test_environment_is_not_the_callers(pf):
    env = {**os.environ, "SECRET_OF_THE_HOST": "1", "LD_PRELOAD": ""}
    text = pf.shell("env", env=env)
    assert "SECRET" not in text and "LD_PRELOAD" not in text


@pytest.mark.anywhere
@pytest.mark.parametrize("place", RUNTIMES)
@pytest.mark.parametrize(
    "user, uid, gid",
    [("1000", 1000, 1000), ("1000:100", 1000, 100), ("nobody", 65534, 65534), ("0", 0, 0)],
)
def test_user(pf, place, user, uid, gid):
    script = "id -u; id -g; cat /proc/self/status; touch /tmp/x /run/x && stat -c %u:%g /run/x"
    text = pf.shell(script, *place, "--user", user)
    assert text.splitlines()[:2] == [str(uid), str(gid)]
    assert text.splitlines()[-1] == f"{uid}:{gid}"
    for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status_field(text, field), 16) == 0
    assert status_field(text, "NoNewPrivs") == "1"
    assert status_field(text, "Seccomp") == "2"


def test_host_name(pf):
    name = unique()
    assert pf.shell("uname -n; echo $HOSTNAME", "--name", name) == f"{name}\n{name}\n"
    assert pf.shell("uname -n", "--hostname", "vnf.example") == "vnf.example\n"
    assert socket.gethostname() not in (name, "vnf.example")


# --- terminals ------------------------------------------------------------------------------------


class Terminal:
    """pinfold run under a terminal of its own."""

    def __init__(self, *command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.closerange(3, 1024)
            os.execv(command[0], [str(c) for c in command])
        self.seen = ""

    def until(self, pattern, seconds=20):
        deadline = time.monotonic() + seconds * SLOW
        while (m := re.search(pattern, self.seen)) is None:
            left = deadline - time.monotonic()
            if left <= 0 or not self.read(left):
                pytest.fail(f"no {pattern!r} in {self.seen!r}")
        return m

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.fd, 4096)
        except OSError as e:
            if e.errno != errno.EIO:
                raise
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        while self.read(20 * SLOW):
            pass
        status = os.waitpid(self.pid, 0)[1]
        self.pid = None
        return os.waitstatus_to_exitcode(status)

    def close(self):
        if self.fd is not None:
            os.close(self.fd)  # the kernel hangs up on what is there
            self.fd = None
        if self.pid is None:
            return None
        deadline = time.monotonic() + 5 * SLOW
        while (found := os.waitpid(self.pid, os.WNOHANG))[0] == 0:
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                return "survived"
            time.sleep(0.005)
        self.pid = None
        return os.waitstatus_to_exitcode(found[1])


@pytest.fixture
def terminal(pf):
    opened = []

    def start(*args):
        opened.append(Terminal(pf.path, "run", "--cpus", CPU, *args))
        return opened[-1]

    yield start
    for t in opened:
        t.close()


@pytest.mark.parametrize("place", RUNTIMES)
@pytest.mark.guest
def test_terminal(terminal, place):
    t = terminal("-it", *place, "--", "/bin/sh")
    t.type("test -t 0 && test -t 1 && test -t 2 && tty && echo yes-$TERM\n")
    t.until(r"/dev/pts/\d+\r\nyes-xterm")
    t.type("sh -c 'echo in-$((1+1)); exec sleep 1000'\n")
    t.until("in-2")
    t.type("\x03")  # Ctrl-C reaches what is in front, not the shell
    t.until(r"\^C\r\n")
    t.type("echo still-$((20+22))\n")
    t.until("still-42")
    t.type("exit 5\n")
    assert t.end() == 5


def test_terminal_interrupt_arrives_once(terminal):
    script = "trap 'echo int' INT; echo up; sleep 0.3; sleep 0.3; sleep 0.3; exit 6"
    t = terminal("--", "/bin/sh", "-c", script)
    t.until("up")
    t.type("\x03")
    assert t.end() == 6
    assert len(re.findall("int\r\n", t.seen)) == 1, t.seen


def test_terminal_that_hangs_up_ends_it(pf, terminal):
    """A lost connection must not leave a container that polls for ever."""
    name = pf.unique()
    t = terminal("--name", name, "-it", "--", "/bin/sh")
    t.type("echo up-$((1+1))\n")
    t.until("up-2")
    assert t.close() != "survived"
    assert name not in pf.ps()


# --- in the background ----------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.guest
def test_detached(pf, place):
    name = pf.detach(*place, command=("/bin/sh", "-c", "echo out; echo err >&2; exec sleep 1000"))
    row = pf.ps()[name]
    assert row["state"] == "running" and row["cpus"] == str(CPU) and row["detached"] is True
    wait(lambda: pf("logs", name).stdout == "out\nerr\n", what="the output in the log")
    pf.ok("stop", name)
    assert name not in pf.ps()
    assert pf.ok("logs", name) == "out\nerr\n"


def test_detached_without_caller(pf):
    """It is no child of who started it and keeps nothing of it."""
    name = pf.detach()
    supervisor = pf.lease(name)["supervisor"]
    for n in range(3):
        assert os.readlink(f"/proc/{supervisor}/fd/{n}") == "/dev/null"
    assert os.readlink(f"/proc/{supervisor}/cwd") == "/"
    stat = Path(f"/proc/{supervisor}/stat").read_text().rpartition(") ")[2].split()
    assert int(stat[1]) != os.getpid() and stat[4] == "0"  # parent and terminal


def test_detached_that_fails_says_so(pf):
    """And leaves no log of nothing, nor takes away that of a former workload."""
    name, former = unique(), pf.detach(command=("/bin/sh", "-c", f"head -c {9 << 20} /dev/zero"))
    wait(lambda: former not in pf.ps(), what="the end")
    times = pf.ok("logs", "-t", former)[:22]
    kept = {log.name: log.stat().st_size for log in LOGS.glob(f"{former}.log*")}
    ends = ("", ".1")
    assert set(kept) == {f"{former}.log{end}{of}" for end in ends for of in ("", ".times")}
    assert sum(kept[f"{former}.log{end}"] for end in ends) == 9 << 20
    for cpu, program, like, status in (
        (CPU, "no-such", "'no-such'", 127),
        (CPU, "/etc/passwd", "passwd", 126),
        ("4000", "/bin/true", "4000", 125),
    ):
        for n in (name, former):
            pf.fails(
                "run", "-d", "--name", n, "--cpus", cpu, "--", program, like=like, status=status
            )
        assert not list(LOGS.glob(f"{name}.log*"))
        assert {log.name: log.stat().st_size for log in LOGS.glob(f"{former}.log*")} == kept
    assert pf.ok("logs", "-t", former)[:22] == times and times[0] == "2"


# --- users, root, what of the host is there -------------------------------------------------------


def uid_map(pf, *flags, **kw):
    return [int(x) for x in pf.shell("cat /proc/self/uid_map", *flags, **kw).split()]


def ranges(path):
    for line in Path(path).read_text().splitlines() if os.path.exists(path) else []:
        fields = line.split(":")
        if len(fields) == 3:
            yield int(fields[1]), int(fields[2])


@needs_two
def test_user_ranges_are_disjoint(pf):
    s, name = pf.begin(cpu=OTHER)
    held = pf.lease(name)["uid-base"]
    inside, base, size = uid_map(pf)
    assert inside == 0 and size == 65536
    mine = [(base, size), (held, 65536)]
    for start, length in [*ranges("/etc/subuid"), *ranges("/etc/subgid"), mine[1]]:
        assert base + size <= start or start + length <= base
    for pid in processes_of(pf.lease(name)):
        assert held <= os.stat(f"/proc/{pid}").st_uid < held + 65536
    s.signal(signal.SIGTERM)
    s.end()


ROOT = """
import errno, json, os
res = {}
tops = "/ /usr /etc /opt /sys /proc /dev/pts /run/pinfold/inside /sys/devices/system/cpu"
for top in tops.split():
    try:
        os.close(os.open(f"{top}/x" if os.path.isdir(top) else top, os.O_CREAT | os.O_WRONLY))
        res[top] = "written"
    except OSError as e:
        res[top] = errno.errorcode[e.errno]
for top in "/run /tmp /dev/shm /var/tmp /var/run".split():
    with open(f"{top}/x", "w") as f:
        f.write("x")
res["top"] = sorted(os.listdir("/"))
res["var"] = sorted(os.listdir("/var"))
res["ids"] = {d: os.stat("/" + d).st_uid for d in os.listdir("/")}
print(json.dumps(res))
"""


@pytest.mark.parametrize("place", RUNTIMES)
@pytest.mark.parametrize("user", ["0", "1000"])
def test_root_is_read_only(pf, place, user):
    seen = json.loads(pf.python(ROOT, *place, "--user", user))
    for path, result in seen.items():
        if path.startswith("/"):
            assert result in ("EROFS", "EACCES", "EPERM", "ENOENT"), path
    assert seen["/"] == seen["/usr"] == "EROFS"


def test_of_the_host_only_what_programs_need(pf):
    seen = json.loads(pf.python(ROOT))
    allowed = "bin dev etc lib lib32 lib64 libx32 opt proc run sbin sys tmp usr var".split()
    assert set(seen["top"]) <= set(allowed)
    assert seen["var"] == ["run", "tmp"]
    script = "cat /etc/shadow || ls /etc/pinfold || ls /run/pinfold/leases || ls /root || ls /home"
    p = pf.run("--", "/bin/sh", "-c", script)
    assert p.returncode != 0 and p.stdout == ""


def test_tmp_is_its_own(pf, tmp_path):
    assert pf.shell("ls -A /tmp /var/tmp /dev/shm | grep -v :$ | grep -c .; true") == "0\n"
    pf.shell("echo x > /tmp/from-inside; echo x > /run/from-inside")
    assert not os.path.exists("/tmp/from-inside") and not os.path.exists("/run/from-inside")


@pytest.mark.guest
def test_devices(pf):
    text = pf.shell("find /dev -type c -o -type b | sort")
    assert set(text.split()) <= {
        f"/dev/{n}" for n in ("null zero full random urandom tty ptmx pts/ptmx console").split()
    }
    # a node of its own cannot be made, with or without the file mode
    p = pf.run("--", "mknod", "/dev/x", "c", "1", "1")
    assert p.returncode != 0


def test_device_list_holds_for_any_privilege(pf):
    """The cgroup's list alone, on v1: root itself opens no other device there. (v2: test_guest_cgroup.py)"""
    if not Path("/sys/fs/cgroup/devices").is_dir():
        pytest.skip("there are no cgroups of version 1 for devices")
    _, name = pf.begin()
    text = Path(f"/proc/{pf.program(name, 'sleep')}/cgroup").read_text()
    group = re.search(r"^\d+:[^:]*\bdevices\b[^:]*:(.*)$", text, re.M)[1]
    assert f"pinfold/{name}" in group
    assert devices_opened(f"/sys/fs/cgroup/devices{group}/cgroup.procs") == BASIC
    if devices_opened() == BASIC:
        pytest.skip("this machine has no other device to try")


def test_network_is_empty(pf):
    text = pf.shell("tail -n +3 /proc/net/dev | cut -d: -f1; tail -n +2 /proc/net/route")
    assert text.split() == ["lo"]


def test_namespaces_are_new(pf):
    kinds = ["pid", "ipc", "uts", "net", "mnt", "user", "cgroup"]
    text = pf.shell("".join(f"readlink /proc/self/ns/{k};" for k in kinds))
    for kind, seen in zip(kinds, text.splitlines(), strict=True):
        assert seen != os.readlink(f"/proc/self/ns/{kind}"), kind
    # init, the shell and ps
    assert len(pf.shell("cd /proc; ls -d [0-9]* | sort -n; :").split()) <= 4


@pytest.mark.guest
def test_one_process_limit(pf):
    code = (
        "import os, json\nn = 0\ntry:\n  while n < 200:\n    if os.fork() == 0:\n"
        "      os.read(0, 1) or __import__('time').sleep(1000)\n      os._exit(0)\n    n += 1\n"
        "except BlockingIOError: pass\nprint(n, flush=True)\nos._exit(0)"
    )
    assert int(pf.python(code, "--pids", "20")) == 19


@pytest.mark.guest
def test_memory_limit_kills(pf):
    # the program is killed by the kernel, not pinfold
    p = pf.run("--memory", "32M", "--", PYTHON, "-I", "-c", "x = b'x' * (256 << 20)")
    assert p.returncode == 137


def test_grant_file_inside(pf):
    name = unique()
    doc = json.loads(pf.shell("cat $PINFOLD_GRANT", "--name", name, "--pids", "77"))
    assert doc["name"] == name and doc["cpus"] == str(CPU) and doc["pids"] == 77


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.guest
def test_cpus_are_the_grants(pf, place):
    p = pf.run(*place, "--", "grep", "_allowed_list", "/proc/self/status")
    assert ids(status_field(p.stdout, "Cpus_allowed_list")) == {CPU}
    code = "import os; os.sched_setaffinity(0, range(1024)); print(*os.sched_getaffinity(0))"
    p = pf.run(*place, "--", PYTHON, "-I", "-c", code)
    assert p.stdout == f"{CPU}\n", p.stderr


# --- volumes --------------------------------------------------------------------------------------


@pytest.fixture
def shared(tmp_path):
    """A directory that users of any container may pass and write."""
    d = tmp_path / "shared"
    d.mkdir()
    d.chmod(0o777)
    (d / "file").write_text("content\n")
    (d / "file").chmod(0o666)
    return d


@pytest.mark.parametrize("place", RUNTIMES)
def test_volume_directory(pf, place, shared):
    volume = f"{shared}:/data"
    script = "cat /data/file; echo new > /data/new && cat /data/new"
    assert pf.shell(script, *place, "-v", volume) == "content\nnew\n"
    assert (shared / "new").read_text() == "new\n"
    assert os.stat(shared / "new").st_uid >= 0x70000000
    os.unlink(shared / "new")
    script = "cat /data/file; echo new > /data/new || echo no; echo x >> /data/file || echo no"
    assert pf.shell(script, *place, "-v", f"{volume}:ro") == "content\nno\nno\n"
    assert os.listdir(shared) == ["file"]


@pytest.mark.parametrize("place", RUNTIMES)
def test_volume_file(pf, place, shared):
    file = shared / "file"
    assert pf.shell("cat /a/b/c; echo x >> /a/b/c", *place, "-v", f"{file}:/a/b/c:rw") == (
        "content\n"
    )
    assert file.read_text() == "content\nx\n"
    p = pf.run(*place, "-v", f"{file}:/srv/file:ro", "--", "sh", "-c", "echo x > /srv/file")
    assert p.returncode != 0


def test_volume_over_what_is_shown(pf, shared):
    assert pf.shell("cat /opt/file", "-v", f"{shared}:/opt") == "content\n"
    assert pf.shell("cat /run/data/file", "-v", f"{shared}:/run/data:ro") == "content\n"
    assert pf.shell("cat /tmp/a/b/file", "-v", f"{shared}:/tmp/a/b") == "content\n"
    assert sorted(os.listdir("/opt")) == sorted(os.listdir("/opt"))


def test_volume_with_a_program(pf, shared):
    program = shared / "program"
    program.write_text("#!/bin/sh\necho $0\n")
    program.chmod(0o755)
    p = pf.run("-v", f"{shared}:/data:ro", "--", "/data/program")
    assert (p.returncode, p.stdout) == (0, "/data/program\n")


def test_volume_gives_no_device(pf, shared):
    """A node in a volume opens nothing, whoever made it."""
    subprocess.run(["mknod", "-m", "666", str(shared / "mem"), "c", "1", "1"], check=True)
    for mode in ("rw", "ro"):
        p = pf.run("-v", f"{shared}:/data:{mode}", "--", "head", "-c", "1", "/data/mem")
        assert p.returncode != 0 and re.search("ot permitted|ermission denied", p.stderr)


def test_volume_ro_covers_mounts_below(pf, pinfold, shared):
    """A writable mount below a read-only volume is read-only too."""
    script = (
        f"mkdir {shared}/sub && mount -t tmpfs -o mode=777 none {shared}/sub && "
        f"{pinfold} run --cpus {CPU} -v {shared}:/data:ro -- "
        "sh -c 'echo x > /data/sub/x && echo written || echo refused'"
    )
    p = subprocess.run(
        ["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=False
    )
    assert p.stdout == "refused\n", p.stdout + p.stderr


# --- the plan is what happens ---------------------------------------------------------------------


def mountinfo(text):
    """(target, type, flags of the mount)"""
    found = []
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        words = left.split()
        found.append((words[4], right.split()[0], set(words[5].split(","))))
    return found


@needs_pages(8)
@pytest.mark.guest
def test_plan_is_what_happens(pf):
    flags = ["--name", unique(), "--cpus", CPU, "--hugepages", "2M=8"]
    oci = pf.json("plan", "--format", "oci", *flags, "--", "/bin/cat", "/proc/self/mountinfo")
    seen = mountinfo(pf.ok("run", *flags, "--", "/bin/cat", "/proc/self/mountinfo"))
    by_target = {target: (kind, flags) for target, kind, flags in seen}
    planned = {m["destination"]: m for m in oci["mounts"]}
    assert len(planned) == len(oci["mounts"])
    for target, m in planned.items():
        kind, attributes = by_target[target]
        if m["type"] != "bind":
            assert kind == m["type"]
        for word in ("nosuid", "nodev", "noexec", "ro"):
            if word in m["options"]:
                assert word in attributes, (target, word)
    known = set(planned) | {"/"} | set(oci["linux"]["maskedPaths"] + oci["linux"]["readonlyPaths"])
    # the runtime's devices, and the host's directories that root is made of
    known |= {f"/dev/{n}" for n in ("null", "zero", "full", "tty", "random", "urandom", "console")}
    known |= {f"/{n}" for n in ("usr", "etc", "opt", "bin", "sbin", "lib", "lib32", "lib64")}
    known |= {"/sys", f"/sys/devices/system/cpu/cpu{CPU}"}
    for target in ("/sys", f"/sys/devices/system/cpu/cpu{CPU}"):
        assert {"ro", "nosuid", "nodev"} <= by_target[target][1]
    assert set(by_target) - known == set()
    assert "hugetlbfs" == by_target["/dev/hugepages"][0]


def test_plan_changes_nothing(pf):
    flags = ["--cpus", CPU, "--", "/bin/true"]
    assert pf.ok("plan", *flags) == pf.ok("plan", *flags)
    doc = pf.json("plan", "--format", "json", *flags)
    assert doc


@needs_two
@pytest.mark.guest
def test_mounts_do_not_grow_with_the_host(pf):
    """One mount a granted CPU, a constant number besides."""
    count = "wc -l < /proc/self/mountinfo"
    one = int(pf.shell(count))
    two = int(pf.shell(count, cpu=f"{OTHER},{CPU}"))
    assert two == one + 1 and one < 60


@pytest.mark.guest
def test_plan_of_cgroups_is_what_happens(pf):
    s, name = pf.begin("--pids", "55", "--memory", "64M")
    lease = pf.lease(name)
    top = Path("/sys/fs/cgroup")
    if (top / "cgroup.controllers").exists():
        box = Path(lease["cgroup"]) / "box"
        want = {"pids.max": "56", "memory.max": str(64 << 20), "cpuset.cpus": str(CPU)}
        swap = {"memory.swap.max": "0"}
        files = {k: box / k for k in (*want, *swap)}
    else:
        want = {"pids.max": "56", "memory.limit_in_bytes": str(64 << 20), "cpuset.cpus": str(CPU)}
        swap = {"memory.memsw.limit_in_bytes": str(64 << 20)}
        files = {
            k: top / k.partition(".")[0] / "pinfold" / name / "box" / k for k in (*want, *swap)
        }
    # a kernel that does not account for swap has no file for it
    want |= {k: v for k, v in swap.items() if files[k].exists()}
    assert {k: files[k].read_text().strip() for k in want} == want
    s.signal(signal.SIGTERM)
    s.end()


@needs_two
@pytest.mark.guest
def test_supervisor_is_not_on_the_granted_cpu_for_long(pf):
    """Its cgroup has no limit of the workload's: it can always be woken elsewhere."""
    _, name = pf.begin()
    text = Path(f"/proc/{pf.lease(name)['supervisor']}/status").read_text()
    assert ids(status_field(text, "Cpus_allowed_list")) >= {OTHER}


BUSY = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"


@pytest.mark.guest
@needs_v2
def test_a_stray_process_takes_little_of_a_granted_cpu(pf):
    """A cgroup would weigh as much as one process of the host: it would get half."""

    def busy(pid):  # clock ticks, proc(5)
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        return int(fields[11]) + int(fields[12])

    _, name = pf.begin(script=f"echo up; exec {PYTHON} -I -c '{BUSY}'")
    inside = processes_of(pf.lease(name))
    stray = pf.start_other("taskset", "-c", CPU, PYTHON, "-I", "-c", BUSY)
    wait(lambda: busy(stray.pid) > 0 and max(map(busy, inside)) > 50, 60, "both")
    begin = busy(stray.pid), max(map(busy, inside))
    wait(lambda: max(map(busy, inside)) - begin[1] > 200, 60, "two seconds of it")
    took = busy(stray.pid) - begin[0], max(map(busy, inside)) - begin[1]
    assert took[0] < took[1] / 4, took


# --- images ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """A root file system with little in it, by hand."""
    root = tmp_path_factory.mktemp("images") / "image"
    for d in ("bin", "lib", "lib64", "etc"):
        (root / d).mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nvnf:x:4321:100::/:/bin/sh\n")
    for program in ("/bin/sh", "/bin/cat", "/bin/ls", "/bin/id"):
        shutil.copy(program, root / program.lstrip("/"))
        text = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        for lib in re.findall(r"(/\S+) \(0x", text):
            target = root / lib.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(lib, target)
    (root.parent.parent).chmod(0o755)
    return root


@pytest.mark.parametrize("place", RUNTIMES)
def test_image(pf, place, image):
    def tree():
        return sorted((str(p), p.lstat().st_mtime_ns, p.lstat().st_mode) for p in image.rglob("*"))

    before = tree()
    flags = [*place, "--image", image]
    assert set(pf.shell("ls /", *flags).split()) >= {"bin", "proc", "dev", "run"}
    assert "usr" not in pf.shell("ls /; ls /etc", *flags).split()
    assert pf.shell("id -u; id -g", *flags, "--user", "vnf") == "4321\n100\n"
    p = pf.run(*flags, "--", "/bin/sh", "-c", "echo x > /etc/passwd")
    assert p.returncode != 0
    assert pf.shell("echo x > /tmp/x; echo x > /run/x; cat /var/run/x", *flags) == "x\n"
    assert tree() == before


def test_image_with_volumes(pf, image, shared):
    script = "cat /data/file /etc/added/file"
    flags = ["--image", image, "-v", f"{shared}:/data", "-v", f"{shared}:/etc/added:ro"]
    assert pf.shell(script, *flags) == "content\ncontent\n"


def test_image_without_the_program(pf, image):
    for name in ("lscpu", "/usr/bin/lscpu"):
        pf.fails(
            "run",
            "--cpus",
            CPU,
            "--image",
            image,
            "--",
            name,
            like=f"'{name}'.*image '{image}'",
            status=127,
        )
