# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What no cgroup counts: the kernel's accounts of each user, limits of a process, and ids."""

import ctypes
import errno
import os
import re
import resource
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from accounts import HOLDER, take
from features import V2
from workload import (
    CPU,
    LEASES,
    OTHER,
    PYTHON,
    SLOW,
    needs_root,
    needs_two,
    processes_of,
    unique,
)

pytestmark = [needs_root]

LIBC = ctypes.CDLL(None, use_errno=True)
NR_IO_SETUP, NR_TIMER_CREATE, NR_MQ_OPEN = 206, 222, 240  # x86-64
NS_GET_OWNER_UID = 0xB704
SIGEV_NONE = 1

# On cgroup v1 the kernel may be without it.
COUNTED = V2 or Path("/sys/fs/cgroup/memory/memory.kmem.tcp.limit_in_bytes").exists()

THINGS = ["inotify", "timers", "queues", "terminals", "files", "locked"]


def hoarder(pf, what, *flags, **kw):
    """A container that has taken all it can get."""
    s = pf.start("run", *flags, "--", PYTHON, "-I", "-c", HOLDER, what, 200000, **kw)
    return int(s.until(r"^got (\d+)", 60)[1])


@needs_two
@pytest.mark.guest
@pytest.mark.parametrize("what", THINGS)
def test_others_still_get_theirs(pf, what):
    """A container has of each what is its own, and root on the host and a second one have theirs."""
    got = hoarder(pf, what, "--cpus", CPU, "--memory", "512M")
    assert 0 < got < (65 if what == "terminals" else 100000), f"{got} of {what}"
    assert take(what, 1) == 1, f"root gets no {what} while a container has {got}"
    p = pf.run("--", PYTHON, "-I", "-c", HOLDER, what, 1, cpu=OTHER)
    assert p.stdout == "got 1\n", f"a second container gets no {what}"


# As many processes as there may be, each with all that it gets.
FILES = """
import os, time
r, w = os.pipe()
def fill():
    held = []
    try:
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        os.write(w, b"%d " % len(held))
        time.sleep(600)
n = 0
try:
    while n < 1000 and os.fork():
        n += 1
    if n < 1000:
        fill()
except BlockingIOError:
    pass
said = b""
while said.count(b" ") < n:
    said += os.read(r, 4096)
print("got", sum(map(int, said.split())), flush=True)
time.sleep(600)
"""


@needs_two
def test_open_files_of_the_machine(pf):
    """What descriptors open is at most half of the table that the machine has for all but root."""
    table, pids = Path("/proc/sys/fs/file-max"), 20
    before = table.read_text()
    most = int(Path("/proc/sys/fs/file-nr").read_text().split()[0]) + 80000
    try:
        table.write_text(str(most))
    except OSError as e:
        pytest.skip(f"fs.file-max cannot be set here: {e}")
    try:
        flags = ["--cpus", CPU, "--memory", "512M", "--pids", pids]
        s = pf.start("run", *flags, "--", PYTHON, "-I", "-c", FILES)
        got = int(s.until(r"^got (\d+)", 60)[1])
        assert most // 4 < got <= most // 2
        p = pf.run("--", PYTHON, "-I", "-c", HOLDER, "files", 1, cpu=OTHER)
        assert p.stdout == "got 1\n", p.stderr
    finally:
        table.write_text(before)


@needs_two
@pytest.mark.parametrize("what", ["inotify", "timers", "queues"])
def test_an_owner_takes_nothing_of_others(pf, what):
    owner = 54321
    name = pf.grant("--cpus", CPU, "--memory", "512M", "--owner", f"{owner}:{owner}")
    try:
        got = hoarder(pf, what, "--grant", name, user=owner, group=owner, extra_groups=[])
        assert 0 < got < 100000
        assert take(what, 1) == 1
        p = pf.run("--", PYTHON, "-I", "-c", HOLDER, what, 1, cpu=OTHER)
        assert p.stdout == "got 1\n"
    finally:
        pf("grant", "stop", name)


