# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""drover under test by drover: a bare tester, a function that is a bare process or a container.

The tester is the same for both, on one CPU: a generator and a latency meter. What is different is
where the function runs. Each trial has programs of its own.
"""

import os
import subprocess
import time
from dataclasses import asdict, dataclass

import pair
import work
from work import Failure

DROVER = f"{work.TOP}/build/drover/drover"
CONFIGS = f"{work.TOP}/data/drover"
MODES = ("none", "l2fwd")
PAGES = 64  # of 2 MiB for each program
HALF = 0.5  # of what the function can, for latency without queues
SETTLE = 0.25  # seconds of traffic that are not counted
STOP_PAUSE = 0.02  # seconds until a stopped core has left its last burst
BEHIND = 0.02  # of the half rate that the generator may have failed to offer in a valid trial
DEATH = 1.0  # seconds that pinfold may need to say that its program has ended
# between the tester's cycles for a packet in two loads that can be compared; with few packets at
# once more of them are its own, and less is the machine's
LIKE = {"overload": 1.25, "half": 1.15}
CRASHES = 6  # trials that may crash before there is no point in going on

# Not in a container: pinned, in the root cgroups, which have no limits.
BARE = """
for group in /sys/fs/cgroup /sys/fs/cgroup/*; do
	[ -e "$group/cgroup.procs" ] || continue
	echo $$ 2>/dev/null >"$group/cgroup.procs"
done 2>/dev/null
exec taskset -c "$cpu" "$@"
"""


class Drover(pair.Program):
    """One drover: role 'vnf' or 'tester'."""

    executable = "drover"

    def __init__(self, w, kind, role, cpu, number, words):
        self.work, self.kind, self.role, self.cpu = w, kind, role, cpu
        self.what = f"{'container' if kind == 'container' else 'bare process'} '{role}'"
        self.log = f"{w.dir}/{kind}-{role}.log"
        self.dir = f"{w.dir}/{number}-{role}"
        self.pid = self.client = None
        self.began = time.monotonic()
        argv = self.container(words) if kind == "container" else self.bare(words)
        self.process = w.start(argv, self.log, stdin=subprocess.DEVNULL)

    def container(self, words):
        name = f"try-{os.getpid()}-{self.role}"
        argv = [work.PINFOLD, "run", "--name", name, "--cpus", str(self.cpu)]
        argv += ["--hugepages", f"2M={PAGES}"]
        for end in ("in", "out"):
            argv += ["--link", f"memif:{link_name(end)}"]
        argv += ["-v", f"{os.path.dirname(DROVER)}:/drover:ro", "-v", f"{CONFIGS}:/cfg:ro"]
        return [*argv, "--", "/drover/drover", "run", "--file-prefix", self.role, *words]

    def bare(self, words):
        os.makedirs(self.dir)
        where = [f"cpu={self.cpu}", f"RUNTIME_DIRECTORY={self.dir}"]
        argv = ["env", *where, "sh", "-c", BARE, "sh", DROVER, "run"]
        return [*argv, "--file-prefix", self.role, *words]

    def connect(self):
        if self.kind == "container":
            return pair.Control(f"/proc/{self.pid}/root/run/dpdk/{self.role}/drover.sock")
        return pair.Control(f"{self.dir}/dpdk/{self.role}/drover.sock")

    def crashed(self):
        """Ended by a signal, perhaps as pinfold reports it."""
        status = self.process.poll()
        return status is not None and (status < 0 or status > 128)

    def ask(self, command):
        """An answer while the program runs."""
        try:
            answer = self.client.ask(command)
        except (OSError, ValueError, KeyError):
            raise Failure(f"{self.what} does not answer '{command}'", self.log) from None
        if "error" in answer:
            raise Failure(f"{self.what}: {command}: {answer['error']}", self.log)
        return answer

    def stop(self):
        """True if it ended well."""
        if self.client is not None:
            self.client.close()
            self.client = None
        return self.work.stop(self.process) == 0


def link_name(end):
    return f"try-{os.getpid()}-{end}"


def forwards(p):
    return p.client.ask("info")["traffic"]


def came_back(p):
    return p.client.ask("stats task=tester.1")["rx"] > 0


@dataclass
class Load:
    """What a stretch of steady traffic gave."""

    offered: float  # Mpps that the link took from the generator
    asked: float  # Mpps; 0: as fast as it goes
    behind: float  # share of what was asked that was not offered
    received: float  # Mpps
    loss: float  # share of what was offered
    cycles: float  # of the function for a packet
    burst: float  # packets the function had at once
    idle: float  # share of polls' time in which the function had nothing to do
    tester: float  # cycles of the tester for a packet, to send and to receive
    p50: float  # latency, microseconds
    p99: float
    p999: float
    max: float


@dataclass
class Trial:
    kind: str
    mode: str
    ready: float = 0.0  # seconds from the start of the command until its cores poll both links
    first: float = 0.0  # … until the meter counts a packet, the tester's own start included
    look: float = 0.0  # seconds between the looks before and after `ready`
    overload: Load = None
    half: Load = None
    share: float = 1.0  # of its CPU that the poorer of the polling threads had
    steal: float = 0.0  # of the time of both CPUs
    gap: float = 0.0  # seconds: the longest for which the measuring process itself was not run
    clean: bool = True  # both programs ended well
    log: str = None  # of the program that was started last

    def quiet(self):
        return self.share >= pair.ENOUGH and self.steal <= pair.STEAL

    def valid(self):
        return self.quiet() and (self.half is None or self.half.behind <= BEHIND)

    def json(self):
        def plain(value):
            if isinstance(value, dict):
                return {k: plain(v) for k, v in value.items()}
            return round(value, 6) if isinstance(value, float) else value

        value = {k: v for k, v in asdict(self).items() if k != "log"}
        return plain(value) | {"valid": self.valid()}


def load(vnf, tester):
    """The figures since the last clear."""
    sent = tester.ask("stats task=tester.0")
    met = tester.ask("stats task=tester.1")
    ran = vnf.ask("stats task=forward")
    if "report" not in sent or "report" not in met or met["rx"] == 0 or ran["packets"] == 0:
        raise Failure(f"{tester.what}: packets no longer come back", tester.log)
    gen, lat = sent["report"], met["report"]
    span = (met["time_ns"] - met["since_ns"]) / 1e3
    wanted = gen["sent"] + gen["behind"]
    late = lat["latency"]
    micro = {p: late.get(p, 0) / 1e3 for p in ("p50", "p99", "p99.9", "max")}
    return Load(
        offered=(gen.get("offered_pps") or 0) / 1e6,
        asked=gen["asked_pps"] / 1e6,
        behind=gen["behind"] / wanted if gen["asked_pps"] and wanted else 0.0,
        received=met["rx"] / span,
        loss=lat["lost"] / max(1, lat["lost"] + lat["received"]),
        cycles=ran["busy_cycles"] / ran["packets"],
        burst=ran["packets"] / max(1, ran["bursts"]),
        idle=ran["idle_cycles"] / max(1, ran["idle_cycles"] + ran["busy_cycles"]),
        tester=(sent["busy_cycles"] + met["busy_cycles"]) / met["rx"],
        p50=micro["p50"],
        p99=micro["p99"],
        p999=micro["p99.9"],
        max=micro["max"],
    )


def window(t, vnf, tester, cpus, seconds):
    """Lets traffic settle, then measures it. What disturbed it is noted in the trial."""

    def look():
        return time.monotonic(), [p.worker_time() for p in (vnf, tester)], pair.stolen(cpus)

    time.sleep(SETTLE)
    tester.ask("clear")
    vnf.ask("clear")
    before = look()
    end = before[0] + seconds
    while (now := time.monotonic()) < end:
        pause = min(0.05, end - now)
        time.sleep(pause)
        t.gap = max(t.gap, time.monotonic() - now - pause)
        vnf.check_alive()
        tester.check_alive()
    after = look()
    figures = load(vnf, tester)
    span = after[0] - before[0]
    for old, new in zip(before[1], after[1]):
        if old is not None and new is not None:
            t.share = min(t.share, (new[0] - old[0]) / span)
    t.steal = max(t.steal, (after[2] - before[2]) / (span * len(cpus)))
    return figures


def ports(number, kind, w):
    """--port words of the function and of the tester. The function has the sockets."""
    if kind == "container":
        inside = {e: link_name(e) for e in ("in", "out")}
        outside = {e: f"{work.RUN}/links/{link_name(e)}/memif.sock" for e in inside}
    else:
        inside = outside = {e: f"{w.dir}/{number}-{e}.sock" for e in ("in", "out")}
    vnf, tester = [], []
    for own, other in (("in", "out"), ("out", "back")):
        vnf += ["--port", f"{own}=memif:server:{inside[own]}"]
        tester += ["--port", f"{other}=memif:client:{outside[own]}"]
    return vnf, tester


def tester_config(w):
    """The data file waits a second before traffic, for people; a trial has no time for that."""
    path = f"{w.dir}/tester.cfg"
    if not os.path.exists(path):
        text = work.read(f"{CONFIGS}/gen-lat.cfg")
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(
                line + "\n" for line in text.splitlines() if not line.startswith("start time=")
            )
    return path


def alike(one, other, when):
    """Whether the machine was the same for both. The tester is, so what a packet costs it tells:
    virtual CPUs that are moved apart pay several times as much for each cache line they pass on."""
    costs = [getattr(t, when).tester for t in (one, other)]
    return max(costs) <= LIKE[when] * min(costs)


def comparable(one, other, when):
    """Whether a ratio of two trials says something. when: overload, half, or start."""
    if not (one.quiet() and other.quiet()):
        return False
    if when == "start":
        return True
    if when == "half" and not (one.valid() and other.valid()):
        return False
    return alike(one, other, "overload") and alike(one, other, when)


def any_crashed(programs):
    """Whether a crash is behind what went wrong; its end may be known a bit later."""
    deadline = time.monotonic() + DEATH
    while not any(p.crashed() for p in programs):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def end(t, programs):
    """A memif of DPDK 22.11 that polls may crash when its other end goes: both rest first."""
    for p in reversed(programs):
        if p.client is not None:
            try:
                p.client.ask("stop")
            except (OSError, ValueError, KeyError):
                pass  # it has ended; stop() says how
    time.sleep(STOP_PAUSE)
    t.clean = all([p.stop() for p in reversed(programs)]) and t.clean


def trial(w, mode, kind, cpus, number, seconds, half):
    """cpus: of the tester and of the function. half: packets a second, 0: no such stretch."""
    words, others = ports(number, kind, w)
    config = "/cfg" if kind == "container" else CONFIGS
    t, programs = Trial(kind, mode), []
    try:
        vnf = Drover(w, kind, "vnf", cpus[1], number, [f"{config}/{mode}.cfg", *words])
        programs.append(vnf)
        early, t.ready = vnf.poll(forwards)
        t.look = t.ready - early
        tester = Drover(w, "bare", "tester", cpus[0], number, [tester_config(w), *others])
        programs.append(tester)
        t.first = tester.poll(came_back)[1] + tester.began - vnf.began
        t.overload = window(t, vnf, tester, cpus, seconds)
        if half:
            tester.ask(f"rate task=tester.0 pps={half}")
            t.half = window(t, vnf, tester, cpus, seconds)
    except (Failure, OSError, KeyError):
        if not any_crashed(programs):
            raise
        t.clean = False
    t.log = programs[-1].log
    end(t, programs)
    return t


class Trials:
    """All of them: pairs by mode, and what went wrong."""

    def __init__(self, w, cpus, seconds, say):
        self.work, self.cpus, self.seconds, self.say = w, cpus, seconds, say
        self.pairs = {mode: [] for mode in MODES}
        self.half = {}  # packets a second
        self.number = self.crashed = 0

    def one(self, mode, kind, seconds, half):
        """A trial that did not crash."""
        while True:
            self.number += 1
            t = trial(self.work, mode, kind, self.cpus, self.work.number(), seconds, half)
            complete = t.overload is not None and (t.half is not None or not half)
            if t.clean:
                return t
            self.crashed += 1
            if self.crashed > CRASHES:
                raise Failure(f"{self.crashed} of {self.number} trials crashed", t.log)
            self.say(f"a program crashed {'at its end' if complete else 'in the middle'}: again")

    def calibrate(self):
        """What the function can, twice each, so that both kinds get the same half of it."""
        for mode in MODES:
            self.say(f"{mode}: how much it can")
            can = [
                self.one(mode, k, min(0.5, self.seconds), 0).overload.received
                for k in ("bare", "container", "bare", "container")
            ]
            # of the lesser: half of what the machine cannot do at all times is no half
            self.half[mode] = max(1, round(min(can) * HALF * 100)) * 10000

    def measure(self, repeats):
        """Pairs that cannot be compared are repeated once, as long as they are not many."""
        self.calibrate()
        spare = max(1, repeats // 3)
        for i, order in enumerate(pair.schedule(repeats)):
            for mode in MODES:
                again = ""
                while True:
                    done = {}
                    for kind in order:
                        what = "a container" if kind == "container" else "a bare process"
                        self.say(f"{mode} in {what}, {i + 1} of {repeats}{again}")
                        done[kind] = self.one(mode, kind, self.seconds, self.half[mode])
                    fine = all(comparable(*done.values(), w) for w in ("overload", "half"))
                    if again or spare == 0 or fine:
                        break
                    again = " again: it was disturbed"
                    spare -= 1
                self.pairs[mode].append((done["container"], done["bare"]))
