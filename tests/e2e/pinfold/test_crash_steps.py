# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Kills pinfold just before each system call by which it changes the machine, one call after the other.

An undisturbed run under killat lists the calls of the supervisor, of its child that becomes the
runtime, and of what that starts. Then the command is run again for each of them, and a process, or
all, are killed there. After `pinfold gc` the machine must be exactly as before. The default suite
takes a sample that is spread over the calls, --full takes all.
"""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

import noise
from caller import Caller
from features import needs_guests, needs_idmaps, needs_partitions
from leftovers import machine
from netspace import Netspace
from places import TOP, is_roots
from workload import (
    CPU,
    FULL,
    LEASES,
    SLOW,
    kill,
    needs_pages,
    needs_root,
    needs_two,
    pool,
    remove_logs,
    unique,
)
from workload import wait

pytestmark = [needs_root, needs_pages(32)]
KILLAT = TOP / "build/tests/e2e/lib/killat"
GRANT = ["--cpus", CPU, "--hugepages", "2M=8", "--link", "memif:steps"]
DEFS = Path("/etc/pinfold/grants.d")
NOT_REACHED = 3  # by killat: loops that wait make more or fewer calls each time


class Scenario:
    """A command that is killed. The machine as it must be again is taken before prepare()."""

    trace = ()  # more options of killat
    seconds = 40  # that it may take
    settle = 8  # until what outlives a supervisor has ended
    # whose calls count, and who is killed there; "self" is the caller
    victims = {"0": ["self"]}

    def __init__(self, pf):
        self.pf = pf
        self.name = None

    def prepare(self):
        self.name = unique("k")
        self.pf.names.append(self.name)

    def program(self):
        return self.pf.path

    def command(self):
        raise NotImplementedError

    def look(self):
        """After the kill, before anything is put away."""

    def put_away(self):
        """What a person would do then."""
        self.pf.ok("gc")

    def done(self):
        remove_logs(self.name)


class Run(Scenario):
    """A whole life, from the first step of the start to the last of the undo."""

    flags = []
    victims = {
        "0": ["self", "all"],
        "0.0": ["self"],  # a thread of the supervisor
        "0.1": ["self", "0", "all"],  # the maker of the user namespace
        "0.2": ["self", "0", "all"],  # the child, later the runtime
        "0.2.0": ["self", "all"],
        "0.2.0.0": ["self", "all"],  # the container's init
        "0.2.0.0.0": ["self", "all"],  # the program
        "0.3": ["self", "0"],  # the relay
    }

    def command(self):
        return ["run", "--name", self.name, *GRANT, *self.flags, "--", "/bin/true"]


class RunBare(Run):
    flags = ["--in", "host"]
    victims = {"0": ["self", "all"], "0.0": ["self"], "0.1": ["self", "0", "all"]}


class RunAlone(Run):
    """Without a link the child makes its fence before the lease is on disk."""

    def command(self):
        alone = GRANT[: GRANT.index("--link")]
        return ["run", "--name", self.name, *alone, *self.flags, "--", "/bin/true"]


class RunVm(RunAlone):
    """QEMU and its guest are 0.2.0.0 and what that starts."""

    flags = ["--in", "vm", "--accel", "tcg", "--memory", "192M"]
    seconds = 120
    settle = 60 * SLOW  # a guest that was about to boot boots, and ends then


class RunIsolated(Run):
    flags = ["--partition", "isolated"]


class RunDetached(Run):
    """0.0.0 is the supervisor, 0.0.0.3 the writer of the log."""

    flags = ["-d"]
    victims = {"0": ["self"], "0.0": ["self"], "0.0.0": ["self", "all"], "0.0.0.3": ["self"]}


class RunAgain(Run):
    """Started twice: 0.0.0 is the supervisor of both, 0.0.0.6 the second's child, 0.0.0.8 the writer of the log."""

    flags = ["-d", "--restart", "on-failure:1"]
    victims = {
        "0.0.0": ["self", "all"],
        "0.0.0.5": ["self"],
        "0.0.0.6": ["self", "0.0.0"],
        "0.0.0.6.0.0": ["0.0.0", "all"],
        "0.0.0.8": ["self"],
    }

    def command(self):
        return [*super().command()[:-1], "/bin/false"]

    def put_away(self):
        # it may wait for the second start, or be in it
        self.pf("stop", "-t", "0", self.name)
        super().put_away()


