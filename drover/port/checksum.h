// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Checksums that a local kernel leaves to its network card (CHECKSUM_PARTIAL): in the packet is only the part of the
// addresses, the protocol and the length, or for SCTP nothing. A link to that kernel has no card that would add the rest.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Of what is from `start` on to the end; it stands `offset` bytes behind that, which says that it is of SCTP.
void checksum_finish(uint8_t *frame, unsigned len, unsigned start, unsigned offset);

// Where the kernel does not say (AF_XDP), one left to be finished is known by what is in it: of all packets with a
// right checksum that is so for one in 65536 (of SCTP: in 2^32), and a right one stays. Looks for TCP, UDP and SCTP over
// IPv4 and IPv6, behind tags and labels and in IP, GRE and VXLAN. True: one was finished. Reads any bytes.
bool checksum_finish_half(uint8_t *frame, unsigned len);