def test_asynchronous_io_is_asked_for(pf):
    """Its events are counted for the whole machine."""
    code = f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall({NR_IO_SETUP}, 8, ctypes.byref(ctypes.c_ulong())), ctypes.get_errno())
"""
    assert pf.python(code) == f"-1 {errno.EPERM}\n"
    assert pf.python(code, "--seccomp", "aio") == "0 0\n"
    plan = pf.ok("plan", "--cpus", CPU, "--seccomp", "aio", "--", "true")
    assert "fs.aio-max-nr" in plan
    name = pf.grant("--cpus", CPU, "--seccomp", "aio")
    assert pf.json("grant", "show", name)["seccomp"] == "aio"
    assert pf.ok("run", "--grant", name, "--", PYTHON, "-I", "-c", code) == "0 0\n"


NAMES = {
    "Max cpu time": resource.RLIMIT_CPU,
    "Max file size": resource.RLIMIT_FSIZE,
    "Max data size": resource.RLIMIT_DATA,
    "Max stack size": resource.RLIMIT_STACK,
    "Max core file size": resource.RLIMIT_CORE,
    "Max resident set": resource.RLIMIT_RSS,
    "Max processes": resource.RLIMIT_NPROC,
    "Max open files": resource.RLIMIT_NOFILE,
    "Max locked memory": resource.RLIMIT_MEMLOCK,
    "Max address space": resource.RLIMIT_AS,
    "Max file locks": 10,
    "Max pending signals": 11,
    "Max msgqueue size": resource.RLIMIT_MSGQUEUE,
    "Max nice priority": resource.RLIMIT_NICE,
    "Max realtime priority": resource.RLIMIT_RTPRIO,
    "Max realtime timeout": resource.RLIMIT_RTTIME,
}


def limits(text):
    found = {}
    for line in text.splitlines()[1:]:
        name = re.match(r"(Max [a-z ]+?) {2,}", line)[1]
        found[name] = tuple(line[len(name) :].split()[:2])
    assert set(found) == set(NAMES), "all that setrlimit knows"
    return found


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_no_limit_is_inherited(pf, runtime):
    """Soft limits of who calls pinfold, low ones and high ones, are not the container's."""

    # enough to start with
    lower = {
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_STACK: 1 << 20,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 1 << 16,
        resource.RLIMIT_MSGQUEUE: 4096,
        resource.RLIMIT_NICE: 0,
        resource.RLIMIT_RTPRIO: 0,
        NAMES["Max pending signals"]: 4000,
        NAMES["Max file locks"]: 64,
    }

    def low():
        for number in NAMES.values():
            soft, hard = lower.get(number, 1 << 35), resource.getrlimit(number)[1]
            resource.setrlimit(number, (soft if hard < 0 else min(soft, hard), hard))

    def high():
        for number in NAMES.values():
            hard = resource.getrlimit(number)[1]
            resource.setrlimit(number, (hard, hard))

    path = f"/usr/bin/{runtime}"
    if not os.path.exists(path):
        pytest.skip(f"{runtime} is not installed")
    flags = ["run", "--runtime", path, "--cpus", CPU, "--pids", "60", "--memory", "64M"]
    seen = [
        limits(pf.ok(*flags, "--", "cat", "/proc/self/limits", preexec_fn=f)) for f in (low, high)
    ]
    assert seen[0] == seen[1]
    one = {name: soft for name, (soft, hard) in seen[0].items()}
    assert one["Max core file size"] == "1"  # 0 would let a program of core_pattern run
    assert one["Max pending signals"] == "4096" and one["Max msgqueue size"] == "819200"
    assert one["Max nice priority"] == "0" and one["Max realtime priority"] == "0"
    assert one["Max stack size"] == str(8 << 20) and one["Max processes"] == "124"
    assert int(one["Max locked memory"]) <= 64 << 20
    share = int(Path("/proc/sys/fs/file-max").read_text()) // 2 // 61
    assert int(one["Max open files"]) <= max(1024, min(65536, share))


