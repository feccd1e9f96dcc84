# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Calls pinfold-runtime as engines do."""

import json

from bundle import Bundle, Runtime, spec
from places import program
from workload import LEASES, unique

SLEEP = ["/bin/sleep", "1000"]


class Caller:
    """Starts containers as an engine does: create, start, exec, kill, delete."""

    def __init__(self, top):
        self.names = []
        self.runtime = Runtime(
            program("PINFOLD_RUNTIME", "build/src/cli/pinfold-runtime"), top / "state"
        )
        self.bundle = Bundle(top / "bundle", spec(*SLEEP))

    def doc(self, grant, *argv, way="annotation"):
        doc = spec(*(argv or SLEEP))
        doc["linux"]["cgroupsPath"] = f"/{unique('engine')}"
        if way == "annotation":
            doc["annotations"] = {"dev.pinfold.grant": grant}
        else:
            doc["process"]["env"].append(f"{way}={grant}")
        return doc

    def call(self, verb, doc, *args, name=None, **kw):
        self.names.append(name or unique("c"))
        self.bundle.write(doc)
        return self.runtime(verb, "--bundle", str(self.bundle.top), *args, self.names[-1], **kw)

    def create(self, doc, name=None):
        self.names.append(name or unique("c"))
        self.bundle.write(doc)
        before = (self.bundle.top / "config.json").read_bytes()
        assert self.runtime.create("--bundle", str(self.bundle.top), self.names[-1]) == 0
        assert (self.bundle.top / "config.json").read_bytes() == before, "it is the engine's"
        return self.names[-1]

    def start(self, doc, name=None):
        name = self.create(doc, name)
        assert self.runtime("start", name).returncode == 0
        return name

    def sh(self, name, script):
        p = self.runtime("exec", name, "/bin/sh", "-c", script)
        assert p.returncode == 0, p
        return p.stdout.decode()

    def fails(self, doc, like, verb="create", **kw):
        """One line, in the log too, and nothing is made."""
        log = self.bundle.top / "log"
        before = set(LEASES.glob("*"))
        p = self.call(verb, doc, before=["--log", str(log), "--log-format", "json"], **kw)
        text = p.stderr.decode()
        assert p.returncode == 1 and p.stdout == b"", p
        assert text.startswith("pinfold-runtime: ") and text.count("\n") == 1 and like in text, text
        last = json.loads(log.read_text().splitlines()[-1])
        assert (last["level"], last["msg"]) == ("error", text.rstrip("\n"))
        assert set(LEASES.glob("*")) == before
        assert self.runtime("state", self.names[-1]).returncode != 0
        return text

    def put_away(self):
        for name in self.names:
            self.runtime("delete", "--force", name)
