# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""NUMA nodes whose memory goes offline, as that of a DIMM or behind CXL can: what the kernel does with a workload that
was granted such a one, what it is told, and that a start with it is refused.

In a guest of its own: all others have the memory that they began with.
"""

import re
import subprocess
from pathlib import Path

import pytest
from features import V2
from places import TOP

from offline import BUSY, cgroup_v1, row
from workload import GUEST, LOGS, NODES, PYTHON, needs_root, processes_of
from workload import ids, status_field, wait

THIS = "tests/e2e/pinfold/test_guest_node_offline.py"
SYSTEM = Path("/sys/devices/system")
SPARE = 2  # memory alone, all of it movable; node 0 is nearer to it than node 1
NEAR, MINE = 0, 1
DIMM = [
    "-m 4096M,slots=1,maxmem=5G",
    f"-numa node,nodeid={SPARE}",
    f"-numa dist,src={NEAR},dst={SPARE},val=20",
    f"-numa dist,src={MINE},dst={SPARE},val=31",
    "-object memory-backend-ram,id=dimm,size=256M",
    f"-device pc-dimm,id=dimm0,memdev=dimm,node={SPARE}",
]
BLOCKS = sorted((SYSTEM / f"node/node{SPARE}").glob("memory[0-9]*")) if GUEST else []

pytestmark = [needs_root]
needs_dimm = pytest.mark.skipif(
    len(BLOCKS) != 2 or not V2 or sorted(NODES) != [NEAR, MINE],
    reason=f"needs node {SPARE} with a DIMM that can be taken off: ./check --full makes such a guest",
)


@pytest.mark.full
@pytest.mark.anywhere
@pytest.mark.limit(1000)
def test_in_a_guest():
    """What follows, where a node has memory that can be taken off."""
    if GUEST:
        pytest.skip("a guest in a guest would be tried for ever")
    p = subprocess.run(
        [TOP / "tests/guest/run", "-t", "900", "-a", "memhp_default_state=online_movable",
         *(f"--qemu={words}" for words in DIMM), "--", TOP / "tests/run", "e2e", "-m", "not full", THIS],
        capture_output=True,
        text=True,
        timeout=950,
        check=False,
    )  # fmt: skip
    if p.returncode == 77:
        pytest.skip(p.stderr.strip())
    print(p.stdout)
    assert p.returncode == 0 and re.search(r"^=+ \d+ passed in", p.stdout, re.M), p.stderr


def put(block, online):
    (SYSTEM / f"memory/{block.name}/state").write_text("online_movable" if online else "offline")


@pytest.fixture
def all_online():
    yield
    for block in BLOCKS:
        if (SYSTEM / f"memory/{block.name}/state").read_text() == "offline\n":
            put(block, True)


MIB = 144  # more than a block has
PAGES = MIB * 256
# Memory of that node, and then work
PROGRAM = f"""
import ctypes, mmap
size = {MIB} << 20
m = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
at = ctypes.addressof(ctypes.c_char.from_buffer(m))
mask = ctypes.byref(ctypes.c_ulong(1 << {SPARE}))
PREFERRED, SET_MEMPOLICY = 1, 238
assert ctypes.CDLL(None).syscall(SET_MEMPOLICY, PREFERRED, mask, 64) == 0
ctypes.memset(at, 1, size)
print("up", flush=True)
while True:
    pass
"""


def mapped(pf, name):
    """Of its program: pages in the largest mapping of its own, on each node."""
    largest = {}
    for pid in processes_of(pf.lease(name)):
        for line in Path(f"/proc/{pid}/numa_maps").read_text().splitlines():
            if "anon=" in line and "file=" not in line:
                on = {int(n): int(k) for n, k in re.findall(r" N(\d+)=(\d+)", line)}
                largest = max(largest, on, key=lambda d: sum(d.values()))
    return largest


def allowed(pf, name):
    found = set()
    for pid in processes_of(pf.lease(name)):
        text = Path(f"/proc/{pid}/status").read_text()
        found |= ids(status_field(text, "Mems_allowed_list"))
    return found


@needs_dimm
def test_movable_memory_alone_is_refused(pf):
    pf.fails(
        "run", "--cpus", NODES[NEAR][0], "--mems", SPARE, "--", "true",
        like=f"node {SPARE} has no memory but movable one, .* --mems {NEAR},{SPARE}$",
    )  # fmt: skip


@pytest.fixture(params=["v2", "v1"])
def waived(request):
    """What has to be said where limits cannot be had on such cgroups."""
    if request.param == "v2":
        yield []
        return
    with cgroup_v1() as controllers:
        missing = {"memory", "hugetlb"} - controllers
        yield [f"--allow-missing={','.join(missing)}"] if missing else []


@needs_dimm
@pytest.mark.parametrize("place", ["container", "host"])
def test_held_to_the_rest(waived, pf, all_online, place):
    """It goes on with the other node, and is told; what it had on the lost one the kernel has moved to the nearest
    that has room, granted or not, and counts as before."""
    log = lambda: (LOGS / f"{name}.log").read_text()
    program = [PYTHON, "-I", "-c", PROGRAM]
    flags = ["--in", place, "--mems", f"{MINE},{SPARE}", *waived]
    name = pf.detach(*flags, cpu=NODES[MINE][-1], command=program)
    wait(lambda: "up" in log(), 30, "its memory")
    assert mapped(pf, name) == {SPARE: PAGES}
    put(BLOCKS[0], False)
    moved = mapped(pf, name)
    assert set(moved) == {SPARE, NEAR} and sum(moved.values()) == PAGES
    assert row(pf, name)["note"] == ""
    put(BLOCKS[1], False)
    note = f"node {SPARE} is offline: it has node {MINE}"
    wait(lambda: row(pf, name)["note"] == note, what="a note")
    assert row(pf, name)["state"] == "running" and allowed(pf, name) == {MINE}
    assert mapped(pf, name) == {NEAR: PAGES}
    charge = Path(pf.lease(name)["cgroup"]) / "box/memory.current"
    assert not charge.exists() or int(charge.read_text()) >= MIB << 20
    wait(lambda: f"pinfold: '{name}': {note}\n" in log(), what="a word in the log")
    pf.fails(
        "run", "--cpus", NODES[NEAR][0], "--mems", f"{MINE},{SPARE}", "--", "true",
        like=f"NUMA node {SPARE} has no memory; name nodes that have with --mems: {NEAR}-{MINE}$",
    )  # fmt: skip
    for block in BLOCKS:
        put(block, True)
    wait(lambda: row(pf, name)["note"] == "", what="nothing to note")
    assert allowed(pf, name) == {MINE, SPARE}
    wait(lambda: "online again: it goes on\n" in log(), what="a word in the log")
    assert mapped(pf, name) == {NEAR: PAGES}
    pf.ok("stop", "-t", "0", name)


@needs_dimm
def test_the_kernel_keeps_what_it_needs_itself(pf):
    """A node whose memory is not all movable has a program's page tables: it is not taken off under it. The last of
    these tests: something of the kernel's stays there."""
    for block in BLOCKS:
        put(block, False)
    (SYSTEM / f"memory/{BLOCKS[0].name}/state").write_text("online_kernel")
    name = pf.detach("--mems", SPARE, "--memory", "64M", command=BUSY)
    with pytest.raises(OSError, match="busy"):
        put(BLOCKS[0], False)
    assert row(pf, name)["note"] == "" and allowed(pf, name) == {SPARE}
    pf.ok("stop", "-t", "0", name)
