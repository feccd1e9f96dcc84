# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold explain: messages as programs print them here, and what run says when a program fails at its start."""

import ast
import json
import os
import re
import subprocess

import cures
import fake_host
import pytest
from places import TOP

from schemas import validate
from workload import CPU, needs_pages, needs_root, needs_testpmd, unique, wait

TESTPMD = ["dpdk-testpmd", "--no-pci", "--file-prefix", "explain"]
# what is run, and what is said of what it prints; nothing of it takes a hugepage
PRODUCED = [
    (["--in-memory", "-l", "0,127"], "a CPU that it may not use"),
    (["--in-memory", "--no-huge", "--legacy-mem", "-l", "0"], "the two exclude each other"),
    (["--in-memory", "-l", "0", "-m", "900000"], "asks for more than it has"),
    (["--no-huge", "-m", "64", "--vdev", "net_nonsense0"], "no driver of that name"),
    (["--no-huge", "-d", "/nonexistent.so"], "not in its root"),
    (["--no-huge", "-m", "64", "--lcores", "0@0,1@0", "--vdev", "net_null0"], "packet buffers"),
    (["--no-huge", "-m", "64", "--lcores", "0@0", "--vdev", "net_null0", "--",
      "--total-num-mbufs=2048"], "testpmd wants two lcores"),
    (["--no-huge", "-m", "64", "--lcores", "0@0,1@0", "--vdev",
      "net_vhost0,iface=/nonexistent/x", "--", "--total-num-mbufs=2048"], "directory of its socket"),
    (["--no-huge", "-m", "64", "--lcores", "0@0,1@0", "--vdev", "net_af_xdp0,iface=nosuch"],
     "no interface of that name"),
]  # fmt: skip


def explain(pinfold, text, *args):
    return subprocess.run(
        [pinfold, "explain", *args], input=text, capture_output=True, text=True, check=False
    )


@needs_root
@needs_testpmd
@pytest.mark.parametrize("words, cause", PRODUCED, ids=lambda p: str(p)[:40])
def test_produced(pinfold, words, cause):
    p = subprocess.run(
        TESTPMD + words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=50,
        check=False,
    )
    assert p.returncode != 0, p.stdout
    said = explain(pinfold, p.stdout)
    assert said.returncode == 0, p.stdout
    assert cause in said.stdout and "\n  cure   " in said.stdout, said.stdout


@needs_root
@needs_testpmd
def test_usage_is_no_message(pinfold):
    """EAL prints its usage below what is wrong, and has words in it that others have in messages."""
    p = subprocess.run(
        [*TESTPMD, "--help"], capture_output=True, text=True, timeout=50, check=False
    )
    assert len(p.stdout) > 4096
    assert explain(pinfold, p.stdout + p.stderr).returncode == 1


@pytest.mark.anywhere
def test_forms(pinfold, tmp_path):
    text = "hello\nEAL: lcore 7 unavailable\nEAL: lcore 8 unavailable\n"
    doc = validate("explain", json.loads(explain(pinfold, text, "--json").stdout))
    assert [m["line"] for m in doc] == ["EAL: lcore 7 unavailable"]  # a cause is said once
    assert set(doc[0]) == {"line", "of", "cause", "cure", "source"}
    file = tmp_path / "log"
    file.write_text(text)
    assert "lcore 7" in explain(pinfold, "", str(file)).stdout
    p = explain(pinfold, "all is well\n")
    assert (p.returncode, p.stdout) == (1, "no message that is known here\n")
    assert json.loads(explain(pinfold, "", "--json").stdout) == []
    p = explain(pinfold, "", str(tmp_path / "none"))
    assert p.returncode == 125 and p.stderr.count("\n") == 1
    p = explain(pinfold, "x\x1b[2J lcore 7 unavailable\n")
    assert "\x1b" not in p.stdout


