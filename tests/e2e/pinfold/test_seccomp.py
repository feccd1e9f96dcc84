# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""System calls and capabilities: what is allowed and refused really is so in a container; profiles of
one's own, recorded ones, and what is refused of them."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from places import program
from workload import (
    CPU,
    PYTHON,
    kill,
    needs_pages,
    needs_root,
    needs_testpmd,
    status_field,
    unique,
    wait,
)

pytestmark = [needs_root, pytest.mark.anywhere]
NUMBERS = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
TRUE = ["--", "/bin/true"]
ONE = ["--cpus", CPU]
SIGSYS = 128 + signal.SIGSYS

# What a call answers: errno, 0 for success. In a child, so that one that kills is told too.
TRY = r"""
import ctypes, errno, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, args):
    ctypes.set_errno(0)
    r = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) for a in args])
    return ctypes.get_errno() if r == -1 else 0
"""


def numbers():
    """Every call of the 64-bit table as the kernel's header has it."""
    if not NUMBERS.exists():
        pytest.skip("package linux-libc-dev is not installed")
    found = re.findall(r"^#define __NR_(\w+) (\d+)$", NUMBERS.read_text(), re.M)
    assert len(found) > 300
    return {name: int(number) for name, number in found}


def answers(pf, calls, *flags, cpu=CPU):
    """{name: errno} of calls {name: [number, args...]} in a container."""
    code = (
        TRY
        + f"""
calls = json.loads('''{json.dumps(calls)}''')
print(json.dumps({{name: call(c[0], c[1:]) for name, c in calls.items()}}))
"""
    )
    return json.loads(pf.python(code, *flags, cpu=cpu))


@pytest.fixture(scope="module")
def table(pinfold):
    out = subprocess.run(
        [pinfold, "seccomp", "show", "--json"], capture_output=True, check=True, timeout=20
    ).stdout
    return json.loads(out)


def listed(table):
    free = {c for g in table["groups"] for r in g["rows"] for c in r["calls"]}
    return free, {c["call"] for c in table["conditions"]}


# --- the default profile --------------------------------------------------------------------------


def test_whatever_is_not_listed_is_refused(pf, table):
    """Every call that the kernel's header knows and the table does not. With arguments of which the
    kernel itself would say something else than EPERM, where it can be."""
    free, conditional = listed(table)
    calls = {
        name: [number] + [-1] * 6
        for name, number in numbers().items()
        if name not in free | conditional | {"clone3", "openat2"}
    }
    assert len(calls) > 70 and {"mount", "bpf", "ptrace", "keyctl", "io_uring_setup"} <= set(calls)
    got = answers(pf, calls)
    assert {n: errno.errorcode.get(e, e) for n, e in got.items() if e != errno.EPERM} == {}


def test_what_is_listed_is_allowed(pf, table):
    """With arguments that do nothing: a bad descriptor or address. Calls that take none, wait, end or
    change the caller are left to the programs of the other tests."""
    free, _ = listed(table)
    odd = """pause exit exit_group fork vfork execve execveat rt_sigreturn restart_syscall sync
        munlockall mlockall close_range setsid brk sigaltstack rt_sigsuspend kill tkill tgkill
        umask alarm arch_prctl prctl wait4 waitid select pselect6 poll ppoll
        setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups
        epoll_wait epoll_pwait epoll_pwait2 futex futex_waitv shmat capset
        sched_setscheduler sched_setattr sched_setparam setpriority""".split()
    known = numbers()
    calls = {n: [known[n]] + [-1] * 6 for n in free - set(odd) if n in known}
    assert len(calls) > 180
    got = answers(pf, calls)
    assert [n for n, e in got.items() if e == errno.EPERM] == []


