# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What goes to and from a program of a virtual machine is what goes to and from one in a container (test_streams.py)."""

import hashlib
import os
import pty
import subprocess
import termios
import time

import pytest

from features import needs_guests
from machines import BOOT, VM
from terminals import read_until, size
from workload import CPU, SLOW, needs_root, unique

pytestmark = [needs_root, needs_guests, pytest.mark.limit(150)]


def test_every_byte_both_ways(pf):
    """-i: bytes of any kind, to their end; and what is said beside them stays apart from them and in order."""
    data = os.urandom((1 << 18) + 17)
    script = "sha256sum; for i in $(seq 100); do echo $i; echo e$i >&2; done; exit 3"
    p = pf.run(*VM, "-i", "--", "/bin/sh", "-c", script, input=data, text=False, seconds=BOOT)
    assert p.returncode == 3
    out = p.stdout.splitlines()
    assert out[0].split()[0].decode() == hashlib.sha256(data).hexdigest()
    assert out[1:] == [b"%d" % i for i in range(1, 101)]
    assert p.stderr == b"".join(b"e%d\n" % i for i in range(1, 101))
    p = pf.run(*VM, "-i", "--", "/bin/cat", input=data, text=False, seconds=BOOT)
    assert (p.returncode, p.stderr) == (0, b"") and p.stdout == data


def check_terminal(command):
    """Its size, also when that changes; keys that are signals; the caller's is given back."""
    main, side = pty.openpty()
    size(main, 24, 80)
    before = termios.tcgetattr(side)
    p = subprocess.Popen(
        ["setsid", "-c", "-w", *map(str, command)], stdin=side, stdout=side, stderr=side
    )
    try:
        time.sleep(0.7)  # a guest boots
        size(main, 30, 90)
        size(main, 37, 101)
        read_until(main, r"[#$] ", BOOT)
        assert termios.tcgetattr(side) != before
        os.write(main, b"stty size; tty\n")
        read_until(main, r"37 101\r\n/dev/pts/")
        for columns in range(90, 59, -1):  # a window that is drawn smaller
            size(main, 20, columns)
        os.write(main, b"until stty size | grep '^20 6[0]'; do echo no; sleep 0.1; done\n")
        read_until(main, "20 60")
        os.write(main, b"sh -c 'echo in-$((1+1)); exec sleep 1000'\n")
        read_until(main, "in-2")
        os.write(main, b"\x03")
        read_until(main, r"\^C")
        os.write(main, b"exit 5\n")
        assert p.wait(20 * SLOW) == 5
        assert termios.tcgetattr(side) == before
    finally:
        if p.poll() is None:
            p.terminate()
            p.wait(40 * SLOW)
        os.close(main)
        os.close(side)


def test_terminal(pf):
    """-i -t, of the machine's own program; and of one that exec starts in it, whose terminal is another."""
    name = unique("vm")
    pf.names.append(name)
    check_terminal(
        [pf.path, "run", "--name", name, "--cpus", CPU, *VM, "-i", "-t", "--", "/bin/sh"]
    )
    name = pf.detach(*VM, name=unique("vm"))
    check_terminal([pf.path, "exec", "-i", "-t", name, "--", "/bin/sh"])
    # without -t neither has one
    p = pf("exec", "-i", name, "--", "/bin/sh", "-c", "tty; cat", input="word\n")
    assert (p.returncode, p.stdout) == (0, "not a tty\nword\n")
