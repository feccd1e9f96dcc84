# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""drover trace: what became of packets, in tasks that send, drop, copy and generate; and that what goes
through a traced task is counted as ever."""

import json
import subprocess

import pytest
from drover_config import configuration, core, task
from drover_run import Control, Drover

pytestmark = [pytest.mark.anywhere]
MADE = bytes(range(2, 122)).hex()  # of 120 bytes
INLINE = " ".join(MADE[i : i + 2] for i in range(0, 240, 2))
CONFIG = configuration(
    {"nil": "null", "loop": "ring:trace", "none": "ring:none", "made": "ring:made"},
    core(
        "many",
        task("l2fwd", "nil", "nil", "dst mac=02:00:00:00:00:42"),
        task("police", "nil", "nil", "cir=1\ncbs=1"),
        task("mirror", "nil", "", "tx cores=2,3\nmultiplier=5"),
    ),
    core("left", task("none", "ring", "nil")),
    core("right", task("none", "ring", "nil")),
    core("quiet", task("none", "none", "nil")),
    core("full", task("none", "nil", "loop")),
    core(
        "maker",
        task("gen", "", "made", f"rate=1k\npkt inline={INLINE}"),
        task("l2fwd", "made", "nil"),
    ),
)


@pytest.fixture(scope="module")
def running(drover, tmp_path_factory):
    with Drover(drover, tmp_path_factory.mktemp("trace"), CONFIG) as d:
        yield d.runs()
        report = d.end()
    for t in report["tasks"]:
        if t["mode"] == "gen":
            continue
        times = 10 if t["mode"] == "mirror" else 1
        lost = sum(t["drops"].values())
        assert times * t["rx"] == t["tx"] + lost, t["name"]


def trace(drover, running, *args, seconds=30):
    command = [drover, "trace", "--socket", running.socket, *args]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + 10, check=False
    )


def packets(drover, running, task, n):
    p = trace(drover, running, "--json", "--seconds", "30", task, str(n))
    assert p.returncode == 0, p.stderr
    found = [json.loads(line) for line in p.stdout.splitlines()]
    assert len(found) == n
    times = [q["time_ns"] for q in found]
    assert times[0] == 0 and times == sorted(times)
    for q in found:
        assert q["length"] == 64 and len(bytes.fromhex(q["bytes"])) == 64
    return found


def test_bytes(drover, running):
    """As it came in, not as l2fwd left it."""
    p = trace(drover, running, "--json", "maker.1", "20")
    assert p.returncode == 0, p.stderr
    for line in p.stdout.splitlines():
        q = json.loads(line)
        assert q["length"] == 120 and q["bytes"] == MADE[: 2 * 96]
        # and as it left it: its addresses are the device's, which are none, and the source before
        out = q["out_bytes"]
        assert q["out_length"] == 120 and out[:12] == MADE[12:24] and out[24:] == MADE[24 : 2 * 96]
        assert q["in"] == "08:09:0a:0b:0c:0d > 02:03:04:05:06:07 type 0x0e0f"
        assert q["out"].endswith(" > 08:09:0a:0b:0c:0d type 0x0e0f")


def test_sent(drover, running):
    for q in packets(drover, running, "many.0", 128):
        assert q["outputs"] == ["nil"] and q["sent"] == 1 and "drop" not in q


def test_dropped(drover, running):
    for q in packets(drover, running, "many.1", 3):
        assert q["outputs"] == [] and q["sent"] == 0 and q["drop"] == "red"
        assert "out" not in q and "out_bytes" not in q


def test_copied(drover, running):
    for q in packets(drover, running, "many.2", 20):
        assert q["sent"] <= 10
        if q["sent"] == 10:
            assert q["outputs"] == ["left"] * 5 + ["right"] * 3
        else:
            assert q["drop"] in ("tx full", "no buffer")


def test_full(drover, running):
    """A ring that nobody reads."""
    control = Control(running.socket)
    for q in packets(drover, running, "full", 5):
        assert q.get("drop") == "tx full" or q["outputs"] == ["loop"]
    assert control.ask("trace_packets task=full")["over"]
    control.close()


def test_text(drover, running):
    p = trace(drover, running, "many.1")
    assert p.returncode == 0, p.stderr
    lines = p.stdout.splitlines()
    assert lines[0] == "0: +0.000 us, 64 bytes from nil; counted as red"
    assert lines[1].startswith("    in  ") and lines[1].endswith(" type 0x0000")
    assert [line[:8] for line in lines[2:]] == ["    0000", "    0010", "    0020", "    0030"]
    assert all(len(line) == 9 + 16 * 3 for line in lines[2:])
    lines = trace(drover, running, "many.0").stdout.splitlines()
    assert lines[6].startswith("    out ") and lines[6].endswith(" > 02:00:00:00:00:42 type 0x0000")
    assert len(lines) == 11


def test_several_tasks(drover, running):
    """At once, in the order of time."""
    p = trace(drover, running, "--json", "many.0,many.1,left,right", "20")
    assert p.returncode == 0, p.stderr
    found = [json.loads(line) for line in p.stdout.splitlines()]
    assert {(q["task"], q["sent"]) for q in found} >= {("many.0", 1), ("many.1", 0), ("left", 1)}
    for name in ("many.0", "many.1", "left", "right"):
        own = [q["at_ns"] for q in found if q["task"] == name]
        assert len(own) == 20 and own == sorted(own)
    lines = trace(drover, running, "many.0,many.1").stdout.splitlines()
    heads = [line for line in lines if line.startswith("many.")]
    assert sorted(line.split(":")[0] for line in heads) == ["many.0 0", "many.1 0"]


def test_one_after_the_other(drover, running):
    """A task that gets nothing is waited for, and is let go; others are traced beside it."""
    control = Control(running.socket)
    assert control.ask("trace task=quiet packets=2") == {"task": "quiet", "wanted": 2}
    assert "'quiet' is still traced" in control.ask("trace task=quiet")["error"]
    assert packets(drover, running, "many.0", 1)
    control.ask("trace_stop task=quiet")
    assert "no task" in control.ask("trace_stop task=quite")["error"]
    control.close()
    p = trace(drover, running, "--seconds", "1", "quiet", "5")
    assert p.returncode == 1 and "'quiet' had 0 of 5 packets in 1 s" in p.stderr
    assert packets(drover, running, "many.0", 1)


@pytest.mark.parametrize(
    "args, status, says",
    [
        (["maker.0"], 1, "task 'maker.0' receives nothing to trace"),
        (["many.9"], 1, "no task 'many.9'; did you mean 'many."),
        (["many.0", "129"], 2, "'129': a number of packets from 1 to 128"),
        (["many.0", "x"], 2, "'x': a number of packets"),
        ([], 2, "name a task"),
        (["a,b,c,d,e,f,g,h,i"], 2, "at most 8 tasks"),
        (["many.0,many.9"], 1, "no task 'many.9'"),
        (["--seconds", "0", "many.0"], 2, "--seconds '0'"),
        (["--wrong", "many.0"], 2, "unknown option '--wrong'"),
    ],
)
def test_refuses(drover, running, args, status, says):
    p = trace(drover, running, *args)
    assert p.returncode == status and says in p.stderr and len(p.stderr.splitlines()) == 1
