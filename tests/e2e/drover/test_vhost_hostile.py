# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What a hostile guest writes into its rings ends no drover at the other end of a vhost-user link, nor do most messages of a hostile
QEMU: it is dropped, or the link is closed, and the next one who comes finds it as the first one did. Who has the guest's memory in his
hands, and not the guest alone, ends it (SECURITY.md).
"""

import contextlib
import os
import random
import struct
import time

import pytest
import vhost_peer as v
from drover_devices import config
from vhost_peer import Peer
from workload import needs_root, wait

pytestmark = [pytest.mark.anywhere, needs_root]
FRAME = bytes.fromhex("02000000000b02000000000a88b5") + bytes(range(50))
ALL_ONES = 0xFFFF_FFFF_FFFF_FFFF
RINGS = pytest.mark.parametrize("packed", [False, True], ids=["split", "packed"])


@pytest.fixture
def sent_back(start, tmp_path):
    """A drover that sends back what comes; the path of its socket, and it."""
    path = tmp_path / "s"
    with start(config({"l0": f"vhost:{path}"}, [("l0", "l0")])) as d:
        d.runs()
        yield path, d
        assert d.process.poll() is None, d.said()
        # nothing of it is kept
        assert d.end()["tasks"][0]["mode"] == "none" and d.process.returncode == 0


def serves(path, packed=False):
    """Who keeps to the rules gets its packet back."""
    with Peer(path) as p:
        p.begin(packed)
        p.offer()
        p.frame(FRAME)
        wait(lambda: p.used(v.RX) == 1, 10, "the packet")
        at = p.buffer(0) - v.GUEST
        got = p.m[at + len(v.HEADER) : at + len(v.HEADER) + len(FRAME)]
        assert got == FRAME


def header(flags=0, gso=0, hdr_len=0, gso_size=0, start=0, offset=0):
    return struct.pack("<BBHHHHH", flags, gso, hdr_len, gso_size, start, offset, 0)


def chain(ring, count, length):
    def give(p):
        # its end comes round to its begin where count is all of the ring
        for i in range(count):
            last = (i + 1) % count
            flags = v.NEXT | (v.AVAIL if p.packed else 0)
            p.descriptor(
                ring, i, p.buffer(i % 16), length, flags | (v.WRITE if ring == v.RX else 0), last
            )
        if not p.packed:
            p.give(ring, 0)

    return give


def one(address, length, flags=0, last=0):
    def give(p):
        where = p.buffer(0) if address is None else address
        p.descriptor(v.TX, 0, where, length, flags | (v.AVAIL if p.packed else 0), last)
        if not p.packed:
            p.give(v.TX, 0)

    return give


def indirect(length, *entries, at=None):
    """A table of descriptors: (address, length, flags, last)."""

    def give(p):
        table = v.GUEST + 0x18000
        for i, (address, size, flags, last) in enumerate(entries):
            words = (last, flags) if p.packed else (flags, last)
            p.put(0x18000 + 16 * i, struct.pack("<QIHH", address, size, *words))
        one(table if at is None else at, length, v.INDIRECT)(p)

    return give


def with_header(data, **fields):
    return lambda p: p.frame(data, header(**fields))


def room(address, length, flags=v.WRITE):
    """Room that is none, and a packet that goes there."""

    def give(p):
        for i in range(8):
            p.descriptor(v.RX, i, address, length, flags | (v.AVAIL if p.packed else 0), i)
        if not p.packed:
            p.give(v.RX, *range(8))
        p.frame(FRAME)

    return give


END = v.GUEST + v.MEMORY
# what a guest may write: of both kinds of rings
BAD = {
    "elsewhere": one(0xDEAD_0000_0000, 100),
    "over-the-end": one(END - 50, 5000),
    "behind-all": one(ALL_ONES - 10, 4000),
    "length-0": one(None, 0),
    "length-all-ones": one(None, 0xFFFF_FFFF),
    "less-than-a-header": one(None, 5),
    "header-alone": one(None, 12),
    "not-a-frame": one(None, 13),
    "writable": one(None, 100, v.WRITE),
    "loop": chain(v.TX, 2, 1000),
    "all-of-the-ring": chain(v.TX, v.SIZE, 60000),
    "chain-without-end": chain(v.TX, v.SIZE, 0),
    "odd-next": one(None, 100, v.NEXT, 0xFFFF),
    "table-elsewhere": indirect(64, at=0xDEAD_0000_0000),
    "table-of-0": indirect(0),
    "table-of-half": indirect(24, (v.GUEST, 100, v.NEXT, 1)),
    "table-without-end": indirect(0xFFFF_FFF0, (v.GUEST, 100, v.NEXT, 0)),
    "table-in-a-table": indirect(32, (v.GUEST + 0x18000, 32, v.INDIRECT, 0)),
    "table-over-the-end": indirect(4096, at=END - 32),
    "table-loops": indirect(32, (v.GUEST, 64, v.NEXT, 1), (v.GUEST, 64, v.NEXT, 0)),
    "checksum-beyond": with_header(FRAME, flags=1, start=0xFFFF, offset=0xFFFF),
    "segments-of-0": with_header(FRAME, flags=1, gso=1, hdr_len=0xFFFF, gso_size=0),
    "segments-of-nothing": with_header(b"", flags=1, gso=4, hdr_len=0xFFFF, gso_size=1),
    "odd-kind": with_header(FRAME, flags=0xFF, gso=0x7F, hdr_len=1, gso_size=0xFFFF),
    "room-elsewhere": room(0xDEAD_0000_0000, 2000),
    "room-over-the-end": room(END - 8, 2000),
    "room-of-0": room(v.GUEST + 0x20000, 0),
    "room-of-1": room(v.GUEST + 0x20000, 1),
    "room-without-end": lambda p: (chain(v.RX, v.SIZE, 0)(p), p.frame(FRAME)),
    "room-in-odd-table": room(0xDEAD_0000_0000, 64, v.INDIRECT | v.WRITE),
    "room-in-itself": room(v.GUEST + 0x1000, 2000),
}
# of a split one alone
SPLIT = {
    "odd-head": lambda p: p.give(v.TX, 0xFFFF),
    "index-jumps": lambda p: p.give(v.TX, index=0x8000),
    "index-back": lambda p: p.give(v.TX, index=0xFFFF),
    "room-index-jumps": lambda p: (p.give(v.RX, index=0x8000), p.frame(FRAME)),
    "room-odd-head": lambda p: (p.give(v.RX, *[0xFFFF] * 8), p.frame(FRAME)),
}


@RINGS
def test_rings_of_a_hostile_guest(sent_back, packed):
    """Each of them on a link of its own, and all on one."""
    path, d = sent_back
    cases = BAD if packed else BAD | SPLIT
    for name, give in cases.items():
        with Peer(path) as p:
            p.begin(packed)
            wait(lambda: d.port("l0")["link"] == "up", 10, "the link")
            give(p)
            time.sleep(0.05)
            assert d.process.poll() is None, f"{name}: {d.said()}"
            # it goes on with what else it does
            assert "l0" in d.ask("ports port=l0")["ports"], name
        wait(lambda: d.port("l0")["link"] == "down", 10, "its end")
    serves(path, packed)


@RINGS
def test_rings_of_chance(sent_back, packed):
    """The guest's memory is written over and over, rings and tables, while the other side reads it."""
    path, d = sent_back
    chance = random.Random(15)
    numbers = [0, 1, 12, 64, 1500, 0xFFFF, 0xFFFF_FFFF, END - v.GUEST, 0x8000_0000]
    places = [v.GUEST, v.GUEST + 0x1000, v.GUEST + 0x18000, END - 1, END, 0, ALL_ONES]
    for _ in range(4):
        with Peer(path) as p:
            p.begin(packed)
            wait(lambda: d.port("l0")["link"] == "up", 10, "the link")
            until = time.monotonic() + 0.5
            while time.monotonic() < until:
                for _ in range(200):
                    table = chance.choice([*(p.place(r)[0] for r in (v.RX, v.TX)), 0x18000])
                    words = chance.choice([v.NEXT, v.WRITE, v.INDIRECT, v.AVAIL, v.USED, 0xFFFF])
                    words |= chance.choice([0, v.NEXT, v.AVAIL, v.AVAIL | v.WRITE])
                    last = chance.choice([*range(v.SIZE), 0xFFFF])
                    pair = (last, words) if packed else (words, last)
                    p.put(
                        table + 16 * chance.randrange(v.SIZE),
                        struct.pack(
                            "<QIHH",
                            chance.choice(places),
                            chance.choice(numbers),
                            *pair,
                        ),
                    )
                for ring in (v.RX, v.TX):
                    p.give(ring, *(chance.randrange(v.SIZE) for _ in range(8)))
            assert d.process.poll() is None, d.said()
        wait(lambda: d.port("l0")["link"] == "down", 10, "its end")
    serves(path, packed)


