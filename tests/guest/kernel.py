# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The guest's kernel: Debian's package, fetched with apt into a cache and never installed."""

import lzma
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

CACHE = Path(os.environ.get("PINFOLD_GUEST_CACHE", "/var/cache/pinfold-guest"))
META = "linux-image-amd64"  # depends on the kernel of the day; the cloud flavour has no 9p


class Missing(Exception):
    """What the guest needs and this machine lacks, in one line."""


class Kernel:
    """An unpacked kernel package: release, image for QEMU, modules below lib/modules/RELEASE."""

    def __init__(self, top):
        self.top = Path(top)
        self.release = self.top.name.removeprefix("linux-")
        self.image = self.top / "vmlinux"
        self.modules = self.top / "lib/modules" / self.release


def quiet(*command, cwd=None, seconds=300):
    """Runs a command; returns its output, or None when it fails."""
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def package():
    """The name of the kernel package of the day, or None when apt does not know any."""
    for line in (quiet("apt-cache", "depends", META) or "").splitlines():
        word, _, name = line.strip().partition(": ")
        if word == "Depends" and name.startswith("linux-image-"):
            return name
    return None


def download(directory):
    """Puts the package's file into the directory; returns (its name, its file)."""
    for attempt in range(2):
        name = package()
        # apt checks it against the archive's signature; as root, for the cache is root's
        apt = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download"]
        if name is not None and quiet(*apt, name, cwd=directory) is not None:
            return name, next(Path(directory).glob("*.deb"))
        if attempt == 0:
            quiet("apt-get", "-qq", "update")
    raise Missing(f"apt can fetch no kernel (package {META}): is this Debian, with a network?")


def uncompressed(bzimage):
    """The ELF kernel in a bzImage, or the bzImage itself where its packing is not xz.

    QEMU starts an ELF kernel at once (PVH); to unpack xz takes an emulated CPU five seconds. The
    offsets are those of Documentation/x86/boot.rst: setup_sects, payload_offset, payload_length.
    """
    data = bzimage.read_bytes()
    start = ((data[0x1F1] or 4) + 1) * 512
    offset, length = struct.unpack_from("<II", data, 0x248)
    payload = data[start + offset : start + offset + length]
    if not payload.startswith(b"\xfd7zXZ\0"):
        return data
    # the size that follows the stream is not part of it
    return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(payload)


def fetch():
    """A new kernel in the cache. It appears there whole or not at all."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="new-", dir=CACHE) as work:
        name, deb = download(work)
        root = Path(work, "root")
        release = name.removeprefix("linux-image-")
        if quiet("dpkg-deb", "-x", deb, root) is None:
            raise Missing(f"'{deb.name}' cannot be unpacked into '{CACHE}': is there room?")
        (root / "vmlinux").write_bytes(uncompressed(root / f"boot/vmlinuz-{release}"))
        if quiet("depmod", "-b", root, release) is None:
            raise Missing(f"depmod fails on the modules of {name}: is the package kmod installed?")
        shutil.rmtree(root / "boot")
        shutil.rmtree(root / "usr", ignore_errors=True)
        target = CACHE / f"linux-{release}"
        shutil.rmtree(target, ignore_errors=True)
        root.chmod(0o755)
        root.rename(target)
    return Kernel(target)


def find():
    """The kernel in the cache, else a fetched one. Raises Missing."""
    ready = [k for k in CACHE.glob("linux-*") if (k / "vmlinux").is_file()]
    return Kernel(max(ready, key=lambda k: k.stat().st_mtime)) if ready else fetch()
