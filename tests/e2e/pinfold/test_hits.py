# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""A workload that ran into a limit: who asks is told which, and what raises it."""

import contextlib
import os
import re
import signal
import time
from pathlib import Path

import pytest

from features import V2
from workload import (
    CPU,
    LOGS,
    PYTHON,
    needs_pages,
    needs_root,
    needs_two,
    status_field,
    unique,
    wait,
)

pytestmark = [needs_root, pytest.mark.guest]

FILL = "x = b'x' * (256 << 20)"
KILLED = r"killed for memory: its limit of 32M was reached; raise it with --memory"
IT = rf"pinfold: '%s': it was {KILLED}\n"
A_PROCESS = rf"pinfold: '%s': a process of it was {KILLED}\n"
# its parent goes on
CHILD = (
    "import os, time\n"
    "if os.fork() == 0:\n"
    f"    {FILL}\n"
    "print('child', os.wait()[1], flush=True)\n"
    "time.sleep(1000)\n"
)
BLOCK = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
print("up", flush=True)
"""
FORKS = """
import os, time
n = 0
try:
    while n < 100:
        if os.fork() == 0:
            time.sleep(1000)
        n += 1
except OSError as e:
    print("forks", n, e.errno, flush=True)
"""
# more than is reserved for it: the kernel looks when they are touched
TOUCH = """
import ctypes, mmap
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
size = 32 << 20
at = libc.mmap(None, ctypes.c_size_t(size), 3, 0x4022 | 0x40000, -1, 0)
assert at != ctypes.c_void_p(-1).value
for page in range(0, size, 2 << 20):
    ctypes.memset(at + page, 1, 1)
"""


# cgroup v2 has memory.oom.group: a workload lives whole or not at all
one_may_die = pytest.mark.skipif(V2, reason="with cgroup v2 all of a container is killed at once")


def python(code):
    return [PYTHON, "-I", "-c", code]


def named(comm, lease):
    """The processes of a lease that are called so, the runtime's too, but for what is dead already."""
    found = []
    for where, _, _ in os.walk(lease["cgroup"]):
        for pid in Path(where, "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{pid}/status").read_text()
                if status_field(status, "Name") == comm and status_field(status, "State")[0] != "Z":
                    found.append(int(pid))
    return found


@pytest.mark.parametrize("where", ["container", "host"])
def test_run_says_it(pf, where):
    name = unique()
    flags = ["--in", "host"] if where == "host" else []
    p = pf.run("--name", name, *flags, "--memory", "32M", "--", *python(FILL))
    assert p.returncode == 137
    assert re.fullmatch(IT % name, p.stderr), p.stderr


def test_other_deaths_say_nothing(pf):
    """Killed by somebody, and for nothing that a limit did."""
    for script, status in (("kill -9 $$", 137), ("kill -7 $$", 135), ("exit 137", 137)):
        p = pf.run("--memory", "32M", "--", "/bin/sh", "-c", script)
        assert (p.returncode, p.stderr) == (status, "")


def test_log_of_a_detached_one(pf):
    name = pf.detach("--memory", "32M", command=python("print('begins', flush=True); " + FILL))
    wait(lambda: name not in pf.ps(), 20, "its end")
    assert re.fullmatch("begins\n" + IT % name, pf.ok("logs", name))


@one_may_die
def test_a_child_while_its_parent_goes_on(pf):
    """In the log soon, and in ps."""
    name = pf.detach("--memory", "32M", command=python(CHILD))
    log = LOGS / f"{name}.log"
    # its parent and pinfold write in either order
    wait(lambda: re.search("^child 9$", log.read_text(), re.M), 20, "the parent's word in the log")
    wait(lambda: "pinfold: " in log.read_text(), 20, "a word in the log")
    assert re.search(A_PROCESS % name, log.read_text()), log.read_text()
    row = pf.ps()[name]
    assert row["state"] == "running"
    assert re.fullmatch(f"a process of it was {KILLED}", row["note"])
    assert f"{name}: a process of it was killed" in pf.ok("ps")
    pf.ok("stop", "-t", "0", name)
    assert log.read_text().count("pinfold: ") == 1, "it was said, and is not said again"


