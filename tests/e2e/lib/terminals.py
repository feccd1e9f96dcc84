# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Terminals that a test has the other side of."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

import pytest

from workload import SLOW


def on_terminal(command, **kw):
    main, side = pty.openpty()
    p = subprocess.Popen(
        command, stdin=side, stdout=side, stderr=side, start_new_session=True, **kw
    )
    os.close(side)
    return main, p


def read_until(fd, pattern, seconds=20):
    seen, deadline = "", time.monotonic() + seconds * SLOW
    while re.search(pattern, seen) is None:
        if not select.select([fd], [], [], max(0, deadline - time.monotonic()))[0]:
            pytest.fail(f"no {pattern!r} in {seen!r}")
        try:
            seen += os.read(fd, 4096).decode(errors="replace")
        except OSError:
            pytest.fail(f"hung up before {pattern!r} in {seen!r}")
    return seen


def size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