def test_conditions(pf):
    n = numbers()
    new = {
        "NEWNS": 0x20000,
        "NEWCGROUP": 0x2000000,
        "NEWUTS": 0x4000000,
        "NEWIPC": 0x8000000,
        "NEWUSER": 0x10000000,
        "NEWPID": 0x20000000,
        "NEWNET": 0x40000000,
        "NEWTIME": 0x80,
    }
    calls = {f"clone {k}": [n["clone"], v | signal.SIGCHLD, 0, 0, 0, 0] for k, v in new.items()}
    calls |= {f"socket {f}": [n["socket"], f, 3 if f == 16 else 1, 0] for f in range(1, 46)}
    # the kernel looks at the lower half of this argument only
    calls["socket high"] = [n["socket"], 40 | 1 << 32, 1, 0]
    calls["clone3"] = [n["clone3"], -1, -1]
    calls["openat2"] = [n["openat2"], -1, -1, -1, -1]
    calls["move_pages other"] = [n["move_pages"], 1, 0, 0, 0, 0, 0]
    calls["move_pages own"] = [n["move_pages"], 0, 0, 0, 0, 0, 0]
    calls["move_pages away"] = [n["move_pages"], 0, 0, 0, 1, 0, 0]
    got = answers(pf, calls)
    assert {k: e for k, e in got.items() if k.startswith("clone ") and e != errno.EPERM} == {}
    allowed = {1, 2, 10}
    for family in range(1, 46):
        assert (got[f"socket {family}"] == errno.EPERM) == (family not in allowed), family
    assert got["socket high"] == errno.EPERM
    assert got["clone3"] == got["openat2"] == errno.ENOSYS
    assert got["move_pages other"] == errno.EPERM and got["move_pages own"] != errno.EPERM
    assert got["move_pages away"] == errno.EPERM


# Which of all kinds of sockets can be opened: [family, type, protocol]...
KINDS = """
import json, socket
protocols = [*range(60), 94, 103, 108, 112, 115, 132, 136, 137, 255, 262]
got = []
for family in range(1, 46):
    for kind in range(1, 12):
        for protocol in protocols:
            try:
                socket.socket(family, kind, protocol).close()
            except OSError as e:
                if e.errno == 1:
                    continue
            got.append([family, kind, protocol])
print(json.dumps(got))
"""
OPEN = [
    [1, 1, 0],
    [1, 2, 0],
    [1, 5, 0],
    [2, 1, 0],
    [2, 1, 6],
    [2, 2, 0],
    [2, 2, 17],
    [10, 1, 0],
    [10, 1, 6],
    [10, 2, 0],
    [10, 2, 17],
]


def test_sockets_by_type_and_protocol(pf):
    assert json.loads(pf.python(KINDS)) == OPEN
    raw = json.loads(pf.python(KINDS, "--cap", "NET_RAW"))
    more = [k for k in raw if k not in OPEN]
    assert [2, 2, 1] in more and [10, 2, 58] in more and [17, 3, 0] in more
    assert all(k[1] == 3 or k[0] == 17 or k in ([2, 2, 1], [10, 2, 58]) for k in more)
    assert {k[0] for k in more} == {2, 10, 17}
    admin = json.loads(pf.python(KINDS, "--cap", "NET_ADMIN"))
    assert [k for k in admin if k not in OPEN] == [
        [16, 2, 0],
        [16, 2, 12],
        [16, 3, 0],
        [16, 3, 12],
    ]


SET_ID = """
import ctypes, errno, os, subprocess, sys
os.chdir(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
def refused(what):
    try:
        what()
    except PermissionError:
        return
    sys.exit(f"let through: {what}")
open("file", "w").close()
for bits in (0o4755, 0o2755, 0o6755):
    refused(lambda: os.chmod("file", bits))
    refused(lambda: os.fchmod(os.open("file", os.O_RDONLY), bits))
    refused(lambda: os.chmod("file", bits, dir_fd=os.open(".", os.O_RDONLY)))
    refused(lambda: os.open("new", os.O_WRONLY | os.O_CREAT, bits))
    refused(lambda: os.open("new", os.O_WRONLY | os.O_CREAT, bits, dir_fd=os.open(".", 0)))
    refused(lambda: os.open(".", os.O_WRONLY | os.O_TMPFILE, bits))
    for number, args in ((85, (b"new", bits)), (452, (-100, b"file", bits, 0))):
        assert libc.syscall(number, *args) == -1 and ctypes.get_errno() == errno.EPERM
    os.mkdir("dir", bits)
    os.rmdir("dir")
os.chmod("file", 0o1755)
os.close(os.open("file", os.O_RDONLY, 0o6755))  # makes nothing, so this is no mode
p = subprocess.run(["chmod", "2755", "file"], capture_output=True, text=True)
assert p.returncode == 1 and "Operation not permitted" in p.stderr, p
os.mkdir("shared")
print(sorted(os.listdir(".")))
"""