PRIORITIES = """
import ctypes, os
libc = ctypes.CDLL(None)
print(os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0), libc.syscall(252, 1, 0),
      open("/proc/self/oom_score_adj").read().strip(), open("/proc/self/personality").read().strip(),
      "default" in open("/proc/self/numa_maps").readline(), libc.prctl(30, 0, 0, 0, 0),
      libc.prctl(42, 0, 0, 0, 0), libc.prctl(34, 0, 0, 0, 0),
      int(open("/proc/self/coredump_filter").read(), 16))
"""
IOPRIO_SET, SET_MEMPOLICY, INTERLEAVE, NO_RANDOM = 251, 238, 3, 0x0040000


def hand_on():
    """What a service manager, or a user, may give a program on its way."""
    os.nice(5)
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    LIBC.syscall(IOPRIO_SET, 1, 0, 2 << 13 | 1)
    LIBC.syscall(SET_MEMPOLICY, INTERLEAVE, ctypes.byref(ctypes.c_ulong(1)), 64)
    LIBC.personality(NO_RANDOM)
    Path("/proc/self/oom_score_adj").write_text("500")
    LIBC.prctl(29, 1000000000, 0, 0, 0)  # PR_SET_TIMERSLACK
    LIBC.prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE
    LIBC.prctl(33, 1, 1, 0, 0)  # PR_MCE_KILL, to be killed early
    Path("/proc/self/coredump_filter").write_text("0x1ff")


def test_no_priority_is_inherited(pf):
    plain = "0 0 0 0 00000000 True 50000 0 2 51\n"
    script = [PYTHON, "-I", "-c", PRIORITIES]
    assert pf.ok("run", "--cpus", CPU, "--", *script, preexec_fn=hand_on) == plain
    _, name = pf.begin()
    assert pf.ok("exec", name, "--", *script, preexec_fn=hand_on) == plain
    pf.ok("stop", "-t", "0", name)


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_exec_has_the_limits_of_run(pf, runtime):
    path = f"/usr/bin/{runtime}"
    if not os.path.exists(path):
        pytest.skip(f"{runtime} is not installed")
    name = pf.detach("--runtime", path)
    first = next(iter(sorted(processes_of(pf.lease(name)))))
    run = limits(Path(f"/proc/{first}/limits").read_text())

    def low():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))

    text = pf.ok("exec", name, "--", "cat", "/proc/self/limits", preexec_fn=low)
    mine = limits(text)
    assert mine.pop("Max core file size") in (("1", "1"), ("0", "0"))
    run.pop("Max core file size")
    assert mine == run


@pytest.mark.guest
def test_the_namespace_is_nobodys(pf):
    """Its owner, to whom the kernel charges it, is an id that no process and no container has."""
    name = pf.detach()
    base = pf.lease(name)["uid-base"]
    pid = next(iter(processes_of(pf.lease(name))))
    fd = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
    owner = ctypes.c_uint32()
    assert LIBC.ioctl(fd, NS_GET_OWNER_UID, ctypes.byref(owner)) == 0
    os.close(fd)
    assert owner.value >= 0x7C000000 and not base <= owner.value < base + 65536
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            text = Path(f"/proc/{entry}/status").read_text()
        except OSError:
            continue
        assert str(owner.value) not in re.search(r"^Uid:(.*)$", text, re.M)[1].split()
    lines = pf.ok("exec", name, "--", "sh", "-c", "cd /proc/sys/user && grep . *").splitlines()
    maxima = {k.removeprefix("max_"): int(v) for k, v in (line.split(":") for line in lines)}
    assert maxima["user_namespaces"] == 0 and maxima["inotify_instances"] == 128
    assert all(v <= 32 for k, v in maxima.items() if k.endswith("_namespaces"))


def test_a_crash_starts_nothing_on_the_host(pf, tmp_path):
    """core_pattern may name a program: it runs as root of the host, with the dead one's memory."""
    pattern = Path("/proc/sys/kernel/core_pattern")
    before = pattern.read_text()
    ran = tmp_path / "ran"
    script = tmp_path / "core"
    script.write_text(f"#!/bin/sh\necho $1 >>{ran}\n")
    script.chmod(0o755)
    crash = [PYTHON, "-I", "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"]
    try:
        try:
            pattern.write_text(f"|{script} %s")
        except OSError as e:
            pytest.skip(f"core_pattern cannot be set here: {e}")

        def unlimited():
            resource.setrlimit(
                resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2
            )

        subprocess.run(crash, check=False, preexec_fn=unlimited, timeout=20 * SLOW)
        if not wait_for(ran):
            pytest.skip("this kernel runs no program for a crash on the host either")
        ran.unlink()
        assert pf.run("--", *crash).returncode == 128 + signal.SIGSEGV
        time.sleep(0.5 * SLOW)
        assert not ran.exists()
    finally:
        pattern.write_text(before)


