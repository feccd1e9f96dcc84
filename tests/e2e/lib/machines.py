# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What tests of virtual machines share."""

import os
import shutil

from imaging import build
from places import TOP
from workload import SLOW, processes_of, wait

DROVER = TOP / "build/drover/drover"
VM = ("--in", "vm", "--accel", "tcg", "--memory", "192M")
BOOT = 70 * SLOW  # longer than a start may take

# Places of an image that are not what a container has there, and lead to where a guest's own files would be
ODD = {"tmp": "/var/tmp", "proc": "/proc/1/root", "sys": "../../etc", "run": "/tmp"}
LOOK = """
    for d in /tmp /proc /sys /run /dev /var/run /taken /var/run/at; do cd -P $d && pwd; done
    echo x >/tmp/file && echo /tmp/* /taken/* && read word </over && echo $word
"""
LOOKED = "/tmp /proc /sys /run /dev /run /taken /run/at /tmp/file /taken/word said"


def odd_image(top):
    """Also files where directories are expected, and a directory where a volume is a file. The image, and flags of a start."""
    image, volume = top / "image", top / "volume"
    build("-o", image, "/bin/sh", "/bin/sleep")
    for name in (*ODD, "dev", "var"):
        shutil.rmtree(image / name)
    for name, to in ODD.items():
        (image / name).symlink_to(to)
    for name in ("dev", "var", "taken"):
        (image / name).write_text("")
    (image / "over/below").mkdir(parents=True)
    volume.mkdir()
    (volume / "word").write_text("said\n")
    at = (f"{volume}:/taken:ro", f"{volume}/word:/over:ro", f"{volume}:/var/run/at:ro")
    return image, ("--image", image, *(word for volume in at for word in ("-v", volume)))


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
