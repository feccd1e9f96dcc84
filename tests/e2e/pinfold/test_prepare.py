# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold host prepare and host undo: what a machine lacks is made while it runs, and all of it taken back."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import fake_host
import jsonschema
import pytest

from noise import interrupts, masks, moved, threads
from places import TOP
from workload import CPU, OTHER, POOL, needs_root, needs_two, pool, wait

SCHEMA = json.loads((TOP / "data/schemas/prepare.json").read_text())
STATE = Path("/run/pinfold/prepared.json")
STRACE = shutil.which("strace")


def machine():
    pages = {str(p): p.read_text() for p in POOL.parent.glob("*/nr_hugepages")}
    return pages, masks(), interrupts(), Path("/proc/self/mounts").read_text()


@pytest.fixture
def restored(pf):
    """The machine is as before at the end of the test; what was prepared before belongs to somebody else."""
    if STATE.exists():
        pytest.skip("this machine has been prepared: pinfold host undo")
    before, others = machine(), threads()
    yield
    pf("host", "undo")
    assert machine() == before
    assert moved(others) == {}
    assert not STATE.exists()


def prepare(pf, *args):
    doc = pf.json("host", "prepare", "--json", *args)
    jsonschema.validate(doc, SCHEMA)
    return doc


def more(n=4):
    return ["--hugepages", f"2M={pool('nr') + n}"]


@needs_root
class TestPages:
    pytestmark = pytest.mark.skipif(not POOL.is_dir(), reason="no hugepages of 2M")

    def test_made_and_taken_back(self, pf, restored):
        before = pool("nr")
        doc = prepare(pf, *more())
        assert doc["done"] and pool("nr") == before + 4
        assert {s["do"] for s in doc["steps"]} <= {"pages", "mount"}
        assert "hugepagesz=2M hugepages=" in doc["command-line"]
        assert STATE.stat().st_mode & 0o777 == 0o600
        out = pf.ok("host", "undo")
        assert "taken back" in out and pool("nr") == before
        assert pf.ok("host", "undo") == "0 taken back\n"

    def test_again_is_nothing(self, pf, restored):
        wanted = more()
        prepare(pf, *wanted)
        state = STATE.read_text()
        doc = prepare(pf, *wanted)
        assert doc["steps"] == [] and STATE.read_text() == state
        assert pf.ok("host", "prepare", *wanted).startswith("nothing is left to do\n")

    def test_undo_brings_the_first_back(self, pf, restored):
        before = pool("nr")
        prepare(pf, *more(2))
        prepare(pf, *more(2))
        assert pool("nr") == before + 4
        pf.ok("host", "undo")
        assert pool("nr") == before

    def test_dry_run_changes_nothing(self, pf, restored):
        before = machine()
        doc = prepare(pf, "--dry-run", *more(), "--cpus", CPU)
        assert not doc["done"] and machine() == before and not STATE.exists()
        assert any(s["do"] == "pages" for s in doc["steps"])

    def test_more_than_there_is_room_for(self, pf, restored):
        before = machine()
        pf.fails("host", "prepare", "--hugepages", "2M=100000000", like="memory has room for")
        assert machine() == before and not STATE.exists()

    @pytest.mark.skipif(STRACE is None, reason="package strace is not installed")
    def test_memory_in_pieces(self, pf, restored):
        """The kernel takes the number, and finds fewer."""
        before = machine()
        doc = prepare(pf, "--dry-run", *more())
        step = next(s for s in doc["steps"] if s["do"] == "pages")
        path, taken = step["path"], f"inject=write:retval={len(step['value'])}"
        inject = ["-P", path, "-e", "trace=write", "-e", taken]
        command = [STRACE, "-qq", "-o", "/dev/null", *inject, pf.path, "host", "prepare", *more()]
        p = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
        assert p.returncode == 125 and p.stderr.count("\n") == 1
        assert re.search(
            rf"only \d+ of \d+ could be had of '{path}': memory is .*in pieces", p.stderr
        )
        assert machine() == before and not STATE.exists()

    def test_what_failed_leaves_nothing(self, pf, restored):
        """A module that there is not comes before the pages; what was done before it goes."""
        before = machine()
        p = pf("host", "prepare", *more(), "--module", "no_such_module_at_all")
        assert p.returncode == 125 and "no_such_module_at_all" in p.stderr
        assert machine() == before and not STATE.exists()

    def test_interrupted(self, pf, restored):
        """The notes are there, some of the steps were not taken."""
        doc = prepare(pf, "--dry-run", *more())
        prepare(pf, *more())
        notes = json.loads(STATE.read_text())
        # as it was when it had been killed before the first step
        for step in doc["steps"]:
            if step["do"] == "pages":
                Path(step["path"]).write_text(step["former"])
        assert notes["steps"]
        pf.ok("host", "undo")

    def test_of_a_large_machine(self, pf, restored):
        """Thousands of threads and interrupts: more than a megabyte of notes."""
        prepare(pf, *more())
        notes = json.loads(STATE.read_text())
        gone = {"do": "thread", "value": "0", "former": "0", "name": "x" * 60, "start": "1"}
        notes["steps"] += [gone | {"path": str(100000000 + i)} for i in range(10000)]
        STATE.write_text(json.dumps(notes, indent=1))
        assert STATE.stat().st_size > 1 << 20
        assert int(pf.ok("host", "undo").split()[0]) > 10000

    def test_not_while_it_is_used(self, pf, restored):
        prepare(pf, *more())
        name = pf.detach()
        pf.fails("host", "undo", like=f"'{name}' uses what was prepared")
        pf.ok("stop", name)
        pf.ok("host", "undo")

    def test_of_another_boot(self, pf, restored):
        """All that it did ended with the boot."""
        prepare(pf, *more())
        notes = STATE.read_text()
        pf.ok("host", "undo")
        before = machine()
        other = json.loads(notes)
        other["boot-id"] = "0" * 8
        other["steps"][0]["former"] = "0"
        STATE.write_text(json.dumps(other))
        assert pf.ok("host", "undo") == "0 taken back\n"
        assert machine() == before

    @pytest.mark.parametrize(
        "do, path",
        [
            ("x", "/proc/irq/1/smp_affinity_list"),
            ("write", "/tmp/x"),
            ("write", "/proc/irq/../../tmp/x"),
            ("pages", "/proc/sys/vm/nr_hugepages"),
            (None, None),
        ],
    )
    def test_notes_that_nobody_understands(self, pf, restored, do, path):
        step = {"do": do, "path": path, "value": "1", "former": "0"}
        doc = {"format": 1, "boot-id": "x", "steps": [step]}
        STATE.write_text(json.dumps(doc) if do else "")
        try:
            pf.fails("host", "undo", like="prepared.json")
            pf.fails("host", "prepare", *more(), like="prepared.json")
        finally:
            STATE.unlink()


