# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""drover against a bare loop and against testpmd: bare processes, pinned."""

import json
import os
import re
import shlex
import signal
import statistics
import time
from dataclasses import dataclass

import machine
import stats
import work
from work import Failure, read

DROVER = f"{work.TOP}/build/drover/drover"
CYCLES = f"{work.TOP}/build/tests/bench/drover_cycles"
DATA = f"{work.TOP}/data/drover"
CYCLES_BOUND = 1.35  # times the bare loop
PAGES = 320  # of 2 MiB, for all programs that are there at a time
MBUFS = 8192  # of testpmd; as many as in data/drover/{none,l2fwd}.cfg
PEERS = {"none": "io", "l2fwd": "macswap"}  # mode of drover: of testpmd
START_LIMIT = 20  # seconds until packets come
SWITCH = 0.1  # seconds of traffic that are not counted after a program was continued
WINDOWS = 8  # of each side in a session, in turns
CRASHES = 6  # trials that may be lost by it


class Crashed(Failure):
    """A program ended by SIGSEGV: memif of DPDK 22.11 may, when its other end goes."""


class Program:
    """One DPDK program on one CPU, with a runtime folder of its own."""

    thread = "worker-1"  # how the name of the one that polls ends

    def __init__(self, w, what, cpu, number, argv):
        self.work, self.what = w, what
        self.dir = f"{w.dir}/{number}-{what.split()[0]}"
        os.mkdir(self.dir)
        self.log = f"{w.dir}/{what.replace(' ', '-')}.log"
        env = os.environ | {"RUNTIME_DIRECTORY": self.dir}
        self.process = w.start(["taskset", "-c", str(cpu), *argv], self.log, env=env)
        self.telemetry = None

    def check(self):
        status = self.process.poll()
        if status is not None:
            kind = Crashed if status == -signal.SIGSEGV else Failure
            raise kind(f"{self.what} ended with status {status}", self.log)

    def ask(self, command):
        try:
            return self.telemetry.ask(command)
        except (OSError, ValueError, KeyError):
            time.sleep(0.1)
            self.check()
            raise Failure(f"{self.what} does not answer '{command}'", self.log) from None

    def wait(self, ready):
        """Until ready(self) is true."""
        deadline = time.monotonic() + START_LIMIT
        while True:
            self.check()
            try:
                if self.telemetry is None:
                    path = f"{self.dir}/dpdk/bench/dpdk_telemetry.v2"
                    self.telemetry = machine.Telemetry(path)
                if ready(self):
                    return
            except (OSError, ValueError, KeyError, TypeError):
                if self.telemetry is not None:
                    self.telemetry.close()
                    self.telemetry = None
            if time.monotonic() > deadline:
                raise Failure(f"{self.what}: not ready after {START_LIMIT} s", self.log)
            time.sleep(0.01)

    def worker_time(self):
        """Seconds that the polling thread ran."""
        base = f"/proc/{self.process.pid}/task"
        for task in os.listdir(base):
            if read(f"{base}/{task}/comm").endswith(self.thread):
                return int(read(f"{base}/{task}/schedstat").split()[0]) / 1e9
        raise Failure(f"{self.what}: has no polling thread", self.log)

    def sent(self, *ports):
        """Packets out of these ports of DPDK's, by their own counters, and when."""
        count = sum(self.ask(f"/ethdev/stats,{i}")["opackets"] for i in ports)
        return count, time.monotonic()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def idle(self):
        """Polls no longer, where the other end of a link is to go."""

    def end(self):
        if self.telemetry is not None:
            self.telemetry.close()
            self.telemetry = None
        if self.process.poll() is None:
            self.leave()
        status = self.work.stop(self.process)
        if status != 0:
            kind = Crashed if status == -signal.SIGSEGV else Failure
            raise kind(f"{self.what} ended with status {status}", self.log)


