# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold-inside: as first process of a pid namespace and as a plain process of the host."""

import ctypes
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest
from places import TOP

INSIDE = os.path.join(TOP, os.environ.get("PINFOLD_INSIDE", "build/src/inside/pinfold-inside"))
ROOT = os.geteuid() == 0
NAMESPACE = ["unshare", "--fork", "--pid", "--mount-proc"]

pytestmark = [
    pytest.mark.skipif(not os.access(INSIDE, os.X_OK), reason=f"{INSIDE} is not built"),
    pytest.mark.anywhere,
]
needs_root = pytest.mark.skipif(not ROOT, reason="needs root")

# As a plain process, and as process 1 of a namespace of its own.
both = pytest.mark.parametrize(
    "before", [[], pytest.param(NAMESPACE, marks=needs_root)], ids=["host", "pid1"]
)


def run(*args, before=(), **kw):
    kw.setdefault("timeout", 30)
    return subprocess.run(
        [*before, INSIDE, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, **kw
    )


def run_status(*args, before=()):
    """Runs init with a status descriptor; returns the process and what was written there."""
    r, w = os.pipe()
    try:
        p = run("init", "--status-fd", str(w), *args, before=before, pass_fds=[w])
    finally:
        os.close(w)
    with os.fdopen(r) as f:
        return p, f.read()


# --- command line ---------------------------------------------------------------------------------


def test_version_and_help():
    assert re.fullmatch(r"pinfold-inside \d+\.\d+\.\d+\n", run("--version").stdout)
    p = run("--help")
    assert p.returncode == 0 and "init" in p.stdout and "show" in p.stdout


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["nonsense"],
        ["init"],
        ["init", "--"],
        ["init", "--nonsense", "true"],
        ["init", "--status-fd"],
        ["init", "--status-fd", "x", "true"],
        ["init", "--status-fd", "-1", "true"],
        ["init", "--status-fd", "777", "true"],
        ["init", "--join-fd", "x", "true"],
        ["init", "--join-fd", "1", "true"],
        ["init", "--join-fd", "777", "true"],
        ["init", "--become", "--cpus", "4000", "true"],
        ["init", "--cpus", "", "true"],
        ["init", "--cpus", "3-1", "true"],
        ["init", "--cpus", "8191", "true"],
        ["init", "--cpus", "8192", "true"],
        ["show", "--nonsense"],
        ["show", "extra"],
        ["show", "--eal", "--env"],
        ["show", "--eal", "--json"],
    ],
)
def test_usage_errors_are_one_line(args):
    p = run(*args)
    assert p.returncode == 125
    assert p.stdout == ""
    assert p.stderr.startswith("pinfold-inside: ") and p.stderr.count("\n") == 1


def test_static_and_small():
    with open(INSIDE, "rb") as f:
        data = f.read()
    assert b"/lib64/ld-linux" not in data[:4096]
    assert len(data) < 4 << 20


# --- init: in the place of it, in another cgroup ---------------------------------------------------


def test_become():
    """The program is the very process, and what keeps it from being one is told as always."""
    p = subprocess.Popen(
        [INSIDE, "init", "--become", "sh", "-c", "echo $$"], stdout=subprocess.PIPE
    )
    assert p.communicate(timeout=30)[0] == b"%d\n" % p.pid
    assert run("init", "--become", "--", "sh", "-c", "exit 7").returncode == 7
    p = run("init", "--become", "/no/such")
    assert p.returncode == 127 and p.stderr.startswith("pinfold-inside: cannot run '/no/such'")
    p, said = run_status("--become", "/etc/passwd")
    assert p.returncode == 126 and re.fullmatch(r"started \d+\nfailed 13\n", said)
    p, said = run_status("--become", "true")
    assert p.returncode == 0 and re.fullmatch(r"started \d+\n", said)


def test_join():
    """It says "0" to the control file before all else, and hands it on to nobody."""
    r, w = os.pipe()
    for become in ([], ["--become"]):
        look = f"test ! -e /proc/self/fd/{w} && test ! -e /proc/$$/fd/{w}"
        p = run("init", *become, "--join-fd", str(w), "sh", "-c", look, pass_fds=[w])
        assert (p.returncode, p.stderr) == (0, "")
        assert os.read(r, 9) == b"0"
    os.close(w)
    p = run("init", "--join-fd", str(r), "sh", "-c", "echo no", pass_fds=[r])
    os.close(r)
    assert (p.returncode, p.stdout) == (125, "") and "cannot enter the cgroup" in p.stderr


