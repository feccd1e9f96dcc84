# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The guest's kernel: Debian's package, fetched with apt into a cache and never installed."""

import os
import subprocess
from pathlib import Path

CACHE = Path(os.environ.get("PINFOLD_GUEST_CACHE", "/var/cache/pinfold-guest"))
FETCH = Path(__file__).resolve().parents[2] / "src/vm/fetch-kernel"


class Missing(Exception):
    """What the guest needs and this machine lacks, in one line."""


class Kernel:
    """An unpacked kernel package: release, image for QEMU, modules below lib/modules/RELEASE."""

    def __init__(self, top):
        self.top = Path(top)
        self.release = self.top.name.removeprefix("linux-")
        self.image = self.top / "vmlinux"
        self.modules = self.top / "lib/modules" / self.release


def fetch():
    """A new kernel in the cache. It appears there whole or not at all."""
    try:
        done = subprocess.run(
            [FETCH],
            env={**os.environ, "PINFOLD_GUEST_CACHE": str(CACHE)},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise Missing(f"no kernel for the guest: {e}") from e
    if done.returncode != 0:
        raise Missing((done.stderr.strip().splitlines() or ["no kernel for the guest"])[-1])
    return Kernel(done.stdout.strip())


def igb_uio(kernel):
    """Makes its module igb_uio; why not, in a line, and then tests that want it skip."""
    if any((kernel.modules / "updates").rglob("igb_uio.ko")):
        return ""
    try:
        done = subprocess.run(
            [Path(__file__).with_name("igb-uio"), kernel.top, kernel.release],
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        return f"no module igb_uio for the guest: {e}"
    return (done.stderr.strip().splitlines() or [""])[-1] if done.returncode else ""


def find():
    """The kernel in the cache, else a fetched one. Raises Missing."""
    ready = [k for k in CACHE.glob("linux-*") if (k / "vmlinux").is_file()]
    return Kernel(max(ready, key=lambda k: k.stat().st_mtime)) if ready else fetch()