def test_the_core_limit_stays(pf):
    """To lower it to 0 would let core_pattern's program run again."""
    code = """
import ctypes, resource
libc = ctypes.CDLL(None, use_errno=True)
zero = (ctypes.c_ulong * 2)(0, 0)
for number in (4, 4 | 1 << 32):
    print(libc.syscall(160, ctypes.c_ulong(number), zero), end=" ")
    print(libc.syscall(302, 0, ctypes.c_ulong(number), zero, None), end=" ")
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
print(resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""
    assert pf.python(code) == "-1 -1 -1 -1 (1, 1) 64\n"


def test_no_filter_is_attached(pf):
    """The memory that they are compiled into is the machine's; captures ask for it."""
    code = """
import socket, struct, ctypes
filter = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0xffffffff))
program = struct.pack("HxxxxxxP", 1, ctypes.addressof(filter))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for option in (26, 51):
    try:
        s.setsockopt(socket.SOL_SOCKET, option, program)
        print("attached", end=" ")
    except OSError as e:
        print(e.errno, end=" ")
v6 = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
v6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
print(v6.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
"""
    assert pf.python(code) == "1 1 1\n"
    assert pf.python(code, "--cap", "NET_RAW") == "attached 1 1\n"


# What a socket may be asked for: memory that nobody counts, tables and interrupts of the machine.
ASKED = """
import ctypes, fcntl, os, socket, struct
udp, udp6 = (socket.socket(f, socket.SOCK_DGRAM) for f in (socket.AF_INET, socket.AF_INET6))
tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
one, port = struct.pack("i", 1), ("127.0.0.1", 9)
label = socket.inet_pton(socket.AF_INET6, "::1") + struct.pack("IBBHHHI", 0, 0, 255, 1, 6, 6, 0)
group = socket.inet_pton(socket.AF_INET6, "ff01::1") + struct.pack("I", 1)
packets = socket.inet_aton("224.0.0.9") + bytes(4) + one
key = struct.pack("HH4s120x", 2, 0, socket.inet_aton("127.0.0.1"))
key += struct.pack("BBHI80s", 0, 0, 3, 0, b"key")
libc = ctypes.CDLL(None, use_errno=True)

def call(name, *args):
    if getattr(libc, name)(*args) < 0:
        raise OSError(ctypes.get_errno(), name)

def splice():
    r, w = os.pipe()
    os.write(w, b"x" * 8000)
    udp.connect(port)
    os.splice(r, udp.fileno(), 8000, flags=4)

tries = {
    "MSG_MORE": lambda: udp.sendto(b"x" * 60000, 0x8000, port),
    "MSG_MORE-sendmsg": lambda: udp.sendmsg([b"x" * 60000], [], 0x8000, port),
    "SPLICE_F_MORE": splice,
    "UDP_CORK": lambda: udp.setsockopt(17, 1, one),
    "UDP_ENCAP": lambda: udp.setsockopt(17, 100, struct.pack("i", 2)),
    "UDP_GRO": lambda: udp.setsockopt(17, 104, one),
    "SO_ZEROCOPY": lambda: udp.setsockopt(1, 60, one),
    "SO_TIMESTAMP": lambda: udp.setsockopt(1, 29, one),
    "SO_TIMESTAMPING": lambda: udp.setsockopt(1, 37, struct.pack("i", 1 << 3)),
    "SIOCGSTAMP": lambda: fcntl.ioctl(udp, 0x8906, bytes(16)),
    "SIOCGIFBR": lambda: fcntl.ioctl(udp, 0x8940, bytes(24)),
    "SIOCBRADDBR": lambda: fcntl.ioctl(udp, 0x89A0, bytes(16)),
    "SIOCGIFVLAN": lambda: fcntl.ioctl(udp, 0x8982, struct.pack("i24s28x", 8, b"lo")),
    "TCP_MD5SIG": lambda: tcp.setsockopt(6, 14, key),
    "TCP_TX_DELAY": lambda: tcp.setsockopt(6, 37, one),
    "IP_MINTTL": lambda: tcp.setsockopt(0, 21, one),
    "IPV6_MINHOPCOUNT": lambda: udp6.setsockopt(41, 73, one),
    "IPV6_FLOWLABEL_MGR": lambda: udp6.setsockopt(41, 32, label),
    "IPV6_ADD_MEMBERSHIP": lambda: udp6.setsockopt(41, 20, group),
    "IP_ADD_MEMBERSHIP": lambda: udp.setsockopt(0, 35, packets),
    "NETLINK_ROUTE": lambda: socket.socket(16, socket.SOCK_RAW, 0),
    "DONTNEED": lambda: os.posix_fadvise(os.open("/usr/bin/env", os.O_RDONLY), 0, 0, 4),
    "syncfs": lambda: call("syncfs", os.open("/", os.O_RDONLY)),
    "TUNATTACHFILTER": lambda: fcntl.ioctl(udp, 0x401054D5, bytes(16)),
    "TUNSETSTEERINGEBPF": lambda: fcntl.ioctl(udp, 0x800454E0, one),
    "FS_IOC_ADD_ENCRYPTION_KEY": lambda: fcntl.ioctl(os.open("/", os.O_RDONLY), 0xC0506617, bytes(80)),
    "FS_IOC_GETFLAGS": lambda: fcntl.ioctl(os.open("/", os.O_RDONLY), 0x80086601, bytes(8)),
    "PACKET_FANOUT_DATA": lambda: udp.setsockopt(263, 22, bytes(16)),
}
for name, ask in tries.items():
    try:
        ask()
        print(name, "done")
    except OSError as e:
        if e.errno != 1:
            print(name, e)
# and what programs do need
udp.sendto(b"x", port)
udp.setsockopt(17, 103, struct.pack("i", 512))
for level, option in ((1, 2), (1, 8), (6, 1), (6, 3), (0, 1), (0, 8)):
    tcp.setsockopt(level, option, one)
"""


