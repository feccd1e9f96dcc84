# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Bundles for OCI runtimes: a root of one program, and a config.json as engines write it."""

import json
import os
import shutil
import subprocess
from pathlib import Path

BUSYBOX = Path("/bin/busybox")  # busybox-static
NAMESPACES = ("pid", "network", "ipc", "uts", "mount", "cgroup")
OPTIONS = ["nosuid", "noexec", "nodev"]


def spec(*argv, terminal=False):
    """Root in a container without rights, as `crun spec` and the engines have it."""
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": terminal,
            "user": {"uid": 0, "gid": 0},
            "args": list(argv),
            "env": ["PATH=/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs"},
        "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {
                "destination": "/dev",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "mode=755", "size=64k"],
            },
            {
                "destination": "/dev/pts",
                "type": "devpts",
                "source": "devpts",
                "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
            },
            {
                "destination": "/sys",
                "type": "sysfs",
                "source": "sysfs",
                "options": [*OPTIONS, "ro"],
            },
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in NAMESPACES],
            "maskedPaths": ["/proc/kcore", "/proc/timer_list"],
            "readonlyPaths": ["/proc/sys"],
        },
    }


class Bundle:
    """A directory that a runtime starts."""

    def __init__(self, top, doc):
        self.top = Path(top)
        for name in ("bin", "proc", "dev", "sys", "run", "tmp"):
            (self.top / "rootfs" / name).mkdir(parents=True, exist_ok=True)
        busybox = self.top / "rootfs/bin/busybox"
        if not busybox.exists():
            shutil.copy(BUSYBOX, busybox)
            for applet in ("sh", "cat", "echo", "sleep", "ls", "id", "grep", "kill", "true", "od"):
                os.symlink("busybox", busybox.parent / applet)
        self.write(doc)

    def write(self, doc):
        text = doc if isinstance(doc, (str, bytes)) else json.dumps(doc)
        data = text.encode() if isinstance(text, str) else text
        (self.top / "config.json").write_bytes(data)


class Runtime:
    """A runtime on a state directory of its own."""

    def __init__(self, path, root):
        self.path, self.root = str(path), str(root)

    def __call__(self, *args, seconds=30, before=(), **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        words = [self.path, "--root", self.root, *before, *args]
        return subprocess.run(words, capture_output=True, timeout=seconds, check=False, **kw)

    def create(self, *args, before=()):
        """The container keeps what its create has open: no pipe that somebody waits for."""
        words = [self.path, "--root", self.root, *before, "create", *args]
        null = subprocess.DEVNULL
        return subprocess.run(
            words, stdin=null, stdout=null, stderr=null, timeout=30, check=False
        ).returncode

    def state(self, name):
        return json.loads(self("state", name).stdout)