def message(request, *words, fds=0, size=None):
    """words: of 8 bytes each, or bytes."""

    def send(p):
        payload = b"".join(w if isinstance(w, bytes) else struct.pack("<Q", w) for w in words)
        p.send(request, payload, [p.fd] * fds, size)

    return send


def two(index, value):
    return struct.pack("<II", index, value)


MESSAGES = {
    "unknown": message(200, 0),
    "request-all-ones": message(0xFFFF_FFFF, 0),
    "size-all-ones": message(v.SET_FEATURES, 0, size=0xFFFF_FFFF),
    "size-too-large": message(v.SET_FEATURES, bytes(4000)),
    "size-too-small": message(v.SET_VRING_ADDR, 0),
    "no-payload": message(v.SET_VRING_NUM),
    "cut": lambda p: p.s.sendall(b"\x05\x00\x00"),
    "no-rules": lambda p: p.s.sendall(os.urandom(4096)),
    "all-features": message(v.SET_FEATURES, ALL_ONES),
    "all-further-features": message(v.SET_PROTOCOL_FEATURES, ALL_ONES),
    "no-regions": lambda p: p.share(regions=0, fds=[]),
    "many-regions": lambda p: p.share(regions=0xFFFF_FFFF),
    "regions-without-memory": lambda p: p.share(regions=4, fds=[]),
    "more-memory-than-regions": lambda p: p.share(fds=[p.fd] * 8),
    "region-of-0": lambda p: p.share(size=0),
    "region-of-all": lambda p: p.share(size=ALL_ONES, offset=1),
    "region-wraps": lambda p: p.share(size=v.MEMORY, offset=ALL_ONES - 4095),
    "region-at-the-end": lambda p: p.share(guest=ALL_ONES - 10, ours=ALL_ONES - 10),
    "memory-twice": lambda p: (p.share(), p.share(), p.share()),
    "ring-of-0": message(v.SET_VRING_NUM, two(0, 0)),
    "ring-of-3": message(v.SET_VRING_NUM, two(0, 3)),
    "ring-of-all-ones": message(v.SET_VRING_NUM, two(0, 0xFFFF_FFFF)),
    "many-rings": message(v.SET_VRING_NUM, two(0xFFFF_FFFF, 64)),
    "odd-ring": message(v.SET_VRING_BASE, two(0xFFFF, 0)),
    "addresses-of-none": message(v.SET_VRING_ADDR, two(300, 0), 0, 0, 0, 0),
    "kick-of-none": message(v.SET_VRING_KICK, 0xFF, fds=1),
    "call-without": message(v.SET_VRING_CALL, 0),
    "answer-of-none": message(v.GET_VRING_BASE, two(0xFFFF, 0)),
    "enable-of-none": message(v.SET_VRING_ENABLE, two(0xFFFF, 1)),
    "log-elsewhere": message(v.SET_LOG_BASE, ALL_ONES, ALL_ONES, fds=1),
    "announce": message(v.SEND_RARP, ALL_ONES),
    "mtu": message(v.NET_SET_MTU, ALL_ONES),
    "much-memory": message(v.SET_OWNER, fds=20),
    "rings-elsewhere": lambda p: (p.share(), p.ring(v.TX, places=(v.MEMORY, v.MEMORY, 0))),
    "rings-over-the-end": lambda p: (p.share(), p.ring(v.TX, places=[v.MEMORY - 16] * 3)),
    "rings-of-none": lambda p: p.ring(v.TX),
}


