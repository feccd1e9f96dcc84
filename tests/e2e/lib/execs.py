# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The beginning and the end of what pinfold exec starts, in a container as in a virtual machine."""

import re
import signal
import time


def check_told_before_it_began(pf, name):
    """A signal ends what exec has not started yet, and nothing is said of that."""
    for after in (0.02, 0.04, 0.08, 0.15):
        s = pf.start("exec", name, "--", "/bin/sleep", "1000")
        time.sleep(after)
        s.signal(signal.SIGTERM)
        told = s.end(), s.text()
        assert told == (128 + signal.SIGTERM, ""), (after, told)
        # nor is anything of it left for the next one
        p = pf("exec", name, "--", "/bin/echo", "here")
        assert (p.returncode, p.stdout, p.stderr) == (0, "here\n", "")


def check_exec_while_it_ends(pf, name):
    """What exec has started ends as in a container that is killed; what comes too late is told so, in these words alone."""
    s = pf.start("exec", name, "--", "/bin/sh", "-c", "echo up; exec sleep 1000")
    s.until("^up", 30)
    stop = pf.start("stop", name)
    for _ in range(200):
        p = pf("exec", name, "--", "/bin/true")
        assert p.returncode in (0, 125, 137)
        if p.returncode == 125:
            assert re.fullmatch(
                f"pinfold: (exec in '{name}': it has ended; see pinfold ps"
                f"|'{name}' does not run; see pinfold ps)\n", p.stderr,
            ), (p.stdout, p.stderr)  # fmt: skip
        if "does not run" in p.stderr:
            break
    assert stop.end() == 0
    assert (s.end(), s.text()) == (128 + signal.SIGKILL, "up\n")