def test_sockets_keep_and_reach_nothing_of_others(pf):
    """No datagram that is begun and not sent, no table of the machine's, no interrupt on every CPU."""
    assert pf.python(ASKED) == ""
    # a group needs the rights over a network, which a kernel port comes with
    with_network = pf.python(ASKED, "--cap", "NET_ADMIN")
    names = {"IPV6_ADD_MEMBERSHIP", "IP_ADD_MEMBERSHIP", "NETLINK_ROUTE"}
    assert {line.split()[0] for line in with_network.splitlines()} <= names
    assert "NETLINK_ROUTE done" in with_network


def test_memory_reaches_nothing_of_others(pf):
    """No page that is merged with those of others, no interrupt of their programs, no CPU woken for a seal; what
    programs need is there."""
    code = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
page = ctypes.c_void_p(libc.mmap(None, 4096, 3, 0x22, -1, 0))
file = os.memfd_create("f", os.MFD_ALLOW_SEALING)
tries = {
    "MADV_MERGEABLE": lambda: libc.madvise(page, 4096, 12),
    "PR_SET_MEMORY_MERGE": lambda: libc.prctl(67, 1, 0, 0, 0),
    "MEMBARRIER_CMD_GLOBAL_EXPEDITED": lambda: libc.syscall(324, 2, 0, 0),
    "MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED": lambda: libc.syscall(324, 4, 0, 0),
    "F_SEAL_WRITE": lambda: libc.fcntl(file, 1033, 8),
    "F_SEAL_EXEC": lambda: libc.fcntl(file, 1033, 0x20),
}
for name, ask in tries.items():
    if ask() >= 0 or ctypes.get_errno() != 1:
        print(name, ctypes.get_errno())
