# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The machine that QEMU plays: its nodes, its memory, its PCI functions, as arguments."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field

from kernel import Missing

QEMU = os.environ.get("PINFOLD_GUEST_QEMU", "qemu-system-x86_64")
NODES = 2
DISTANCE = 21


@dataclass
class Machine:
    """What can be chosen. Memory is in MiB; 1 GiB pages need NODES × 2 GiB in all."""

    cpus: int = 4
    memory: int = 4096
    pages_2m: int = 256  # on each node
    pages_1g: int = 1  # on the last node
    accel: str = "tcg"
    disk: str = ""  # an image with a file system, for what is to outlive a reboot
    append: list = field(default_factory=list)  # to the kernel's command line
    more: list = field(default_factory=list)  # to QEMU's


def check(machine):
    """Raises Missing without QEMU, ValueError for a machine that cannot be."""
    if shutil.which(QEMU) is None:
        raise Missing(f"{QEMU} is not installed (package qemu-system-x86)")
    if machine.cpus < NODES or machine.cpus % NODES:
        raise ValueError(f"{machine.cpus} CPUs cannot be shared by {NODES} nodes equally")
    pages = machine.pages_2m * 2 * NODES + machine.pages_1g * 1024
    if machine.memory < pages + 768:
        raise ValueError(f"{machine.memory} MiB: {pages} of them are hugepages, and 768 are needed")


def kernel_line(machine):
    """The kernel's command line."""
    one = [f"{node}:{machine.pages_1g if node == NODES - 1 else 0}" for node in range(NODES)]
    two = [f"{node}:{machine.pages_2m}" for node in range(NODES)]
    words = [
        # where its kernel hangs is a warning, of which "quiet" shows the first line alone
        "console=ttyS0",
        "loglevel=5",
        "panic=-1",
        "sysctl.kernel.softlockup_all_cpu_backtrace=1",
        # else several emulated CPUs make Linux fall back to a clock ten times slower
        "tsc=reliable",
        # a busy machine lets the emulated timer come too late for the kernel's look at it, a panic
        "no_timer_check",
        # an emulated "rep stosb" goes byte by byte, and may take 20 s for a page that held code
        "clearcpuid=erms,rep_good,fsrm",
        "cryptomgr.notests",
        "intel_iommu=on",
        "default_hugepagesz=2M",
        "hugepagesz=1G",
        f"hugepages={','.join(one)}",
        "hugepagesz=2M",
        f"hugepages={','.join(two)}",
    ]
    return " ".join(words + machine.append)


def nodes(machine):
    arguments = []
    each = machine.cpus // NODES
    for node in range(NODES):
        size = machine.memory // NODES
        arguments += [
            "-object",
            f"memory-backend-ram,id=memory{node},size={size}M",
            "-numa",
            f"node,nodeid={node},cpus={node * each}-{node * each + each - 1},"
            f"memdev=memory{node}",
        ]
    for a in range(NODES):
        for b in range(a + 1, NODES):
            arguments += ["-numa", f"dist,src={a},dst={b},val={DISTANCE}"]
    return arguments


def knows(model):
    """Whether this QEMU has such a device: igb, which makes VFs, came with 8.0."""
    command = [QEMU, "-nodefaults", "-display", "none", "-device", f"{model},help"]
    p = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return p.stdout.startswith(f"{model} options")


def nics():
    """NICs for grants, joined in pairs by hubs; nothing leads out of the guest.

    Alone in their IOMMU groups: two e1000e, two virtio and four vmxnet3, of no node, and one e1000e on node 1.
    Two e1000 behind a bridge to conventional PCI share one group with that bridge. Where QEMU has it,
    an igb, for its VFs.
    """
    arguments, number = [], 0

    def nic(model, hub, where):
        nonlocal number
        mac = f"52:54:00:70:66:{number:02x}"
        arguments.extend(["-netdev", f"hubport,id=net{number},hubid={hub}"])
        arguments.extend(["-device", f"{model},netdev=net{number},mac={mac},romfile=,{where}"])
        number += 1

    for port in range(2):
        nic("e1000e", 1, f"addr={0x10 + port:#x}")
    for port in range(2):
        nic("virtio-net-pci", 2, f"addr={0x12 + port:#x},iommu_platform=on,disable-legacy=on")
    arguments += ["-device", "pcie-root-port,id=port0,chassis=1,addr=0x14"]
    arguments += ["-device", "pcie-pci-bridge,id=old,bus=port0"]
    for port in range(2):
        nic("e1000", 3, f"bus=old,addr={1 + port}")
    arguments += ["-device", "pxb-pcie,id=far,bus_nr=128,bus=pcie.0,numa_node=1,addr=0x15"]
    arguments += ["-device", "pcie-root-port,id=port1,chassis=2,bus=far"]
    nic("e1000e", 1, "bus=port1")
    for port in range(4):
        nic("vmxnet3", 5 + port // 2, f"bus=pcie.0,addr={0x17 + port:#x}")
    if knows("igb"):
        arguments += ["-device", "pcie-root-port,id=port2,chassis=3,bus=pcie.0,addr=0x16"]
        nic("igb", 4, "bus=port2")
    return arguments


def disk(path):
    """Its root file system's upper layer."""
    if not path:
        return []
    drive = f"file={path},if=none,id=disk,format=raw,cache=unsafe"
    return ["-drive", drive, "-device", "virtio-blk-pci,drive=disk,bus=pcie.0"]


def share(tag, path, options):
    return [
        "-fsdev",
        f"local,id={tag},path={path},security_model=none{options}",
        "-device",
        f"virtio-9p-pci,fsdev={tag},mount_tag={tag}",
    ]


def arguments(machine, kernel, initramfs, out, tty):
    """QEMU's whole command line. `out` is the directory that the guest sees as /out.

    tty: Ctrl-C is for the guest; else it ends QEMU.
    """
    kvm = machine.accel == "kvm"
    return [
        QEMU,
        "-accel",
        "kvm" if kvm else "tcg,thread=multi",
        # interrupt remapping takes the kernel's I/O APIC away from it
        "-machine",
        "q35,kernel-irqchip=split" if kvm else "q35",
        "-cpu",
        "host" if kvm else "max",
        "-smp",
        str(machine.cpus),
        "-m",
        f"{machine.memory}M",
        "-nodefaults",
        "-no-user-config",
        "-no-reboot",
        "-display",
        "none",
        "-kernel",
        str(kernel.image),
        "-initrd",
        str(initramfs),
        "-append",
        kernel_line(machine),
        "-serial",
        f"file:{out}/serial.log",
        "-chardev",
        f"stdio,id=terminal,signal={'off' if tty else 'on'}",
        "-device",
        "virtio-serial-pci",
        "-device",
        "virtconsole,chardev=terminal",
        "-device",
        "intel-iommu,intremap=on,caching-mode=on,device-iotlb=on",
        *nodes(machine),
        *share("host", "/", ",readonly=on,multidevs=remap"),
        *share("out", out, ""),
        *nics(),
        *disk(machine.disk),
        *machine.more,
    ]
