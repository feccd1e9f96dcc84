# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Containers of an engine whose program makes cgroups below its own: none keeps its lease, or a process, by them."""

import errno
import os
import shutil
from pathlib import Path

import pytest
from features import V2

from bundle import BUSYBOX, Bundle, Runtime, spec
from places import program
from workload import CPU, NODE, kill, needs_pages, needs_root, unique, wait

CRUN = shutil.which("crun")
pytestmark = [
    needs_root,
    pytest.mark.skipif(CRUN is None, reason="package crun is not installed"),
    pytest.mark.skipif(not BUSYBOX.exists(), reason="package busybox-static is not installed"),
]
GROUPS = Path("/sys/fs/cgroup")
LEVELS = 300  # of 200 letters: fifteen times what a path may have
# the hierarchy that tells who is alive, and the one that freezes
TRACKED, FREEZER = (GROUPS, GROUPS) if V2 else (GROUPS / "pids", GROUPS / "freezer")
SCRIPT = """
mk() { /bin/busybox mkdir "$@"; }
cd -P %s || exit 3
%s
echo up > /out/said
exec sleep 1000
"""
DEEP = f"""
name=$(/bin/busybox printf %0200d 0) i=0
while [ $i -lt {LEVELS} ]; do mk $name && cd -P $name || exit 4; i=$((i + 1)); done
sleep 1000 & echo $! >> /out/others
echo $! > cgroup.procs
"""
WIDE = """
i=0
while [ $i -lt 1000 ]; do mk $i || exit 4; i=$((i + 1)); done
sleep 1000 & echo $! >> /out/others
echo $! > 777/cgroup.procs
"""
PAUSED = f"""
mk paused
sleep 1000 & echo $! >> /out/others
echo $! > paused/cgroup.procs
echo {'1 > paused/cgroup.freeze' if V2 else 'FROZEN > paused/freezer.state'}
"""
BESIDE = """
mk super .hidden
sleep 1000 & echo $! >> /out/others
echo $! > super/cgroup.procs
sleep 1000 & echo $! >> /out/others
echo $! > .hidden/cgroup.procs
"""
WAYS = {
    "deep": (TRACKED, DEEP),
    "wide": (TRACKED, WIDE),
    "paused": (FREEZER, PAUSED),
    "beside": (TRACKED, BESIDE),
}


def gone(name, directory):
    try:
        os.rmdir(name, dir_fd=directory)
    except FileNotFoundError:
        pass
    except OSError as e:
        assert e.errno == errno.EBUSY
        return False
    return True


class Engine:
    """Starts one container whose program has its cgroups to write."""

    def __init__(self, top):
        path = program("PINFOLD_RUNTIME", "build/src/cli/pinfold-runtime")
        self.runtime, self.name = Runtime(path, top / "state"), unique("c")
        self.out, self.top, self.group = top / "out", top, unique("engine")
        self.out.mkdir()

    def doc(self, way):
        where, script = WAYS[way]
        doc = spec("/bin/sh", "-c", SCRIPT % (where, script))
        doc["linux"]["cgroupsPath"] = f"/{self.group}"
        # else all end with the first
        doc["linux"]["namespaces"] = [n for n in doc["linux"]["namespaces"] if n["type"] != "pid"]
        doc["mounts"] += [
            {
                "destination": "/sys/fs/cgroup",
                "type": "cgroup",
                "source": "cgroup",
                "options": ["nosuid", "noexec", "nodev", "rw"],
            },
            {"destination": "/out", "type": "bind", "source": str(self.out), "options": ["bind"]},
        ]
        return doc

    def start(self, doc):
        bundle = Bundle(self.top / "bundle", doc)
        words = ["--bundle", str(bundle.top), "--pid-file", str(bundle.top / "pid")]
        assert self.runtime.create(*words, self.name) == 0
        assert self.runtime("start", self.name).returncode == 0
        wait((self.out / "said").exists, seconds=20, what="what its program does")
        assert len(self.others()) == len(self.alive()) > 0

    def others(self):
        """Its processes beside the first; their numbers are the machine's."""
        return [int(pid) for pid in (self.out / "others").read_text().split()]

    def alive(self):
        return [pid for pid in self.others() if Path(f"/proc/{pid}").exists()]

    def put_away(self):
        for pid in self.alive():
            kill(pid)
        self.runtime("delete", "--force", self.name)
        # what an engine leaves of its own
        for top in [*GROUPS.glob(self.group), *GROUPS.glob(f"*/{self.group}")]:
            for _, below, _, fd in os.fwalk(top, topdown=False):
                for one in below:
                    if os.access(f"{one}/freezer.state", os.F_OK, dir_fd=fd):
                        (top / one / "freezer.state").write_text("THAWED")
                    wait(lambda o=one, f=fd: gone(o, f), what="the end of a cgroup")
            wait(lambda t=top: gone(t, None), what="the end of a cgroup")


