# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Links of vhost-user between a virtual machine and a container: either listens, either goes and comes back."""

import re
import time
from pathlib import Path

import pytest

from features import needs_guests
from machines import DROVER, VM
from workload import (
    CPU,
    OTHER,
    needs_pages,
    needs_root,
    needs_testpmd,
    needs_two,
    unique,
    wait,
)

pytestmark = [
    needs_root,
    needs_guests,
    needs_two,
    needs_testpmd,
    needs_pages(112),
    pytest.mark.limit(250),
]


def long(value):
    """A case that wants a guest of its own, where another case shows the same."""
    return pytest.param(value, marks=pytest.mark.full)


NONE = """
[port 0]
name=link
device=0000:00:10.0
[defaults]
mempool size=2K
[core 0]
mode=master
[core 1]
name=none
task=0
mode=none
rx port=link
tx port=link
"""
# its tables after some seconds of traffic, however long it takes to start
SOME_SECONDS = """
    /opt/drover/drover run --squeeze /opt/none.cfg >/tmp/out 2>&1 &
    for i in $(seq 60); do
        grep -q 'traffic runs' /tmp/out && break
        sleep 1
    done
    sleep 5
    kill -INT $!
    wait
    cat /tmp/out
"""
FOREVER = "exec /opt/drover/drover run --squeeze /opt/none.cfg"
PACKED = 1 << 34  # VIRTIO_F_RING_PACKED
IOMMU = 1 << 33  # VIRTIO_F_ACCESS_PLATFORM


class Ends:
    """testpmd in a container sends, drover in a guest sends it back."""

    def __init__(self, pf, directory, words="", vhost=""):
        self.pf, self.words, self.vhost, self.link = pf, words, vhost, unique("l")
        (directory / "none.cfg").write_text(NONE)
        self.config = directory / "none.cfg"

    def far(self):
        """The container's end, which begins to send at once, or when there is somebody."""
        client = ",client=1" if "server" in self.words else ""
        device = f"net_vhost0,iface=/run/pinfold/links/{self.link}/vhost.sock,queues=1{client}"
        device += self.vhost
        return self.pf.detach(
            "--hugepages", "2M=48", "--link", f"vhost-user:{self.link}", name=unique("far"),
            cpu=OTHER,
            command=(
                "dpdk-testpmd", "--lcores", f"0@{OTHER},1@{OTHER}", "--no-pci", "--vdev", device,
                "--", "--total-num-mbufs=4096", "--forward-mode=flowgen", "--stats-period=1",
            ),
        )  # fmt: skip

    def flags(self):
        return (
            *VM[:4], "--memory", "256M", "--hugepages", "2M=64", "--link",
            f"vhost-user:{self.link}{self.words}", "-v", f"{DROVER.parent}:/opt/drover:ro", "-v",
            f"{self.config}:/opt/none.cfg:ro",
        )  # fmt: skip

    def guest(self):
        """A guest that goes on."""
        return self.pf.detach(*self.flags(), name=unique("vm"), command=("/bin/sh", "-c", FOREVER))

    def returned(self, far):
        """How many packets the container's end has got back, by its last word."""
        found = re.findall(r"RX-packets: (\d+)", self.pf("logs", far).stdout)
        return int(found[-1]) if found else 0

    def passes(self, far, seconds=90):
        before = self.returned(far)
        wait(lambda: self.returned(far) > before + 500, seconds, "packets that come back")

    def features(self, far):
        """What the rings were agreed to be, by DPDK's word."""
        said = re.findall(r"negotiated Virtio features: (0x[0-9a-f]+)", self.pf("logs", far).stdout)
        return int(said[-1], 16)