# --- init: exit status and status descriptor ------------------------------------------------------


@both
@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_exit_status(before, code):
    assert run("init", "--", "sh", "-c", f"exit {code}", before=before).returncode == code


@both
@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV", "ABRT"])
def test_status_of_a_signal(before, name):
    p = run("init", "sh", "-c", f"ulimit -c 0; kill -{name} $$", before=before)
    assert p.returncode == 128 + getattr(signal, "SIG" + name)


@both
def test_started_line(before):
    p, line = run_status("sh", "-c", "echo $$; exit 3", before=before)
    assert p.returncode == 3
    assert line == f"started {p.stdout.strip()}\nended 3\n"


def test_ended_line():
    assert run_status("sh", "-c", "kill -9 $$")[1].endswith("\nended 137\n")


def test_status_of_a_full_pipe():
    """Whoever filled the pipe is not waited for."""
    r, w = os.pipe()
    os.set_blocking(w, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(w, b"x" * 65536)
    os.set_blocking(w, True)
    reader = subprocess.Popen(["sh", "-c", "sleep 1; cat >/dev/null"], stdin=r)
    p = run("init", "--status-fd", str(w), "sh", "-c", "exit 4", pass_fds=[w])
    os.close(w)
    os.close(r)
    reader.wait(10)
    assert p.returncode == 4


@both
@pytest.mark.parametrize(
    "program, code, errno",
    [
        ("no-such-program", 127, 2),
        ("/no/such/program", 127, 2),
        ("/etc/passwd", 126, 13),
        ("/", 126, 13),
    ],
)
def test_failed_line(before, program, code, errno):
    p, line = run_status(program, before=before)
    assert (p.returncode, line) == (code, f"failed {errno}\n")
    assert p.stdout == "" and p.stderr == ""


def test_unknown_format_is_not_given_to_a_shell(tmp_path):
    script = tmp_path / "script"
    script.write_text("exit 5\n")
    script.chmod(0o755)
    p, line = run_status(str(script))
    assert (p.returncode, line) == (126, "failed 8\n")


def test_path_of_the_environment(tmp_path):
    (tmp_path / "tool").symlink_to("/bin/true")
    assert run("init", "tool", env={"PATH": f"/nonexistent:{tmp_path}"}).returncode == 0
    assert run("init", "tool", env={"PATH": "/nonexistent"}).returncode == 127
    # a match that may not be executed does not hide a later one, and is remembered
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "tool").write_text("")
    assert run("init", "tool", env={"PATH": f"{tmp_path}/a:{tmp_path}"}).returncode == 0
    assert run("init", "tool", env={"PATH": f"{tmp_path}/a"}).returncode == 126


def test_program_does_not_inherit_descriptors():
    p, _ = run_status("sh", "-c", "ls /proc/self/fd")
    # 0, 1, 2 and the one ls has open
    assert len(p.stdout.split()) == 4


def test_reader_of_the_status_went_away():
    r, w = os.pipe()
    os.close(r)
    p = run("init", "--status-fd", str(w), "sh", "-c", "exit 4", pass_fds=[w])
    os.close(w)
    assert p.returncode == 4


# --- init: what the program starts with -----------------------------------------------------------


def test_signals_are_reset():
    def dirty():
        for s in (signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE, signal.SIGUSR1):
            signal.signal(s, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))

    p = run("init", "cat", "/proc/self/status", preexec_fn=dirty)
    masks = dict(re.findall(r"^Sig(Blk|Ign|Cgt|Pnd):\s*(\w+)$", p.stdout, re.M))
    assert {k: int(v, 16) for k, v in masks.items()} == {"Blk": 0, "Ign": 0, "Cgt": 0, "Pnd": 0}


def test_cpus():
    cpu = max(os.sched_getaffinity(0))
    p = run("init", "--cpus", str(cpu), "cat", "/proc/self/status")
    assert f"Cpus_allowed_list:\t{cpu}\n" in p.stdout


def test_cpus_that_are_not_there():
    mine = os.sched_getaffinity(0)
    p, line = run_status("--cpus", f"{min(mine)},1000", "true")
    assert p.returncode == 125 and line == ""
    assert "1000" in p.stderr and p.stderr.count("\n") == 1


# --- init: signals and orphans --------------------------------------------------------------------

