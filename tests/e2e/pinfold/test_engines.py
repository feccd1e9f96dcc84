# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Podman, Docker and containerd themselves, with pinfold-runtime as their runtime."""

import json
import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest

from bundle import BUSYBOX
from engines import ENGINES, root_of
from features import V2
from places import program
from workload import CPU, CPUS, NODE, TESTPMD, kill
from workload import needs_pages, needs_root, needs_testpmd, needs_two, processes_of, unique, wait

pytestmark = [
    needs_root,
    pytest.mark.skipif(shutil.which("crun") is None, reason="package crun is not installed"),
    pytest.mark.skipif(not BUSYBOX.exists(), reason="package busybox-static is not installed"),
]


@pytest.fixture(scope="module", params=list(ENGINES))
def engine_of(request, pinfold):
    """One engine for all tests, which pytest orders by it."""
    kind = ENGINES[request.param]
    if reason := kind.lacks():
        pytest.skip(reason)
    # short: the path of a socket has 108 bytes at most
    with tempfile.TemporaryDirectory(prefix="pf-", dir="/tmp") as top:
        os.chmod(top, 0o755)  # root of a user namespace is nobody here
        root = root_of(f"{top}/image", *filter(None, [TESTPMD]), pinfold=pinfold)
        engine = kind(top, root, program("PINFOLD_RUNTIME", "build/src/cli/pinfold-runtime"))
        yield engine
        engine.end()


@pytest.fixture
def engine(engine_of, pf):
    yield engine_of
    engine_of.put_away()


def says(engine, name, *texts):
    """What has ended has written all of it; its engine may have some of it still."""
    wait(lambda: all(t in engine.logs(name) for t in texts), what=f"{texts} in the output")


def granted(pf, engine, *flags, cpus=CPU):
    return pf.grant("--cpus", cpus, "--claim-by", engine.claim, *flags)


@needs_pages(16)
def test_a_life(engine, pf):
    """It finds its grant, is held to it, and when it is removed nothing of it is left."""
    grant = granted(pf, engine, "--hugepages", "2M=16", "--memory", "96M", "--pids", "60")
    name = engine.begin(grant, "sh", "-c", "echo up $PINFOLD_GRANT; exec sleep 1000")
    row = pf.ps()[grant]
    assert (row["state"], row["in"], row["cpus"]) == ("running", "engine", str(CPU))
    # what it sees
    seen = json.loads(engine.sh(name, "/run/pinfold/inside show --json --probe"))
    assert seen["cpus"]["affinity"] == seen["cpus"]["online"] == seen["cpus"]["eal"] == str(CPU)
    assert seen["cpus"]["runnable"] == str(CPU)
    assert seen["numa"] == {"visible": str(NODE), "allowed": str(NODE)}
    pages = next(p for p in seen["hugepages"] if p["size"] == "2M")
    assert (pages["total"], pages["takeable"]) == (16, 16)
    assert [m["size"] for m in seen["hugetlbfs"]] == ["32M"]
    inner = json.loads(engine.sh(name, "cat /run/pinfold/grant.json"))
    assert inner["name"] == grant
    assert engine.execute(name, "touch", "/run/pinfold/x").returncode != 0
    # what the engine does with it
    wait(lambda: "up /run/pinfold/grant.json\n" in engine.logs(name), what="its output")
    holder = pf.lease(grant)["command"].split()[1]
    engine.refused(grant, f"grant '{grant}' is in use by container '{holder}'")
    assert engine.stop(name).returncode == 0
    assert engine.remove(name).returncode == 0
    assert grant not in pf.ps()
    # and again, removed while it runs
    name = engine.begin(grant)
    assert engine.remove(name).returncode == 0
    assert grant not in pf.ps()


def test_without_a_grant(engine, pf):
    """As with any other runtime."""
    name = engine.begin(None)
    assert "0" in engine.sh(name, "id -u")
    assert "/run/pinfold" not in engine.sh(name, "cat /proc/mounts")
    assert engine.remove(name).returncode == 0
    assert pf.ps() == {}


def forget_eal(engine, name):
    """Where its root stays, and is on a tmpfs, what EAL left in it is memory of the grant still."""
    engine.remove(name)
    shutil.rmtree(f"{engine.root}/run/dpdk", ignore_errors=True)


@needs_two
@needs_pages(40)
@needs_testpmd
def test_testpmd_needs_no_arguments(engine, pf):
    """For EAL none at all but its device; the pool of packets is its own argument."""
    grant = granted(pf, engine, "--hugepages", "2M=40", cpus=f"{CPUS[0]},{CPUS[1]}")
    words = ["dpdk-testpmd", "--vdev=net_null0", "--", "--total-num-mbufs=2048"]
    name = engine.begin(grant, *words)
    wait(lambda: engine.ended(name), 30, "its end")
    says(engine, name, "EAL: Detected CPU lcores: 2\n", "forwards packets on 1 streams")
    forget_eal(engine, name)
    # more than it has
    name = engine.begin(grant, "dpdk-testpmd", "-m", "100", *words[1:])
    wait(lambda: engine.ended(name), 30, "its end")
    says(engine, name, "Requested: 100MB, available: 80MB")
    forget_eal(engine, name)


