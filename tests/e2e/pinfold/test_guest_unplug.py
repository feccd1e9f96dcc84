# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""NICs that are taken out of the machine, or from their driver, while a workload has them.

Only in the guest: elsewhere these NICs are somebody's.
"""

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest
from drover_config import configuration, core, task
from features import needs_nodes
from nics import MODULES, OPEN, nics
from places import program

from workload import GUEST, NODES, PYTHON, needs_root, needs_testpmd, wait

RECORDS = Path("/run/pinfold/nics")
CPUS = f"{NODES[0][0]},{NODES[0][1]}"
pytestmark = [
    needs_root,
    needs_nodes,
    pytest.mark.guest,
    pytest.mark.skipif(not GUEST, reason="takes NICs out: only in the guest (tests/run guest)"),
]


def dmesg():
    return subprocess.run(["dmesg"], capture_output=True, text=True, timeout=60, check=True).stdout


def rescan():
    Path("/sys/bus/pci/rescan").write_text("1")


@pytest.fixture
def e1000e():
    """Three with a cable between them all; they have the kernel's driver, and have it again at the end."""
    for module in (*MODULES, "e1000e"):
        subprocess.run(["modprobe", module], check=True, timeout=60)
    found = nics(0x10D3)
    for nic in found:
        nic.bind("e1000e")
        (nic.path / "driver_override").write_text("\n")
    yield found
    wait(lambda: all(f.path.exists() and f.driver == "e1000e" for f in found), what="its driver")
    assert [f.override for f in found] == [""] * 3
    assert not RECORDS.is_dir()
    for nic in found:
        nic.unbind()


@pytest.fixture
def pulled(pf):
    """Takes a NIC out, which the kernel may wait in. It is back when all workloads have ended."""

    def pull(nic):
        return pf.start_other("sh", "-c", f"echo 1 >{nic.path}/remove && echo gone")

    yield pull
    pf.put_away()
    rescan()


def nothing_left(pf, *taken):
    assert pf.ps() == {} and pf.ok("gc") == "0 cleaned up\n"
    assert not any(nic.path.exists() for nic in taken) and not RECORDS.is_dir()


def back(nic):
    """It works for the next one."""
    wait(lambda: nic.driver == "e1000e", what="its driver")


def next_one(pf, nic):
    flags = ["--cpus", NODES[0][0], "--nic", f"{nic.bdf},bind"]
    p = pf("run", *flags, "--", PYTHON, "-I", "-c", OPEN, nic.bdf)
    assert (p.returncode, p.stderr) == (0, "")


def send(near, mac, count=8):
    """Frames for that address, of a protocol of nobody's."""
    subprocess.run(["ip", "link", "set", near.netdev, "up"], check=True, timeout=60)
    frame = bytes.fromhex(mac.replace(":", "")) + bytes.fromhex("020000000001" + "88b5") + bytes(50)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as s:
        s.bind((near.netdev, 0))
        for _ in range(count):
            try:
                s.send(frame)
            except OSError:  # as long as there is no link
                break


@pytest.mark.limit(180)
def test_drover_lets_go_of_it(pf, e1000e, pulled, tmp_path):
    """Asked by the kernel while packets go round and round between two NICs it ends, and says why; nobody has to stop it.
    The other one has its driver again."""
    a, b, near = e1000e
    drover = program("DROVER", "build/drover/drover")
    tmp_path.chmod(0o755)  # root of the container is another user
    forward = core("forward", task("none", "in", "out"))
    ports = {"in": (a.bdf, "promiscuous=no"), "out": b.bdf}
    (tmp_path / "test.cfg").write_text(configuration(ports, forward, mempool="8K"))
    mac = (a.path / "net" / a.netdev / "address").read_text().strip()
    granted = ["--nic", f"{a.bdf},bind", "--nic", f"{b.bdf},bind", "--hugepages", "2M=64"]
    name = pf.unique()
    flags = ["--name", name, "--cpus", CPUS, *granted, "-v", f"{tmp_path}:/mnt/conf:ro"]
    flags += ["-v", f"{os.path.dirname(drover)}:/mnt/drover:ro"]
    s = pf.start("run", *flags, "--", "/mnt/drover/drover", "run", "/mnt/conf/test.cfg")
    s.until("traffic runs", 60)

    def goes_round():
        send(near, mac)
        said = pf.ok("exec", name, "--", "/mnt/drover/drover", "ask", "ports")
        counts = [int(n) for n in re.findall(r"ipackets\D+(\d+)", said)]
        return counts and max(counts) > 1000

    wait(goes_round, 40, "traffic")
    pull = pulled(a)
    pull.until("^gone", 30)
    assert s.end(30) == 1, s.text()
    why = f"port 'in': NIC {a.bdf} is being taken out of the machine"
    assert len(re.findall(f"^drover: {why}$", s.text(), re.M)) == 1, s.text()
    nothing_left(pf, a)
    assert b.driver == "e1000e"
    rescan()
    back(a)
    next_one(pf, a)


