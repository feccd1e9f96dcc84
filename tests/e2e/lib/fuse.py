# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""File systems that do not answer."""

import ctypes
import errno
import os
import select
import struct
import threading
import time

import pytest

FUSE_INIT = 26  # linux/fuse.h
FUSE_ACCESS = 34
FUSE_UNANSWERED = (2, 36, 42)  # FORGET, INTERRUPT, BATCH_FORGET


class Silent:
    """A FUSE mount of a user's, as fusermount3 makes one, whose server reads requests and answers none; slow: that
    nothing is there, after so many seconds. others: also root's requests get there."""

    def __init__(self, top, user, slow=None, others=False):
        self.top, self.read, self.aborted, self.slow = str(top), [], False, slow
        top.mkdir(mode=0o755)
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = os.open("/dev/fuse", os.O_RDWR | os.O_NONBLOCK)
        options = f"fd={self.fd},rootmode=40000,user_id={user},group_id={user}"
        options += ",allow_other" if others else ""
        flags = 2 | 4  # nosuid, nodev
        if self.libc.mount(b"x", self.top.encode(), b"fuse", flags, options.encode()) < 0:
            os.close(self.fd)
            pytest.skip(f"no FUSE mount: {os.strerror(ctypes.get_errno())}")
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        while not self.ended.is_set():
            if not poll.poll(50):
                continue
            try:
                request = os.read(self.fd, 1 << 17)
            except BlockingIOError:
                continue
            except OSError:
                self.aborted = True
                return
            _, opcode, number = struct.unpack_from("IIQ", request)
            if opcode == FUSE_INIT:
                body = struct.pack("IIIIHHII36x", 7, 31, 4096, 0, 0, 0, 4096, 0)
                os.write(self.fd, struct.pack("IiQ", 16 + len(body), 0, number) + body)
                continue
            if opcode == FUSE_ACCESS:  # of its top, for a chdir(2): not to be asked any more
                os.write(self.fd, struct.pack("IiQ", 16, -errno.ENOSYS, number))
                continue
            self.read.append(opcode)
            if self.slow and opcode not in FUSE_UNANSWERED:
                time.sleep(self.slow)
                try:
                    os.write(self.fd, struct.pack("IiQ", 16, -errno.ENOENT, number))
                except OSError:
                    self.aborted = True
                    return

    def end(self):
        self.ended.set()
        self.thread.join(20)
        os.close(self.fd)
        self.libc.umount2(self.top.encode(), 2)  # MNT_DETACH
