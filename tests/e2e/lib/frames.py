#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Frames that cannot be mistaken for each other, and the kernel as the other end of a device: as a
program, in its network namespace, `frames.py send IFACE PCAP`, `finish IFACE PCAP`, which sends those of to_finish,
`take IFACE PCAP SOURCE`, which takes frames of that source address until its standard input ends, or
`judge IFACE PCAP OTHER`, which prints what comes out of the other interface for each frame."""

import ctypes
import json
import select
import socket
import struct
import sys
import time

import pcapfile

ETH_P_ALL, SOL_PACKET, AUXDATA, OUTGOING, VNET_HDR = 3, 263, 8, 4, 15
VLAN_VALID, TPID_VALID = 0x10, 0x40
# no tag, a C-tag, an S-tag, both, two C-tags, a priority tag
TAGS = [(), (0x8100,), (0x88A8,), (0x88A8, 0x8100), (0x8100, 0x8100)]
SMALL = [60, 61, 64, 127, 128, 129, 590, 1024, 1514]


def make(source, sizes, count):
    """So many, of the sizes and tags in turn. A kernel sends none longer than the longest, tags and all."""
    made, longest = [], max(sizes)
    for i in range(count):
        size, tags = sizes[i % len(sizes)], TAGS[(i // len(sizes)) % len(TAGS)]
        head = bytes.fromhex("020000000001") + source
        for n, tag in enumerate(tags):
            head += struct.pack(">HH", tag, 0x6000 | (100 + n))
        head += struct.pack(">HI", 0x88B5, i)
        length = min(size + 4 * len(tags), longest)
        made.append(head + bytes((i + k) & 255 for k in range(length - len(head))))
    return made


def raw(interface):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
    s.bind((interface, 0))
    return s


def to_finish(frame, start=None, offset=0):
    """One whose checksum is left to the card, or, without a start, is not."""
    return struct.pack("=BBHHHH", start is not None, 0, 0, 0, start or 0, offset) + frame


def send(interface, frames, left_to_card=0):
    with raw(interface) as s:
        s.setsockopt(SOL_PACKET, VNET_HDR, left_to_card)
        for i, frame in enumerate(frames):
            s.send(frame)
            if i % 16 == 15:
                time.sleep(0.002)


def whole(data, control):
    """With the tag that the kernel took off."""
    for level, kind, aux in control:
        if (level, kind) == (SOL_PACKET, AUXDATA):
            status, length, _, _, _, tci, tpid = struct.unpack("IIIHHHH", aux[:20])
            assert length == len(data), "the kernel cut a frame"
            if status & VLAN_VALID:
                tag = struct.pack(">HH", tpid if status & TPID_VALID else 0x8100, tci)
                return data[:12] + tag + data[12:]
    return data


def take(interface, source):
    """Says "ready", then takes what comes until standard input ends."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.setsockopt(SOL_PACKET, AUXDATA, 1)
    s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
    s.bind((interface, ETH_P_ALL))
    print("ready", flush=True)
    taken, ends = [], False
    while True:
        ready, _, _ = select.select([s] if ends else [s, sys.stdin], [], [], 0 if ends else None)
        ends = ends or sys.stdin in ready
        if s in ready:
            data, control, _, address = s.recvmsg(1 << 17, 64)
            if address[2] != OUTGOING and data[6:12] == source:
                taken.append(whole(data, control))
        elif ends:
            return taken


def marker(number):
    """Of the payload of what follows each frame that is judged."""
    return b"behind %08d" % number


def judge(interface, other, cases):
    """Of each frame, sent alone, what comes before the marker that was sent behind it; None: it cannot be sent."""
    found = []
    with raw(interface) as s, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as out:
        out.setsockopt(SOL_PACKET, AUXDATA, 1)
        out.bind((other, ETH_P_ALL))
        out.settimeout(10)
        for frame, behind in zip(cases[::2], cases[1::2]):
            came = []
            try:
                s.send(frame)
            except OSError:
                found.append(None)
                continue
            s.send(behind)
            while not came or behind[42:] not in came[-1]:
                data, control, _, address = out.recvmsg(1 << 17, 64)
                if address[2] != OUTGOING:
                    came.append(whole(data, control))
            found.append([frame.hex() for frame in came[:-1]])
            time.sleep(0.003)  # a kernel answers by ICMP a thousand times a second
    json.dump(found, sys.stdout)


def main():
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG: nothing stays behind
    what, interface, path = sys.argv[1:4]
    if what in ("send", "finish"):
        send(interface, pcapfile.read(path), int(what == "finish"))
    elif what == "judge":
        judge(interface, sys.argv[4], pcapfile.read(path))
    else:
        pcapfile.write(path, take(interface, bytes.fromhex(sys.argv[4])))


if __name__ == "__main__":
    main()
