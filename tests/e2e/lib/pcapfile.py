# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Ethernet packets in pcap files."""

import struct


def write(path, packets):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for p in packets:
            f.write(struct.pack("<IIII", 0, 0, len(p), len(p)) + p)


def read(path):
    """The packets of a pcap file of this machine's byte order; each must be whole."""
    with open(path, "rb") as f:
        data = f.read()
    assert data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"), "not a pcap file"
    at, found = 24, []
    while at < len(data):
        have, length = struct.unpack_from("<II", data, at + 8)
        assert have == length, "a packet was cut"
        found.append(data[at + 16 : at + 16 + have])
        assert len(found[-1]) == have, "the file ends within a packet"
        at += 16 + have
    return found
