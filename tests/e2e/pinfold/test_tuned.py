# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What host prepare and doctor leave to tuned, on machines where its profile cpu-partitioning keeps CPUs free: chosen
itself, or included by others."""

import json
import os
import subprocess

import fake_host
import jsonschema
import pytest

from places import TOP

SCHEMA = json.loads((TOP / "data/schemas/prepare.json").read_text())
TUNED_VARIABLES = "etc/tuned/cpu-partitioning-variables.conf"
TUNED = {
    "etc/tuned/active_profile": "cpu-partitioning\n",
    TUNED_VARIABLES: "# isolated_cores=1-47\nisolated_cores = 2-4,6\n",
    "run/tuned/tuned.pid": "900\n",
    "proc/900/status": "Name:\ttuned\nUmask:\t0022\n",
}


@pytest.fixture
def ask(pinfold, memory_path):
    """What is said on a machine that is not prepared."""

    def on_machine(*words, cmdline="ro", files=None):
        m = fake_host.kinds["paper"]()
        m.isolated, m.nohz_full, m.cmdline, m.files = "", "", cmdline, files
        tree = fake_host.write(m, str(memory_path / str(len(os.listdir(memory_path)))))
        command = [pinfold, "--host-tree", tree, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return on_machine


@pytest.fixture
def say(ask):
    """What host prepare --cpus says there."""
    return lambda cpus, *more, **kw: ask(
        "host", "prepare", "--dry-run", "--cpus", cpus, *more, **kw
    )


@pytest.mark.anywhere
def test_beside_tuned(say):
    """What its profile does is left to it; CPUs that it has for others are not taken from it."""
    files = dict(TUNED)
    p = say("2-3", files=files)
    assert "nothing is left to do\n" in p.stdout and "stays: process 700 (collector)" in p.stdout
    assert "tuned's profile cpu-partitioning keeps CPUs 2-4,6 free" in p.stdout
    assert p.stdout.endswith("command line: isolcpus=managed_irq,domain,2-3\n")
    doc = json.loads(say("2-3", "--json", files=files).stdout)
    jsonschema.validate(doc, SCHEMA)
    assert doc["tuned"] == "cpu-partitioning" and doc["steps"] == []
    p = say("2-5", files=files)
    assert p.returncode == 125 and p.stderr.count("\n") == 1
    assert "isolated_cores=2-6 in /etc/tuned/cpu-partitioning-variables.conf" in p.stderr
    files["etc/tuned/active_profile"] = "balanced cpu-partitioning-powersave\n"
    # the other one stays chosen
    end = "tuned-adm profile balanced cpu-partitioning-powersave\n"
    assert say("2-5", files=files).stderr.endswith(end)
    files["etc/tuned/active_profile"] = "balanced\n"
    p = say("2-3", files=files)
    assert "could do this instead: isolated_cores=2-4,6 in /etc" in p.stdout
    assert "interrupt 41" in p.stdout and "nohz_full=2-3" in p.stdout
    assert "tuned" not in say("2-3", files={}).stdout


@pytest.mark.anywhere
@pytest.mark.parametrize(
    "files",
    [
        {"run/tuned/tuned.pid": ""},
        {"run/tuned/tuned.pid": "901\n"},
        {"proc/900/status": "Name:\tbash\n"},  # it was killed, and the number is another's
    ],
    ids=["none", "dead", "another"],
)
def test_tuned_that_does_not_run(say, files):
    """The choice of its profile stays when it is switched off, or not installed any more: nobody moves anything."""
    p = say("2-5", files=TUNED | files)
    assert p.returncode == 0, p.stderr
    assert "tuned does not run, though its profile cpu-partitioning is chosen" in p.stdout
    assert "interrupt 41" in p.stdout and "nohz_full=2-5" in p.stdout
    assert json.loads(say("2-5", "--json", files=TUNED | files).stdout)["tuned"] is None


@pytest.mark.anywhere
@pytest.mark.parametrize("cores", ["${f:calc_isolated_cores:1}", "2-6,^5", "0x5c"])
def test_cores_that_only_tuned_understands(say, cores):
    """As its package has it, and as its manual allows: what it made of it at the boot is on the command line."""
    files = TUNED | {TUNED_VARIABLES: f"isolated_cores={cores}\n"}
    rest = fake_host.format_mask(set(range(48)) - {2, 3, 4, 6}, 48)
    p = say("2-3", files=files, cmdline=f"ro nohz=on tuned.non_isolcpus={rest} nosoftlockup")
    assert p.returncode == 0 and "nothing is left to do\n" in p.stdout, p.stderr
    assert "keeps CPUs 2-4,6 free" in p.stdout
    p = say("2-5", files=files, cmdline=f"ro tuned.non_isolcpus={rest}")
    assert p.returncode == 125 and "isolated_cores=2-6 in /etc" in p.stderr
    p = say("2-5", files=files)
    assert p.returncode == 0 and "nothing is left to do\n" in p.stdout, p.stderr
    assert f"isolated_cores='{cores}', and which CPUs these are it says" in p.stdout


def profile(include, *variables):
    lines = ["[main]", "summary=x", f"include={include}", "[variables]", *variables]
    return "\n".join([*lines, "[sysctl]", "isolated_cores=1", ""])


PACKAGE = "usr/lib/tuned"
OWN = "etc/tuned/mine-variables.conf"
# as the package has them; powersave's file of variables stands in place of the one of what it includes
PROFILES = {
    f"{PACKAGE}/network-latency/tuned.conf": profile("latency-performance"),
    f"{PACKAGE}/cpu-partitioning/tuned.conf": profile(
        "network-latency", f"include=/{TUNED_VARIABLES}", "isolated_cores = ${isolated_cores}"
    ),
    f"{PACKAGE}/cpu-partitioning-powersave/tuned.conf": profile(
        "cpu-partitioning",
        "include=/etc/tuned/cpu-partitioning-powersave-variables.conf",
        "isolated_cores = ${isolated_cores}",
    ),
    f"{PACKAGE}/node/tuned.conf": profile("node-top", "fast=40"),
}
FUNCTION = "${f:regex_search_ternary:${f:exec:uname:-r}:rt:,node-rt:}"
# a profile that is chosen, its files, and where 2-4,6 is said
NESTED = {
    "included": ("mine", {"mine": profile("cpu-partitioning")}, TUNED_VARIABLES),
    "among others": ("mine", {"mine": profile("node , cpu-partitioning;-none")}, TUNED_VARIABLES),
    "by one that is included": (
        "top",
        {"top": profile("node,mine"), "mine": profile("cpu-partitioning")},
        TUNED_VARIABLES,
    ),
    "chosen beside others": (
        "balanced mine",
        {"mine": profile("cpu-partitioning")},
        TUNED_VARIABLES,
    ),
    "in a round": (
        "mine",
        {"mine": profile("top"), "top": profile("mine,cpu-partitioning")},
        TUNED_VARIABLES,
    ),
    "on another line": (
        "mine",
        {"mine": "[main]\ninclude=node,\n   # x\n   cpu-partitioning # or\n"},
        TUNED_VARIABLES,
    ),
    "with what a function adds": (
        "mine",
        {"mine": profile(f"node,cpu-partitioning{FUNCTION};\n    -node-{FUNCTION}")},
        TUNED_VARIABLES,
    ),
    "with its own CPUs": (
        "mine",
        {"mine": profile("node,cpu-partitioning", "isolated_cores=2-4,6 # free")},
        "etc/tuned/mine/tuned.conf",
    ),
    "with its own file": (
        "mine",
        {"mine": profile("cpu-partitioning", f"include=/{OWN}")},
        OWN,
    ),
    "with a variable": (
        "mine",
        {"mine": profile("cpu-partitioning", f"include=/{OWN}", "isolated_cores=${fast}")},
        OWN,
    ),
    "with a file beside it": (
        "mine",
        {"mine": profile("cpu-partitioning", "include=${i:PROFILE_DIR}/mine.conf")},
        "etc/tuned/mine/mine.conf",
    ),
    "powersave": (
        "cpu-partitioning-powersave",
        {},
        "etc/tuned/cpu-partitioning-powersave-variables.conf",
    ),
    "in place of the package's": (
        "cpu-partitioning",
        {"cpu-partitioning": profile("cpu-partitioning", "isolated_cores=2-4,6")},
        "etc/tuned/cpu-partitioning/tuned.conf",
    ),
}


def chosen(active, own, said_in, under="etc/tuned"):
    """A machine whose files of variables say other CPUs, but for one."""
    files = TUNED | PROFILES | {TUNED_VARIABLES: "isolated_cores=30\n"}
    files |= {f"{under}/{name}/tuned.conf": text for name, text in own.items()}
    files["etc/tuned/active_profile"] = f"{active}\n"
    if said_in not in files or said_in == TUNED_VARIABLES:
        files[said_in] = "fast=2-4,6\n[other]\nisolated_cores=2-4,6\n"
    return files


@pytest.mark.anywhere
@pytest.mark.parametrize("name", NESTED)
def test_profile_that_includes_it(say, ask, name):
    active, own, said_in = NESTED[name]
    files = chosen(active, own, said_in)
    which = active.split()[-1]
    p = say("2-3", files=files)
    assert p.returncode == 0 and "nothing is left to do\n" in p.stdout, p.stderr
    assert f"tuned's profile {which} keeps CPUs 2-4,6 free" in p.stdout
    p = say("2-5", files=files)
    cure = f"isolated_cores=2-6 in /{said_in}, then tuned-adm profile {active}"
    assert p.returncode == 125 and p.stderr.endswith(f"{cure}\n"), p.stderr
    doc = json.loads(ask("doctor", "--json", "--cpus", "2-5", files=files).stdout)
    [found] = [c for c in doc["checks"] if c["check"] == "tuned"]
    assert found["verdict"] == "WARN" and found["cure"] == cure
    assert found["read"].endswith(f"/{said_in}: isolated_cores=2-4,6")


@pytest.mark.anywhere
def test_profiles_of_a_newer_tuned(say):
    """They have a directory of their own; the former one is there still."""
    own = {"mine": profile("cpu-partitioning", "isolated_cores=2-4,6")}
    files = chosen("mine", own, "etc/tuned/profiles/mine/tuned.conf", under="etc/tuned/profiles")
    files["usr/lib/tuned/mine/tuned.conf"] = profile("balanced")
    assert "profile mine keeps CPUs 2-4,6 free" in say("2-3", files=files).stdout


@pytest.mark.anywhere
@pytest.mark.parametrize(
    "list_of",
    ["${f:virt_check:node:cpu-partitioning}", "node-${f:x:a:b},${f:y:,cpu-partitioning:}"],
)
def test_profile_that_only_tuned_can_tell(say, list_of):
    """Which ones a function names it has said at the boot: with them the kernel got its command line."""
    own = {"mine": profile(list_of, "isolated_cores=2-4,6")}
    files = chosen("mine", own, "etc/tuned/mine/tuned.conf")
    rest = fake_host.format_mask(set(range(48)) - {2, 3, 4, 6}, 48)
    p = say("2-3", files=files, cmdline=f"ro tuned.non_isolcpus={rest}")
    assert "profile mine keeps CPUs 2-4,6 free" in p.stdout, p.stderr
    p = say("2-3", files=files)
    assert "keeps CPUs" not in p.stdout and "interrupt 41" in p.stdout


@pytest.mark.anywhere
@pytest.mark.parametrize(
    "text",
    [profile("node"), profile("cpu-partitionin"), "include=cpu-partitioning\n",
     "[main]\n#include=cpu-partitioning\n;include=cpu-partitioning\n", ""],
)  # fmt: skip
def test_profile_that_does_not_include_it(say, text):
    files = chosen("mine", {"mine": text}, TUNED_VARIABLES)
    p = say("2-3", files=files)
    assert "could do this instead: isolated_cores=2-4,6 in" in p.stdout, p.stderr
    assert "interrupt 41" in p.stdout


def test_capture_has_the_profiles(pf):
    """Of another machine they are asked for, too."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    script = """
mount -t tmpfs none /etc && mkdir -p /etc/tuned/profiles/mine && echo x >/etc/tuned/my.conf &&
echo y >/etc/tuned/profiles/mine/tuned.conf && exec "$0" host capture
"""
    p = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, pf.path],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    files = json.loads(p.stdout)["files"]
    assert (
        files["etc/tuned/my.conf"] == "x\n" and files["etc/tuned/profiles/mine/tuned.conf"] == "y\n"
    )