def test_no_set_id_file_is_left_behind(pf, tmp_path):
    """What a container leaves in a volume runs as nobody but who runs it."""
    tmp_path.chmod(0o777)
    (tmp_path / "at.py").write_text(SET_ID)
    volume = tmp_path / "volume"
    volume.mkdir()
    volume.chmod(0o777)
    caps = [f"--cap={c}" for c in ("CHOWN", "FOWNER", "FSETID", "DAC_OVERRIDE", "SETUID")]
    for flags in ([], caps):
        text = pf.ok(
            "run",
            *ONE,
            *flags,
            "-v",
            f"{tmp_path}/at.py:/at.py:ro",
            "-v",
            f"{volume}:/data",
            "--",
            PYTHON,
            "-I",
            "/at.py",
            "/data",
        )
        assert text == "['file', 'shared']\n"
        for left in volume.iterdir():
            assert left.stat().st_mode & 0o6000 == 0
            left.rmdir() if left.is_dir() else left.unlink()


def test_x32_kills(pf):
    code = TRY + "call(0x40000000 | 39, [])"
    p = pf.run("--", PYTHON, "-I", "-c", code)
    assert p.returncode == SIGSYS, p.stderr


INT80 = r"""
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20 (getpid); int 0x80; ret
at = ctypes.addressof(ctypes.c_char.from_buffer(page))
print(ctypes.CFUNCTYPE(ctypes.c_int)(at)())
"""


def test_the_32_bit_table_kills(pf):
    host = subprocess.run([PYTHON, "-I", "-c", INT80], capture_output=True, check=False)
    if host.returncode != 0:
        pytest.skip("this kernel has no 32-bit system calls")
    assert pf.run("--", PYTHON, "-I", "-c", INT80).returncode == SIGSYS


def test_show(pf, table):
    text = pf.ok("seccomp", "show")
    assert re.match(r"\d+ system calls of the 64-bit table", text)
    free, _ = listed(table)
    assert free <= set(text.split())
    assert "AF_PACKET" not in text and "AF_PACKET" in pf.ok("seccomp", "show", "--cap", "NET_RAW")
    assert all(r["why"] for g in table["groups"] for r in g["rows"])


# --- capabilities ---------------------------------------------------------------------------------

SETS = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]


def sets(text):
    return {name: int(status_field(text, name), 16) for name in SETS}


@pytest.mark.parametrize("user", ["0", "1000:100"])
def test_capabilities_are_those_named(pf, user):
    show = ["--user", user, "--", "/bin/cat", "/proc/self/status"]
    assert set(sets(pf.ok("run", *ONE, *show)).values()) == {0}
    flags = ["--cap", "NET_RAW", "--cap=CAP_NET_ADMIN"]
    assert set(sets(pf.ok("run", *ONE, *flags, *show)).values()) == {1 << 12 | 1 << 13}


def test_exec_has_them_too(pf):
    name = pf.detach("--cap", "NET_RAW", "--user", "1000")
    assert sets(pf.ok("exec", name, "--", "/bin/cat", "/proc/self/status"))["CapEff"] == 1 << 13


def test_they_open_what_the_plan_says(pf):
    packet = "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)"
    for flags, status in (([], 1), (["--cap", "NET_ADMIN"], 1), (["--cap", "NET_RAW"], 0)):
        p = pf.run(*flags, "--user", "1000", "--", PYTHON, "-I", "-c", packet)
        assert p.returncode == status, p.stderr
        assert status == 0 or "PermissionError" in p.stderr
    up = ["--user", "1000", "--", "/bin/sh", "-c", "ip link set lo up && ip -br link show lo"]
    assert pf.run(*up).returncode != 0
    assert "UP" in pf.ok("run", *ONE, "--cap", "NET_ADMIN", *up)
    notes = [
        n
        for n in pf.json(
            "plan", *ONE, "--cap", "NET_RAW", "--cap", "CHOWN", "--format", "json", *TRUE
        )["notes"]
        if n.startswith("capability ")
    ]
    assert [n.split()[1] for n in notes] == ["CHOWN:", "NET_RAW:"]
    assert "AF_PACKET" in notes[1]