@pytest.mark.parametrize("words", ["", long(",packed")], ids=["split", "packed"])
def test_packets(pf, tmp_path, words):
    """drover in the guest sends back what testpmd in a container sends it, and counts the same."""
    ends = Ends(pf, tmp_path, words)
    far = ends.far()
    p = pf.run(*ends.flags(), "--", "/bin/sh", "-c", SOME_SECONDS, seconds=140)
    assert p.returncode == 0, p.stderr
    row = next(line.split() for line in p.stdout.splitlines() if line.startswith("none "))
    received, sent = (int(n) for n in row[8:10])
    assert received > 1000 and sent > 0.5 * received, p.stdout
    assert bool(ends.features(far) & PACKED) == bool(words)


BOUND = """
    cd /sys/bus/pci/devices/0000:00:10.0
    id -u; basename $(readlink driver); stat -c %u /dev/vfio/$(basename $(readlink iommu_group))
"""


@pytest.mark.full
def test_viommu(pf, tmp_path):
    """Behind an IOMMU of the guest: a program that is not root has the NIC by VFIO."""
    ends = Ends(pf, tmp_path, vhost=",iommu-support=1")
    far = ends.far()
    script = BOUND + SOME_SECONDS
    flags = (*ends.flags(), "--viommu", "-u", "1000")
    p = pf.run(*flags, "--", "/bin/sh", "-c", script, seconds=140)
    assert p.returncode == 0, p.stderr
    assert p.stdout.splitlines()[:3] == ["1000", "vfio-pci", "1000"]
    row = next(line.split() for line in p.stdout.splitlines() if line.startswith("none "))
    received, sent = (int(n) for n in row[8:10])
    assert received > 1000 and sent > 0.5 * received, p.stdout
    assert ends.features(far) & IOMMU


def test_other_end_that_knows_no_iommu(pf, tmp_path):
    """It would take the guest's addresses for those of its memory: QEMU refuses."""
    ends = Ends(pf, tmp_path)
    ends.far()
    flags = ("run", *ends.flags(), "--viommu", "--cpus", CPU)
    pf.fails(*flags, "--", "/bin/true", like="iommu_platform=true is not supported")


@pytest.mark.parametrize("words", ["", long(",server")], ids=["client", "server"])
@pytest.mark.parametrize("how", [long("stop"), "kill"])
def test_container_comes_back(pf, tmp_path, words, how):
    """The guest and its program stay, whichever end listens."""
    ends = Ends(pf, tmp_path, words)
    far = ends.far()
    name = ends.guest()
    ends.passes(far)
    pf.ok("stop", *(("-t", "0") if how == "kill" else ()), far)
    time.sleep(1)
    # one who was killed leaves it behind, and DPDK's own programs do not replace it
    if not words:
        Path(f"/run/pinfold/links/{ends.link}/vhost.sock").unlink(missing_ok=True)
    far = ends.far()
    ends.passes(far)
    assert pf.ps()[name]["state"] == "running"


@pytest.mark.parametrize(
    "words", [long(""), ",server", long(",packed")], ids=["client", "server", "packed"]
)
def test_guest_comes_back(pf, tmp_path, words):
    """The container's end stays."""
    ends = Ends(pf, tmp_path, words)
    far = ends.far()
    name = ends.guest()
    ends.passes(far)
    pf.ok("stop", "-t", "0", name)
    name = ends.guest()
    ends.passes(far)
    assert pf.ps()[far]["state"] == "running"


@pytest.mark.full
def test_nobody_at_the_other_end(pf):
    for words in ("", ",server"):
        pf.fails(
            "run", *VM, "--cpus", OTHER, "--link", f"vhost-user:{unique('l')}{words}", "--",
            "/bin/true", like="it waits for the other end of its links",
        )  # fmt: skip


def test_words_of_a_link(pf):
    for words, like in (
        (("--link", "vhost-user:a,server"), "for the end of a virtual machine"),
        (("--link", "memif:a,packed"), "are for vhost-user"),
        (("--link", "vhost-user:a,pakced"), "'pakced' is neither server nor packed"),
    ):
        pf.fails("run", "--cpus", OTHER, *words, "--", "/bin/true", like=like)
