# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Docker Swarm over two nodes hands grants out: a generic resource names them, and its tasks run in them."""

import json
import os
import shutil
import tempfile
import time

import pytest

from bundle import BUSYBOX
from drover_config import configuration, core, task
from engines import root_of
from places import program
from swarm import RESOURCE, Node, Swarm
from workload import CPU, LEASES, OTHER, kill, needs_pages, needs_root, needs_two
from workload import processes_of, unique, wait

PAGES = 40  # of a grant
GRANTS = [unique("swarm") for _ in range(2)]  # one a node, of a CPU each
ONE = ("--generic-resource", f"{RESOURCE}=1")
DROVER = ("drover", "run", "--squeeze", "/etc/swarm.cfg")
pytestmark = [
    needs_root,
    needs_two,
    needs_pages(len(GRANTS) * PAGES),
    pytest.mark.skipif(shutil.which("crun") is None, reason="package crun is not installed"),
    pytest.mark.skipif(not BUSYBOX.exists(), reason="package busybox-static is not installed"),
    pytest.mark.skipif(bool(Node.lacks()), reason=Node.lacks()),
]


@pytest.fixture(scope="module")
def swarm_of(pinfold):
    """One swarm for all tests."""
    drover = program("DROVER", "build/drover/drover")
    runtime = program("PINFOLD_RUNTIME", "build/src/cli/pinfold-runtime")
    with tempfile.TemporaryDirectory(prefix="pf-", dir="/tmp") as top:
        root = root_of(f"{top}/image", drover, pinfold=pinfold)
        text = configuration({"p": "null"}, core("c", task("l2fwd", "p", "p")), mempool="2K")
        (root / "etc/swarm.cfg").write_text(text)
        nodes = []
        try:
            for number, grant in enumerate(GRANTS, 1):
                os.mkdir(f"{top}/{number}")
                nodes.append(Node(f"{top}/{number}", root, runtime, number=number, grants=[grant]))
            yield Swarm(nodes)
        finally:
            for node in nodes:
                node.end()


@pytest.fixture
def swarm(swarm_of, pf):
    """With its grants."""
    for name, cpu in zip(GRANTS, (CPU, OTHER)):
        pf.grant("--cpus", cpu, "--hugepages", f"2M={PAGES}", "--claim-by", "env", name=name)
    yield swarm_of
    swarm_of.put_away()
    for name in GRANTS:
        # a task that was about to start when its service went has it for a moment
        wait(lambda n=name: pf("grant", "remove", n).returncode == 0, 30, f"the end of {name}")


def used(pf):
    """The grants that are in use."""
    return sorted(name for name, row in pf.ps().items() if row["state"] == "running")


def forwards(node, container):
    wait(lambda: "traffic runs" in node.logs(container), 40, "drover's traffic")


@pytest.mark.limit(90)
def test_replicas(swarm, pf):
    """Each task has the grant of the node that it runs on; one too many waits for another."""
    name = unique("s")
    swarm.create(name, 3, *DROVER, options=ONE)
    swarm.until(name, 1, 1)
    assert used(pf) == sorted(GRANTS)
    waiting = [(node, error) for node, state, error in swarm.tasks(name) if state != "Running"]
    assert len(waiting) == 1 and waiting[0][0] == "", waiting
    assert "insufficient resources" in waiting[0][1]
    for node, grant in zip(swarm.nodes, GRANTS):
        (container,) = node.containers()
        assert pf.lease(grant)["command"].split()[1] == container
        forwards(node, container)
        assert node.sh(container, "echo $DOCKER_RESOURCE_PINFOLD").strip() == grant
        assert json.loads(node.sh(container, "cat /run/pinfold/grant.json"))["name"] == grant
    swarm.put_away()
    assert pf.ps() == {}


@pytest.mark.limit(120)
def test_a_killed_task(swarm, pf):
    """Its grant is free again within a second, and the swarm starts another in one that is free."""
    name = unique("s")
    swarm.create(name, 1, *DROVER, options=[*ONE, "--restart-delay", "2s"])
    took = []
    for _ in range(3):
        (grant,) = wait(lambda: used(pf), 40, "a task")
        node = swarm.nodes[GRANTS.index(grant)]
        forwards(node, pf.lease(grant)["command"].split()[1])
        for pid in processes_of(pf.lease(grant)):
            kill(pid)
        begun = time.monotonic()
        wait(lambda g=grant: not (LEASES / f"{g}.json").exists(), 20, "its grant to be free")
        took.append(time.monotonic() - begun)
    wait(lambda: used(pf), 40, "another task")
    assert sorted(took)[1] < 1, took


@pytest.mark.limit(120)
def test_a_drained_node(swarm, pf):
    """Its work goes to the other, as far as that has grants."""
    name = unique("s")
    swarm.create(name, 1, *DROVER, options=ONE)
    wait(lambda: sum(swarm.running(name)) == 1, 40, "a task")
    first = swarm.running(name).index(1)
    there = [0, 0]
    there[1 - first] = 1
    swarm.availability(swarm.nodes[first], "drain")
    swarm.until(name, *there)
    assert used(pf) == [GRANTS[1 - first]]
    swarm.scale(name, 2)
    wait(lambda: any("insufficient resources" in e for _, _, e in swarm.tasks(name)), 20, "a want")
    assert used(pf) == [GRANTS[1 - first]]
    swarm.availability(swarm.nodes[first], "active")
    swarm.until(name, 1, 1)


@pytest.mark.limit(120)
def test_a_killed_engine(swarm, pf):
    """When it is there again its task is too, and nothing of the one before holds the grant."""
    name = unique("s")
    swarm.create(name, 2, *DROVER, options=ONE)
    swarm.until(name, 1, 1)
    grant = GRANTS[1]
    before = pf.lease(grant)["command"]
    swarm.nodes[1].crash()
    swarm.nodes[1].up()

    def again():
        return (LEASES / f"{grant}.json").exists() and pf.lease(grant)["command"] != before

    wait(again, 40, "a task in its grant")
    swarm.until(name, 1, 1)
    assert used(pf) == sorted(GRANTS)


@pytest.mark.limit(90)
def test_other_services(swarm, pf):
    """Without a grant as with any runtime; one that does not exist is told of."""
    plain, named = unique("s"), unique("s")
    swarm.create(plain, 2, "sleep", "1000", options=["--stop-grace-period", "1s"])
    swarm.until(plain, 1, 1)
    options = ["--env", "PINFOLD_GRANT=nothing", "--restart-condition", "none"]
    swarm.create(named, 1, "sleep", "1000", options=options)
    like = "grant 'nothing' does not exist"
    wait(lambda: like in swarm.errors(named), 20, "a refusal")
    assert used(pf) == []