def test_the_host_stays_out_of_reach(pf):
    """NET_ADMIN is over the container's own network: the host's is not there, and no namespace is."""
    flags = ["--cap", "NET_ADMIN", "--cap", "DAC_OVERRIDE"]
    assert pf.shell("ip -o link | wc -l", *flags) == "1\n"
    assert pf.run(*flags, "--", "/bin/cat", "/etc/shadow").returncode != 0
    n = numbers()
    got = answers(
        pf,
        {
            "unshare": [n["unshare"], 0x10000000],
            "mount": [n["mount"]] + [-1] * 5,
            "bpf": [n["bpf"], -1, -1, -1],
        },
        *flags,
    )
    assert set(got.values()) == {errno.EPERM}


def test_locked_memory(pf):
    """IPC_LOCK counts through its limit, which only grows where pinfold may raise it."""
    import resource

    want = 16 << 20
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] not in (-1,) and os.system(
        f"prlimit --memlock={want}:{want} true 2>/dev/null"
    ):
        pytest.skip("this root may not raise RLIMIT_MEMLOCK (no CAP_SYS_RESOURCE)")
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_MEMLOCK)[0])"
    assert pf.python(code, "--cap", "IPC_LOCK", "--memory", "16M").strip() == str(want)


@pytest.mark.parametrize(
    "flags, like",
    [
        *(
            (["--cap", c], f"capability {c} is not granted")
            for c in (
                "SYS_ADMIN",
                "SYS_MODULE",
                "SYS_RAWIO",
                "SYS_PTRACE",
                "SYS_BOOT",
                "BPF",
                "PERFMON",
                "SYS_CHROOT",
                "MKNOD",
                "DAC_READ_SEARCH",
                "SYS_TIME",
                "CHECKPOINT_RESTORE",
            )
        ),
        (["--cap", "ALL"], "'ALL' is unknown"),
        (["--cap", ""], "'' is unknown"),
        (["--cap", "net_raw"], "'net_raw' is unknown"),
        (["--cap", "NET_RAWW"], "did you mean 'NET_RAW'"),
        (["--cap", "NET_RAW", "--cap", "CAP_NET_RAW"], "NET_RAW is asked for twice"),
        (["--in", "host", "--cap", "NET_RAW"], "for containers"),
        (["--in", "host", "--seccomp", "strict:/etc/passwd"], "for containers"),
        (["--seccomp", "strict"], "find 'strict'"),
        (["--seccomp", ""], "find ''"),
        (["--seccomp", "/no/such"], "find '/no/such'"),
        (["--seccomp", "strict:/no/such"], "find '/no/such'"),
        (["--seccomp", "/etc/passwd"], "read seccomp profile '/etc/passwd'"),
        (["--seccomp", "/usr"], "not a file"),
        (["--seccomp", "/dev/null"], "not a file"),
    ],
    ids=lambda v: "-".join(v).replace("/", "_") if isinstance(v, list) else "",
)
def test_bad_flags(pf, flags, like):
    pf.fails("run", *ONE, *flags, *TRUE, like=like)
    pf.fails("plan", *ONE, *flags, *TRUE, like=like)


