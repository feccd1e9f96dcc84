# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""drover's BNG over four real NICs of three kinds, granted to a container; the kernel at the other ends of their cables."""

import select
import shutil
import socket
import subprocess

import bng_packets as bng
import frames
import pytest
from drover_config import configuration, core, task
from features import needs_nodes
from nics import MODULES, nics
from places import program

from workload import GUEST, NODES, SLOW, needs_root, wait

E1000E, VMXNET3, VIRTIO = 0x10D3, 0x07B0, 0x1041
pytestmark = [
    needs_root,
    needs_nodes,
    pytest.mark.guest,
    pytest.mark.skipif(shutil.which("ethtool") is None, reason="package ethtool is not installed"),
    pytest.mark.skipif(not GUEST, reason="gives NICs away: only in the guest (tests/run guest)"),
]


def ip(*words):
    subprocess.run(["ip", *words], capture_output=True, timeout=60, check=True)


def netdev_of(nic):
    """Of a virtio NIC it is a directory deeper."""
    found = [*nic.path.glob("net/*"), *nic.path.glob("virtio*/net/*")]
    return found[0] if found else None


class Cable:
    """A NIC for the BNG, and the interface at the other end."""

    def __init__(self, nic, peer, driver):
        self.nic, self.peer = nic, peer
        for end in (nic, peer):
            end.bind(driver)
            (end.path / "driver_override").write_text("\n")
        wait(lambda: netdev_of(nic) and netdev_of(peer), what="its interface")
        self.mac = (netdev_of(nic) / "address").read_text().strip()
        self.far = netdev_of(peer).name
        ip("link", "set", self.far, "up", "promisc", "on")
        # a card that takes a tag out does not tell which one it was
        command = ["ethtool", "-K", self.far, "rxvlan", "off"]
        subprocess.run(command, capture_output=True, timeout=60, check=False)
        nic.bind("vfio-pci")

    def listen(self):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        s.setsockopt(frames.SOL_PACKET, frames.AUXDATA, 1)
        s.bind((self.far, frames.ETH_P_ALL))
        return s

    def away(self):
        ip("link", "set", self.far, "down")
        for end in (self.nic, self.peer):
            end.unbind()


@pytest.fixture
def cables(request):
    for module in (*MODULES, "e1000e", "vmxnet3", "virtio_net"):
        subprocess.run(["modprobe", module], check=True, timeout=60)
    vmxnet3, made = nics(VMXNET3), []
    # asked for before pf, so that who has them open is ended first
    request.addfinalizer(lambda: [cable.away() for cable in made])
    made.append(Cable(*nics(E1000E)[:2], "e1000e"))
    made.append(Cable(*nics(VIRTIO)[:2], "virtio-pci"))
    made.append(Cable(*vmxnet3[:2], "vmxnet3"))
    made.append(Cable(*vmxnet3[2:4], "vmxnet3"))
    return made


def bng_over(cables):
    """Two BNGs in one program, each with a NIC to its subscribers and one to the core."""
    names = ["cpe0", "inet0", "cpe1", "inet1"]
    ports = {name: cable.nic.bdf for name, cable in zip(names, cables, strict=True)}
    tables = "route table=tables.csv\nuser table=tables.csv\nlocal ipv4=192.0.2.254"
    tasks = []
    for i in ("0", "1"):
        up = f"tx ports from routing table=inet{i}\n{tables}"
        down = f"tx ports from cpe table=cpe{i}\nuser table=tables.csv"
        tasks.append(task("qinqdecapv4", f"cpe{i}", "", up))
        tasks.append(task("qinqencapv4", f"inet{i}", "", down))
    return configuration(ports, core("worker", *tasks), mempool="8K")


def exchange(sender, receiver, frame, want):
    """Sent again until it comes: a link takes its time to come up, and an emulated machine its own."""
    with receiver.listen() as s:

        def comes():
            frames.send(sender.far, [frame])
            while select.select([s], [], [], 0.5)[0]:
                data, control, _, _ = s.recvmsg(1 << 17, 64)
                if frames.whole(data, control) == want:
                    return True
                print("came:", frames.whole(data, control).hex())
            return False

        wait(comes, 30, f"{want.hex()} on {receiver.far}")


@pytest.mark.limit(180)
def test_bng_over_four_nics(cables, pf, tmp_path):
    drover = program("DROVER", "build/drover/drover")
    tmp_path.chmod(0o755)  # root of the container is another user
    (tmp_path / "bng.cfg").write_text(bng_over(cables))
    (tmp_path / "tables.csv").write_text(bng.tables())
    granted = [word for cable in cables for word in ("--nic", cable.nic.bdf)]
    cpus = ",".join(map(str, NODES[max(NODES)][:2]))
    flags = ["--cpus", cpus, "--hugepages", "2M=128", *granted, "-v", f"{tmp_path}:/mnt/bng:ro"]
    flags += ["-v", f"{drover.rpartition('/')[0]}:/mnt/drover:ro"]
    s = pf.start("run", *flags, "--", "/mnt/drover/drover", "run", "/mnt/bng/bng.cfg")
    s.until("traffic runs", 60)
    for cpe, inet in (cables[:2], cables[2:]):
        p = bng.inner()
        up = bng.access(p, dst=cpe.mac)
        exchange(cpe, inet, up, bng.tunnelled(p, inet.mac))
        # the way back was learned from it
        back = bng.inner(to=bng.ADDRESS, src=bng.TO)
        down = bng.core(back, dst=inet.mac)
        exchange(inet, cpe, down, bng.tagged(back, cpe.mac))
    s.signal(2)
    assert s.end(20 * SLOW) == 0, s.text()
