# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Where the commands of a document are typed."""

import os
import shutil
import tempfile
from pathlib import Path

from shell import Shell

ALICE = 64203  # of nobody: /etc/passwd names her in the shells alone
IMAGES = "/var/lib/pinfold/images"


class Desk:
    """Shells in which a document is typed, by root and by alice, in a directory of each."""

    def __init__(self, pinfold, drover, *others, files=None, top=None):
        """The programs that root has. files: what root finds, by name: its text, or what makes it, knowing the desk's directory. top: where the desk is."""
        self.directory = tempfile.mkdtemp(prefix="pinfold-documents-", dir=top)
        self.users = {}
        os.chmod(self.directory, 0o755)
        for name, owner in [("root", 0), ("alice", ALICE), ("bin", 0), ("images", 0)]:
            os.mkdir(f"{self.directory}/{name}")
            os.chown(f"{self.directory}/{name}", owner, owner)
        # the checkout may lie where only root passes
        shutil.copy(pinfold, f"{self.directory}/bin/pinfold")
        for name, own in [("passwd", "alice:x:%d:%d::/:/bin/sh\n"), ("group", "alice:x:%d:\n")]:
            text = Path("/etc", name).read_text() + own.replace("%d", str(ALICE))
            Path(self.directory, name).write_text(text)
        for name, text in (files or {}).items():
            text = text if isinstance(text, str) else text(self.directory)
            Path(self.directory, "root", name).write_text(text)
        own = f"mount --bind {self.directory}"
        self.users["#"] = self.shell(
            ["unshare", "--mount", "--propagation=private", "bash", "-c"]
            + [
                f"{own}/passwd /etc/passwd && {own}/group /etc/group && "
                f"mkdir -p /run/dpdk {IMAGES} && mount -t tmpfs tmpfs /run/dpdk && "
                f"{own}/images {IMAGES} && exec bash --norc"
            ],
            ":".join(os.path.dirname(p) for p in (pinfold, drover, *others)),
            "root",
        )

    def shell(self, command, path, home):
        return Shell(
            command,
            cwd=f"{self.directory}/{home}",
            env={"PATH": f"{path}:{os.environ['PATH']}", "LANG": "C.UTF-8", "HOME": "/"},
        )

    def __call__(self, user, *args):
        if user not in self.users:
            root = self.users["#"].process.pid
            who = f"--reuid={ALICE} --regid={ALICE} --clear-groups"
            home = f"{self.directory}/alice"  # nsenter goes to the root of what it enters
            self.users[user] = self.shell(
                ["nsenter", f"--target={root}", "--mount", f"--wd={home}"]
                + ["setpriv", *who.split(), "bash", "--norc"],
                f"{self.directory}/bin",
                "alice",
            )
        return self.users[user](*args)

    def end(self):
        for shell in self.users.values():
            shell.end()
        shutil.rmtree(self.directory)