def test_in_documents(pf, tmp_path):
    """A request file and a definition say the same as flags; inside, the path is not told."""
    profile = tmp_path / "p.json"
    profile.write_text(
        json.dumps(
            {
                "defaultAction": "SCMP_ACT_ERRNO",
                "syscalls": [
                    {
                        "names": ["read", "mmap", "openat", "pread64", "fstat"],
                        "action": "SCMP_ACT_ALLOW",
                    }
                ],
            }
        )
    )
    request = tmp_path / "r.json"
    request.write_text(
        json.dumps({"cpus": str(CPU), "caps": ["NET_RAW"], "seccomp": f"strict:{profile}"})
    )
    cat = ["--", "/bin/cat", "/run/pinfold/grant.json"]
    name = unique("g")
    pf.grants.append(name)
    pf.ok("grant", "create", "--from", request, "--name", name)
    shown = pf.json("grant", "show", "--json", name)
    for grant in (["--grant", name], ["--from", request]):
        p = pf("run", *grant, *cat)
        pf("grant", "remove", name)
        # cat wants fadvise64 and more, and goes on without
        inner = json.loads(p.stdout)
        assert inner["caps"] == ["NET_RAW"] and inner["seccomp"] == "strict"
    assert shown["seccomp"] == f"strict:{profile}" and shown["caps"] == ["NET_RAW"]
    request.write_text(json.dumps({"cpus": str(CPU), "seccomp": "strict:p.json"}))
    pf.fails("run", "--from", request, *TRUE, like="absolute path")
    request.write_text(json.dumps({"cpus": str(CPU), "caps": ["SYS_ADMIN"]}))
    pf.fails("run", "--from", request, *TRUE, like="SYS_ADMIN is not granted")


# --- profiles from files --------------------------------------------------------------------------


@pytest.fixture
def write(tmp_path):
    """Writes a profile: the default one and more calls, or just those given."""

    def make(table, *more, name="profile.json"):
        doc = json.loads(json.dumps(table["profile"]))
        if more:
            doc["syscalls"].append({"names": list(more), "action": "SCMP_ACT_ALLOW"})
        path = tmp_path / name
        path.write_text(json.dumps(doc))
        return path

    return make


def test_a_file_replaces_the_default(pf, table, write):
    n = numbers()
    calls = {"name_to_handle_at": [n["name_to_handle_at"], -1, -1, -1, -1, -1]}
    assert answers(pf, calls)["name_to_handle_at"] == errno.EPERM
    wide = write(table, "name_to_handle_at")
    got = answers(pf, calls, f"--seccomp={wide}")
    assert got["name_to_handle_at"] == errno.EINVAL  # of the kernel
    plan = pf.ok("plan", *ONE, "--seccomp", wide, *TRUE)
    assert "opens what that refuses (1 calls): name_to_handle_at" in plan
    pf.fails("run", *ONE, f"--seccomp=strict:{wide}", *TRUE, like="'name_to_handle_at'.*narrow")


def test_a_file_of_others_is_refused(pf, table, write):
    path = write(table)
    for mode, owner in ((0o664, 0), (0o646, 0), (0o644, 1000)):
        path.chmod(mode)
        os.chown(path, owner, 0)
        pf.fails("run", *ONE, "--seccomp", path, *TRUE, like="must belong to root")
        # one that can only take away may be anybody's
        assert pf.run(f"--seccomp=strict:{path}", *TRUE).returncode == 0


def test_a_file_of_the_image_is_refused(pf, tmp_path, inside):
    image = tmp_path / "image"
    (image / "bin").mkdir(parents=True)
    shutil.copy2(inside, image / "bin/show")
    evil = image / "evil.json"
    evil.write_text('{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []}')
    link = tmp_path / "link.json"
    link.symlink_to(evil)
    for path in (evil, link, f"strict:{evil}", image / "../image/evil.json"):
        pf.fails(
            "run",
            *ONE,
            "--image",
            image,
            "--seccomp",
            path,
            "--",
            "/bin/show",
            "show",
            like="lies in image",
        )


def test_a_file_without_what_init_needs(pf, tmp_path):
    path = tmp_path / "small.json"
    path.write_text('{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []}')
    pf.fails("run", *ONE, "--seccomp", path, *TRUE, like="does not allow 'close', without which")


