# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""How a program gets into a container of a grant: what holds by one way has to hold by each."""

from owner import OWNER, ids
from workload import CPU, Started

WAYS = ["run", "run -d", "exec", "keeper", "keeper-exec"]
IDLE = ["--", "/bin/sleep", "1000"]


class Way:
    """One of them: the grant has one CPU, and what else is said."""

    def __init__(self, kind, pf, keep):
        self.kind, self.pf, self.keep = kind, pf, keep
        self.of_a_keeper = kind.startswith("keeper")
        keep.dir.chmod(0o755)
        self.who = ids(OWNER) if self.of_a_keeper else {}
        self.name = None

    def command(self, program, flags=(), volumes=()):
        """What its caller types in the end; all that comes before has been done."""
        self.name = self.keep.grant(*flags) if self.of_a_keeper else self.pf.unique()
        program = ["--", *program]
        grant = ["--grant", self.name] if self.of_a_keeper else ["--cpus", CPU, *flags]
        name = [] if self.of_a_keeper else ["--name", self.name]
        path = self.keep.path if self.of_a_keeper else self.pf.path
        if self.kind.endswith("exec"):
            run = self.keep if self.of_a_keeper else self.pf
            run.ok("run", "-d", *name, *grant, *volumes, *IDLE)
            words = ["exec", self.name, *program]
        else:
            detached = ["-d"] if self.kind == "run -d" else []
            words = ["run", *detached, *name, *grant, *volumes, *program]
        return [str(w) for w in (path, *words)]

    def begin(self, program, flags=(), volumes=()):
        """Starts it: what it says can be waited for."""
        command = self.command(program, flags, volumes)
        if self.kind == "run -d":
            self.pf.ok(*command[1:])
            return self.pf.start("logs", "-f", self.name)
        log = self.keep.dir / f"out-{len(self.pf.started)}"
        self.pf.started.append(Started(command, log, **self.who))
        return self.pf.started[-1]

    def end(self):
        """Ends all that its grant has started; not what that has passed on."""
        if self.of_a_keeper:
            return self.pf("grant", "stop", self.name)
        return self.pf("stop", "-t", "0", self.name)
