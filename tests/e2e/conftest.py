# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What the end-to-end tests share: the built programs, a time limit, and the check for leaks."""

import collections
import contextlib
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import threading
import time

import pytest

sys.dont_write_bytecode = True
E2E = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(E2E, "lib"), os.path.dirname(E2E)]
import owner
import workload
from leftovers import changed, state
from places import program

SLOW = workload.SLOW
LIMIT = 60  # seconds a test may take
SHARED = 180  # seconds the set-up or the end of its fixtures may take, which may serve many tests
# the guest and the machine run the same tests; the summary says which it was
TIER = "guest" if workload.GUEST else "e2e"


def pytest_configure(config):
    def stop(*_):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
        signal.raise_signal(signal.SIGINT)

    # asked to stop, the tests still put away what they started
    signal.signal(signal.SIGTERM, stop)
    config.addinivalue_line(
        "markers", "guest: runs in the guest of ./check guest too (tests/guest)"
    )
    config.addinivalue_line("markers", "anywhere: says the same on any machine; not for a guest")
    config.addinivalue_line("markers", "whole: all its cases run in the guest of ./check --full")
    config.addinivalue_line("markers", "full: long; runs only with PINFOLD_FULL=1 (./check --full)")
    # what a thread of a test finds wrong is found
    config.addinivalue_line("filterwarnings", "error::pytest.PytestUnhandledThreadExceptionWarning")
    config.addinivalue_line("markers", f"limit(seconds): may take so long (default {LIMIT} s)")


def pytest_addoption(parser):
    parser.addoption(
        "--sample", action="store_true", help="of tests not for the guest one case each"
    )
    parser.addoption("--part", metavar="K/N", help="of N parts with about as many tests, the K-th")


def sample(items):
    """Of each test that is not for the guest, or whole, its first case."""
    seen = set()
    for item in items:
        test = item.path, item.originalname
        whole = item.path.name.startswith("test_guest_") or item.get_closest_marker("whole")
        if whole or item.get_closest_marker("guest") or test not in seen:
            seen.add(test)
            yield item


def part(items, number, parts):
    """Which modules are of it: each goes whole, the largest first, to the part that has least."""
    sizes = collections.Counter(item.path for item in items)
    filled = [0] * parts
    chosen = set()
    for path, size in sorted(sizes.items(), key=lambda s: (-s[1], s[0])):
        least = filled.index(min(filled))
        filled[least] += size
        if least == number - 1:
            chosen.add(path)
    return chosen


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    if config.getoption("--sample"):
        all_of_them, items[:] = items[:], list(sample(items))
        config.hook.pytest_deselected(items=[i for i in all_of_them if i not in items])
    if config.getoption("--part"):
        # after the marks have chosen: all parts see the same
        chosen = part(items, *map(int, config.getoption("--part").split("/")))
        config.hook.pytest_deselected(items=[i for i in items if i.path not in chosen])
        items[:] = [i for i in items if i.path in chosen]
    if workload.FULL:
        return
    for item in items:
        if item.get_closest_marker("full"):
            item.add_marker(pytest.mark.skip(reason="long: run ./check --full (PINFOLD_FULL=1)"))


@pytest.fixture(scope="session")
def pinfold():
    """The path of the command-line program."""
    return program("PINFOLD", "build/src/cli/pinfold")


@pytest.fixture(scope="session")
def inside():
    """The path of the static program that goes into a container."""
    return program("PINFOLD_INSIDE", "build/src/inside/pinfold-inside")


class Memory:
    """Directories in memory for trees of thousands of small files: on a disk that others write to,
    one takes up to 20 s to make.
    """

    def __init__(self):
        self.made = []

    def mktemp(self, name):
        room = None
        with contextlib.suppress(OSError):
            room = os.statvfs("/dev/shm")
        large = room is not None and room.f_bavail * room.f_frsize > 1 << 29
        made = tempfile.mkdtemp(prefix=f"pinfold-{name}-", dir="/dev/shm" if large else None)
        self.made.append(made)
        return pathlib.Path(made)

    def remove(self):
        for made in self.made:
            shutil.rmtree(made)


@pytest.fixture(scope="module")
def memory_factory():
    """As pytest's tmp_path_factory, for such trees."""
    memory = Memory()
    yield memory
    memory.remove()


