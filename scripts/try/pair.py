# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Two testpmd, one that sends and one that forwards, over memif: in containers or bare.

Both kinds run the same program with the same arguments, on the same CPU each, with as many
hugepages from a hugetlbfs of their own. What is different is the fence.
"""

import json
import os
import signal
import socket
import time
from dataclasses import asdict, dataclass

import work
from work import Failure, read

PAGES = 40  # of 2 MiB for each program
MBUFS = 4096
START_LIMIT = 15  # seconds until a program answers, or a packet came back
POLL = 0.002  # seconds between looks at a program that starts
STOP_LIMIT = 2  # seconds until the polling threads must be idle
SETTLE = 0.4  # seconds of traffic that are not counted
ENOUGH = 0.90  # of its CPU that a polling thread must have had for a trial to count
STEAL = 0.05  # of the time that the machine below may take for a trial to count

# Not in a container: pinned, in the root cgroups, which have no limits. The mount namespace has one
# purpose: the hugetlbfs goes with the process, however that ends.
BARE = """
for group in /sys/fs/cgroup /sys/fs/cgroup/*; do
	[ -e "$group/cgroup.procs" ] || continue
	echo $$ 2>/dev/null >"$group/cgroup.procs"
done 2>/dev/null
mount -t hugetlbfs -o "pagesize=2M,size=$bytes,min_size=$bytes" pinfold-try "$huge" || exit 125
exec taskset -c "$cpu" "$@"
"""


def parse_list(text):
    """The kernel's list format."""
    found = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def choose_cpus():
    """Two CPUs for two programs that poll: two cores of one NUMA node where there are two, the last
    ones, since what the kernel does on its own it does on the first."""
    online = set(parse_list(read("/sys/devices/system/cpu/online")))
    usable = sorted(c for c in online & os.sched_getaffinity(0) if c < 128)
    if len(usable) < 2:
        raise Failure(
            f"only {len(usable)} CPU is online for this process, and two programs that poll"
            " need one each: use a machine with two, or give this one another (virtual) CPU"
        )

    def place(cpu, name):
        try:
            return read(f"/sys/devices/system/cpu/cpu{cpu}/topology/{name}")
        except OSError:
            return ""

    def core(cpu):
        return place(cpu, "physical_package_id"), place(cpu, "core_id")

    def node(cpu):
        where = f"/sys/devices/system/cpu/cpu{cpu}"
        return [n for n in os.listdir(where) if n.startswith("node")]

    last = usable[-1]
    others = usable[-2::-1]
    near = [c for c in others if core(c) != core(last) and node(c) == node(last)]
    return sorted(((near or [c for c in others if core(c) != core(last)] or others)[0], last))


class Telemetry:
    """A client of a DPDK program's own socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(2)
        try:
            self.socket.connect(path)
            self.room = json.loads(self.socket.recv(1024))["max_output_len"]
        except BaseException:
            self.socket.close()
            raise

    def ask(self, command):
        self.socket.send(command.encode())
        answer = json.loads(self.socket.recv(self.room))
        return answer[command.split(",")[0]]

    def close(self):
        self.socket.close()


def request(text):
    """As `drover ask` takes it: "rate task=g pps=5000"."""
    name, *rest = text.split()
    arguments = (word.split("=", 1) for word in rest)
    return {"request": name} | {k: int(v) if v.isdigit() else v for k, v in arguments}


class Control:
    """A client of a drover's own socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(2)
        try:
            self.socket.connect(path)
        except BaseException:
            self.socket.close()
            raise
        self.answers = self.socket.makefile("rb")

    def ask(self, text):
        self.socket.sendall(json.dumps(request(text)).encode() + b"\n")
        return json.loads(self.answers.readline())

    def close(self):
        self.answers.close()
        self.socket.close()


def children(pid):
    try:
        return [int(p) for p in read(f"/proc/{pid}/task/{pid}/children").split()]
    except OSError:
        return []


def find_program(pid, name):
    """The first descendant that executes the program, or the process itself."""
    try:
        if read(f"/proc/{pid}/comm") == name[:15]:
            return pid
    except OSError:
        return None
    for child in children(pid):
        if (found := find_program(child, name)) is not None:
            return found
    return None


class Program:
    """One testpmd."""

    executable = "dpdk-testpmd"

    def __init__(self, w, kind, role, cpu, number, link):
        self.work, self.kind, self.role, self.cpu = w, kind, role, cpu
        self.name = f"try-{os.getpid()}-{role}"
        self.log = f"{w.dir}/{kind}-{role}.log"
        self.what = f"{'container' if kind == 'container' else 'bare process'} '{role}'"
        self.pid = self.client = None
        self.dir = f"{w.dir}/{number}-{role}"
        self.socket = f"{link}/memif.sock"
        self.began = time.monotonic()
        self.process = w.start(*self.command(link))

    def command(self, link):
        eal = ["dpdk-testpmd", "--lcores", f"0@{self.cpu},1@{self.cpu}"]
        end = "server" if self.role == "forwarder" else "client"
        eal += ["--vdev", f"net_memif0,role={end},socket={self.socket},socket-abstract=no"]
        mode = "macswap" if self.role == "forwarder" else "flowgen"
        own = [f"--forward-mode={mode}", "--port-topology=loop", "--disable-link-check"]
        own += [f"--total-num-mbufs={MBUFS}", "--interactive", "--auto-start"]
        if self.kind == "container":
            grant = ["--name", self.name, "--cpus", str(self.cpu), "--hugepages", f"2M={PAGES}"]
            grant += ["--link", f"memif:{os.path.basename(link)}"]
            return [work.PINFOLD, "run", "-i", *grant, "--", *eal, "--", *own], self.log
        os.makedirs(f"{self.dir}/huge")
        # a bare EAL would take the NICs it finds, and share names with any other one
        eal += ["--no-pci", "--file-prefix", self.name, "--huge-dir", f"{self.dir}/huge"]
        where = [f"huge={self.dir}/huge", f"bytes={PAGES << 21}", f"cpu={self.cpu}"]
        where.append(f"RUNTIME_DIRECTORY={self.dir}")
        return ["env", *where, "unshare", "-m", "sh", "-c", BARE, "sh", *eal, "--", *own], self.log

    def connect(self):
        if self.kind == "container":
            return Telemetry(f"/proc/{self.pid}/root/run/dpdk/rte/dpdk_telemetry.v2")
        return Telemetry(f"{self.dir}/dpdk/{self.name}/dpdk_telemetry.v2")

    def check(self):
        self.check_alive()
        if time.monotonic() - self.began > START_LIMIT:
            raise Failure(f"{self.what}: no packets after {START_LIMIT} s", self.log)

    def check_alive(self):
        if self.process.poll() is not None:
            raise Failure(f"{self.what} ended with status {self.process.returncode}", self.log)

    def poll(self, ready):
        """Waits until ready(self) is true. Returns when the last look that was in vain began, and
        when the one that was not ended, in seconds since the start."""
        vain = 0.0
        while True:
            self.check()
            now = time.monotonic() - self.began
            try:
                if self.pid is None:
                    self.pid = find_program(self.process.pid, self.executable)
                if self.pid is not None and self.client is None:
                    self.client = self.connect()
                if self.client is not None and ready(self):
                    return vain, time.monotonic() - self.began
            except (OSError, ValueError, KeyError, TypeError):
                if self.client is not None:
                    self.client.close()
                    self.client = None
            vain = now
            time.sleep(POLL)

    def stats(self):
        return self.client.ask("/ethdev/stats,0") or {}

    def worker_time(self):
        """Seconds that the polling thread ran, and that it waited for its CPU."""
        for task in os.listdir(f"/proc/{self.pid}/task"):
            if read(f"/proc/{self.pid}/task/{task}/comm").endswith("worker-1"):
                ran, waited = read(f"/proc/{self.pid}/task/{task}/schedstat").split()[:2]
                return int(ran) / 1e9, int(waited) / 1e9
        return None

    def command_line(self, text):
        try:
            self.process.stdin.write(text.encode())
            self.process.stdin.flush()
        except OSError:
            pass  # it has ended; stop() says how

    def stop(self):
        """True, or false when it crashed at the end, after all was measured."""
        if self.client is not None:
            self.client.close()
            self.client = None
        status = self.work.stop(self.process)
        if status not in (0, -signal.SIGSEGV, 128 + signal.SIGSEGV):
            raise Failure(f"{self.what} ended with status {status}", self.log)
        return status == 0


def end(*programs):
    """A memif of DPDK 22.11 that polls may crash when its other end goes: both are idle first."""
    for program in programs:
        program.command_line("stop\n")
    deadline, before = time.monotonic() + STOP_LIMIT, None
    while time.monotonic() < deadline:
        try:
            now = [program.worker_time()[0] for program in programs]
        except (OSError, TypeError):
            break
        if now == before:
            break
        before = now
        time.sleep(0.02)
    for program in programs:
        program.command_line("quit\n")
    return all([program.stop() for program in programs])


def stolen(cpus):
    """Seconds for which the machine below has taken the CPUs."""
    ticks = 0
    for line in read("/proc/stat").splitlines():
        words = line.split()
        if words[0] in [f"cpu{c}" for c in cpus]:
            ticks += int(words[8])
    return ticks / os.sysconf("SC_CLK_TCK")


@dataclass
class Trial:
    kind: str
    mpps: float  # packets that came back to the sender
    first: float  # seconds from the start of the sender to its first packet
    first_error: float  # seconds between the looks before and after it
    share: float  # of its CPU that the poorer of the polling threads had
    steal: float  # of the time of both CPUs
    gap: float  # seconds: the longest for which the measuring process itself was not run
    clean: bool  # both programs ended well

    def valid(self):
        return self.share >= ENOUGH and self.steal <= STEAL

    def json(self):
        return {k: round(v, 5) if isinstance(v, float) else v for k, v in asdict(self).items()} | {
            "valid": self.valid()
        }


def look(forwarder, sender, cpus):
    return (
        time.monotonic(),
        sender.stats()["ipackets"],
        [p.worker_time() for p in (forwarder, sender)],
        stolen(cpus),
    )


def window(forwarder, sender, cpus, seconds):
    """What a stretch of steady traffic gives: rate, share, steal, gap."""
    time.sleep(SETTLE)
    before = look(forwarder, sender, cpus)
    gap, end = 0.0, before[0] + seconds
    while (now := time.monotonic()) < end:
        time.sleep(min(0.05, end - now))
        gap = max(gap, time.monotonic() - now - 0.05)
        forwarder.check_alive()
        sender.check_alive()
    after = look(forwarder, sender, cpus)
    span = after[0] - before[0]
    if after[1] <= before[1]:
        raise Failure(f"{sender.what}: packets no longer come back", sender.log)
    share = 1.0
    for old, new in zip(before[2], after[2]):
        if old is not None and new is not None:
            share = min(share, (new[0] - old[0]) / span)
    steal = (after[3] - before[3]) / (span * len(cpus))
    return (after[1] - before[1]) / span / 1e6, share, steal, gap


def trial(w, kind, cpus, number, seconds):
    """Starts a pair, measures, ends it. cpus: of the sender and of the forwarder."""
    link = f"{work.RUN}/links/try-{os.getpid()}"
    if kind != "container":
        link = f"{w.dir}/{number}-link"
        os.mkdir(link)
    forwarder = Program(w, kind, "forwarder", cpus[1], number, link)
    forwarder.poll(lambda p: p.client.ask("/ethdev/info,0")["dev_started"] == 1)
    sender = Program(w, kind, "sender", cpus[0], number, link)
    early, first = sender.poll(lambda p: p.stats().get("ipackets", 0) > 0)
    rate, share, steal, gap = window(forwarder, sender, cpus, seconds)
    clean = end(forwarder, sender)
    return Trial(kind, rate, first, first - early, share, steal, gap, clean)


def schedule(repeats):
    """Pairs of trials, A B B A …, so that a drift of the machine favours neither."""
    for i in range(repeats):
        yield ("container", "bare") if i % 2 == 0 else ("bare", "container")


def measure(w, cpus, repeats, seconds, say):
    """All trials, as pairs (container, bare). Pairs with a disturbed trial are repeated once, as
    long as there are not many of them."""
    pairs, spare = [], max(1, repeats // 2)
    for i, order in enumerate(schedule(repeats)):
        again = ""
        while True:
            done = {}
            for kind in order:
                what = "containers" if kind == "container" else "bare processes"
                say(f"{what} send packets, {i + 1} of {repeats}{again}")
                done[kind] = trial(w, kind, cpus, w.number(), seconds)
            if again or spare == 0 or all(t.valid() for t in done.values()):
                break
            again = " again: it was disturbed"
            spare -= 1
        pairs.append((done["container"], done["bare"]))
    return pairs