def test_strict_with_nothing_is_enough_for_init(pf, tmp_path):
    """What the runtime's last steps and init do is added: a static program that does little runs, is
    told of signals, and anything else is refused."""
    path = tmp_path / "none.json"
    path.write_text('{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []}')
    strict = f"--seccomp=strict:{path}"
    p = pf.run(strict, "--", "/run/pinfold/inside", "--version")
    assert (p.returncode, p.stderr) == (0, "") and p.stdout.strip()
    # a C library that is shared is read with pread64, which is not init's affair
    p = pf.run(strict, "--", "/bin/true")
    assert p.returncode == 127
    path.write_text(
        json.dumps(
            {
                "defaultAction": "SCMP_ACT_ERRNO",
                "syscalls": [{"names": ["pread64"], "action": "SCMP_ACT_ALLOW"}],
            }
        )
    )
    s, name = pf.begin(strict, script="trap 'echo got; exit 42' 15; echo up; while :; do :; done")
    assert pf("exec", name, "--", "/bin/true").returncode == 0
    s.signal(signal.SIGTERM)
    assert s.end() == 42
    p = pf.run(strict, "--", "/bin/mkdir", "/tmp/x")
    assert p.returncode != 0 and "not permitted" in p.stderr


@pytest.mark.skipif(shutil.which("runc") is None, reason="package runc is not installed")
def test_strict_wants_crun(pf, table, write):
    runc = ["--runtime", shutil.which("runc")]
    for command in ("run", "plan"):
        pf.fails(command, *ONE, *runc, f"--seccomp=strict:{write(table)}", *TRUE, like="needs crun")


# --- recorded profiles ----------------------------------------------------------------------------


def record(pf, out, *args, **kw):
    p = pf("seccomp", "record", "-o", out, *args, **kw)
    assert re.search(
        r"pinfold: '.*': \d+ system calls; the default profile allows \d+\n$", p.stderr
    )
    return p, json.loads(Path(out).read_text())


def calls_of(profile):
    return {n for r in profile["syscalls"] if r["action"] == "SCMP_ACT_ALLOW" for n in r["names"]}


def test_record_and_replay(pf, tmp_path, leaks):
    out = tmp_path / "list.json"
    flags = [*ONE, "--", "/bin/ls", "/usr"]
    plain = pf.ok("run", *flags)
    p, profile = record(pf, out, *flags)
    assert (p.returncode, p.stdout) == (0, plain)
    assert {"getdents64", "execve", "write"} <= calls_of(profile)
    assert calls_of(profile).isdisjoint({"mkdir", "socket", "ptrace", "clone3"})
    assert pf.ok("run", f"--seccomp=strict:{out}", *flags) == plain
    p = pf.run(f"--seccomp=strict:{out}", "--", "/bin/mkdir", "/tmp/x")
    assert p.returncode == 1 and "not permitted" in p.stderr
    # it is a whole OCI profile, and so does as a replacement
    assert pf.ok("run", f"--seccomp={out}", *flags) == plain


def test_a_recording_is_no_gap(pf, tmp_path, table):
    """What the default refuses is refused, and not written, while a listener says yes to all else."""
    free, conditional = listed(table)
    known = numbers()
    calls = {
        n: [known[n]] + [-1] * 6
        for n in known
        if n not in free | conditional | {"clone3", "openat2"}
    }
    calls["socket packet"] = [known["socket"], 17, 3, 0]
    calls["clone user"] = [known["clone"], 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0]
    calls["clone3"] = [known["clone3"], -1, -1]
    code = (
        TRY
        + f"""
calls = json.loads('''{json.dumps(calls)}''')
print(json.dumps({{name: call(c[0], c[1:]) for name, c in calls.items()}}))
"""
    )
    p, profile = record(pf, tmp_path / "p.json", *ONE, "--", PYTHON, "-I", "-c", code)
    got = json.loads(p.stdout)
    assert got.pop("clone3") == errno.ENOSYS
    assert set(got.values()) == {errno.EPERM}
    assert calls_of(profile) <= free | conditional
    assert "socket" not in calls_of(profile)


def test_recorded_status_and_signals(pf, tmp_path):
    p, _ = record(pf, tmp_path / "a", *ONE, "--", "/bin/sh", "-c", "exit 77")
    assert p.returncode == 77
    script = "trap 'echo got; exit 42' 15; echo up; while :; do sleep 0.01; done"
    s = pf.start("seccomp", "record", "-o", tmp_path / "b", *ONE, "--", "/bin/sh", "-c", script)
    s.until("^up")
    s.signal(signal.SIGTERM)
    assert s.end() == 42 and "got" in s.text()
    assert "rt_sigreturn" in calls_of(json.loads((tmp_path / "b").read_text()))


