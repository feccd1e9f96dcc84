# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Options of every command stand before the names or behind them: both mean the same, but where a program follows,
whose own they may be."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from workload import CPU, needs_root

pytestmark = [needs_root]
NONE = "no-such-thing"
# what a command works on, and an option of it; nothing is there, so nothing is done
NAMES = {
    "audit": ([NONE], ["--json"]),
    "bench run": (["all"], ["--resume", f"/{NONE}"]),
    "bench compare": ([f"/{NONE}", f"/{NONE}"], ["--fail-on", "missing"]),
    "explain": ([f"/{NONE}"], ["--json"]),
    "grant show": ([NONE], ["--json"]),
    "grant start": ([NONE], ["--all"]),
    "grant stop": ([NONE], ["--all"]),
    "image build": ([NONE], ["-o", f"/{NONE}/x"]),
    "image list": ([f"/{NONE}"], ["--json"]),
    "logs": ([NONE], ["-n", "3"]),
    "nic bind": ([NONE], ["--dry-run"]),
    "nic unbind": ([NONE], ["--dry-run"]),
    "nic vfs": ([NONE, "2"], ["--dry-run"]),
    "runtime configure": (["docker"], ["--dry-run", "--file", f"/{NONE}/x"]),
    "stats": ([NONE], ["--json"]),
    "stop": ([NONE], ["-t", "1"]),
    "update": ([NONE], ["--pids", "9"]),
}
# they work on names, and have no options
BARE = ["bench report", "bench show", "grant remove", "image remove"]
# they work on no names
ALONE = {
    "bench list": ["--json"],
    "cdi generate": ["--output", "-"],
    "doctor": ["--json"],
    "gc": [],
    "grant create": ["--json"],
    "grant list": ["--json"],
    "host capture": [],
    "host free": ["--json"],
    "host inventory": ["--json"],
    "host kernel": [],
    "host prepare": ["--dry-run"],
    "host ticks": ["--json"],
    "host undo": ["--json"],
    "nic list": ["--json"],
    "nic restore": [],
    "ps": ["--json"],
    "seccomp show": ["--json"],
}
# a program, or a command, and what is its own, follow
OTHERS = ["exec", "help", "plan", "run", "seccomp record", "top"]


def all_commands(pf):
    for name in re.findall(r"^  ([a-z]+) ", pf.ok("--help"), re.M):
        below = re.search("; say (.*); see", pf(name, "zzzzzzzz").stderr)
        if below is None:
            yield name
        else:
            yield from (f"{name} {word}" for word in re.split(", | or ", below[1]))


def test_every_command_is_here(pf):
    assert sorted([*NAMES, *BARE, *ALONE, *OTHERS]) == sorted(all_commands(pf))


@pytest.mark.parametrize("command", NAMES)
def test_behind_the_names(pf, command):
    names, option = NAMES[command]
    before, behind, between = (
        pf(*command.split(), *words)
        for words in [[*option, *names], [*names, *option], [*names[:1], *option, *names[1:]]]
    )
    for p in (behind, between):
        assert (p.returncode, p.stdout, p.stderr) == (
            before.returncode,
            before.stdout,
            before.stderr,
        )
    assert (
        NONE if option != ["--all"] else "name grants, or say --all"
    ) in before.stdout + before.stderr
    pf.fails(*command.split(), *names, "--zzzzzzzz", like="unknown option '--zzzzzzzz'")


@pytest.mark.parametrize("command", BARE)
def test_of_one_without_any(pf, command):
    pf.fails(*command.split(), NONE, "--zzzzzzzz", like="unknown option '--zzzzzzzz'")


@pytest.mark.parametrize("command", ALONE)
def test_words_that_are_no_options(pf, command):
    """What is no option is named, whatever stands behind it."""
    for option in ([], ALONE[command]):
        said = pf.fails(*command.split(), NONE, *option, like=f"'{NONE}'")
    # where it is likely to be a name, an option takes that
    way = {"doctor": "--for", "grant create": "--name", "host ticks": "--cpus"}
    assert command not in way or said.endswith(f" with {way[command]}\n")


def test_behind_two_dashes(pf):
    """There all are names."""
    assert "'-t' is no name" in pf("stop", NONE, "--", "-t").stderr
    pf.fails("stop", NONE, "-t", like="option '-t' wants a value")


def test_exec(pf):
    """To the program, which may have the same."""
    _, name = pf.begin()
    show = ["--", "sh", "-c", "echo $A $0", "-e"]
    said = [
        pf.ok("exec", *words, *show)
        for words in (["-e", "A=b", name], [name, "-e", "A=b"], ["-u", "0", name, "--env", "A=b"])
    ]
    assert said == ["b -e\n"] * 3
    assert pf.ok("exec", name, "-e", "A=b", *show[1:]) == "b -e\n"
    pf.fails("exec", name, "--zzzzzzzz", "true", like="unknown option '--zzzzzzzz'")


def test_of_a_program(pf):
    """They are its own, and where a CPU is missing that is told."""
    assert pf.ok("run", "--cpus", CPU, "--", "echo", "--json", "-h") == "--json -h\n"
    pf.fails("run", "true", "--cpus", CPU, like="'--cpus' stands after the program 'true'")


@pytest.mark.parametrize("option", ["--debug", "--host-tree", "--version"])
def test_of_pinfold_itself(pf, option):
    like = f"'{option}' is of all commands, and comes before them: pinfold {option}"
    for words in (
        ["doctor", option],
        ["grant", option],
        ["grant", "list", option, "/x"],
        ["stop", "x", option],
    ):
        pf.fails(*words, like=like)


@pytest.mark.parametrize("command", ["ask", "trace"])
def test_of_drover(pf, command):
    path = Path(pf.path).parents[2] / "drover/drover"
    if not os.path.exists(path):
        pytest.skip("drover is not beside pinfold")
    option, said = ["--socket", f"/{NONE}"], []
    for words in ([*option, "report"], ["report", *option]):
        p = subprocess.run(
            [path, command, *words], capture_output=True, text=True, timeout=50, check=False
        )
        said.append((p.returncode, p.stdout, p.stderr))
    assert said[0] == said[1] and NONE in said[0][2]
