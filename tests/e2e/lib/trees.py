# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Trees of files: small images, and what stands where a file should be."""

import contextlib
import os
import re
import stat
import subprocess
import time

import pytest


def small_image(root):
    """/bin/busybox of the host, or /bin/sh with what it needs."""
    for name in ("bin", "lib", "lib64"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for program in ("/bin/sh", "/bin/cat", "/bin/ls"):
        subprocess.run(["cp", "-L", program, str(root / "bin")], check=True)
        text = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        for lib in set(re.findall(r"(/\S+) \(0x", text)):
            target = root / lib.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-L", lib, str(target)], check=True)


def listing(d):
    return sorted((str(p), p.lstat().st_mtime_ns, p.lstat().st_mode) for p in d.rglob("*"))


@contextlib.contextmanager
def never_opened(path, what):
    """A fifo, device, directory or socket at that path; to open the fifo or block on it fails the test."""
    writer = None
    if what == "fifo":
        os.mkfifo(path)
        # goes on as soon as somebody opens the other end
        writer = subprocess.Popen(["sh", "-c", 'exec >"$1"', "sh", path])
    elif what == "device":
        try:
            os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
        except PermissionError:
            pytest.skip("no device nodes can be made here")
    elif what == "directory":
        path.mkdir()
    else:
        os.mknod(path, 0o666 | stat.S_IFSOCK)
    try:
        yield
        if writer is not None:
            time.sleep(0.1)
            assert writer.poll() is None, "it was opened"
    finally:
        if writer is not None:
            writer.kill()
            writer.wait()