class RunIdmap(RunAlone):
    """The mount belongs to the workload's namespaces alone."""

    def __init__(self, pf):
        super().__init__(pf)
        data = pf.directory / "data"
        data.mkdir()
        needs_idmaps(data)
        self.flags = ["-v", f"{data}:/data:rw,idmap"]


class RunOwner(RunAlone):
    """Its directory is root's again, with the mode that it had."""

    victims = {"0": ["self", "all"], "0.2": ["self", "0", "all"], "0.2.0.0.0": ["self", "all"]}

    def __init__(self, pf):
        super().__init__(pf)
        self.data = pf.directory / "given"
        self.data.mkdir(mode=0o710)
        self.flags = ["-v", f"{self.data}:/data:rw,owner"]

    def command(self):
        return [*super().command()[:-1], "/bin/chmod", "777", "/data"]

    def put_away(self):
        # what outlives its supervisor for a moment has it as long
        wait(lambda: [self.pf.ok("gc"), self.data.stat().st_uid == 0][1], what="its owner")
        assert self.data.stat().st_mode & 0o7777 == 0o710


class RunOwnerAgain(RunOwner):
    """Started twice: also between the two it is root's."""

    victims = RunAgain.victims

    def __init__(self, pf):
        super().__init__(pf)
        self.flags = [*RunAgain.flags, *self.flags]

    def command(self):
        return [*RunAlone.command(self)[:-1], "/bin/sh", "-c", "chmod 777 /data; false"]

    def put_away(self):
        self.pf("stop", "-t", "0", self.name)
        super().put_away()


class RunNetdev(RunAlone):
    """An interface of a network namespace of the test's own is as it was. 0.2.0 to 0.2.2 make and keep
    namespaces, 0.4 and 0.5 let go of them."""

    victims = {
        "0": ["self", "all"],
        "0.2": ["self", "0", "all"],
        "0.2.0": ["self", "0", "all"],
        "0.2.1": ["self", "0", "all"],
        "0.2.2": ["self", "0", "all"],
        "0.4": ["self", "0", "all"],
        "0.5": ["self", "0", "all"],
    }
    flags = ["--netdev", "n0,force,name=e0"]

    def __init__(self, pf):
        self.net = Netspace(pf)
        super().__init__(self.net.pf)
        pf.started.append(self.net.holder)
        self.net("ip link add n0 type veth peer name far")
        self.net("ip link set n0 up mtu 1400 promisc on")
        self.net("ip addr add 192.0.2.9/24 dev n0")
        self.state = self.net.state("n0")

    def put_away(self):
        wait(lambda: [self.pf.ok("gc"), "n0" in self.net.names()][1], what="n0")
        assert self.net.state("n0") == self.state


class RunPublished(RunAlone):
    """Its file system is seen by the host."""

    flags = ["--publish", "unix:/run/app/ctl.sock"]
    victims = {"0": ["self", "all"], "0.2": ["self", "0", "all"]}


class RunFirst(Run):
    """The version of the runtime is not known yet: it is asked."""

    victims = {"0": ["self"], "0.0": ["self", "all"]}  # 0.0 is the one that is asked

    def prepare(self):
        super().prepare()
        Path("/run/pinfold/runtime-version").unlink(missing_ok=True)

    def put_away(self):
        super().put_away()
        self.pf.run("--", "/bin/true")


class Stop(Scenario):
    victims = {"0": ["self"]}

    def prepare(self):
        super().prepare()
        self.pf.detach(*GRANT, name=self.name)

    def command(self):
        return ["stop", "-t", "1", self.name]

    def put_away(self):
        if (LEASES / f"{self.name}.json").exists():
            p = self.pf("stop", "-t", "0", self.name)
            assert p.returncode == 0 or "does not run" in p.stderr, p.stderr
        self.pf.ok("gc")


class StopOrphan(Stop):
    """The supervisor is dead: stop takes everything back itself."""

    def prepare(self):
        super().prepare()
        kill(self.pf.lease(self.name)["supervisor"])


