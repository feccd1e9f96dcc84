# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What tests of running workloads share: starting them, waiting for what they say, putting away."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import uuid
from pathlib import Path

import pytest

GUEST = os.environ.get("PINFOLD_GUEST", "")  # in the guest of tests/guest: what runs it
FULL = os.environ.get("PINFOLD_FULL") == "1"  # ./check --full
# also in its guest, where all that is long would take hours: each step of what the guest alone has is one to die at
EVERY_STEP = FULL or os.environ.get("PINFOLD_EVERY_STEP") == "1"
SLOW = 4 if GUEST == "tcg" else 1  # an emulated CPU: so much more time for everything
PYTHON = "/usr/bin/python3"  # the host's, seen inside through /usr
TESTPMD = shutil.which("dpdk-testpmd")
CPUS = sorted(os.sched_getaffinity(0))
LCORES = 128  # Debian's EAL numbers CPUs below


def ids(text):
    """ "0-2,4" as a set."""
    found = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def nodes():
    """Of each NUMA node that has CPUs and memory, its CPUs that tests may use: what is granted on such a
    CPU is all on its node."""
    top = Path("/sys/devices/system/node")
    found = {}
    for node in top.glob("node[0-9]*"):
        memory = re.search(r"MemTotal: +([1-9]\d*)", (node / "meminfo").read_text())
        cpus = sorted(ids((node / "cpulist").read_text()) & set(CPUS))
        if memory and cpus:
            found[int(node.name[4:])] = cpus
    return dict(sorted(found.items())) if top.is_dir() else {0: CPUS}


NODES = nodes()


def choose():
    """A CPU, its node, and the CPUs there: the last one that everything can be tried with."""
    placed = [(cpu, node) for node, cpus in NODES.items() for cpu in cpus if cpu < LCORES]
    if not placed:
        return CPUS[-1], 0, CPUS
    cpu, node = max(placed)
    return cpu, node, [c for c, n in placed if n == node]


CPU, NODE, BESIDE = choose()  # the CPU is granted when a test wants one
# another CPU, of the same node where it can be: what two CPUs have is then in one place
OTHER = next((cpu for cpu in [*BESIDE, *CPUS] if cpu != CPU), CPU)
# for each lcore that there might be, and is not, EAL counts node 0
EAL_NODES = f"EAL: Detected NUMA nodes: {len({0, NODE})}\n"
PAGE = 2 << 20
POOL = Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
LEASES = Path("/run/pinfold/leases")
LOGS = Path("/var/log/pinfold")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="runs containers: needs root")
needs_two = pytest.mark.skipif(len(CPUS) < 2, reason="needs two CPUs")
needs_numa = pytest.mark.skipif(
    not Path("/sys/devices/system/node").is_dir(), reason="this kernel knows no NUMA nodes"
)
needs_testpmd = pytest.mark.skipif(TESTPMD is None, reason="package dpdk is not installed")


def pool(counter):
    return int((POOL / f"{counter}_hugepages").read_text())


def free_pages():
    """Hugepages of 2M that nobody has or was promised."""
    return pool("free") - pool("resv")


def needs_pages(n):
    have = free_pages() if POOL.is_dir() else 0
    return pytest.mark.skipif(have < n, reason=f"needs {n} free hugepages of 2M, there are {have}")


def unique(prefix="t"):
    """A name that no workload of anybody else has."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def wait(condition, seconds=10, what="it"):
    """Polls until the condition holds; returns what it returned."""
    deadline = time.monotonic() + seconds * SLOW
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not happen within {seconds * SLOW} s")
        time.sleep(0.005)
    return found


LOOK = """
import os, sys
for path in sys.argv[1:]:
    open(path, "w").write("0")
for d in ("null", "zero", "full", "random", "urandom", "ptmx", "kmsg", "mem", "loop-control", "fuse"):
    try:
        os.close(os.open("/dev/" + d, os.O_RDONLY | os.O_NONBLOCK))
        print(d)
    except OSError:
        pass
"""
BASIC = ["null", "zero", "full", "random", "urandom", "ptmx"]  # what every container may open


def devices_opened(*procs):
    """Of some of the host's those that root opens, from within cgroups (their cgroup.procs)."""
    p = subprocess.run(
        [PYTHON, "-I", "-c", LOOK, *map(str, procs)],
        capture_output=True,
        text=True,
        check=True,
        timeout=20 * SLOW,
    )
    return p.stdout.split()


class Started:
    """A pinfold run that goes on, its output in a file."""

    def __init__(self, command, log, **kw):
        self.log = Path(log)
        kw.setdefault("stdin", subprocess.DEVNULL)
        with open(log, "wb") as f:
            self.process = subprocess.Popen(command, stdout=f, stderr=f, **kw)
        self.pid = self.process.pid

    def text(self):
        return self.log.read_text(errors="replace")

    def until(self, pattern, seconds=20):
        """Waits for a pattern in the output; returns the match."""

        def look():
            ended = self.process.poll() is not None
            match = re.search(pattern, self.text(), re.M)
            if match is None and ended:
                pytest.fail(
                    f"ended with {self.process.returncode} without {pattern!r}:\n{self.text()}"
                )
            return match

        return wait(look, seconds, f"{pattern!r} in the output {self.log}")

    def signal(self, number):
        self.process.send_signal(number)

    def end(self, seconds=20):
        """Waits for the end; returns the exit status."""
        return self.process.wait(seconds * SLOW)


