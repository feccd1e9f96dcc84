# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold exec over runc, whose process it follows to the bundle: never into the container, where "runc" is the image's."""

import os
import shutil
import subprocess
import sys

import pytest

from trees import small_image
from workload import needs_root

RUNC = shutil.which("runc", path="/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin")
pytestmark = [
    needs_root,
    pytest.mark.skipif(RUNC is None, reason="package runc is not installed"),
]
# as the process of another exec, in the runtime's cgroup and already in the container
OTHER = """
import ctypes, os, sys
group, pid = sys.stdin.readline().split()
open(f"{group}/super/cgroup.procs", "w").write("0")
fd = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
if ctypes.CDLL(None, use_errno=True).setns(fd, 0x20000) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
print("in", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other():
    """Started before the workload: the lowest number is the first that is found."""
    p = subprocess.Popen(
        [sys.executable, "-I", "-c", OTHER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield p
    p.kill()
    p.communicate()


def test_a_runc_of_the_image_is_not_run(pf, tmp_path, other):
    image, shared = tmp_path / "image", tmp_path / "shared"
    small_image(image)
    hostile = image / os.path.realpath(RUNC).lstrip("/")
    hostile.parent.mkdir(parents=True)
    hostile.write_text('#!/bin/sh\necho "$@" > /data/ran\n')
    hostile.chmod(0o755)
    shared.mkdir()
    os.mkfifo(shared / "wait")
    (shared / "wait").chmod(0o666)
    for path in (tmp_path.parent, tmp_path):
        path.chmod(0o755)
    flags = ["--runtime", RUNC, "--image", image, "-v", f"{shared}:/data"]
    _, name = pf.begin(*flags, script="echo up; read x < /data/wait")
    pid = pf.program(name, "sh")
    other.stdin.write(f"{pf.lease(name)['cgroup']} {pid}\n")
    other.stdin.flush()
    assert other.stdout.readline() == "in\n"
    for _ in range(3):
        p = pf("exec", name, "--", "/bin/cat", "/proc/self/comm")
        assert not (shared / "ran").exists(), "as root of the host"
        # which of the two is found is the kernel's order
        if p.returncode != 0:
            assert (p.returncode, p.stdout) == (125, "")
            assert "another program is being started in it; try again" in p.stderr
    other.kill()
    other.wait()
    assert pf.ok("exec", name, "--", "/bin/cat", "/proc/self/comm") == "cat\n"
