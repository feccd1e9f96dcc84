# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What the kernel counts for each user: taking all that one gets."""

import subprocess

from workload import PYTHON, SLOW

# In a program of its own: takes all that it can get of one thing, says how many, and holds them.
HOLDER = """
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
what, most = sys.argv[1], int(sys.argv[2])
held = []

def inotify():
    return libc.inotify_init1(0) >= 0

def timers():
    event, timer = (ctypes.c_int * 16)(0, 0, 0, 1), ctypes.c_int()
    return libc.syscall(222, 1, event, ctypes.byref(timer)) == 0

def queues():
    attr = (ctypes.c_long * 8)(0, 10, 8192)
    name = b"q-%d-%d" % (os.getpid(), len(held))
    held.append(name)
    return libc.syscall(240, name, os.O_CREAT | os.O_RDWR, 0o600, attr) >= 0

def events():
    context = ctypes.c_ulong()
    return libc.syscall(206, 64, ctypes.byref(context)) == 0

def terminals():
    try:
        return os.openpty() is not None
    except OSError:
        return False

def files():
    try:
        return held.append(open("/dev/null")) is None
    except OSError:
        return False

def locked():
    segment = libc.shmget(0, 1 << 20, 0o1600)
    held.append(segment)
    return segment >= 0 and libc.shmctl(segment, 11, None) == 0  # SHM_LOCK

n = 0
while n < most and globals()[what]():
    n += 1
if what == "queues":
    for name in held[:n if most == 1 else 0]:
        libc.syscall(241, name)
if what == "locked" and most == 1:
    libc.shmctl(held[0], 0, None)  # of the host it would stay
sys.stdout.write(f"got {n}\\n")
sys.stdout.flush()
if most > 1:
    time.sleep(600)
"""


def take(what, most):
    """How many this process's user gets of it, and puts back."""
    p = subprocess.run(
        [PYTHON, "-I", "-c", HOLDER, what, str(most)],
        capture_output=True,
        text=True,
        timeout=60 * SLOW,
        check=True,
    )
    return int(p.stdout.split()[1])
