# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Stands in for crun: runs what pinfold asks for many times over, and writes how long each took.

    peer.py CRUN TIMES FILE RUNTIME-ARGUMENT...

So the peer gets the very bundle, mounts and cgroups that pinfold has made.
"""

import json
import os
import sys
import time


def timed(argv):
    """Seconds from starting the program to its end, and its status."""
    began = time.monotonic()
    pid = os.posix_spawn(argv[0], argv, os.environ)
    _, status = os.waitpid(pid, 0)
    return time.monotonic() - began, os.waitstatus_to_exitcode(status)


def main():
    crun, times, file, *rest = sys.argv[1:]
    if "--version" in rest:
        os.execv(crun, [crun, "--version"])
    taken = []
    for _ in range(int(times)):
        seconds, status = timed([crun, *rest])
        if status != 0:
            return status
        taken.append(seconds)
    with open(file, "w", encoding="ascii") as f:
        json.dump(taken, f)
    return 0


if __name__ == "__main__":
    sys.exit(main())
