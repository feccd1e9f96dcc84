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
from places import TOP, is_roots
from workload import CPU, OTHER, POOL, needs_root, needs_two, pool, wait

SCHEMA = json.loads((TOP / "data/schemas/prepare.json").read_text())
UNDO_SCHEMA = json.loads((TOP / "data/schemas/undo.json").read_text())
UNITS = Path("/etc/systemd/system")
UNIT = UNITS / "pinfold-prepare.service"
WANTS = UNITS / "multi-user.target.wants" / UNIT.name
GRUB = Path("/etc/default/grub.d/90-pinfold.cfg")
STATE = Path("/run/pinfold/prepared.json")
STRACE = shutil.which("strace")


def machine():
    pages = {str(p): p.read_text() for p in POOL.parent.glob("*/nr_hugepages")}
    return pages, masks(), interrupts(), Path("/proc/self/mounts").read_text()


@pytest.fixture
def restored(pf):
    """The machine is as before at the end of the test; what was prepared before belongs to somebody else."""
    if STATE.exists() or UNIT.exists():
        pytest.skip("this machine has been prepared: pinfold host undo")
    before, others = machine(), threads()
    yield
    pf("host", "undo")
    assert machine() == before
    assert moved(others) == {}
    assert not any(map(os.path.lexists, [STATE, UNIT, WANTS, GRUB]))


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
        assert doc["done"] and pool("nr") == before + 4 and doc["files"] == []
        assert {s["do"] for s in doc["steps"]} <= {"pages", "mount"}
        assert "hugepagesz=2M hugepages=" in doc["command-line"]
        assert STATE.stat().st_mode & 0o777 == 0o600
        doc = pf.json("host", "undo", "--json")
        jsonschema.validate(doc, UNDO_SCHEMA)
        assert doc["undone"] > 0 and doc["failed"] == [] and pool("nr") == before
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
            p = pf("host", "undo")
            like = "use '/run/pinfold/prepared.json' (mend it, or remove it"
            assert p.returncode == 1 and like in p.stdout
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


@needs_root
@pytest.mark.skipif(not UNITS.is_dir(), reason="no /etc/systemd/system")
class TestPersist:
    pytestmark = pytest.mark.skipif(not POOL.is_dir(), reason="no hugepages of 2M")

    @pytest.fixture(autouse=True)
    def of_root(self, pf):
        if not is_roots(pf.path):
            pytest.skip("others than root may change the program: install it, and set PINFOLD")

    def test_what_a_boot_does(self, pf, restored):
        """The unit's command, after a boot that took all of it away, does the same."""
        before, wanted = pool("nr"), more()
        doc = prepare(pf, "--persist", *wanted)
        assert doc["files"][0] == str(UNIT) and WANTS.readlink() == UNIT
        text = UNIT.read_text()
        [command] = re.findall("^ExecStart=(.*)$", text, re.M)
        STATE.unlink()  # /run is empty then
        Path(doc["steps"][-1]["path"]).write_text(doc["steps"][-1]["former"])
        assert pool("nr") == before
        subprocess.run(command.split(), check=True, timeout=50, capture_output=True)
        assert pool("nr") == before + 4 and UNIT.read_text() == text
        doc = pf.json("host", "undo", "--json")
        jsonschema.validate(doc, UNDO_SCHEMA)
        assert doc["removed"][0] == str(UNIT) and pool("nr") == before

    def test_systemd_takes_it(self, pf, restored):
        if shutil.which("systemd-analyze") is None:
            pytest.skip("package systemd is not installed")
        prepare(pf, "--persist")
        p = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", UNIT],
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert p.returncode == 0 and UNIT.name not in p.stderr, p.stderr

    def test_the_last_counts(self, pf, restored):
        prepare(pf, "--persist", *more())
        out = pf.ok("host", "prepare", "--persist")
        assert f"at each boot, by {UNIT}: the same\n" in out
        assert "--hugepages" not in UNIT.read_text()
        assert f"removed: {UNIT}\n" in pf.ok("host", "undo")

    def test_forgotten_beside_what_cannot_be_read(self, pf, restored):
        prepare(pf, "--persist")
        STATE.write_text("{")
        p = pf("host", "undo")
        STATE.unlink()
        assert p.returncode == 1 and f"removed: {UNIT}\n" in p.stdout and not UNIT.exists()

    def test_dry_run(self, pf, restored):
        doc = prepare(pf, "--dry-run", "--persist", *more())
        assert doc["files"][0] == str(UNIT) and not UNIT.exists()

    def test_what_failed_is_not_kept(self, pf, restored):
        pf.fails("host", "prepare", "--persist", "--module", "no_such_module", like="no_such_mod")
        assert not UNIT.exists()