assert libc.syscall(324, 16, 0, 0) == 0 and libc.syscall(324, 8, 0, 0) == 0
assert libc.madvise(page, 4096, 16) == 0
assert libc.fcntl(file, 1033, 2 | 4) == 0 and libc.fcntl(file, 1034) == 6
"""
    assert pf.python(code) == ""


@pytest.mark.guest
@pytest.mark.parametrize("place", [(), ("--in", "host")], ids=["container", "host"])
@pytest.mark.skipif(not COUNTED, reason="this kernel does not count what sockets hold")
def test_sockets_are_memory(pf, place):
    """What waits in them to be read; apart from the rest on cgroup v1, up to the same limit."""
    code = """
import resource, socket
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
held, sent, to = [], 0, socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
to.setblocking(False)
for i in range(600):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    s.bind(("127.0.0.1", 0))
    held.append(s)
    for k in range(40):
        try:
            to.sendto(b"x" * 16000, s.getsockname())
        except OSError:
            break
print(sum(int(line.split("mem ")[1]) for line in open("/proc/net/sockstat") if "mem " in line))
"""
    p = pf.run(*place, "--memory", "64M", "--", PYTHON, "-I", "-c", code)
    if p.returncode != 128 + signal.SIGKILL:  # memory it is: there may be none left for the program
        assert p.returncode == 0, p.stderr
        assert int(p.stdout) * 4096 <= 80 << 20, f"{p.stdout} pages in sockets of a grant of 64 MiB"


# Connections that nobody accepts, with what fits into them; their other ends are closed.
UNACCEPTED = """
import socket
held, most = [], 0
for i in range(3):
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(65535)
    held.append(s)
    for n in range(1200):
        c = socket.socket()
        c.settimeout(0.5)
        try:
            c.connect(s.getsockname())
        except OSError:
            break
        c.setblocking(False)
        try:
            while True:
                c.send(b"x" * 65536)
        except BlockingIOError:
            pass
        c.close()
        most = max(most, n + 1)
try:
    open("/proc/sys/net/core/somaxconn", "w").write("4096")
except OSError as e:
    print(e.errno, end=" ")
wait = [int(line.split()[4].split(":")[1], 16) for line in list(open("/proc/net/tcp"))[1:]]
print(most, max(wait), open("/proc/sys/net/core/somaxconn").read().strip(), end=" ")
print(*open("/proc/sys/net/ipv4/tcp_rmem").read().split())
"""
CORE = tuple(map(int, re.match(r"(\d+)\.(\d+)", os.uname().release).groups())) >= (6, 6)


@pytest.mark.parametrize("memory, queue, most", [("64M", 16, 512 << 10), ("512M", 128, 4 << 20)])
@pytest.mark.skipif(not CORE, reason="before Linux 6.6 a container has no net.core.somaxconn")
def test_few_connections_wait_to_be_accepted(pf, memory, queue, most):
    """No cgroup is charged for them before; so it is with exec, and where a keeper starts it."""

    def check(text):
        no, had, waits, *values = map(int, text.split())
        assert no == errno.EROFS and values[:3] == [queue, 4096, 16384]
        assert values[3] <= most
        assert 0 < had <= queue + 1 and 0 < waits <= 64 << 10

    name = pf.detach("--memory", memory)
    check(pf.ok("exec", name, "--", PYTHON, "-I", "-c", UNACCEPTED))
    pf.ok("stop", "-t", "0", name)
    check(pf.python(UNACCEPTED, "--memory", memory))
    owner = 54321
    name = pf.grant("--cpus", CPU, "--memory", memory, "--owner", f"{owner}:{owner}")
    try:
        flags = ["run", "--grant", name, "--", PYTHON, "-I", "-c", UNACCEPTED]
        check(pf.ok(*flags, user=owner, group=owner, extra_groups=[]))
    finally:
        pf("grant", "stop", name)


# Connections that end, to peers that none was made to before; begun as usual and with Fast Open.
MANY_PEERS = """
import socket
s = socket.socket()
s.bind(("", 5555))
s.listen(16)
for i in range(1, 9):
    for flags in (0, 0x20000000):
        c = socket.socket()
        to = (f"127.{i}.{int(flags > 0)}.1", 5555)
        try:
            c.sendto(b"x", flags, to)
        except OSError:
            c.connect(to)
            c.send(b"x")
        a = s.accept()[0]
        a.recv(1)
        a.send(b"y")
        c.recv(1)
        c.close()
        a.close()
