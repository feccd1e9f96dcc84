# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The ways of three people through pinfold: what docs/paths.md shows, and nothing else, from a machine on which nothing
is set up."""

import os
import shutil
import subprocess

import documents
import pytest
from desk import Desk
from features import no_idmaps
from places import TOP, program

from workload import CPUS, GUEST, SLOW, needs_pages, needs_root, needs_testpmd

DOCUMENT = "docs/paths.md"
DESKS = "/var/tmp"  # what is below /tmp is hidden in containers, also of an image
DEVELOPER = "A DPDK program of one's own"
PLANNER = "A plan for another machine"
OPERATOR = "A service that comes back"

needs_cpus = pytest.mark.skipif(not {0, 1} <= set(CPUS), reason="the document names CPUs 0 and 1")


@pytest.fixture
def desk(pinfold, leaks):
    one = Desk(pinfold, program("DROVER", "build/drover/drover"), top=DESKS)
    yield one
    one.end()


def walk(desk, heading):
    """Types what is below the heading; each command must end well, and print what is shown."""
    for command in documents.section(DOCUMENT, heading):
        status, said = desk(command.user, command.text, 40 * SLOW)
        print(f"{command.user} {command.text}\n{said}")
        assert status == 0, f"{command.where}: {status}\n{said}"
        line = documents.missing(command.shown, said)
        assert line is None, f"{command.where} shows {line!r}, which was not printed:\n{said}"


@needs_root
@needs_cpus
@needs_pages(64)
@pytest.mark.skipif(
    shutil.which("cc") is None or subprocess.call(["pkg-config", "--exists", "libdpdk"]) != 0,
    reason="needs a compiler and libdpdk-dev",
)
@pytest.mark.skipif(no_idmaps(DESKS) != "", reason=no_idmaps(DESKS))
def test_developer(desk):
    walk(desk, DEVELOPER)


@needs_root
@needs_cpus
@needs_pages(64)
@needs_testpmd
def test_planner(desk):
    walk(desk, PLANNER)


@needs_root
@needs_testpmd
@pytest.mark.full
@pytest.mark.anywhere
@pytest.mark.limit(1200)
def test_operator():
    """In a machine of its own, where systemd is process 1 and whose disk outlives a reboot."""
    if GUEST:
        pytest.skip("a guest in a guest would be tried for ever")
    p = subprocess.run(
        [TOP / "tests/guest/run", "--systemd", "--pages-2m", "0", "-t", "1100", "--",
         TOP / "tests/guest/typist", DOCUMENT, OPERATOR],
        capture_output=True,
        text=True,
        timeout=1150,
        check=False,
    )  # fmt: skip
    if p.returncode == 77:
        pytest.skip(p.stderr.strip())
    print(p.stdout)
    assert p.returncode == 0, p.stderr


def test_it_is_all_of_it():
    """No command of the document stands elsewhere."""
    commands, _ = documents.commands(DOCUMENT)
    assert {c.heading for c in commands} == {DEVELOPER, PLANNER, OPERATOR}
    assert os.access(TOP / "tests/guest/typist", os.X_OK)