class Drover(Program):
    def __init__(self, w, what, cpu, number, file, ports):
        argv = [DROVER, "run", "--file-prefix", "bench"]
        for name, device in ports.items():
            argv += ["--port", f"{name}={device}"]
        super().__init__(w, what, cpu, number, [*argv, file])

    def task(self, name):
        return self.ask(f"/drover/stats,{name}")

    def runs(self):
        self.wait(lambda p: p.telemetry.ask("/drover/info")["traffic"] == 1)

    def forwarded(self):
        """Packets out, and when."""
        t = self.task("forward")
        return t["tx"], t["time_ns"] / 1e9

    def idle(self):
        if self.telemetry is not None:
            control = machine.Control(f"{self.dir}/dpdk/bench/drover.sock")
            control.ask("stop")
            control.close()

    def leave(self):
        self.process.send_signal(signal.SIGINT)


class Testpmd(Program):
    def __init__(self, w, what, cpu, number, mode, vdevs):
        argv = ["stdbuf", "-oL", "dpdk-testpmd", "--lcores", f"0@{cpu},1@{cpu}", "--no-pci"]
        argv += ["--in-memory", "--file-prefix", "bench"]
        for vdev in vdevs:
            argv += ["--vdev", vdev]
        argv += ["--", f"--forward-mode={PEERS[mode]}", "--burst=32", "--disable-link-check"]
        argv += [f"--total-num-mbufs={MBUFS}", "--port-topology=paired", "-i", "--auto-start"]
        super().__init__(w, what, cpu, number, argv)

    def runs(self):
        self.wait(
            lambda p: all(p.telemetry.ask(f"/ethdev/info,{i}")["dev_started"] == 1 for i in (0, 1))
        )

    def forwarded(self):
        return self.sent(0, 1)

    def command(self, text):
        try:
            self.process.stdin.write(f"{text}\n".encode())
            self.process.stdin.flush()
        except OSError:
            pass  # it has ended; check() says how

    def idle(self):
        self.command("stop")

    def leave(self):
        self.command("quit")


def end(*programs):
    """A memif that polls may crash when its other end goes: all are idle first."""
    for p in programs:
        p.go_on()
        p.check()
        p.idle()
    time.sleep(0.25)
    first = None
    for p in programs:
        try:
            p.end()
        except Failure as e:
            first = first or e
    if first is not None:
        raise first


def drop(*programs):
    """After a failure: they go, in the same order, whatever they say."""
    try:
        end(*programs)
    except Failure:
        pass
    for p in programs:
        p.work.stop(p.process)


@dataclass
class Trial:
    mpps: float
    share: float  # of its CPU that the poorest polling thread had
    steal: float  # seconds

    def valid(self):
        return self.share >= machine.ENOUGH


def window(seconds, programs, cpus, count):
    """count() gives (packets, seconds)."""
    time.sleep(SWITCH)
    steal, began = machine.stolen(cpus), time.monotonic()
    ran = [p.worker_time() for p in programs]
    before = count()
    time.sleep(seconds)
    after = count()
    span = time.monotonic() - began
    share = min((p.worker_time() - r) / span for p, r in zip(programs, ran))
    for p in programs:
        p.check()
    if after[0] <= before[0]:
        raise Failure(f"{programs[0].what}: no packets", programs[0].log)
    mpps = (after[0] - before[0]) / (after[1] - before[1]) / 1e6
    return Trial(mpps, share, machine.stolen(cpus) - steal)


def memif(role, link, end_name):
    return f"memif:{role}:{link}/{end_name}"


@dataclass
class Side:
    """One of the two that are compared, and what counts what it forwards."""

    programs: list  # the program under test last
    cpus: list
    count: object

    def pause(self):
        for p in self.programs:
            p.pause()

    def go_on(self):
        for p in self.programs:
            p.go_on()


def memif_side(w, who, mode, cpus, name, started):
    link = f"{w.dir}/{name}-link"
    os.mkdir(link)
    if who == "drover":
        ports = {end_name: memif("server", link, end_name) for end_name in ("in", "out")}
        vnf = Drover(w, "drover", cpus[1], name, f"{DATA}/{mode}.cfg", ports)
    else:
        vdevs = [
            f"net_memif{i},role=server,socket={link}/{end_name},socket-abstract=no"
            for i, end_name in enumerate(("in", "out"))
        ]
        vnf = Testpmd(w, "testpmd", cpus[1], name, mode, vdevs)
    started.append(vnf)
    vnf.runs()
    ports = {port: memif("client", link, at) for port, at in (("out", "in"), ("back", "out"))}
    tester = Drover(w, f"tester {who}", cpus[0], name, f"{DATA}/gen-lat.cfg", ports)
    started.insert(0, tester)
    tester.wait(lambda p: p.telemetry.ask("/drover/stats,tester.1")["rx"] > 0)

    def received():
        t = tester.task("tester.1")
        return t["rx"], t["time_ns"] / 1e9

    return Side([tester, vnf], cpus, received)