class Gc(StopOrphan):
    """The workload is dead as well."""

    def prepare(self):
        super().prepare()
        lease = self.pf.lease(self.name)
        for where, _, _ in os.walk(lease["cgroup"]):
            for pid in Path(where, "cgroup.procs").read_text().split():
                kill(int(pid))
        wait(lambda: self.pf.ps()[self.name]["state"] == "dead", what="the end")

    def command(self):
        return ["gc"]

    def put_away(self):
        self.pf.ok("gc")


class Exec(Scenario):
    """In a workload that goes on."""

    victims = {
        "0": ["self", "all"],
        "0.0": ["self", "0"],  # the runtime
        "0.0.0": ["self", "0"],
        "0.0.0.0": ["self", "0"],  # the program
        "0.1": ["self", "0"],  # the relay
    }

    def command(self):
        return ["exec", self.name, "--", "/bin/true"]

    def look(self):
        assert self.pf.ps()[self.name]["state"] == "running"

    def put_away(self):
        self.pf.ok("gc")
        assert self.pf.ps()[self.name]["state"] == "running"


class Create(Scenario):
    flags = ["--cpu-count", "1", "--hugepages", "2M=4"]
    count = 1

    def names(self):
        return [self.name]

    def command(self):
        return ["grant", "create", "--name", self.name, *self.flags]

    def put_away(self):
        self.pf.ok("gc")
        there = [(DEFS / f"{name}.json").exists() for name in self.names()]
        assert set(there) in ({True}, {False}), f"some of several: {there}"
        if all(there):
            self.pf.ok("grant", "remove", *self.names())


class CreateMany(Create):
    def __init__(self, pf):
        super().__init__(pf)
        self.pool = pf.grant("--pool", "--cpus", CPU)
        self.flags = ["--count", "3", "--shared-cpus", self.pool, "--hugepages", "2M=4"]
        self.flags += ["--memory", "64M"]  # a node of the guest has less than thrice the usual

    def names(self):
        return [f"{self.name}-{i}" for i in (1, 2, 3)]


class Remove(Create):
    def prepare(self):
        super().prepare()
        self.pf.ok("grant", "create", "--name", self.name, *self.flags)

    def command(self):
        return ["grant", "remove", self.name]


class StartKeeper(Create):
    """0.0 becomes the owner, 0.0.0 is the keeper, whose death takes all it started with it."""

    flags = ["--cpus", CPU, "--hugepages", "2M=8", "--owner", "64201:64201"]
    trace = ("-f",)  # the keeper stays
    victims = {"0": ["self", "all"], "0.0": ["self", "all"], "0.0.0": ["self"]}

    def prepare(self):
        super().prepare()
        self.pf.ok("grant", "create", "--name", self.name, *self.flags)
        self.pf.ok("grant", "stop", self.name)

    def command(self):
        return ["grant", "start", self.name]

    def put_away(self):
        if (LEASES / f"{self.name}.json").exists():
            self.pf("grant", "stop", self.name)
        super().put_away()


class Update(Scenario):
    """All of it has the one or the other: the kernel's limits, what is shown, the lease, the definition."""

    victims = {"0": ["self"], "0.0": ["self", "0", "all"]}  # 0.0 shows it in the workload

    def prepare(self):
        super().prepare()
        flags = ["--cpus", CPU, "--memory", "64M", "--pids", "20"]
        self.pf.ok("grant", "create", "--name", self.name, *flags)
        self.pf.ok("run", "-d", "--grant", self.name, "--", "/bin/sleep", "1000")

    def command(self):
        return ["update", self.name, "--memory", "128M", "--pids", "40"]

    def now(self):
        lease, held = self.pf.lease(self.name), self.pf.json("grant", "show", self.name)
        assert "updating" not in lease
        box = {}
        for top in [Path("/sys/fs/cgroup/pinfold"), *Path("/sys/fs/cgroup").glob("*/pinfold")]:
            for file in ("memory.max", "memory.limit_in_bytes", "pids.max"):
                for path in (top / self.name / "box").glob(file):
                    box[file.split(".", maxsplit=1)[0]] = int(path.read_text())
        shown = self.pf.ok("exec", self.name, "--", "/bin/cat", "/proc/meminfo")
        inner = self.pf.ok("exec", self.name, "--", "/bin/cat", "/run/pinfold/grant.json")
        return [
            lease["grant"]["memory"],
            held["memory"],
            f"{box['memory'] >> 20}M",
            f"{int(shown.split()[1]) >> 10}M",
            json.loads(inner)["memory"],
        ], [lease["grant"]["pids"], held["pids"], box["pids"] - 1, json.loads(inner)["pids"]]

    def put_away(self):
        if (DEFS / f"{self.name}.json").exists():
            self.pf.ok("gc")
            memory, pids = self.now()
            assert set(memory) in ({"64M"}, {"128M"}), memory
            assert set(pids) in ({20}, {40}), pids
            assert (memory[0] == "64M") == (pids[0] == 20)
            self.pf.ok("stop", "-t", "0", self.name)
            self.pf.ok("grant", "remove", self.name)
        self.pf.ok("gc")


