# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Stands in for crun: runs what pinfold asks for many times over, and writes how long each took.

    peer.py CRUN TIMES FILE RUNTIME-ARGUMENT...

So the peer gets the very bundle, mounts and cgroups that pinfold has made.
"""

import json
import os
import socket
import sys
import time

STATUS = 3  # descriptor of a container's init: its streams come over it, and it says how it goes


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
    asked = socket.socket(fileno=os.dup(STATUS))
    byte, streams, _, _ = socket.recv_fds(asked, 1, 3)
    for _ in range(int(times)):
        ours, its = socket.socketpair()
        socket.send_fds(ours, [byte], streams)
        os.dup2(its.fileno(), STATUS)
        its.close()
        seconds, status = timed([crun, *rest])
        if status != 0:
            return status
        taken.append(seconds)
        said = ours.recv(4096)
        ours.close()
    asked.sendall(said)
    with open(file, "w", encoding="ascii") as f:
        json.dump(taken, f)
    return 0


if __name__ == "__main__":
    sys.exit(main())
