# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Images that workloads run in: they stay as they are; and what a workload that is started again finds."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from schemas import validate
from workload import CPU, LOGS, needs_root, unique, wait

pytestmark = needs_root


@pytest.fixture
def made(pf, tmp_path):
    """Makes an image whose programs are a shell and sleep, and a file that says which it is."""

    def make(name, word):
        where = tmp_path / name
        pf.ok("image", "build", "-o", where, "sh", "sleep", "cat")
        (where / "etc/word").write_text(f"{word}\n")
        return where

    return make


def log(name):
    path = LOGS / f"{name}.log"
    return path.read_text() if path.exists() else ""


def waiting(pf, name):
    row = pf.ps().get(name)
    return row and row["state"] == "waiting"


def stays(pf, where, name):
    like = f"image '{where}' is used by '{name}'; stop that first: pinfold stop {name}"
    pf.fails("image", "remove", where, like=like)
    pf.fails("image", "build", "--replace", "-o", where, "ls", like=like)
    assert (where / "usr/bin/sleep").exists() and [p.name for p in where.parent.glob(".*")] == []


def test_while_it_runs(pf, made):
    where = made("x", "one")
    _, name = pf.begin("--image", where)
    assert pf.ps()[name]["image"] == str(where)
    validate("ps", pf.json("ps", "--json"))
    validate("lease", pf.lease(name))
    stays(pf, where, name)
    # by another name it is the same
    other = where.rename(where.parent / "y")
    stays(pf, other, name)
    # and what has its name now is not used
    where = made("x", "two")
    pf.ok("image", "remove", where)
    assert pf.ok("exec", name, "--", "/bin/cat", "/etc/word") == "one\n"
    pf.ok("stop", name)
    pf.ok("image", "remove", other)
    assert not other.exists()


def test_of_one_that_died(pf, made):
    """Nobody has collected it yet."""
    where = made("x", "one")
    s, name = pf.begin("--image", where)
    s.process.kill()
    s.end()
    stays(pf, where, name)
    pf.ok("stop", "--orphaned", name)
    pf.ok("image", "remove", where)


def test_of_a_keeper(pf, keep, made):
    where = made("x", "one")
    for path in [where, *where.parents][:4]:
        path.chmod(0o755)
    keep.grant()
    keep.start("echo up; exec sleep 1000", "--image", where).until("^up")
    stays(pf, where, keep.name)
    # by whatever path, and whatever has its name now
    other = where.rename(where.parent / "y")
    stays(pf, other, keep.name)
    (where.parent / "way").symlink_to(where.parent)
    stays(pf, where.parent / "way/y", keep.name)
    pf.ok("image", "remove", made("x", "two"))
    where = other
    keep.ok("stop", "-t", "0", keep.name)
    pf.ok("image", "remove", where)


def test_of_a_keeper_that_is_stopped(pf, keep, made):
    """Its owner can keep an image by that, until the grant is stopped."""
    where = made("x", "one")
    keep.grant()
    pid = keep.keeper()
    os.kill(pid, signal.SIGSTOP)
    try:
        like = f"whether '{keep.name}' uses it cannot be told .*pinfold grant stop {keep.name}"
        pf.fails("image", "remove", where, like=like)
    finally:
        os.kill(pid, signal.SIGCONT)
    pf.ok("grant", "stop", keep.name)
    pf.ok("image", "remove", where)


def begin_again(pf, where):
    """A detached workload that is started again, and says what it finds each time."""
    name = unique()
    pf.names.append(name)
    pf.ok("run", "-d", "--name", name, "--cpus", CPU, "--restart", "always", "--image", where, "--",
          "/bin/sh", "-c", "cat /etc/word; exit 3")  # fmt: skip
    return name


def test_of_one_that_waits(pf, made):
    where = made("x", "one")
    name = begin_again(pf, where)
    wait(lambda: waiting(pf, name), what="that it waits")
    stays(pf, where, name)
    pf.ok("stop", name)
    pf.ok("image", "remove", where)


def test_exchanged_between_two_starts(pf, made):
    """By hand: what is at the path is what the next start takes; and without one it goes on to try, and says so."""
    where, second = made("x", "one"), made("second", "two")
    name = begin_again(pf, where)
    wait(lambda: waiting(pf, name), what="that it waits")
    where.rename(where.parent / "former")
    second.rename(where)
    wait(lambda: "two" in log(name), 20, "a start in the other image")
    assert "one" not in log(name).partition("two")[2]
    shutil.rmtree(where)
    gone = f"image '{where}': No such file or directory; it is started again in"
    wait(lambda: gone in log(name), 30, "that it is missed")
    Path(where.parent / "former").rename(where)
    wait(lambda: "one" in log(name).partition(gone)[2], 60, "the next start")
    pf.ok("stop", name)