def test_what_is_refused(engine, pf):
    other = "env" if engine.claim == "annotation" else "annotation"
    closed = pf.grant("--cpus", CPU, "--claim-by", other)
    engine.refused(closed, "pinfold-runtime: ", f"grant '{closed}' is not made to be claimed by")
    engine.refused("nothing", "grant 'nothing' does not exist")
    assert pf.ps() == {}


def test_a_crash(engine, pf):
    """The engine, its shims and its monitors are killed: the container goes on until it is stopped."""
    grant = granted(pf, engine)
    name = engine.begin(grant)
    engine.crash()
    assert pf.ps()[grant]["state"] == "running" and processes_of(pf.lease(grant))
    pf.ok("stop", "-t", "0", grant)
    assert grant not in pf.ps()
    # its engine comes back, and puts away what it knows of
    if hasattr(engine, "up"):
        engine.up()
    engine.remove(name)
    name = engine.begin(grant)
    engine.remove(name)
    assert grant not in pf.ps()


@needs_pages(8)
def test_its_own_hugetlbfs(engine, pf):
    """A volume of the engine's is a grant too: its size is the limit, and what the container is shown."""
    name = engine.begin(None, options=engine.hugetlbfs(8))
    row = next(iter(pf.ps().values()))
    assert (row["state"], row["in"]) == ("running", "given")
    seen = json.loads(engine.sh(name, "/run/pinfold/inside show --json --probe"))
    pages = next(p for p in seen["hugepages"] if p["size"] == "2M")
    assert (pages["total"], pages["takeable"]) == (8, 8)
    assert engine.remove(name).returncode == 0
    assert pf.ps() == {}


def only(*kinds):
    """For engines that have it."""
    return pytest.mark.parametrize("engine_of", kinds, indirect=True)


@only("podman", "docker")
def test_terminal_init_and_health(engine, pf):
    grant = granted(pf, engine)
    script = "test -t 1 && echo on a terminal; exec sleep 1000"
    health = ["--health-cmd", "cat /run/pinfold/grant.json", "--health-interval", "1s"]
    if engine.package == "podman":
        health = health[:2]  # what repeats it is systemd's
    options = ["-t", "--init", *health]
    name = engine.begin(grant, "sh", "-c", script, options=options)
    wait(lambda: "on a terminal" in engine.logs(name), what="its output")
    assert "init" in engine.sh(name, "cat /proc/1/cmdline") or "/dev/init" in engine.sh(
        name, "cat /proc/1/comm"
    )
    if engine.package == "podman":
        assert engine("healthcheck", "run", name).returncode == 0
    else:
        form = ["inspect", "-f", "{{.State.Health.Status}}", name]
        wait(lambda: engine(*form).stdout == "healthy\n", 20, "its health")
    stats = engine("stats", "--no-stream", name)
    assert stats.returncode == 0 and name[:12] in stats.stdout, stats


@only("podman", "docker")
def test_pause_and_update(engine, pf):
    grant = granted(pf, engine)
    name = engine.begin(grant)
    assert engine("pause", name).returncode == 0
    assert engine.execute(name, "true").returncode != 0
    assert pf.ps()[grant]["state"] == "running"
    assert engine("unpause", name).returncode == 0
    assert engine.execute(name, "true").returncode == 0
    if engine.package == "podman":
        return  # 4.3 changes no cpuset
    other = next(c for c in (CPUS[0], CPUS[-1], CPU + 1) if c != CPU)
    # it always says a limit of memory, and crun takes 0 by its word
    memory = ["--memory", "64m", "--memory-swap", "64m"]
    p = engine("update", *memory, "--cpuset-cpus", str(other), name)
    assert p.returncode != 0 and f"grant '{grant}' has {CPU}" in p.stderr, p
    p = engine("update", *memory, "--cpuset-cpus", str(CPU), name)
    if V2 and "cannot set kernel memory with cgroupv2" in p.stderr:
        return  # which Docker 20 always says: an answer of crun's, whoever calls it
    assert p.returncode == 0, p
    assert engine("update", *memory, "--pids-limit", "20", name).returncode == 0
    assert engine.execute(name, "true").returncode == 0


@only("podman", "docker")
def test_restart(engine, pf):
    """It dies, and its engine starts it again in its grant."""
    grant = granted(pf, engine)
    name = engine.begin(grant, options=["--restart", "always"])
    first = processes_of(pf.lease(grant))
    for pid in first:
        kill(pid)

    def again():
        try:
            others = processes_of(pf.lease(grant)) - first
        except FileNotFoundError:
            return False  # between the two
        return others and pf.ps().get(grant, {}).get("state") == "running"

    wait(again, 20, "its restart")
    wait(lambda: engine.execute(name, "true").returncode == 0, 20, "its engine to know")
    assert str(CPU) in engine.sh(name, "grep Cpus_allowed_list /proc/self/status")


