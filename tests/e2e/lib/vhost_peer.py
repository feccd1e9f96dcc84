# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The side of a vhost-user link that a virtual machine has (qemu's docs/interop/vhost-user.rst, VIRTIO 1.1), made by hand so that it
can break every rule: messages, and the two split or packed rings of one network device in a memory that it shares.
"""

import array
import mmap
import os
import socket
import struct

SIZE = 64  # descriptors of a ring
MEMORY = 1 << 20
GUEST = 0x1000_0000  # where it lies by the guest's addresses
OURS = 0x7F00_0000_0000  # and by those that messages have
RX, TX = 0, 1  # rings, as the guest sees them
NEXT, WRITE, INDIRECT = 1, 2, 4
AVAIL, USED = 1 << 7, 1 << 15  # of a packed descriptor
HEADER = bytes(12)
VERSION_1, PACKED, PROTOCOL = 1 << 32, 1 << 34, 1 << 30

GET_FEATURES, SET_FEATURES, SET_OWNER, RESET_OWNER, SET_MEM_TABLE, SET_LOG_BASE = range(1, 7)
SET_LOG_FD, SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE = range(7, 12)
SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR = range(12, 15)
GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, SET_VRING_ENABLE = range(15, 19)
SEND_RARP, NET_SET_MTU = 19, 20


class Peer:
    """One connection. Nothing is set up until begin()."""

    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(10)
        self.s.connect(str(path))
        self.fd = os.memfd_create("guest")
        os.ftruncate(self.fd, MEMORY)
        self.m = mmap.mmap(self.fd, MEMORY)
        self.events = []
        self.packed = False
        self.avail = [0, 0]

    def close(self):
        self.s.close()
        self.m.close()
        for fd in [self.fd, *self.events]:
            os.close(fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- messages

    def send(self, request, payload=b"", fds=(), size=None):
        """size: what it says that its payload is."""
        head = struct.pack("<III", request, 1, len(payload) if size is None else size)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.s.sendmsg([head + payload], rights)

    def ask(self, request):
        self.send(request)
        head = self.s.recv(12, socket.MSG_WAITALL)
        if len(head) < 12:
            raise ConnectionError("it has closed the link")
        size = struct.unpack("<III", head)[2]
        return struct.unpack("<Q", self.s.recv(size, socket.MSG_WAITALL))[0]

    def closed(self, seconds):
        """Whether the other side has closed the link by then."""
        self.s.settimeout(seconds)
        try:
            while self.s.recv(4096):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True

    def event(self):
        self.events.append(os.eventfd(0, os.EFD_NONBLOCK))
        return self.events[-1]

    def share(self, size=MEMORY, guest=GUEST, ours=OURS, offset=0, regions=1, fds=None):
        one = struct.pack("<QQQQ", guest, size, ours, offset)
        fds = [self.fd] * min(regions, 8) if fds is None else fds
        self.send(
            SET_MEM_TABLE, struct.pack("<II", regions, 0) + one * max(1, min(regions, 8)), fds
        )

    def place(self, ring):
        """Where in the memory its parts are: descriptors, what is given, what is used."""
        top = 0x1000 + ring * 0x4000
        return top, top + 0x1000, top + 0x2000

    def ring(self, ring, num=SIZE, base=0, places=None):
        desc, avail, used = (OURS + at for at in places or self.place(ring))
        self.send(SET_VRING_NUM, struct.pack("<II", ring, num))
        self.send(SET_VRING_BASE, struct.pack("<II", ring, base))
        self.send(SET_VRING_ADDR, struct.pack("<IIQQQQ", ring, 0, desc, used, avail, 0))
        self.send(SET_VRING_CALL, struct.pack("<Q", ring), [self.event()])
        self.send(SET_VRING_KICK, struct.pack("<Q", ring), [self.event()])
        self.send(SET_VRING_ENABLE, struct.pack("<II", ring, 1))

    def agree(self, packed=False):
        """All that the other side can do, but for packed rings where they are not wanted."""
        self.packed = packed
        offered = self.ask(GET_FEATURES)
        assert offered & VERSION_1 and offered & PROTOCOL and (offered & PACKED or not packed)
        self.send(SET_OWNER)
        # none of its further messages: each is answered or not by the rules above
        features = offered & ~PROTOCOL & ~(0 if packed else PACKED) & ~(1 << 33) & ~(1 << 26)
        self.send(SET_FEATURES, struct.pack("<Q", features))

    def begin(self, packed=False):
        self.agree(packed)
        self.share()
        base = 1 << 15 | 1 << 31 if packed else 0  # both wrap counters are 1
        for r in (RX, TX):
            self.ring(r, base=base)
        return self

    # ---- rings

    def put(self, at, data):
        self.m[at : at + len(data)] = data

    def descriptor(self, ring, i, address, length, flags=0, last=0):
        """last: the next of a split ring, the id of a packed one."""
        words = (last, flags) if self.packed else (flags, last)
        self.put(self.place(ring)[0] + 16 * i, struct.pack("<QIHH", address, length, *words))

    def give(self, ring, *heads, index=None):
        """Those descriptors of a split ring; index: what the ring is said to have come to."""
        at = self.place(ring)[1]
        for h in heads:
            self.put(at + 4 + 2 * (self.avail[ring] % SIZE), struct.pack("<H", h))
            self.avail[ring] = (self.avail[ring] + 1) & 0xFFFF
        self.put(at + 2, struct.pack("<H", self.avail[ring] if index is None else index))

    def used(self, ring):
        """How many the other side has used, of a ring that has not gone round."""
        if self.packed:
            flags = [
                struct.unpack_from("<H", self.m, self.place(ring)[0] + 16 * i + 14)[0]
                for i in range(SIZE)
            ]
            return sum(f & (AVAIL | USED) == AVAIL | USED for f in flags)
        return struct.unpack_from("<H", self.m, self.place(ring)[2] + 2)[0]

    def buffer(self, i):
        return GUEST + 0x20000 + 0x1000 * i

    def offer(self, count=8):
        """Room for what comes."""
        for i in range(count):
            flags = WRITE | (AVAIL if self.packed else 0)
            self.descriptor(RX, i, self.buffer(i), 0x1000, flags, i if self.packed else 0)
        if not self.packed:
            self.give(RX, *range(count))

    def frame(self, data, header=HEADER, at=0):
        """A packet, as it should be."""
        where = self.buffer(32 + at)
        self.put(where - GUEST, header + data)
        flags = AVAIL if self.packed else 0
        length = len(header) + len(data)
        self.descriptor(TX, at, where, length, flags, at if self.packed else 0)
        if not self.packed:
            self.give(TX, at)
