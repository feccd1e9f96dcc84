# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""NICs of the guest, bound without pinfold."""

import os
from pathlib import Path

PCI = Path("/sys/bus/pci/devices")
MODULES = ("vfio-pci", "vfio_iommu_type1")
# Opens the NIC with the address argv[1] as DPDK does: `fds` are the container, the group and the device.
OPEN = """
import ctypes, fcntl, os, socket, struct, sys, time
group = next(name for name in os.listdir("/dev/vfio") if name not in ("vfio", "devices"))
container = os.open("/dev/vfio/vfio", os.O_RDWR)
group = os.open(f"/dev/vfio/{group}", os.O_RDWR)
fcntl.ioctl(group, 0x3B68, struct.pack("i", container))  # VFIO_GROUP_SET_CONTAINER
fcntl.ioctl(container, 0x3B66, 1)  # VFIO_SET_IOMMU
device = ctypes.CDLL(None).ioctl(group, 0x3B6A, sys.argv[1].encode())  # VFIO_GROUP_GET_DEVICE_FD
fds = [container, group, device]
assert device >= 0
"""


class Nic:
    """A PCI function and its IOMMU group."""

    def __init__(self, path):
        self.path, self.bdf = path, path.name
        self.group = int(os.readlink(path / "iommu_group").rpartition("/")[2])
        self.node = int((path / "numa_node").read_text())

    def bind(self, driver):
        self.unbind()
        (self.path / "driver_override").write_text(f"{driver}\n")
        Path("/sys/bus/pci/drivers_probe").write_text(self.bdf)
        assert os.readlink(self.path / "driver").endswith(f"/{driver}")

    @property
    def driver(self):
        link = self.path / "driver"
        return os.path.basename(os.readlink(link)) if link.exists() else None

    @property
    def override(self):
        return (self.path / "driver_override").read_text().strip().replace("(null)", "")

    @property
    def netdev(self):
        return next(iter(sorted(os.listdir(self.path / "net"))), None)

    def unbind(self):
        if (self.path / "driver").exists():
            (self.path / "driver/unbind").write_text(self.bdf)
        (self.path / "driver_override").write_text("\n")


def nics(device):
    """Functions by their device number, which says the model."""
    return [
        Nic(p)
        for p in sorted(PCI.iterdir())
        if (p / "class").read_text().startswith("0x0200")
        and int((p / "device").read_text(), 16) == device
    ]