@pytest.mark.limit(180)
@needs_testpmd
def test_testpmd_has_to_be_stopped(pf, e1000e, pulled):
    """It hears nothing, and forwards on: the kernel waits for it, as long as nobody stops it."""
    a, b, _ = e1000e
    name = pf.unique()
    granted = ["--nic", f"{a.bdf},bind", "--nic", f"{b.bdf},bind", "--hugepages", "2M=64"]
    app = ["--total-num-mbufs=4096", "--stats-period", "1", "--tx-first"]
    s = pf.start("run", "--name", name, "--cpus", CPUS, *granted, "--", "dpdk-testpmd", "--", *app)
    s.until(r"RX-packets: [1-9]\d{3,}", 60)
    before = dmesg()
    pull = pulled(a)
    wait(lambda: "Relaying device request to user" in dmesg()[len(before) :], what="the kernel")
    assert pull.process.poll() is None and pf.ps()[name]["state"] == "running"
    pf.ok("stop", "-t", "5", name)
    pull.until("^gone", 30)
    nothing_left(pf, a)
    assert b.driver == "e1000e"
    rescan()
    back(a)
    next_one(pf, a)


SLEEP = "print('up', flush=True)\nimport time\ntime.sleep(1000)"
HOLD = OPEN + SLEEP


@pytest.mark.limit(120)
@pytest.mark.parametrize("code", [SLEEP, HOLD], ids=["closed", "open"])
def test_end_after_it_was_pulled_out(pf, e1000e, pulled, code):
    """Whether the program has it open, which the kernel waits for, or not: the lease ends, and nothing is left of it."""
    (nic, *_) = e1000e
    name = pf.unique()
    flags = ["--name", name, "--cpus", NODES[0][0], "--nic", f"{nic.bdf},bind"]
    s = pf.start("run", *flags, "--", PYTHON, "-I", "-c", code, nic.bdf)
    s.until("^up")
    pull = pulled(nic)
    if code is HOLD:
        wait(lambda: "blocked until released by user" in dmesg(), what="the kernel")
        assert nic.path.exists()
    else:
        pull.until("^gone")
        s.until(f"^pinfold: '{name}': NIC {nic.bdf} is gone: ")
    assert pf.ps()[name]["state"] == "running"
    pf.ok("stop", "-t", "0", name)
    pull.until("^gone")
    nothing_left(pf, nic)
    flags = ["--cpus", NODES[0][0], "--nic", nic.bdf]
    pf.fails("run", *flags, "--", "true", like=f"NIC {nic.bdf} does not exist")
    rescan()
    back(nic)
    next_one(pf, nic)


def number(nic):
    return os.stat(f"/dev/vfio/{nic.group}").st_rdev


TRY = """
import os, sys
try:
    os.open(f"/dev/vfio/{sys.argv[1]}", os.O_RDWR)
    print("opened")
except OSError as e:
    print(e.strerror)
"""


@pytest.fixture
def to_vfio(e1000e):
    """One that somebody has, and one that gets the number of its node once that is gone."""

    def bind(nic):
        nic.bind("vfio-pci")
        return number(nic)

    yield *e1000e[:2], bind
    rescan()
    for nic in e1000e[:2]:
        nic.bind("e1000e")
        (nic.path / "driver_override").write_text("\n")


@pytest.mark.limit(150)
@pytest.mark.parametrize("by", ["remove", "driver/unbind"])
def test_number_of_one_that_is_gone(to_vfio, pf, by):
    """The kernel gives it to the next NIC, and the node stays in the container: it opens nothing."""
    a, b, bind = to_vfio
    former = bind(a)
    s, name = pf.begin("--nic", a.bdf, cpu=NODES[0][0])
    try_it = ["exec", name, "--", PYTHON, "-I", "-c", TRY, a.group]
    assert pf.ok(*try_it) == "opened\n"
    (a.path / by).write_text("1" if by == "remove" else a.bdf)
    s.until(f"^pinfold: '{name}': NIC {a.bdf} is gone: ")
    assert bind(b) == former
    assert pf.ok(*try_it) == "Operation not permitted\n"
    assert pf.ok("exec", name, "--", "/bin/sh", "-c", ": >/dev/null && echo fine") == "fine\n"
    flags = ["--cpus", NODES[0][1], "--nic", b.bdf]
    p = pf("run", *flags, "--", PYTHON, "-I", "-c", OPEN, b.bdf)
    assert (p.returncode, p.stderr) == (0, "")
    pf.ok("stop", "-t", "0", name)
    assert s.text().count(f"NIC {a.bdf} is gone") == 1
    assert pf.ps() == {} and pf.ok("gc") == "0 cleaned up\n"


@pytest.mark.limit(150)
def test_number_of_one_that_a_keeper_has(to_vfio, pf, keep):
    a, b, bind = to_vfio
    former = bind(a)
    name = keep.grant("--nic", a.bdf, cpu=NODES[0][0])
    keep.start("echo up; exec sleep 1000").until("^up")
    try_it = ["exec", name, "--", PYTHON, "-I", "-c", TRY, a.group]
    assert keep.ok(*try_it) == "opened\n"
    (a.path / "remove").write_text("1")
    assert bind(b) == former
    # it is watched from beside, and said in no output of the keeper's
    wait(lambda: keep.ok(*try_it) == "Operation not permitted\n", what="no way to the other NIC")
    assert keep.ok("exec", name, "--", "/bin/sh", "-c", ": >/dev/null && echo fine") == "fine\n"
    pf.ok("grant", "stop", name)
    assert pf.ps() == {} and pf.ok("gc") == "0 cleaned up\n"