# /etc of its own, with a GRUB whose program is a script
OWN_GRUB = """
mount -t tmpfs none /etc/systemd/system && mount -t tmpfs none /etc/default &&
mkdir /etc/default/grub.d && mount --bind "$1" /usr/sbin && shift && exec sh -ec "$@"
"""


@needs_root
@pytest.mark.skipif(not UNITS.is_dir() or not POOL.is_dir(), reason="no systemd, or no pages")
def test_nobody_waits_for_grub(pf, restored):
    """Its program may take minutes: who starts a workload meanwhile has the ledger."""
    if not is_roots(pf.path):
        pytest.skip("others than root may change the program: install it, and set PINFOLD")
    said, programs = pf.directory / "said", pf.directory / "sbin"
    programs.mkdir()
    update = programs / "update-grub"
    update.write_text(f"#!/bin/sh\nflock -n /run/pinfold/lock true && echo free >>{said} ||"
                      f" echo held >>{said}\n")  # fmt: skip
    update.chmod(0o755)
    words = f'"$0" host prepare --persist {" ".join(more())}; "$0" host undo'
    p = subprocess.run(
        ["unshare", "-m", "sh", "-c", OWN_GRUB, "sh", programs, words, pf.path],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert p.returncode == 0 and f"removed: {GRUB}" in p.stdout, p.stderr
    assert said.read_text() == "free\nfree\n"


@needs_root
@pytest.mark.skipif(not UNITS.is_dir(), reason="no /etc/systemd/system")
def test_program_that_others_can_change(pf):
    """It would be root's at each boot."""
    program = pf.directory / "pinfold"
    shutil.copy(pf.path, program)
    os.chown(program, 1, -1)
    p = subprocess.run(
        [program, "host", "prepare", "--persist", "--dry-run"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert p.returncode == 125 and p.stderr.count("\n") == 1 and p.stdout == ""
    assert f"may change '{program}'; install pinfold" in p.stderr


PAGES = "/sys/devices/system/node/node%d/hugepages/hugepages-%dkB/nr_hugepages"


def pages(*rows):
    return [
        {"do": "pages", "path": PAGES % (node, kb), "value": str(value), "former": str(former)}
        for node, kb, value, former in rows
    ]


def module(name):
    return {"do": "module", "path": name, "value": "loaded", "former": "none"}


def mount(former):
    path = "/sys/fs/cgroup/hugetlb"
    return {"do": "mount", "path": path, "value": "hugetlb", "former": former}


@pytest.mark.anywhere
@pytest.mark.parametrize(
    "kind, changes, args, steps",
    [
        # shared out: what is missing, not what there is to be
        ("paper", {}, ["--hugepages", "2M=612"], pages((0, 2048, 306, 256), (1, 2048, 306, 256))),
        ("paper", {}, ["--hugepages", "2M=515"], pages((0, 2048, 258, 256), (1, 2048, 257, 256))),
        ("paper", {}, ["--hugepages", "2M=512"], []),
        ("paper", {}, ["--hugepages", "2M=300@1"], pages((1, 2048, 300, 256))),
        ("paper", {}, ["--hugepages", "2M=300@0", "--hugepages", "2M=256@1", "--hugepages", "1G=34"],
         pages((0, 2048, 300, 256), (0, 1 << 20, 17, 16), (1, 1 << 20, 17, 16))),
        # only nodes with memory get any
        ("gpus", {}, ["--hugepages", "2M=1@9"], "there is no node 9"),
        ("paper", {}, ["--module", "uio_pci_generic", "--module", "vfio-pci"],
         [module("uio_pci_generic")]),
        ("paper", {"pci": []}, ["--module", "vfio-pci"], [module("vfio-pci")]),
        ("two", {"files": {"sys/module/vfio_pci/parameters/x": "1"}}, ["--module", "vfio-pci"], []),
        ("two", {}, [], []),
        ("two", {"cgroup": "v1-bare"}, [], [mount("none")]),
        ("two", {"cgroup": "v1-bare", "files": {"sys/fs/cgroup/hugetlb/x": ""}}, [],
         [mount("directory")]),
    ],
)  # fmt: skip
def test_steps_elsewhere(pinfold, memory_path, kind, changes, args, steps):
    m = fake_host.kinds[kind]()
    for field, value in changes.items():
        setattr(m, field, value)
    tree = fake_host.write(m, str(memory_path / kind))
    command = [pinfold, "--host-tree", tree, "host", "prepare", "--dry-run", "--json", *args]
    p = subprocess.run(command, capture_output=True, text=True, check=False)
    if isinstance(steps, str):
        assert p.returncode == 125 and steps in p.stderr
        return
    assert p.returncode == 0, p.stderr
    found = json.loads(p.stdout)["steps"]
    assert [{k: v for k, v in s.items() if k != "name"} for s in found] == steps


BEGIN, END = "pinfold.words=begin", "pinfold.words=end"
LINE = "at the next boot, on the kernel's command line"


@pytest.mark.anywhere
def test_words_for_grub(pinfold, memory_path):
    """What an earlier one keeps on the kernel's command line is kept, too; without GRUB that is said."""
    m = fake_host.kinds["two"]()
    words = "isolcpus=managed_irq,domain,1 nohz_full=1 rcu_nocbs=1 irqaffinity=0"
    tree = Path(fake_host.write(m, str(memory_path / "two")))
    command = [pinfold, "--host-tree", tree, "host", "prepare", "--dry-run", "--cpus", "1"]

    def say(*more):
        return subprocess.run(
            [*command, *more], capture_output=True, text=True, check=True
        ).stdout.splitlines()[-1]

    assert say() == f"{LINE}: {words}"
    assert say("--persist") == f"{LINE} (here is no GRUB that would put it there): {words}"
    drop_in = tree / GRUB.relative_to("/")
    drop_in.parent.mkdir(parents=True)
    by_grub = f"{LINE}, by {GRUB}: "
    assert say("--persist") == by_grub + words
    # as it is after that boot, whatever has become of the file: it is there, or it was undone, changed, or that was killed
    (tree / "proc/cmdline").write_text(f"ro {BEGIN} {words} {END} quiet\n")
    mark = "# Made by pinfold host prepare --persist; pinfold host undo removes it.\n"
    begin = f'{mark}GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX {BEGIN} '
    kept = [f'{begin}{words} {END}"\n', f'{begin}{words} hugepagesz=2M hugepages=4 {END}"\n', mark]
    for text in [None, *kept]:
        if text is not None:
            drop_in.write_text(text)
        assert say("--persist") == by_grub + words
        assert "command line" not in say()
    # what others have put there need not be there twice
    for cmdline in [f"nohz_full=1 {BEGIN} {words} {END}", f"{BEGIN} {words} {END} nohz_full=1"]:
        (tree / "proc/cmdline").write_text(f"ro {cmdline}\n")
        assert say("--persist") == by_grub + words.replace("nohz_full=1 ", "")
    (tree / "proc/cmdline").write_text(f"ro {BEGIN} {words[:40]}\n")  # cut off
    assert say("--persist") == by_grub + words


@pytest.mark.anywhere
@pytest.mark.parametrize(
    "kind, args, words",
    [
        ("paper", ["--module", "vfio-pci"], "intel_iommu=on iommu=pt"),  # whose IOMMU is on by now
        ("two", ["--hugepages", "2M=600"], "default_hugepagesz=2M hugepagesz=2M hugepages=600"),
    ],
)
def test_words_that_have_done_their_work(pinfold, memory_path, kind, args, words):
    """They are what did it: without them the next boot would not."""
    m = fake_host.kinds[kind]()
    m.cmdline = f"ro {BEGIN} {words} {END}"
    tree = fake_host.write(m, str(memory_path / kind))
    command = [pinfold, "--host-tree", tree, "host", "prepare", "--dry-run", "--json", *args]
    p = subprocess.run([*command, "--persist"], capture_output=True, text=True, check=True)
    assert json.loads(p.stdout)["command-line"] == words
    p = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(p.stdout)["command-line"] == ""


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
@pytest.mark.parametrize(
    "cmdline, args, words",
    [
        ("isolcpus=0", ["--cpus", "1"], "isolcpus=0"),
        ("nohz_full=0-1 isolcpus=managed_irq,1", ["--cpus", "1"], "nohz_full=0-1"),
        ("isolcpus=1 nohz_full=1", ["--cpus", "1"], ""),
        (f"isolcpus=0 {BEGIN} isolcpus=managed_irq,domain,1 {END}", ["--cpus", "1"], "isolcpus=0"),
        (f"{BEGIN} isolcpus=managed_irq,domain,0 {END}", ["--cpus", "1"], ""),  # a former one's
        ("hugepages=512", ["--hugepages", "2M=600"], "hugepages=512"),
        ("hugepagesz=2M hugepages=512", ["--hugepages", "2M=600"], "hugepagesz=2M hugepages=512"),
        ("hugepagesz=1G hugepages=4", ["--hugepages", "2M=600"], ""),
        ("iommu=off", ["--module", "vfio-pci"], "iommu=off"),
        ("quiet", ["--cpus", "1", "--hugepages", "2M=600", "--module", "vfio-pci"], ""),
    ],
)
def test_words_of_others_that_count(pinfold, memory_path, cmdline, args, words):
    """The kernel takes the first of some: what stands there beside ours decides, now and after the boot."""
    m = fake_host.kinds["two"]()
    m.cmdline = f"ro {cmdline}"
    tree = fake_host.write(m, str(memory_path / "two"))
    command = [pinfold, "--host-tree", tree, "host", "prepare", "--dry-run", *args]
    for more in [[], ["--persist"]]:
        p = subprocess.run([*command, "--json", *more], capture_output=True, text=True, check=True)
        doc = json.loads(p.stdout)
        jsonschema.validate(doc, SCHEMA)
        assert doc["overruled"] == words, doc
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert (f"they count: {words}; take them out" in text) == (words != ""), text


@pytest.mark.anywhere
def test_pages_that_only_a_boot_makes(pinfold, memory_path):
    m = fake_host.kinds["two"]()
    m.nodes = NO_1G
    tree = fake_host.write(m, str(memory_path / "two"))
    command = [pinfold, "--host-tree", tree, "host", "prepare", "--dry-run", "--hugepages", "1G=2"]
    p = subprocess.run(command, capture_output=True, text=True, check=False)
    assert p.returncode == 125 and p.stderr.endswith("boot with hugepagesz=1G hugepages=2\n")
    m.flags = "fpu sse4_2"
    command[2] = fake_host.write(m, str(memory_path / "without"))
    p = subprocess.run(command, capture_output=True, text=True, check=False)
    assert p.returncode == 125 and p.stderr.endswith("(no pdpe1gb); ask for 2M=1024\n")


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