# DPDK 22.11 unmaps the memory in which its rings are, and reads them once more
ENDS_IT = {"region-of-0", "region-of-all"}


@pytest.mark.parametrize("early", [True, False], ids=["first", "while-it-runs"])
def test_messages_of_a_hostile_peer(sent_back, early):
    path, d = sent_back
    for name, send in MESSAGES.items():
        if name in ENDS_IT and not early:
            continue
        with Peer(path) as p:
            with contextlib.suppress(OSError):  # it may have closed it by then
                (p.agree if early else p.begin)()
                send(p)
                # a request that is answered waits for what was not good before it
                p.send(v.GET_QUEUE_NUM)
            p.closed(0.1)
            assert d.process.poll() is None, f"{name}: {d.said()}"
    serves(path)


def test_a_message_that_is_refused_ends_the_link(sent_back):
    """And that is said, once."""
    path, d = sent_back
    with Peer(path) as p:
        p.begin()
        before = len(d.said())
        message(v.SET_VRING_NUM, two(0, 0xFFFF_FFFF))(p)
        assert p.closed(5)
    words = "message handling failed"  # of DPDK's vhost
    wait(lambda: words in d.said()[before:], what="the refusal in the log")
    assert d.said()[before:].count(words) == 1, d.said()[before:]
    serves(path)