def null_side(w, who, mode, cpus, name, started):
    if who == "drover":
        ports = {"in": "null", "out": "null"}
        vnf = Drover(w, "drover", cpus[1], name, f"{DATA}/{mode}.cfg", ports)
    else:
        vnf = Testpmd(w, "testpmd", cpus[1], name, mode, ("net_null0", "net_null1"))
    started.append(vnf)
    vnf.runs()
    return Side([vnf], cpus[1:], vnf.forwarded)


def session(w, make, mode, cpus, number, seconds, sides=("drover", "testpmd"), windows=WINDOWS):
    """All sides stand on the same CPUs and run in turns, each stopped while the others run: what the
    machine does to one within a second it does to the other. Returns a tuple of trials for each turn.
    """
    started = {who: [] for who in sides}
    order = sides if number % 2 == 0 else sides[::-1]
    turns = []
    try:
        standing = {}
        for who in order:
            standing[who] = make(w, who, mode, cpus, f"{number}{who[0]}", started[who])
            standing[who].pause()
        for _ in range(windows):
            done = {}
            for who in order:
                side = standing[who]
                side.go_on()
                done[who] = window(seconds, side.programs, side.cpus, side.count)
                side.pause()
            turns.append(tuple(done[who] for who in sides))
            order = order[::-1]
        for who in order:
            end(*started[who])
            started[who].clear()
        return turns
    finally:
        for programs in started.values():
            drop(*programs)


def forward(w, cpus, repeats, seconds, say):
    """Pairs (drover, testpmd) of trials by link and mode, one list for each session."""
    found = {"crashed": 0, "cases": {}}
    for link, make in (("memif", memif_side), ("null", null_side)):
        for mode, peer in PEERS.items():
            sessions = []
            while len(sessions) < repeats:
                say(f"{mode} and testpmd {peer} over {link}, {len(sessions) + 1} of {repeats}")
                try:
                    sessions.append(session(w, make, mode, cpus, w.number(), seconds))
                except Crashed:
                    found["crashed"] += 1
                    if found["crashed"] > CRASHES:
                        raise
            found["cases"][link, mode] = sessions
    return found


def session_ratio(pairs):
    """The median of a session's pairs, of those that had their CPU; None if there is none."""
    ratios = [a.mpps / b.mpps for a, b in pairs if a.valid() and b.valid()]
    return statistics.median(ratios) if ratios else None


def judge(ratio, bound=1):
    """A larger ratio is better; within ±SAME is no difference, which is enough."""
    if ratio.pairs < 2:
        return "undecided"
    if ratio.low >= bound * (1 - stats.SAME):
        return "met"
    return "missed" if ratio.high < bound else "undecided"


# ---- cycles beside a bare loop


def flags(source):
    """What decides about the code in the compiler's flags for a file of drover or of a benchmark."""
    with open(f"{work.TOP}/build/compile_commands.json", encoding="utf-8") as f:
        for entry in json.load(f):
            if entry["file"].endswith(source):
                words = shlex.split(entry["command"])
                return " ".join(w for w in words if re.match(r"-(O|m|f(?!diag)|g$|D_FORT|std)", w))
    return "unknown"


def cycles(w, cpu):
    """Per mode the pairs (drover, bare loop) of TSC cycles a packet; and about the set-up."""
    for program in (CYCLES, DROVER):
        if not os.access(program, os.X_OK):
            raise Failure(f"'{program}' is not built: run make")
    env = os.environ | {"RUNTIME_DIRECTORY": w.dir}
    text = w.call([CYCLES, str(cpu)], 60, "drover_cycles", env=env)
    found = json.loads(text[text.index("{") :])
    ours, theirs = flags("/task/vnf/none.c"), flags("/drover_cycles.c")
    return found | {"flags": ours, "same_flags": ours == theirs and ours != "unknown"}