@pytest.mark.anywhere
def test_on_a_terminal(pinfold):
    """Who says no file is told that it waits for text."""
    ours, its = os.openpty()
    p = subprocess.Popen(
        [pinfold, "explain"], stdin=its, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    os.write(ours, b"EAL: lcore 7 unavailable\n\x04")
    out, error = p.communicate(timeout=20)
    os.close(ours)
    os.close(its)
    assert b"cause  it is told to run on a CPU" in out and b"ctrl-D" in error, error


def all_cures():
    for path in sorted((TOP / "src/explain").glob("*.c")):
        for literal in re.findall(r'\.cure = ((?:"[^\n]*"\s*)+),', path.read_text()):
            yield ast.literal_eval(f"({literal})")


@pytest.mark.anywhere
def test_cures_can_be_pasted(pinfold, tmp_path):
    machine = fake_host.write(fake_host.kinds["paper"](), str(tmp_path / "paper"))
    names = {"NIC": "0000:82:00.0", "PF": "0000:82:00.1", "2M=N": "2M=600", "ENGINE": "docker"}
    found = list(all_cures())
    assert len(found) > 50
    for cure in found:
        cures.check(pinfold, cure, machine, names)


@needs_root
@needs_testpmd
@needs_pages(40)
def test_run_says_why(pf):
    """The mistake of whoever types the README's own command without its last words."""
    lcores = f"0@{CPU},1@{CPU}"
    words = ["dpdk-testpmd", "--lcores", lcores, "--vdev", "net_null0"]
    p = pf.run("--hugepages", "2M=40", "--", *words)
    assert p.returncode == 1
    last = p.stderr.splitlines()[-1]
    assert re.match("pinfold: '.*': why it failed: its packet buffers do not fit", last), p.stderr
    assert "--total-num-mbufs=2048" in last
    # what is wrong stands above EAL's usage
    p = pf.run("--hugepages", "2M=40", "--", "dpdk-testpmd", "-l", "127", "--vdev", "net_null0")
    assert p.returncode == 1 and "Usage:" in p.stdout + p.stderr
    assert "why it failed: it is told to run on a CPU" in p.stderr.splitlines()[-1]
    # what works, and what is told to end, has nothing to explain
    p = pf.run("--hugepages", "2M=40", "--", *words, "--", "--total-num-mbufs=2048")
    assert p.returncode == 0 and "why it failed" not in p.stderr
    p = pf.run("--", "/bin/sh", "-c", "echo 'EAL: lcore 7 unavailable'; kill -TERM $$")
    assert "why it failed" not in p.stderr
    p = pf.run("--", "/bin/sh", "-c", "echo 'EAL: lcore 7 unavailable'; exit 3")
    assert p.returncode == 3 and "leave -l and --lcores out" in p.stderr
    p = pf.run("--", "/bin/sh", "-c", "seq 20000; echo 'EAL: lcore 7 unavailable'; exit 3")
    assert p.returncode == 3 and "leave -l and --lcores out" in p.stderr


@needs_root
@pytest.mark.parametrize("where", [[], ["--in", "host"], ["--restart", "on-failure:1"]], ids=str)
def test_why_in_the_background(pf, where):
    """In its log, and where one looks for what has ended: also of a start that is not the first."""
    name = unique("why")
    says = "echo 'EAL: lcore 7 unavailable'; exit 3"
    pf.ok("run", "-d", "--name", name, "--cpus", CPU, *where, "--", "/bin/sh", "-c", says)
    times = 2 if "--restart" in where else 1
    why = "why it failed: it is told to run on a CPU"

    def ends():
        rows = [row for row in pf.json("ps", "-a", "--json") if row["name"] == name]
        return rows if len(rows) == times and all(r["state"] == "ended" for r in rows) else None

    wait(lambda: ends() is not None, 20, "its ends")
    assert all(why in row["note"] and row["how"] == "exit 3" for row in ends())
    assert pf.ok("logs", name).count(f"pinfold: '{name}': {why}") == times
    assert f"{name}: {why}" in pf.ok("ps", "-a")


@needs_root
def test_not_why_of_the_start_before(pf):
    """A log goes on from start to start, and each has its own end."""
    name, once = unique("why"), pf.directory / "once"
    says = f"test -e {once} && exit 4; touch {once}; echo 'EAL: lcore 7 unavailable'; exit 3"
    place = ["--in", "host", "--restart", "on-failure:1"]
    pf.ok("run", "-d", "--name", name, "--cpus", CPU, *place, "--", "/bin/sh", "-c", says)
    wait(lambda: "not started again after" in pf.ok("logs", name), 20, "its last end")
    assert pf.ok("logs", name).count("why it failed") == 1


@needs_root
@pytest.mark.full
@pytest.mark.limit(120)
def test_what_ran_for_a_minute_had_started(pf):
    fails = "echo 'EAL: lcore 7 unavailable'; exit 3"
    p = pf.run("--", "/bin/sh", "-c", f"sleep 61; {fails}", seconds=90)
    assert p.returncode == 3 and "why it failed" not in p.stderr
