# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The paper's functions on the host, and from one image in a container and in a virtual machine: what comes out is the same, packet by
packet, and what scapy says."""

import json
import subprocess
from collections import Counter

import bng_packets as bng
import drover_packets as packets
import golden_packets as golden
import pytest
from drover_config import configuration, core, task
from features import needs_guests
from imaging import build
from machines import BOOT, DROVER
from workload import CPU, SLOW, needs_root

pytestmark = [needs_root, pytest.mark.limit(200)]

SENT = [p for _, p, _, _ in golden.packets("routing")]
# a mode with its keys, the packets that it is given, those that are to come, and why others do not
FUNCTIONS = {
    "none": ("none", SENT, SENT, {}),
    "l2fwd": ("l2fwd", SENT, packets.rewritten(SENT, bng.GATEWAY), None),
} | {
    name: (
        words,
        [p for _, p, _, _ in golden.packets(cases)],
        [p for _, _, p, _ in golden.packets(cases) if p is not None],
        Counter(why for _, _, _, why in golden.packets(cases) if why is not None),
    )
    for name, words, cases in [
        ("l3fwd", "routing,route table=t.csv", "routing"),
        ("bng-up", f"{golden.UP},route table=t.csv,user table=t.csv", golden.UP),
        ("bng-down", f"{golden.DOWN},user table=t.csv", golden.DOWN),
    ]
}


def give(directory):
    ports, tasks = {}, []
    for name, (words, sent, _, _) in FUNCTIONS.items():
        mode, *keys = words.split(",")
        ports[name] = (f"pcap:{name}-in.pcap,{name}-out.pcap", f"mac={bng.GATEWAY}")
        tasks.append(task(mode, name, name, *keys))
        packets.write(directory / f"{name}-in.pcap", sent)
    (directory / "t.csv").write_text(golden.tables())
    (directory / "test.cfg").write_text(configuration(ports, core("all", *tasks), mempool="2K"))
    directory.chmod(0o777)  # in a container the writer is nobody


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """What drover needs, and a shell; nothing is written into it."""
    if not DROVER.exists():
        pytest.skip(f"{DROVER} is not built")
    where = tmp_path_factory.mktemp("image") / "drover"
    build("-o", where, DROVER, "/bin/sh")
    for directory in (where, *where.parents[:2]):
        directory.chmod(0o755)
    return where


@pytest.mark.parametrize("place", ["host", "container", pytest.param("vm", marks=needs_guests)])
def test_functions(pf, tmp_path, image, place):
    give(tmp_path)
    flags, drover, at = ["--in", place, "--memory", "256M"], DROVER, tmp_path
    if place != "host":
        flags += ["--image", image, "-v", f"{tmp_path}:/data"]
        at = "/data"
    if place == "vm":
        flags += ["--accel", "tcg"]
    script = f'cd {at} && exec {drover} run --no-huge --squeeze --duration "$1" --json test.cfg'
    for duration in ("2s", "10s"):  # a busy machine may take the longer one
        p = subprocess.run(
            [pf.path, "run", *map(str, flags), "--cpus", str(CPU), "--", "/bin/sh", "-c", script,
             "sh", duration],
            capture_output=True, text=True, timeout=BOOT + 30 * SLOW, check=False,
        )  # fmt: skip
        assert p.returncode == 0, p.stderr
        report = json.loads(p.stdout)
        if [t["rx"] for t in report["tasks"]] == [len(f[1]) for f in FUNCTIONS.values()]:
            break
    for (name, (_, _, want, why)), found in zip(FUNCTIONS.items(), report["tasks"], strict=True):
        came = packets.read(tmp_path / f"{name}-out.pcap")
        assert [c.hex() for c in came] == [w.hex() for w in want], name
        if why is not None:
            assert {k: n for k, n in found["drops"].items() if n} == why, name