"""


def test_keeps_nothing_in_the_table_of_tcp_metrics(pf):
    """The machine has one, and what is new takes the place of what others had."""
    name = pf.detach()
    pf.ok("exec", name, "--", PYTHON, "-I", "-c", MANY_PEERS)
    pid = next(iter(processes_of(pf.lease(name))))
    show = ["nsenter", "-t", str(pid), "-n", "ip", "tcp_metrics", "show"]
    p = subprocess.run(show, capture_output=True, text=True, timeout=30, check=False)
    assert (p.returncode, p.stdout) == (0, ""), p.stderr


def test_init_is_its_own(pf):
    """The program, of the same user, gets nothing of the process that started it."""
    code = """
import os
for name in ("mem", "maps", "environ", "cwd/.", "root/."):
    try:
        open(f"/proc/1/{name}")
        print("opened", name)
    except OSError as e:
        print(e.errno, end=" ")
"""
    assert pf.python(code) == "13 13 13 13 13 "


def wait_for(path, seconds=15):
    deadline = time.monotonic() + seconds * SLOW
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return path.exists()


def test_no_range_is_given_twice(pf):
    """Also when all of its lease is gone: what that left in a volume is nobody's."""
    bases, groups = [], []
    link = unique("l")
    for _ in range(3):
        name = pf.detach("--link", f"memif:{link}")
        lease = pf.lease(name)
        bases.append(lease["uid-base"])
        groups.append(lease["link-groups"][link])
        pf.ok("stop", "-t", "0", name)
    assert len(set(bases)) == 3 and bases == sorted(bases)
    assert len(set(groups)) == 3 and groups == sorted(groups)
    # one who only looks takes none
    for _ in range(2):
        pf.ok("plan", "--cpus", CPU, "--", "true")
    name = pf.detach()
    assert pf.lease(name)["uid-base"] == bases[-1] + 65536 or bases[-1] == 0x77FF0000


# --- links ----------------------------------------------------------------------------------------


@needs_two
@pytest.mark.guest
def test_a_link_has_its_bounds(pf):
    """What is written there fills none of the host's file systems, and its end holds nobody up."""
    link = unique("l")
    path = Path(f"/run/pinfold/links/{link}")
    peer = pf.detach("--link", f"memif:{link}", "--memory", "64M")
    used = os.statvfs("/run").f_bfree
    script = f"""
cd /run/pinfold/links/{link}
dd if=/dev/zero of=big bs=64k count=160 2>/dev/null
stat -c %s big
mkdir d; i=0; while [ $i -lt 2000 ] && true 2>/dev/null >d/$i; do i=$((i + 1)); done
echo $i
"""
    size, files = map(int, pf.shell(script, "--link", f"memif:{link}", cpu=OTHER).split())
    assert 0 < size <= 1 << 20 and 0 < files < 300
    st = os.stat(path)
    assert st.st_dev != os.stat(path.parent).st_dev and os.statvfs(path).f_frsize > 0
    assert used - os.statvfs("/run").f_bfree < 256
    flags = next(
        line.split()[5]
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
        if line.split()[4] == str(path)
    )
    assert {"nosuid", "nodev", "noexec"} <= set(flags.split(","))
    assert stat.S_IMODE(st.st_mode) == 0o2770
    before = time.monotonic()
    pf.ok("stop", "-t", "0", peer)
    assert time.monotonic() - before < 5 * SLOW
    assert not path.exists()


def test_a_link_left_by_a_crash_goes(pf):
    link = unique("l")
    path = Path(f"/run/pinfold/links/{link}")
    s, name = pf.begin("--link", f"memif:{link}")
    s.signal(signal.SIGKILL)
    s.end()
    pf.ok("stop", "-t", "0", name)
    assert not path.exists() and not (LEASES / f"{name}.json").exists()
