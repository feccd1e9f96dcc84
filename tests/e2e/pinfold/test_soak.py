# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Many starts and stops, eight at a time, with a SIGKILL in one of ten.

Nothing may stay, nothing may be granted twice, and the last start may not be slower than the first.
PINFOLD_SOAK=N says how many starts; 1000 with --full.
"""

import itertools
import json
import os
import random
import statistics
import subprocess
import threading
import time
from pathlib import Path

import pytest

from leftovers import SETTLE, machine
from workload import CPU, FULL, LEASES, OTHER, ids, kill, needs_pages, needs_root, needs_two, pool
from workload import remove_logs, unique

pytestmark = [needs_root, needs_two, needs_pages(128), pytest.mark.anywhere]
COUNT = int(os.environ.get("PINFOLD_SOAK") or (1000 if FULL else 200))
AT_ONCE = 8
PAGES = 4
WINDOW = 100  # starts compared with each other
LIMIT = max(60, COUNT)
BROKEN = 42  # exit status of a workload that finds its exclusive CPU in somebody else's hands
REFUSED = f"CPU {CPU} is granted to '"

results = {}  # of the soak, for the test of its start times


class Watch(threading.Thread):
    """Reads the leases all the time: what two of them hold at the same moment was granted twice."""

    def __init__(self):
        super().__init__()
        self.over = threading.Event()
        self.found = []
        self.most = self.looks = 0

    def read(self):
        leases = {}
        for path in LEASES.glob("*.json"):
            try:
                leases[path] = json.loads(path.read_text())
            except FileNotFoundError:
                pass
        return leases

    def same(self, path, lease):
        try:
            return json.loads(path.read_text()) == lease
        except FileNotFoundError:
            return False

    def run(self):
        total = pool("nr")
        while not self.over.wait(0.01):
            leases = self.read()
            self.looks += 1
            self.most = max(self.most, len(leases))
            for (a, x), (b, y) in itertools.combinations(leases.items(), 2):
                twice = [f"CPU {c}" for c in ids(x["grant"]["cpus"]) & ids(y["grant"]["cpus"])]
                twice += ["user ids"] * (x["uid-base"] == y["uid-base"])
                # read one after the other: both are there at once only if the first still is
                if twice and self.same(a, x):
                    self.found.append((twice, a.name, b.name))
            pages = sum(
                h["count"] for x in leases.values() for h in x["grant"].get("hugepages", [])
            )
            if pages > total and all(self.same(*item) for item in leases.items()):
                self.found.append((f"{pages} of {total} hugepages", *map(str, leases)))


class Soak:
    def __init__(self, pf, shared):
        self.pf = pf
        self.pool = pf.grant("--pool", "--cpus", OTHER)
        self.shared = shared
        self.numbers = iter(range(COUNT))
        self.lock = threading.Lock()
        self.wrong = []
        self.starts = []  # (number, seconds of the start, seconds of the reference)
        self.counts = {}

    def count(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def flags(self, exclusive):
        if exclusive:
            return ["--cpus", CPU, "-v", f"{self.shared}:/shared:rw"]
        return ["--shared-cpus", self.pool, "--hugepages", f"2M={PAGES}"]

    def program(self, exclusive, seconds):
        if exclusive:  # the kernel knows whether two have the CPU: the lock goes with the process
            return ["flock", "-n", "-E", str(BROKEN), "/shared/cpu", "/bin/sleep", str(seconds)]
        return ["/bin/sleep", str(seconds)]

    def victims(self, rng, name, supervisor):
        """A process of the workload, if it has come that far, or its supervisor."""
        found = [supervisor] if supervisor else []
        try:
            lease = self.pf.lease(name)
            found.append(lease["supervisor"])
            for where, _, _ in os.walk(lease["cgroup"]):
                found += map(int, Path(where, "cgroup.procs").read_text().split())
        except (OSError, ValueError):
            pass
        return rng.choice(found) if found else None

    def put_away(self, name):
        p = self.pf("stop", "-t", "0", name)
        if p.returncode != 0 and "does not run" not in p.stderr:
            return f"stop: {p.stderr}"
        return None

    def killed(self, rng, name, flags, program):
        """In the foreground, and one of its processes is killed some time after the start."""
        command = [self.pf.path, "run", "--name", name, *map(str, flags), "--", *program]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as p:
            time.sleep(rng.uniform(0.0, 0.4))
            victim = self.victims(rng, name, p.pid)
            if victim:
                kill(victim)
            wrong = self.put_away(name)
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
                wrong = f"{name}: does not end after a SIGKILL of {victim}"
        self.count("killed")
        return wrong

    def refused(self, p, exclusive):
        if exclusive and p.returncode == 125 and REFUSED in p.stderr:
            self.count("refused")
            return True
        return False

    def foreground(self, name, flags, program, exclusive):
        p = self.pf("run", "--name", name, *flags, "--", *program)
        if self.refused(p, exclusive):
            return None
        self.count("ran")
        return None if p.returncode == 0 else f"{name}: status {p.returncode}: {p.stderr}"

    def detached(self, number, name, flags, exclusive):
        begin = time.monotonic()
        subprocess.run(["/bin/true"], check=True)
        middle = time.monotonic()
        p = self.pf("run", "-d", "--name", name, *flags, "--", *self.program(exclusive, 1000))
        end = time.monotonic()
        if self.refused(p, exclusive):
            return None
        if p.returncode != 0:
            return f"{name}: status {p.returncode}: {p.stderr}"
        if not exclusive:
            with self.lock:
                self.starts.append((number, end - middle, middle - begin))
        self.count("detached")
        p = self.pf("stop", "-t", "0", name)
        return f"{name}: {p.stderr}" if p.returncode else None

    def one(self, number):
        rng = random.Random(number)
        exclusive = number % 6 == 0
        name = unique("s")
        flags = self.flags(exclusive)
        if rng.random() < 0.1:
            return self.killed(rng, name, flags, self.program(exclusive, 1000))
        if number % 4 == 3 or (exclusive and number % 4 == 0):
            return self.foreground(
                name, flags, self.program(exclusive, rng.uniform(0, 0.1)), exclusive
            )
        wrong = self.detached(number, name, flags, exclusive)
        remove_logs(name)
        return wrong

    def work(self):
        while True:
            with self.lock:
                number = next(self.numbers, None)
            if number is None or len(self.wrong) > 10:
                return
            try:
                wrong = self.one(number)
            except (OSError, subprocess.SubprocessError, AssertionError) as e:
                wrong = f"start {number}: {e!r}"
            if wrong:
                self.wrong.append(wrong)


def steal():
    with open("/proc/stat", encoding="ascii") as f:
        fields = list(map(int, f.readline().split()[1:9]))
    return fields[7], sum(fields)


@pytest.mark.limit(LIMIT)
def test_soak(pf, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "cpu").touch()
    for path, mode in ((tmp_path.parent, 0o755), (tmp_path, 0o755), (shared, 0o777)):
        path.chmod(mode)
    (shared / "cpu").chmod(0o666)
    assert pf.run("--", "/bin/true").returncode == 0
    soak, watch = Soak(pf, shared), Watch()
    before = machine()
    stolen = steal()
    watch.start()
    begin = time.monotonic()
    threads = [threading.Thread(target=soak.work) for _ in range(AT_ONCE)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    took = time.monotonic() - begin
    watch.over.set()
    watch.join()
    now = steal()
    results.update(starts=soak.starts, steal=(now[0] - stolen[0]) / max(1, now[1] - stolen[1]))
    print(f"\n{COUNT} starts in {took:.1f} s, at most {watch.most} leases at once:", soak.counts)
    assert not soak.wrong, "\n".join(soak.wrong)
    assert not watch.found
    assert watch.most >= 4 and watch.looks > 20
    assert soak.counts.get("killed") and soak.counts.get("ran") and soak.counts.get("detached")
    pf.ok("gc")
    deadline = time.monotonic() + SETTLE
    while (after := machine(before)) != before and time.monotonic() < deadline:
        time.sleep(0.05)
        pf.ok("gc")
    assert after == before


def test_soak_starts_do_not_slow_down():
    starts = sorted(results.get("starts", []))[10:]  # the first fill caches
    if len(starts) < 3 * WINDOW:
        pytest.skip(f"needs {3 * WINDOW} starts, had {len(starts)}: say PINFOLD_SOAK=1000")
    first, last = starts[:WINDOW], starts[-WINDOW:]
    begin, end = (statistics.median(s[1] for s in w) for w in (first, last))
    quiet, later = (statistics.median(s[2] for s in w) for w in (first, last))
    said = (
        f"median start: {begin * 1e3:.1f} ms of the first {WINDOW}, {end * 1e3:.1f} ms of the last "
        f"({(end / begin - 1) * 100:+.1f} %); of /bin/true beside them: {quiet * 1e3:.1f} and "
        f"{later * 1e3:.1f} ms; steal {results['steal'] * 100:.1f} %"
    )
    print(f"\n{said}")
    if abs(end / begin - 1) <= 0.1:
        return
    if results["steal"] > 0.02 or abs(later / quiet - 1) > 0.1:
        pytest.skip(f"the machine was disturbed: {said}")
    assert end / begin <= 1.1, said
