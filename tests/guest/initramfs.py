# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The initramfs: busybox, the first stage, the modules it loads, and what the second stage runs."""

import lzma
import os
import shutil
from pathlib import Path

from kernel import Missing

HERE = Path(__file__).resolve().parent
# what leads to the machine's root file system, and the line that the output goes out by
WANTED = ["virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console"]
# a disk, and the sum that its file system asks for by name
DISK = ["virtio_blk", "crc32c_generic", "ext4"]


class Archive:
    """A cpio archive in the format "newc" (Documentation/driver-api/early-userspace)."""

    def __init__(self):
        self.parts = []
        self.entries = 0

    def add(self, name, mode, data=b""):
        self.entries += 1
        path = name.encode() + b"\0"
        # ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
        fields = [self.entries, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0]
        head = b"070701" + b"".join(b"%08X" % f for f in fields) + path
        self.parts += [head, b"\0" * (-len(head) % 4), data, b"\0" * (-len(data) % 4)]

    def directory(self, name):
        self.add(name, 0o040755)

    def file(self, name, data, mode=0o644):
        self.add(name, 0o100000 | mode, data)

    def bytes(self):
        self.add("TRAILER!!!", 0)
        return b"".join(self.parts)


def module_name(path):
    return Path(path).name.partition(".")[0].replace("-", "_")


def in_order(kernel, wanted):
    """Files of the wanted modules and what they need, those that are needed first.

    modules.dep (modules.dep(5)) lists for each module all that it needs, the nearest first. What
    is not in it is built in.
    """
    needs = {}
    for line in (kernel.modules / "modules.dep").read_text(encoding="ascii").splitlines():
        path, _, rest = line.partition(":")
        needs[module_name(path)] = [*reversed(rest.split()), path]
    found = {}
    for name in wanted:
        found.update(dict.fromkeys(needs.get(name, [])))
    return [kernel.modules / path for path in found]


def read_module(path):
    """A module as insmod takes it."""
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def build(kernel, settings, second="second.sh", disk=False):
    """The archive. `settings` is the text of the shell variables that both stages read."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise Missing("busybox is not installed (package busybox-static)")
    program = Path(busybox).read_bytes()
    # a program that names an interpreter wants shared libraries; PT_INTERP would name this one
    if b"/lib64/ld-linux-x86-64.so.2\0" in program:
        raise Missing(f"'{busybox}' is not static: install the package busybox-static")
    archive = Archive()
    for name in ("bin", "dev", "proc", "sys", "host", "rw", "root", "modules"):
        archive.directory(name)
    archive.file("bin/busybox", program, 0o755)
    for number, path in enumerate(in_order(kernel, WANTED + (DISK if disk else []))):
        archive.file(f"modules/{number:02}-{module_name(path)}.ko", read_module(path))
    archive.file("init", (HERE / "first.sh").read_bytes(), 0o755)
    archive.file("second.sh", (HERE / second).read_bytes())
    archive.file("settings", os.fsencode(settings))
    return archive.bytes()