UNITS = Path("/etc/systemd/system")


class Prepare(Scenario):
    """What was there is noted before the first step: undo brings it back, wherever it ended."""

    def __init__(self, pf):
        super().__init__(pf)
        self.threads = noise.threads()
        self.others = noise.masks(), noise.interrupts()

    def command(self):
        pages = pool("nr") + 4
        kept = ["--persist"] if UNITS.is_dir() and is_roots(self.pf.path) else []
        return ["host", "prepare", "--hugepages", f"2M={pages}", "--cpus", CPU, *kept]

    def put_away(self):
        self.pf.ok("host", "undo")
        assert not [*UNITS.rglob("*pinfold-prepare*")]
        assert (noise.masks(), noise.interrupts()) == self.others
        assert noise.moved(self.threads) == {}


class HostUndo(Prepare):
    def prepare(self):
        super().prepare()
        self.pf.ok(*Prepare.command(self))

    def command(self):
        return ["host", "undo"]


class EngineCreate(Scenario):
    """0.0 becomes the runtime, and goes on when this is killed; the engine has it delete what it was told failed."""

    trace = ("-f",)  # the container stays
    victims = {
        "0": ["self", "all"],
        "0.0": ["self", "0"],
        "0.1": ["self"],  # a thread of it
    }

    def __init__(self, pf):
        super().__init__(pf)
        self.grant = pf.grant("--cpus", CPU, "--hugepages", "2M=8", "--claim-by", "annotation")
        self.caller = Caller(pf.directory)

    def program(self):
        return self.caller.runtime.path

    def words(self, *words):
        return ["--root", self.caller.runtime.root, *words, self.name]

    def prepare(self):
        self.name = unique("k")
        self.caller.bundle.write(self.caller.doc(self.grant))

    def command(self):
        top = self.caller.bundle.top
        return self.words("create", "--bundle", top, "--pid-file", top / "pid")

    def put_away(self):
        self.caller.runtime("delete", "--force", self.name)
        super().put_away()


class EngineDelete(EngineCreate):
    """The runtime is as the engine would have started it: killed itself it may leave its copy of itself in /tmp."""

    trace = ()
    victims = {"0": ["self", "all"], "0.0": ["0"]}

    def prepare(self):
        super().prepare()
        self.caller.create(self.caller.doc(self.grant), self.name)

    def command(self):
        return self.words("delete", "--force")


VM = pytest.param(RunVm, marks=[needs_guests])
ISOLATED = pytest.param(RunIsolated, marks=[needs_partitions, needs_two, pytest.mark.whole])
SCENARIOS = [
    Run,
    RunAlone,
    RunBare,
    ISOLATED,
    RunDetached,
    RunAgain,
    RunIdmap,
    RunOwner,
    RunOwnerAgain,
    RunNetdev,
    RunPublished,
    VM,
    RunFirst,
    Stop,
    StopOrphan,
    Gc,
    Exec,
    Create,
    CreateMany,
    Remove,
    StartKeeper,
    Update,
    EngineCreate,
    EngineDelete,
    pytest.param(Prepare, marks=[needs_two]),
    pytest.param(HostUndo, marks=[needs_two]),
]
# of the calls in the default suite; these take longest
SAMPLE = {
    Run: 30,
    RunAlone: 20,
    RunBare: 14,
    RunDetached: 14,
    RunAgain: 12,
    RunIdmap: 8,
    RunOwner: 10,
    RunOwnerAgain: 8,
    RunNetdev: 24,
    RunPublished: 12,
    RunVm: 3,
    StopOrphan: 8,
    Gc: 10,
    Exec: 8,
    StartKeeper: 16,
    Update: 16,
    EngineCreate: 24,
    EngineDelete: 10,
}