@only("podman")
def test_user_namespace(engine, pf):
    grant = granted(pf, engine, "--hugepages", "2M=4")
    name = engine.begin(grant, options=["--uidmap", "0:100000:65536"])
    assert "100000" in engine.sh(name, "cat /proc/self/uid_map")
    seen = json.loads(engine.sh(name, "/run/pinfold/inside show --json --probe"))
    assert seen["cpus"]["eal"] == str(CPU)
    assert engine.execute(name, "touch", "/dev/hugepages/x").returncode == 0


@only("podman")  # Docker knows them from version 25 on
def test_cdi(engine, pf):
    grant = pf.grant("--cpus", CPU, "--claim-by", "cdi")
    # other ways to name it are not its
    engine.refused(grant, f"grant '{grant}' is not made to be claimed by annotation")
    name = engine.begin(None, options=["--device", f"pinfold.dev/grant={grant}"])
    assert pf.ps()[grant]["state"] == "running"
    assert engine.sh(name, "ls /run/pinfold").split() == ["grant.json", "inside"]
    # its own mark is gone, and no other runtime starts it
    assert "/run/pinfold/cdi" not in engine.sh(name, "cat /proc/self/mountinfo")
    engine.remove(name)
    for runtime in filter(None, map(shutil.which, ("crun", "runc"))):
        words = ["--network", "none", "--device", f"pinfold.dev/grant={grant}"]
        p = engine("--runtime", runtime, "run", "--rm", *words, "--rootfs", engine.root, "true")
        assert p.returncode != 0 and "/dev/null/pinfold-runtime" in p.stderr, p


@pytest.mark.parametrize("end", "-._")
def test_a_name_that_no_device_has(pf, end):
    """A file of CDI with one is invalid for all of its devices."""
    name = unique("n") + end
    words = ["grant", "create", "--name", name, "--cpus", CPU, "--claim-by"]
    pf.fails(*words, "annotation,cdi", like=f"'{re.escape(name)}': the name of a device of CDI")
    pf.grants.append(name)
    pf.ok(*words, "annotation")


@pytest.fixture
def places_of_claims():
    """Directories where the claims of older versions were, as an engine makes them for who mounts them."""
    made = []

    def make(name):
        made.append(Path(f"/run/pinfold/cdi/{name}"))
        made[-1].mkdir(parents=True)
        return made[-1]

    yield make
    for place in made:
        place.rmdir()
        place.parent.rmdir()


@pytest.mark.parametrize("way", ["cdi", "kubernetes"])
def test_a_mount_claims_nothing(engine, pf, places_of_claims, way):
    """Who may mount a path of the host has no grant by it."""
    grant = pf.grant("--cpus", CPU, "--claim-by", way)
    place = places_of_claims(grant)
    engine.refused(None, f"mount of '{place}' claims no grant", options=engine.volume(place))
    assert pf.ps() == {}


@only("podman")
def test_what_kubelet_hands_out(engine, pf):
    """Who may start containers beside Kubernetes has not what its plug-in was told."""
    grant = pf.grant("--cpus", CPU, "--claim-by", "kubernetes")
    spec = Path("/etc/cdi/pinfold.json")
    names = [d["name"] for d in json.loads(spec.read_text())["devices"]]
    device = next(n for n in names if n.startswith(f"{grant}:"))
    assert spec.stat().st_mode & 0o777 == 0o600
    named = ["--annotation", f"dev.pinfold.grant:kubernetes={grant}"]
    engine.refused(None, f"grant '{grant}'", "comes without the token", options=named)
    named += ["--annotation", f"dev.pinfold.token:kubernetes={'0' * 32}"]
    engine.refused(None, "comes without the token", options=named)
    for other in (grant, f"{grant}:{'0' * 32}"):
        p = engine.launch(None, engine.name(), ["--device", f"pinfold.dev/grant={other}"], ["true"])
        assert p.returncode != 0 and "unresolvable CDI devices" in p.stderr, p
    assert pf.ps() == {}
    # another runtime does not tell it either
    words = ["--network", "none", "--device", f"pinfold.dev/grant={device}"]
    for runtime in filter(None, map(shutil.which, ("crun", "runc"))):
        p = engine("--runtime", runtime, "run", "--rm", *words, "--rootfs", engine.root, "true")
        assert p.returncode != 0 and device not in p.stderr, p
    name = engine.begin(None, options=["--device", f"pinfold.dev/grant={device}"])
    assert pf.ps()[grant]["state"] == "running"
    assert device.partition(":")[2] not in engine.sh(name, "cat /proc/self/mountinfo; env")
    engine.remove(name)
    # one that is made anew has another
    pf.ok("grant", "remove", grant)
    pf.grant("--cpus", CPU, "--claim-by", "kubernetes", name=grant)
    p = engine.launch(None, engine.name(), ["--device", f"pinfold.dev/grant={device}"], ["true"])
    assert p.returncode != 0 and "unresolvable CDI devices" in p.stderr, p