@one_may_die
def test_a_child_in_the_foreground(pf):
    s = pf.start(
        "run", "--cpus", CPU, "--name", (name := unique()), "--memory", "32M", "--", *python(CHILD)
    )
    s.until(A_PROCESS % name)
    s.signal(signal.SIGTERM)
    assert s.end() == 143
    assert s.text().count("pinfold: ") == 1


@pytest.mark.skipif(not V2, reason="with cgroup v1 a single process is killed")
def test_all_of_a_container_dies_on_v2(pf):
    """With a child of its own, and with what exec put beside it; both say why."""
    name = pf.detach("--memory", "32M", command=python(CHILD))
    wait(lambda: name not in pf.ps(), 20, "its end")
    assert re.fullmatch(IT % name, pf.ok("logs", name))
    name = pf.detach("--memory", "32M")
    p = pf("exec", name, "--", *python(FILL))
    assert p.returncode == 137
    assert re.fullmatch(IT % name, p.stderr), p.stderr
    wait(lambda: name not in pf.ps(), 20, "its end")
    assert re.fullmatch(IT % name, pf.ok("logs", name))


@pytest.mark.skipif(not V2, reason="with cgroup v1 a single process is killed")
def test_an_end_that_takes_long(pf):
    """It is said once, at the end, however late a busy machine lets that be known."""
    waits = "import signal\nsignal.sigwait([signal.SIGUSR1])\n"
    name = pf.detach("--memory", "32M", command=python(BLOCK + waits + FILL))
    wait(lambda: "up" in pf.ok("logs", name), what="its word")
    lease = pf.lease(name)
    (runtime,) = named("crun", lease)
    os.kill(runtime, signal.SIGSTOP)
    try:
        for pid in named("python3", lease):
            os.kill(pid, signal.SIGUSR1)
        wait(lambda: not named("python3", lease), 20, "its death")
        time.sleep(1.5)
    finally:
        os.kill(runtime, signal.SIGCONT)
    wait(lambda: name not in pf.ps(), 20, "its end")
    assert re.fullmatch("up\n" + IT % name, pf.ok("logs", name))


@one_may_die
@needs_two
def test_exec_says_it(pf):
    name = pf.detach("--memory", "32M")
    p = pf("exec", name, "--", *python(FILL))
    assert p.returncode == 137
    assert re.fullmatch(IT % name, p.stderr), p.stderr
    assert pf.ps()[name]["state"] == "running"
    # and not for what others did before
    p = pf("exec", name, "--", "/bin/sh", "-c", "kill -9 $$")
    assert (p.returncode, p.stderr) == (137, "")


def test_refused_processes(pf):
    name = unique()
    p = pf.run(
        "--name", name, "--pids", "20", "--", *python(FORKS + "time.sleep(0.5)\nos._exit(3)")
    )
    assert p.returncode == 3 and "forks" in p.stdout
    assert p.stderr == (
        f"pinfold: '{name}': it was refused new processes: its limit of 20 was reached; "
        "raise it with --pids\n"
    )


@needs_pages(16)
def test_more_hugepages_than_granted(pf):
    name = unique()
    p = pf.run("--name", name, "--hugepages", "2M=4,anon", "--", *python(TOUCH))
    assert p.returncode == 135
    assert p.stderr == (
        f"pinfold: '{name}': it was killed by SIGBUS when it touched more hugepages than its limit "
        "of 8M; raise it with --hugepages\n"
    )


def test_keeper_says_it(keep):
    keep.grant("--memory", "32M")
    for _ in range(2):  # what the one before ran into is not told again
        p = keep.run("--", *python(FILL))
        assert p.returncode == 137
        assert re.fullmatch(IT % keep.name, p.stderr), p.stderr
    p = keep.run("--", "/bin/sh", "-c", "kill -9 $$")
    assert (p.returncode, p.stderr) == (137, "")
    assert keep.run("-d", "--", *python(FILL)).returncode == 0
    wait(lambda: "pinfold: " in keep.ok("logs", keep.name), 20, "a word in the log")
    assert re.fullmatch(IT % keep.name, keep.ok("logs", keep.name))