class Command:
    """What is called with arguments, and gives what became of it."""

    def ok(self, *args, **kw):
        p = self(*args, **kw)
        assert p.returncode == 0, f"{args}: status {p.returncode}\n{p.stdout}{p.stderr}"
        return p.stdout

    def fails(self, *args, like, status=125, **kw):
        """One line that begins with "pinfold: " and names the thing."""
        p = self(*args, **kw)
        assert p.returncode == status, f"{args}: status {p.returncode}\n{p.stdout}{p.stderr}"
        assert p.stderr.startswith("pinfold: ") and p.stderr.count("\n") == 1, p.stderr
        assert p.stderr.endswith("\n")
        assert re.search(like, p.stderr), f"{p.stderr!r} is not like {like!r}"
        assert p.stdout == ""
        return p.stderr


class Pinfold(Command):
    """The command line, and everything that was started with it."""

    def __init__(self, path, directory):
        self.path = path
        self.directory = directory
        self.started = []
        self.names = []
        self.grants = []

    def __call__(self, *args, seconds=50, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        if "input" in kw:
            kw.pop("stdin")
        kw.setdefault("text", True)
        return subprocess.run(
            [self.path, *map(str, args)],
            capture_output=True,
            timeout=seconds * SLOW,
            check=False,
            **kw,
        )

    def run(self, *args, cpu=CPU, **kw):
        """pinfold run with one CPU."""
        return self("run", "--cpus", cpu, *args, **kw)

    def shell(self, script, *flags, cpu=CPU, **kw):
        """What a script prints in a container."""
        return self.ok("run", "--cpus", cpu, *flags, "--", "/bin/sh", "-c", script, **kw)

    def python(self, code, *flags, cpu=CPU, **kw):
        return self.ok("run", "--cpus", cpu, *flags, "--", PYTHON, "-I", "-c", code, **kw)

    def json(self, *args, **kw):
        return json.loads(self.ok(*args, **kw))

    def start(self, *args, **kw):
        s = Started([self.path, *map(str, args)], self.directory / f"out-{len(self.started)}", **kw)
        self.started.append(s)
        return s

    def start_other(self, *command):
        """Another program, ended with the test."""
        log = self.directory / f"out-{len(self.started)}"
        self.started.append(Started([str(word) for word in command], log))
        return self.started[-1]

    def unique(self):
        """A name for a workload, ended with the test."""
        self.names.append(unique())
        return self.names[-1]

    def begin(self, *flags, name=None, cpu=CPU, script="echo up; exec sleep 1000", **kw):
        """A container that says "up" and then does nothing; returns it and its name."""
        name = name or unique()
        self.names.append(name)
        s = self.start(
            "run", "--name", name, "--cpus", cpu, *flags, "--", "/bin/sh", "-c", script, **kw
        )
        s.until("^up")
        return s, name

    def detach(self, *flags, name=None, cpu=CPU, command=("/bin/sleep", "1000")):
        name = name or unique()
        self.names.append(name)
        assert self.ok("run", "-d", "--name", name, "--cpus", cpu, *flags, "--", *command) == (
            f"{name}\n"
        )
        return name

    def grant(self, *args, name=None):
        name = name or unique("g")
        self.grants.append(name)
        self.ok("grant", "create", "--name", name, *args)
        return name

    def ps(self):
        return {row["name"]: row for row in self.json("ps", "--json")}

    def lease(self, name):
        return json.loads((LEASES / f"{name}.json").read_text())

    def program(self, name, comm):
        """The process of the workload itself, which may not have come or not be called so yet."""

        def found():
            for pid in processes_of(self.lease(name)):
                try:
                    if Path(f"/proc/{pid}/comm").read_text() == f"{comm}\n":
                        return pid
                except OSError:
                    pass  # gone
            return None

        return wait(found, what=f"process '{comm}' in '{name}'")

    def put_away(self):
        for s in self.started:
            if s.process.poll() is None:
                s.process.terminate()
        for s in self.started:
            try:
                s.process.wait(3 * SLOW)
            except subprocess.TimeoutExpired:
                s.process.kill()
                s.process.wait()
        for name in self.names:
            if (LEASES / f"{name}.json").exists():
                self("stop", "-t", "0", name)
        self("gc")
        for name in self.grants:
            self("grant", "remove", name)
        for name in self.names + self.grants:
            remove_logs(name)


def remove_logs(name):
    for log in LOGS.glob(f"{name}.log*"):
        log.unlink()


def processes_of(lease):
    """Every process of a lease: those of its cgroups, but for the supervisor's."""
    found = set()
    for where, _, files in os.walk(lease["cgroup"]):
        if "cgroup.procs" in files and os.path.basename(where) != "super":
            try:
                found.update(map(int, Path(where, "cgroup.procs").read_text().split()))
            except OSError:
                pass
    return found


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def status_field(text, name):
    return re.search(rf"^{name}:\s*(.*)$", text, re.M)[1].strip()