@pytest.fixture
def engine(pf, tmp_path):
    e = Engine(tmp_path)
    yield e
    e.put_away()


def granted(pf, engine, way):
    grant = pf.grant("--cpus", CPU, "--memory", "256M", "--claim-by", "annotation")
    doc = engine.doc(way)
    doc["annotations"] = {"dev.pinfold.grant": grant}
    engine.start(doc)
    assert pf.ps()[grant]["state"] == "running"
    return grant


def given(pf, engine, way):
    doc = engine.doc(way)
    doc["linux"]["resources"] = {
        "cpu": {"cpus": str(CPU), "mems": str(NODE)},
        "hugepageLimits": [{"pageSize": "2MB", "limit": 4 << 21}],
    }
    engine.start(doc)
    return next(row["name"] for row in pf.ps().values() if row["in"] == "given")


def nothing_is_left(pf, name, engine):
    assert name not in pf.ps()
    wait(lambda: not engine.alive(), what="the end of its processes")
    assert not [*GROUPS.glob(f"pinfold/{name}"), *GROUPS.glob(f"*/pinfold/{name}")]


@pytest.mark.parametrize("way", [pytest.param("deep", marks=pytest.mark.guest), *list(WAYS)[1:]])
def test_stop(pf, engine, way):
    grant = granted(pf, engine, way)
    pf.ok("stop", "-t", "0", grant)
    nothing_is_left(pf, grant, engine)


@pytest.mark.parametrize("way", ["deep", "wide"])
def test_gc(pf, engine, way):
    """Its processes have ended, and what they made is there."""
    grant = granted(pf, engine, way)
    for pid in [engine.runtime.state(engine.name)["pid"], *engine.others()]:
        kill(pid)
    wait(lambda: not engine.alive(), what="the end of its processes")
    pf.ok("gc")
    nothing_is_left(pf, grant, engine)


@needs_pages(4)
@pytest.mark.parametrize("way", [*list(WAYS)[:-1], pytest.param("beside", marks=pytest.mark.guest)])
def test_stop_where_the_cgroup_is_the_engines(pf, engine, way):
    name = given(pf, engine, way)
    pf.ok("stop", "-t", "0", name)
    nothing_is_left(pf, name, engine)


@pytest.mark.full
@pytest.mark.limit(180)
@pytest.mark.skipif(V2, reason="the machine's memory bounds how many there can be: cgroup v1")
def test_more_than_one_look(pf):
    """It takes seconds to look for processes in so many, and more than one gc to remove them."""
    name = pf.detach("--in", "host")
    box = os.open(Path(pf.lease(name)["cgroup"]) / "box", os.O_RDONLY | os.O_DIRECTORY)
    for i in range(300):
        os.mkdir(f"{i}", dir_fd=box)
        below = os.open(f"{i}", os.O_RDONLY | os.O_DIRECTORY, dir_fd=box)
        for k in range(500):
            os.mkdir(f"{k}", dir_fd=below)
        os.close(below)
    os.close(box)
    for _ in range(5):
        p = pf("stop", "-t", "0", name)
        if p.returncode == 0:
            break
        assert "not enough for all below it; go on: pinfold gc" in p.stderr
    assert name not in pf.ps()
