// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the policer reads from and writes into packets.
#pragma once

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#define POLICE_KEEP 0xff // no code point

// Where the outermost IPv4 or IPv6 header begins in the first len bytes of a packet, behind up to two tags
// and eight labels; 0: there is none. At least its first byte is there.
unsigned police_ip(const uint8_t *p, unsigned len);

// The GRE key (host order) of a tunnel whose IPv4 header may begin at `at`: GRE with a key and nothing else.
bool police_key(const uint8_t *p, unsigned len, unsigned at, uint32_t *ret);

// Writes a code point (shifted left by two) into the header that begins there, and mends the checksum
// of IPv4 by what changed. A header that is not whole is left alone.
void police_mark(struct rte_mbuf *m, unsigned at, uint8_t dscp);
