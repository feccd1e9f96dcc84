# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""A user who is not root, and his grant."""

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

from workload import CPU, SLOW, Command, Started

OWNER, STRANGER = 64201, 64202  # of nobody: no account is made
KEEPERS = Path("/run/pinfold/keepers")


def ids(uid):
    """Arguments of subprocess for that user."""
    return {"user": uid, "group": uid, "extra_groups": [], "cwd": "/"}


class Keep(Command):
    """The command line as root (pf), as the owner (own) and as another user (other)."""

    def __init__(self, pf, directory):
        self.pf = pf
        # the checkout may lie where only root passes
        self.path = f"{directory}/pinfold"
        shutil.copy(pf.path, self.path)
        self.dir = Path(directory)
        self.name = None

    def grant(self, *flags, cpu=CPU, owner=OWNER):
        self.name = self.pf.grant("--cpus", cpu, "--owner", f"{owner}:{owner}", *flags)
        return self.name

    def command(self, *args):
        return [self.path, *map(str, args)]

    def __call__(self, *args, uid=OWNER, seconds=50, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        if "input" in kw:
            kw.pop("stdin")
        return subprocess.run(
            self.command(*args),
            capture_output=True,
            text=True,
            timeout=seconds * SLOW,
            check=False,
            **ids(uid),
            **kw,
        )

    def run(self, *args, **kw):
        return self("run", "--grant", self.name, *args, **kw)

    def shell(self, script, *flags, **kw):
        return self.ok("run", "--grant", self.name, *flags, "--", "/bin/sh", "-c", script, **kw)

    def begin(self, *args):
        """One that goes on; ended with the test."""
        log = self.dir / f"out-{len(self.pf.started)}"
        self.pf.started.append(Started(self.command(*args), log, **ids(OWNER)))
        return self.pf.started[-1]

    def start(self, script, *flags):
        return self.begin("run", "--grant", self.name, *flags, "--", "/bin/sh", "-c", script)

    def state(self):
        rows = json.loads(self.ok("ps", "--json"))
        return {row["name"]: row for row in rows}[self.name]["state"]

    def keeper(self):
        """Its process id."""
        return self.pf.lease(self.name)["supervisor"]

    def socket(self, uid=OWNER):
        """A connection of that user, for saying what the command line does not."""
        old = os.geteuid()
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(5 * SLOW)
        os.seteuid(uid)
        try:
            s.connect(str(KEEPERS / f"{self.name}.sock"))
        finally:
            os.seteuid(old)
        return s