FULL_SAMPLE = {
    RunVm: 40,
    RunAgain: 200,
    RunOwnerAgain: 200,
}  # each boots a guest, or waits a second


def killat(pf, s, *args):
    with open(pf.directory / "killat.out", "wb") as out:
        return subprocess.run(
            [KILLAT, "-s", str(s.seconds), *map(str, s.trace), *map(str, args)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            timeout=s.seconds + 10,
            check=False,
        ).returncode


def points(pf, s):
    """Every (role, number, victims, call) to be killed at; calls that fail change nothing.

    Where a process is alone, to kill all is to kill itself: once is enough.
    """
    listing = pf.directory / "calls"
    s.prepare()
    status = killat(pf, s, "-l", listing, "--", s.program(), *s.command())
    # also what failed: what it has made would be in the way of all others
    s.put_away()
    s.done()
    assert status == 0, (pf.directory / "killat.out").read_text()
    found = []
    for line in listing.read_text().splitlines():
        role, number, alive, call, result, *path = line.split(" ")
        if int(result) < 0:
            continue
        who = s.victims.get(role, [])
        if alive == "1" and "self" in who:
            who = ["self"]
        found += [(role, number, victims, " ".join([call, *path])) for victims in who]
    return found


def die(pf, s, before, point):
    role, number, victims, call = point
    what = f"{role}:{number} ({call}), killed: {victims}"
    s.prepare()
    status = killat(
        pf,
        s,
        "-k",
        f"{role}:{number}",
        "-v",
        role if victims == "self" else victims,
        "--",
        s.program(),
        *s.command(),
    )
    assert status in (0, NOT_REACHED), (what, (pf.directory / "killat.out").read_text())
    s.look()
    deadline = time.monotonic() + s.settle
    while True:
        s.put_away()
        s.done()
        after = machine(before)
        if after == before:
            return status == 0
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    more = "\n".join(f"  + {line}" for line in sorted(after - before))
    less = "\n".join(f"  - {line}" for line in sorted(before - after))
    pytest.fail(f"after the death at {what}:\n{less}\n{more}", pytrace=False)


@pytest.mark.limit(1500 if FULL else 240)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.__name__)
def test_death_at_every_step(pf, scenario):
    # what the first run makes and keeps
    assert pf.run(*GRANT[2:], "--", "/bin/true").returncode == 0
    s = scenario(pf)
    if scenario is Exec:
        s.name = pf.detach(*GRANT)
        s.prepare = lambda: None
        s.done = lambda: None
    before = machine()
    all_points = points(pf, s)
    assert len(all_points) >= 3, all_points
    chosen = all_points
    n = FULL_SAMPLE.get(scenario) if FULL else SAMPLE.get(scenario, 6)
    if n:
        # a stride that has no factor in common with the number of victims takes them in turn
        chosen = [all_points[i * len(all_points) // n] for i in range(min(n, len(all_points)))]
    reached = sum(die(pf, s, before, point) for point in chosen)
    print(f"{scenario.__name__}: {reached} of {len(chosen)} points reached, of {len(all_points)}")
    assert reached >= 0.9 * len(chosen)
    if scenario is Exec:
        assert pf.ok("exec", s.name, "--", "/bin/echo", "alive") == "alive\n"


@pytest.mark.limit(120)
def test_death_of_a_runtime_beside_its_copy(pf):
    """crun runs from a copy of itself, for which it makes a file and mounts on it for a moment."""
    assert pf.run(*GRANT[2:], "--", "/bin/true").returncode == 0
    s = EngineCreate(pf)
    before = machine()
    found = [p for p in points(pf, s) if "/crun." in p[3] and p[0] == "0.0" and p[2] == "self"]
    assert {point[3].split()[0] for point in found} >= {"mount", "umount2", "unlink"}, found
    assert all(die(pf, s, before, point) for point in found)