@needs_root
@needs_two
class TestCpus:
    def test_moved_and_taken_back(self, pf, restored):
        doc = prepare(pf, "--cpus", CPU)
        failed = {row["name"] for row in doc["unmovable"]}
        moved = [s for s in doc["steps"] if s["name"] not in failed]
        now = threads()
        for s in moved:
            if s["do"] == "thread" and int(s["path"]) in now:
                assert CPU not in now[int(s["path"])], s
            elif s["path"].endswith("smp_affinity_list"):
                assert Path(s["path"]).read_text().strip() == s["value"], s
        for path, mask in masks().items():
            assert int(mask.replace(",", ""), 16) >> CPU & 1 == 0, path
        for word in ("isolcpus=managed_irq,domain,", "nohz_full=", "rcu_nocbs=", "irqaffinity="):
            assert word in doc["command-line"]
        pf.ok("host", "undo")

    def test_a_process_that_runs_there_only(self, pf, restored):
        other = pf.start_other("taskset", "-c", CPU, "sleep", "1000")
        wait(lambda: os.sched_getaffinity(other.pid) == {CPU}, what="its CPU")
        doc = prepare(pf, "--dry-run", "--cpus", CPU)
        names = [row["name"] for row in doc["unmovable"]]
        assert any(f"process {other.pid} " in name for name in names), names

    def test_all_cpus(self, pf):
        all_of_them = Path("/sys/devices/system/cpu/online").read_text().strip()
        pf.fails("host", "prepare", "--cpus", all_of_them, like="leave the host one")
        pf.fails("host", "prepare", "--cpus", "8000", like="CPU 8000 is not online")


VFIO_WORDS = "intel_iommu=on iommu=pt"
NO_1G = {0: fake_host.Node([0, 1], 4 << 20, {2048: [512, 500, 0]})}


@pytest.mark.anywhere
@pytest.mark.parametrize(
    "kind, args, words",
    [
        ("two", ["--hugepages", "2M=600"], "hugepagesz=2M hugepages=600"),
        ("two", ["--hugepages", "1G=1"], "default_hugepagesz=1G hugepagesz=1G hugepages=1"),
        ("two", ["--hugepages", "1G=1", "--hugepages", "2M=600"],
         "hugepagesz=2M hugepages=600 hugepagesz=1G hugepages=1"),
        ("paper", ["--hugepages", "1G=34"], "hugepagesz=1G hugepages=34"),  # names a default
        ("paper", ["--hugepages", "1G=20@1"], "hugepagesz=1G hugepages=1:20"),
        ("two", ["--module", "vfio-pci"], VFIO_WORDS),
        ("paper", ["--module", "vfio-pci"], ""),  # it has them
        ("two", ["--cpus", "1"],
         "isolcpus=managed_irq,domain,1 nohz_full=1 rcu_nocbs=1 irqaffinity=0"),
    ],
)  # fmt: skip
def test_words_for_the_next_boot(pinfold, memory_path, kind, args, words):
    tree = fake_host.write(fake_host.kinds[kind](), str(memory_path / kind))
    command = [pinfold, "--host-tree", tree, "host", "prepare", "--dry-run", "--json", *args]
    p = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(p.stdout)["command-line"] == words


@pytest.mark.anywhere
def test_pages_that_only_a_boot_makes(pinfold, memory_path):
    m = fake_host.kinds["two"]()
    m.nodes = NO_1G
    tree = fake_host.write(m, str(memory_path / "two"))
    command = [pinfold, "--host-tree", tree, "host", "prepare", "--dry-run", "--hugepages", "1G=2"]
    p = subprocess.run(command, capture_output=True, text=True, check=False)
    assert p.returncode == 125 and p.stderr.endswith("boot with hugepagesz=1G hugepages=2\n")


def test_not_for_users(pf):
    p = pf("host", "prepare", "--cpus", OTHER, user=65534, group=65534, extra_groups=[])
    assert p.returncode == 125 and "needs root" in p.stderr


@pytest.mark.parametrize(
    "args, like",
    [
        (["--hugepages", "40"], "write SIZE=COUNT"),
        (["--hugepages", "3M=4"], "3M"),
        (["--hugepages", "2M=4", "--hugepages", "2M=2@0"], "of 2M are asked for twice"),
        (["--module", "../x"], "name of a module"),
        (["--module", "-r"], "name of a module"),
        (["x"], "is no option"),
    ],
)
def test_refused(pf, args, like):
    pf.fails("host", "prepare", "--dry-run", *args, like=like)
