// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a packet is, in a line for people.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define DECODE_LINE 512

// Writes the layers that drover knows, outermost first: Ethernet, tags, labels, ARP, IPv4, IPv6, GRE, ICMP,
// UDP, TCP; "type 0x…" or "protocol N" for what it does not know, "(cut)" where the bytes end within a
// header. have: bytes of the packet's beginning that are at p. The line is printable ASCII, and cut to size.
void decode_packet(const uint8_t *p, unsigned have, char *line, size_t size);