CATCH = r"""
import signal, sys, time
n = getattr(signal, "SIG" + sys.argv[1])
def got(s, frame):
    print("got", s, flush=True)
    sys.exit(42)
signal.signal(n, got)
print("ready", flush=True)
time.sleep(20)
"""


@pytest.mark.parametrize(
    "name", ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "WINCH", "ALRM", "PIPE", "RTMIN"]
)
def test_signals_reach_the_program(name):
    sig = getattr(signal, "SIG" + name)
    p = subprocess.Popen(
        [INSIDE, "init", "/usr/bin/python3", "-c", CATCH, name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert p.stdout.readline() == "ready\n"
    p.send_signal(sig)
    assert p.stdout.read() == f"got {int(sig)}\n"
    assert p.wait(20) == 42


@needs_root
def test_signals_reach_the_program_through_pid1():
    p = subprocess.Popen(
        [*NAMESPACE, INSIDE, "init", "/usr/bin/python3", "-c", CATCH, "TERM"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert p.stdout.readline() == "ready\n"
    with open(f"/proc/{p.pid}/task/{p.pid}/children", encoding="ascii") as f:
        init = int(f.read().split()[0])
    os.kill(init, signal.SIGTERM)
    assert p.stdout.read() == f"got {int(signal.SIGTERM)}\n"
    assert p.wait(20) == 42


@pytest.mark.parametrize("delay", [0, 0.0002, 0.0005, 0.001, 0.002])
def test_no_signal_is_lost_at_the_start(delay):
    for _ in range(20):
        # Blocked until init has taken over: what comes before belongs to nobody.
        p = subprocess.Popen(
            [INSIDE, "init", "sleep", "20"],
            stdin=subprocess.DEVNULL,
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]),
        )
        time.sleep(delay)
        p.send_signal(signal.SIGTERM)
        assert p.wait(10) == 128 + signal.SIGTERM


@both
def test_orphans_are_reaped(before):
    script = """
    for i in 1 2 3 4 5; do sh -c 'sleep 0.1 & exit 0'; done
    for i in $(seq 100); do
        set -- $(ps -o pid= --ppid $PPID)
        [ $# -eq 1 ] && break
        sleep 0.1
    done
    exec ps -o stat= --ppid $PPID
    """
    p = run("init", "sh", "-c", script, before=before)
    assert p.returncode == 0
    states = p.stdout.split()
    assert states and not any(s.startswith("Z") for s in states)
    assert len(states) == 1  # the program itself, now ps


def test_thousand_orphans_do_not_cost_the_status():
    script = "for i in $(seq 300); do (true &); done; exit 9"
    assert run("init", "sh", "-c", script).returncode == 9


def test_stop_and_continue():
    p = subprocess.Popen([INSIDE, "init", "sleep", "0.5"], stdin=subprocess.DEVNULL)
    time.sleep(0.1)
    p.send_signal(signal.SIGTSTP)
    time.sleep(0.1)
    p.send_signal(signal.SIGCONT)
    assert p.wait(10) == 0


# --- init: terminals ------------------------------------------------------------------------------

TERMINAL = r"""
import os, signal, sys, time
n = 0
def got(s, frame):
    global n
    n += 1
signal.signal(signal.SIGINT, got)
print("foreground", os.tcgetpgrp(0) == os.getpgrp(), flush=True)
# one that is waited for may come late, and must not come twice
end = time.monotonic() + (20 if "waits" in sys.argv else 1.0)
while time.monotonic() < end:
    time.sleep(0.05)
    if n == 1 and "waits" in sys.argv:
        sys.argv.pop()
        end = time.monotonic() + 1.0
sys.exit(10 + n)
"""


def on_terminal(args, keys, seconds=30.0):
    """Runs args as leader of a session on a new terminal; returns its output and its status."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp(args[0], args)
    out, end, typed = b"", time.monotonic() + seconds, False
    while time.monotonic() < end:
        if select.select([fd], [], [], 0.05)[0]:
            try:
                data = os.read(fd, 4096)
            except OSError:
                break
            out += data
        if not typed and b"foreground" in out:
            time.sleep(0.1)
            os.write(fd, keys)
            typed = True
    end = time.monotonic() + 10
    while (res := os.waitpid(pid, os.WNOHANG))[0] == 0 and time.monotonic() < end:
        time.sleep(0.02)
    if res[0] == 0:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        pytest.fail(f"still there: {out!r}")
    os.close(fd)
    return out.decode(), os.waitstatus_to_exitcode(res[1])


@both
def test_interrupt_key_reaches_the_program_once(before):
    out, status = on_terminal(
        [*before, INSIDE, "init", "/usr/bin/python3", "-c", TERMINAL, "waits"], b"\x03"
    )
    assert "foreground True" in out
    assert status == 11


def test_suspend_key_without_a_shell_does_not_hang():
    out, status = on_terminal([INSIDE, "init", "/usr/bin/python3", "-c", TERMINAL], b"\x1a")
    assert "foreground True" in out
    assert status == 10


# --- show -----------------------------------------------------------------------------------------


def show(*args, before=()):
    p = run("show", "--json", *args, before=before)
    assert p.returncode == 0, p.stderr
    return json.loads(p.stdout)


def ids(text):
    res = set()
    for part in text.split(","):
        if part:
            a, _, b = part.partition("-")
            res |= set(range(int(a), int(b or a) + 1))
    return res


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def status_field(key):
    return re.search(rf"^{key}:\s*(.*)$", read("/proc/self/status"), re.M)[1]


KEYS = {
    "cpus",
    "numa",
    "memory",
    "hugepages",
    "hugetlbfs",
    "pci",
    "devices",
    "netdevs",
    "capabilities",
    "no_new_privs",
    "seccomp",
    "ids",
    "hostname",
    "mounts",
    "processes",
    "root_writable",
    "syscalls",
}


def test_show_keys_are_the_same_with_and_without_probe():
    plain, probed = show(), show("--probe")
    assert set(plain) == set(probed) == KEYS
    assert set(plain["cpus"]) == {"affinity", "online", "eal", "runnable"}
    assert set(plain["numa"]) == {"visible", "allowed"}
    assert plain["cpus"]["runnable"] is None and plain["syscalls"] is None
    for h in plain["hugepages"]:
        assert set(h) == {"size", "total", "free", "takeable"} and h["takeable"] is None


GRANT = {
    "format": 1,
    "name": "fw",
    "cpus": "2-3",
    "mems": "0",
    "memory": "64M",
    "pids": 32,
    "hugepages": [{"size": "2M", "count": 16, "node": 0}],
    "hugetlbfs": [{"size": "2M", "path": "/dev/hugepages"}],
    "nics": [{"pci": "0000:3b:00.1", "iommu-group": 7}],
}


@pytest.mark.parametrize(
    "more, eal",
    [
        ({}, "-l 2-3 -a 0000:3b:00.1 --huge-dir /dev/hugepages --file-prefix fw"),
        ({"nics": []}, "-l 2-3 --no-pci --huge-dir /dev/hugepages --file-prefix fw"),
        (
            {"cpus": "4", "shared-cpus": "200", "nics": [], "hugepages": [], "hugetlbfs": []},
            "--lcores 0@4,1@200 --no-pci --no-huge --file-prefix fw",
        ),
    ],
)
def test_show_eal_and_env(tmp_path, more, eal):
    """What EAL and a shell are told of the grant."""
    path = tmp_path / "grant.json"
    path.write_text(json.dumps(GRANT | more))
    before = ["env", f"PINFOLD_GRANT={path}"]
    assert run("show", "--eal", before=before).stdout == f"{eal}\n"
    text = run("show", "--env", before=before).stdout
    script = f'{text}printf "%s|" "$PINFOLD_NAME" "$PINFOLD_MEMORY" "$PINFOLD_EAL"'
    p = subprocess.run(["/bin/sh", "-uc", script], capture_output=True, text=True, check=True)
    assert p.stdout == f"fw|{64 << 20}|{eal}|"


def test_show_eal_without_a_grant(tmp_path):
    p = run("show", "--eal", before=["env", f"PINFOLD_GRANT={tmp_path}/none"])
    assert p.returncode == 125 and "no grant" in p.stderr


def test_show_agrees_with_the_kernel():
    s = show()
    assert ids(s["cpus"]["affinity"]) == os.sched_getaffinity(0)
    assert s["cpus"]["online"] == read("/sys/devices/system/cpu/online").strip()
    # EAL takes a CPU for there when its core has a number
    cpus = "/sys/devices/system/cpu"
    assert ids(s["cpus"]["eal"]) == {
        n for n in ids(s["cpus"]["online"]) if os.path.exists(f"{cpus}/cpu{n}/topology/core_id")
    }
    assert s["numa"]["allowed"] == status_field("Mems_allowed_list")
    assert s["memory"] == int(re.search(r"MemTotal:\s*(\d+)", read("/proc/meminfo"))[1]) * 1024
    assert s["hostname"] == os.uname().nodename
    assert s["mounts"] == len(read("/proc/self/mountinfo").splitlines())
    assert s["ids"]["uid"] == os.getuid() and s["ids"]["gid"] == os.getgid()
    assert s["ids"]["uid_map"] == [" ".join(read("/proc/self/uid_map").split())]
    assert set(s["netdevs"]) == set(os.listdir("/sys/class/net")) - {"bonding_masters"}
    if os.path.isdir("/sys/bus/pci/devices"):
        assert set(s["pci"]) == set(os.listdir("/sys/bus/pci/devices"))
    for h in s["hugepages"]:
        kb = {"K": 1, "M": 1 << 10, "G": 1 << 20}[h["size"][-1]] * int(h["size"][:-1])
        d = f"/sys/kernel/mm/hugepages/hugepages-{kb}kB"
        assert h["total"] == int(read(f"{d}/nr_hugepages"))
    assert s["no_new_privs"] is False and s["seccomp"] == int(status_field("Seccomp"))
    mask = int(status_field("CapEff"), 16)
    assert len(s["capabilities"]["effective"]) == mask.bit_count()


def test_show_affinity_as_taskset_sets_it():
    cpu = max(os.sched_getaffinity(0))
    s = show(before=["taskset", "-c", str(cpu)])
    assert s["cpus"]["affinity"] == str(cpu)


def test_show_text_is_one_line_a_value():
    p = run("show")
    assert p.returncode == 0
    lines = dict(re.split(r"\s{2,}", l, maxsplit=1) for l in p.stdout.splitlines())
    assert lines["hostname"] == os.uname().nodename
    assert ids(lines["cpus affinity"]) == os.sched_getaffinity(0)
    assert "no_new_privs" in lines


@needs_root
def test_show_without_privileges():
    s = show(
        "--probe",
        before=[
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "--bounding-set=-all",
            "--no-new-privs",
        ],
    )
    assert s["no_new_privs"] is True
    assert not any(s["capabilities"].values())
    assert s["root_writable"] is False
    calls = {c["name"]: c for c in s["syscalls"]}
    for name in (
        "mount",
        "umount2",
        "pivot_root",
        "chroot",
        "bpf",
        "open_by_handle_at",
        "reboot",
        "swapon",
        "settimeofday",
        "clock_adjtime",
        "sethostname",
        "socket_packet",
        "socket_raw",
    ):
        assert calls[name]["reach"] == "refused", calls[name]
        assert calls[name]["errno"] in ("EPERM", "EACCES", "ENOSYS")


@needs_root
def test_show_in_a_pid_and_net_namespace():
    s = show(before=["unshare", "--fork", "--pid", "--mount-proc", "--net", "--uts"])
    assert s["processes"] == 1
    assert "lo" in s["netdevs"] and "eth0" not in s["netdevs"]


@needs_root
def test_show_mounts_of_hugetlbfs(tmp_path):
    if not read("/proc/filesystems").count("hugetlbfs"):
        pytest.skip("kernel without hugetlbfs")
    where = str(tmp_path / "a b")
    os.mkdir(where)
    p = subprocess.run(
        [
            "unshare",
            "-m",
            "sh",
            "-c",
            'mount -t hugetlbfs -o size=4M,pagesize=2M none "$1" && exec "$0" show --json',
            INSIDE,
            where,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if p.returncode == 32:
        pytest.skip(f"cannot mount hugetlbfs: {p.stderr.strip()}")
    mounts = {m["path"]: m for m in json.loads(p.stdout)["hugetlbfs"]}
    assert mounts[where]["size"] == "4M" and mounts[where]["pagesize"] == "2M"


@needs_root
def test_show_device_nodes(tmp_path):
    """A node that the file mode or a nodev mount keeps from being opened is not listed."""
    script = (
        "mount -t tmpfs none /dev && mknod /dev/null c 1 3 && mknod /dev/mem0 c 1 1 && "
        'mkdir /dev/sub && mknod /dev/sub/z c 1 1 && exec "$0" show --json'
    )
    p = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, INSIDE], capture_output=True, text=True, check=True
    )
    assert json.loads(p.stdout)["devices"] == ["/dev/mem0", "/dev/sub/z"]
    script = script.replace("exec", "mount -o remount,nodev /dev && exec")
    p = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, INSIDE],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(p.stdout)["devices"] == []


# --- show --probe ---------------------------------------------------------------------------------


def host_state():
    pages = "/sys/kernel/mm/hugepages"
    return (
        os.uname().nodename,
        read("/proc/self/mountinfo"),
        read("/proc/swaps"),
        os.readlink("/proc/self/root"),
        [read(f"{pages}/{d}/nr_hugepages") for d in os.listdir(pages)]
        if os.path.isdir(pages)
        else [],
        os.sched_getaffinity(0),
    )


def test_probe_changes_nothing():
    before, clock, mono = host_state(), time.time(), time.monotonic()
    show("--probe")
    assert host_state() == before
    assert abs((time.time() - clock) - (time.monotonic() - mono)) < 0.5


def test_probe_cpus_beyond_the_affinity():
    cpus = os.sched_getaffinity(0)
    s = show("--probe", before=["taskset", "-c", str(max(cpus))])
    assert s["cpus"]["affinity"] == str(max(cpus))
    # Affinity alone is no fence.
    assert cpus <= ids(s["cpus"]["runnable"])


def test_probe_hugepages():
    for h in show("--probe")["hugepages"]:
        assert h["takeable"] is not None
        assert 0 <= h["takeable"] <= h["total"] or h["total"] == 0


def test_probe_calls():
    calls = show("--probe")["syscalls"]
    assert len({c["name"] for c in calls}) == len(calls) >= 30
    for c in calls:
        assert set(c) == {"name", "reach", "errno"}
        assert c["reach"] in ("refused", "absent", "reachable")
    reach = {c["name"]: c["reach"] for c in calls}
    if ROOT:
        assert reach["unshare_user"] == "reachable"
    # whoever has no filter is refused neither: a kernel has these tables or it has not
    if os.uname().machine == "x86_64" and status_field("Seccomp") == "0":
        assert {reach["int80"], reach["x32"]} <= {"reachable", "absent"}


def test_probe_says_what_a_filter_does():
    """A seccomp filter that answers mount(2) with EPERM and kills on keyctl(2)."""
    if os.uname().machine != "x86_64":
        pytest.skip("call numbers are those of x86-64")

    def load():
        class Filter(ctypes.Structure):
            _fields_ = [
                ("code", ctypes.c_ushort),
                ("jt", ctypes.c_ubyte),
                ("jf", ctypes.c_ubyte),
                ("k", ctypes.c_uint),
            ]

        class Program(ctypes.Structure):
            _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.POINTER(Filter))]

        code = (Filter * 6)(
            Filter(0x20, 0, 0, 0),  # load the number of the call
            Filter(0x15, 2, 0, 165),  # mount
            Filter(0x15, 2, 0, 250),  # keyctl
            Filter(0x06, 0, 0, 0x7FFF0000),  # allow
            Filter(0x06, 0, 0, 0x00050001),  # EPERM
            Filter(0x06, 0, 0, 0x80000000),  # kill the process
        )
        libc = ctypes.CDLL(None, use_errno=True)
        zero = ctypes.c_ulong(0)
        assert libc.prctl(38, ctypes.c_ulong(1), zero, zero, zero) == 0
        program = Program(6, code)
        assert libc.prctl(22, ctypes.c_ulong(2), ctypes.byref(program), zero, zero) == 0

    p = run("show", "--json", "--probe", preexec_fn=load)
    s = json.loads(p.stdout)
    calls = {c["name"]: c for c in s["syscalls"]}
    assert s["seccomp"] == 2 and s["no_new_privs"] is True
    assert calls["mount"]["reach"] == "refused" and calls["mount"]["errno"] == "EPERM"
    assert calls["keyctl"]["reach"] == "refused" and calls["keyctl"]["errno"] == "SIGSYS"
    assert calls["ptrace"]["reach"] == "reachable"


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))


@needs_root
def test_devices_are_known_by_their_numbers():
    """A disk that is called null is shown, and null under another name is not."""
    nodes = {"null": "b 7 0", "zero": "c 1 1", "other": "c 1 3", "tty": "c 4 0", "x": "c 5 2"}
    made = " && ".join(f"mknod /dev/{name} {numbers}" for name, numbers in nodes.items())
    script = f'mount -t tmpfs none /dev && {made} && exec "$0" show --json'
    p = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, INSIDE],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert p.returncode == 0, p
    assert json.loads(p.stdout)["devices"] == ["/dev/null", "/dev/tty", "/dev/zero"]