def test_only_what_was_seen_of_sockets(pf, tmp_path):
    code = "import socket; socket.socket(socket.AF_UNIX)"
    _, profile = record(pf, tmp_path / "p", *ONE, "--", PYTHON, "-I", "-c", code)
    kinds = [
        [a["value"] if a["op"] == "SCMP_CMP_EQ" else a["valueTwo"] for a in r["args"]]
        for r in profile["syscalls"]
        if r["names"] == ["socket"]
    ]
    assert kinds == [[1, 1, 0]]
    strict = f"--seccomp=strict:{tmp_path / 'p'}"
    assert pf.run(strict, "--", PYTHON, "-I", "-c", code).returncode == 0
    for other in ("AF_INET", "AF_UNIX, socket.SOCK_DGRAM"):
        p = pf.run(strict, "--", PYTHON, "-I", "-c", code.replace("AF_UNIX", other))
        assert p.returncode == 1 and "PermissionError" in p.stderr


def test_a_file_that_names_the_family_alone(pf, tmp_path):
    """As recordings were before types and protocols were looked at: wider, so it is narrowed."""
    arg = {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}
    calls = [
        n
        for r in pf.json("seccomp", "show", "--json")["groups"]
        for w in r["rows"]
        for n in w["calls"]
    ]
    path = tmp_path / "p.json"
    path.write_text(
        json.dumps(
            {
                "defaultAction": "SCMP_ACT_ERRNO",
                "syscalls": [
                    {"names": [*calls, "openat", "clone"], "action": "SCMP_ACT_ALLOW"},
                    {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [arg]},
                ],
            }
        )
    )
    got = json.loads(pf.python(KINDS, f"--seccomp=strict:{path}"))
    assert got == [k for k in OPEN if k[0] == 1]


def recording(pf, tmp_path, name, script):
    """Runs a script that says up, and has."""
    out = ("-o", tmp_path / "p", "--name", name)
    s = pf.start("seccomp", "record", *out, *ONE, "--", "/bin/sh", "-c", script)
    s.until("^up")
    return s


def test_exec_is_recorded_too(pf, tmp_path):
    name = pf.unique()
    s = recording(pf, tmp_path, name, "echo up; sleep 1000")
    pf.ok("exec", name, "--", "/bin/mkdir", "/tmp/x")
    pf.ok("stop", "-t", "1", name)
    s.end()
    assert "mkdir" in calls_of(json.loads((tmp_path / "p").read_text()))


def test_killed_while_recording(pf, tmp_path, leaks):
    """The workload goes on, and the listener with it; both end when it is stopped."""
    name = pf.unique()
    s = recording(pf, tmp_path, name, "echo up; while :; do sleep 0.01; done")
    s.signal(signal.SIGKILL)
    s.end()
    time.sleep(0.3)
    assert name in pf.ps()
    pf.ok("exec", name, "--", "/bin/true")
    pf.ok("stop", "-t", "1", name)
    assert not (tmp_path / "p").exists()
    wait(lambda: not list(Path("/run/pinfold").glob("record-*")), what="the listener's end")


