# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What tests of virtual machines share."""

import os

from places import TOP
from workload import SLOW, processes_of, wait

DROVER = TOP / "build/drover/drover"
VM = ("--in", "vm", "--accel", "tcg", "--memory", "192M")
BOOT = 70 * SLOW  # longer than a start may take


def qemu_of(pf, name):
    """The process number of its QEMU."""

    def found():
        for pid in processes_of(pf.lease(name)):
            try:
                if os.readlink(f"/proc/{pid}/exe").endswith("/qemu-system-x86_64"):
                    return pid
            except OSError:
                pass
        return None

    return wait(found, 10, "QEMU")