@pytest.fixture
def memory_path():
    """As pytest's tmp_path, for such trees."""
    memory = Memory()
    yield memory.mktemp("test")
    memory.remove()


@contextlib.contextmanager
def limited(seconds):
    """Fails what takes longer."""

    def late(_signal, _frame):
        pytest.fail(f"took longer than {seconds} s")

    former = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, former)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup():
    with limited(SHARED * SLOW):
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    marker = item.get_closest_marker("limit")
    with limited((marker.args[0] if marker else LIMIT) * SLOW):
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown():
    with limited(SHARED * SLOW):
        yield


@pytest.fixture(autouse=True)
def threads():
    """Fails the test if a thread that it made goes on: one that waits for a descriptor that was
    closed under it takes what comes for the next that has its number, in another test.
    """
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 10 * SLOW
    while left := set(threading.enumerate()) - before:
        if time.monotonic() > deadline:
            pytest.fail(f"threads go on: {[t.name for t in left]}", pytrace=False)
        time.sleep(0.01)


@pytest.fixture
def leaks():
    """Fails the test unless the machine is as it was before, at most SETTLE seconds after it."""
    before = state()
    yield
    if left := changed(before):
        pytest.fail(f"the machine is not as it was before:\n{left}", pytrace=False)


@pytest.fixture
def pf(pinfold, tmp_path, leaks):
    """The command line, for tests that start workloads: all of them are ended with the test."""
    if os.geteuid() != 0:
        pytest.skip("runs containers: needs root")
    box = workload.Pinfold(pinfold, tmp_path)
    yield box
    box.put_away()


@pytest.fixture
def keep(pf):
    """The command line of a user who is not root, for a grant of his."""
    with tempfile.TemporaryDirectory(prefix="pinfold-keeper-") as directory:
        os.chmod(directory, 0o755)
        yield owner.Keep(pf, directory)
        for s in pf.started:
            if s.process.poll() is None:
                s.process.kill()
                s.process.wait()


@pytest.fixture
def kept(keep):
    """With one grant of one CPU and 16 hugepages."""
    keep.grant("--hugepages", "2M=16", "--memory", "128M", "--pids", "32")
    return keep


def why(report):
    """What a test failed of, in a line: where output is cut, its last lines are read."""
    if report.longrepr is None:
        return report.nodeid
    crash = getattr(report.longrepr, "reprcrash", None)
    where = f"{os.path.basename(crash.path)}:{crash.lineno}: " if crash else ""
    what = " ".join((crash.message if crash else str(report.longrepr)).split())
    return f"{report.nodeid}: {where}{what[:300]}"


# Counts for ./check: see tests/run.
def pytest_terminal_summary(terminalreporter, exitstatus):
    path = os.environ.get("PINFOLD_TALLY")
    if path is None:
        return
    stats = terminalreporter.stats
    reports = [r for kind in ("failed", "error") for r in stats.get(kind, [])]
    # a test that passed and then leaked did not pass
    passed = {r.nodeid for r in stats.get("passed", [])} - {r.nodeid for r in reports}
    failed = [why(r) for r in reports]
    skips = [
        (r.nodeid, r.longrepr[2] if isinstance(r.longrepr, tuple) else str(r.longrepr))
        for r in stats.get("skipped", [])
    ]
    skips += [(r.nodeid, f"expected to fail: {r.wasxfail}") for r in stats.get("xfailed", [])]
    failed += [f"{r.nodeid} (passed against expectation)" for r in stats.get("xpassed", [])]
    if exitstatus not in (0, 1, 5) and not failed:
        failed.append(f"pytest ended with {int(exitstatus)}")
    with open(path, "a", encoding="utf-8") as f:
        print(f"count {len(passed)} {len(failed)} {len(skips)}", file=f)
        for name in failed:
            print(f"fail {TIER} {name}", file=f)
        for name, reason in skips:
            print(f"skip {TIER} {name}: {reason.removeprefix('Skipped: ')}", file=f)


@pytest.fixture(scope="module")
def cri_engine(pinfold):
    """containerd with its CRI plug-in, for a whole module."""
    from cri import running  # here: what it needs is not on every machine

    with running(pinfold) as made:
        yield made


@pytest.fixture
def cri(cri_engine, pf):
    """The same for a test, whose pods end with it."""
    yield cri_engine
    cri_engine.put_away()