@pytest.mark.parametrize(
    "words, like, status",
    [
        ([*ONE], "no program given", 125),
        ([*ONE, "-d", *TRUE], "leave -d out", 125),
        ([*ONE, "--in", "host", *TRUE], "no filter", 125),
        ([*ONE, "--seccomp", "strict:/etc/passwd", *TRUE], "leave --seccomp out", 125),
        ([*ONE, "--runtime", "/usr/sbin/runc", *TRUE], "needs crun", 125),
        ([*ONE, "-o", "/no/such/x", *TRUE], "write '/no/such/x'", 125),
        ([*ONE, "-o", "/usr/", *TRUE], "write '/usr/'", 125),
        (["--cpus", "4000", *TRUE], "CPU 4000", 125),
        ([*ONE, "--", "no-such-program"], "'no-such-program'", 127),
    ],
    ids=lambda v: "-".join(map(str, v)).replace("/", "_") if isinstance(v, list) else "",
)
def test_bad_recordings(pf, tmp_path, words, like, status):
    pf.fails("seccomp", "record", *words, like=like, status=status, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_bad_words(pf):
    pf.fails("seccomp", "show", "x", like="'x'")
    pf.fails("seccomp", "show", "--cap", "SYS_ADMIN", like="SYS_ADMIN is not granted")


TESTPMD = [
    "dpdk-testpmd",
    "--lcores",
    f"0@{CPU},1@{CPU}",
    "--vdev",
    "net_null0",
    "--",
    "--auto-start",
    "--total-num-mbufs=2048",
    "--stats-period=1",
]


def forwarding(pf, *words):
    """A testpmd that forwards until it is told to end, by a terminal's signal as by docker's."""
    s = pf.start(*words, *ONE, "--hugepages", "2M=40", "--", *TESTPMD)
    s.until(r"TX-packets: [1-9]", 40)
    s.signal(signal.SIGINT)
    assert s.end() == 0, s.text()
    assert "Bye..." in s.text()
    return s.text()


@needs_testpmd
@needs_pages(40)
@pytest.mark.limit(120)
def test_testpmd(pf, tmp_path):
    out = tmp_path / "testpmd.json"
    forwarding(pf, "seccomp", "record", "-o", out)
    profile = json.loads(out.read_text())
    assert {"set_mempolicy", "mmap", "epoll_ctl"} <= calls_of(profile)
    assert len(calls_of(profile)) < 90
    forwarding(pf, "run", f"--seccomp=strict:{out}")
    # what testpmd does not do is refused
    p = pf.run(
        f"--seccomp=strict:{out}",
        "--",
        PYTHON,
        "-I",
        "-c",
        "import os; os.rename('/tmp/a', '/tmp/b')",
    )
    assert p.returncode != 0 and "PermissionError" in p.stderr
    flags = [f"--seccomp=strict:{out}", "--hugepages", "2M=40"]
    text = pf.ok("plan", *ONE, *flags, *TRUE)
    assert re.search(r"testpmd.json': \d+ system calls of the default profile's \d+", text)


def test_gc_removes_the_socket_of_killed_recorders(pf, tmp_path):
    name = unique()
    flags = [*ONE, "--name", name, "--", "/bin/sh", "-c", "echo up; exec sleep 1000"]
    s = pf.start("seccomp", "record", "-o", tmp_path / "p", *flags)
    s.until("up")
    at = Path(f"/run/pinfold/record-{s.process.pid}.sock")
    pf.ok("gc")
    assert at.is_socket()  # it is in use
    [listener] = [
        int(pid)
        for pid in Path(f"/proc/{s.process.pid}/task/{s.process.pid}/children").read_text().split()
        if os.getsid(int(pid)) == int(pid)
    ]
    os.kill(listener, signal.SIGSTOP)  # else it removes it
    kill(s.process.pid)
    kill(listener)
    assert at.is_socket()
    # its calls fail from here on, waiting for signals too: it ends by the first
    begin = time.monotonic()
    pf.ok("stop", "-t", "40", name)
    assert time.monotonic() - begin < 20
    wait(lambda: pf("gc").returncode == 0 and not at.exists(), what="the end of the socket")


@needs_pages(40)
def test_drover(pf, tmp_path):
    drover = program("DROVER", "build/drover/drover")
    data = tmp_path / "data"
    data.mkdir()
    (data / "t.cfg").write_text(
        "[core 0]\nmode=master\n[port 0]\nname=p\ndevice=null\n[core 1]\ntask=0\nmode=l2fwd\n"
        "rx port=p\ntx port=p\n[defaults]\nmempool size=2K\n"
    )
    out = tmp_path / "drover.json"
    flags = [
        *ONE,
        "--hugepages",
        "2M=40",
        "-v",
        f"{os.path.dirname(drover)}:/drover:ro",
        "-v",
        f"{data}:/data:ro",
        "--",
        "/drover/drover",
        "run",
        "/data/t.cfg",
    ]
    for words in (["seccomp", "record", "-o", out], ["run", f"--seccomp=strict:{out}"]):
        s = pf.start(*words, *flags)
        s.until("traffic runs")
        time.sleep(0.2)
        s.signal(signal.SIGTERM)
        assert s.end() == 0, s.text()
