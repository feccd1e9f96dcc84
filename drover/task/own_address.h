// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Whether a frame is for us: a router takes what is for the address of the port that it came in by, and
// forwards nothing else, whatever the port lets through (RFC 1812, 5.3.4: nor what is for a group).
#pragma once

#include "task/task.h"

#include <rte_mbuf.h>
#include <rte_vect.h>
#include <stdbool.h>
#include <stdint.h>

#define OWN_PORTS 64 // what comes from no port (RTE_MBUF_PORT_INVALID) is at the last

// A frame whose first 16 bytes are `is` where `mask` has ones is an ordinary one for us.
struct own_address {
	__m128i is, mask;
};

struct own {
	// By the port that a packet came in by, of its number the bits that are in `tells`. None where a task reads
	// one port only: not every device says where its packets come from.
	struct own_address port[OWN_PORTS];
	uint16_t tells;
};

// Of the ports there are, when they are started. A port without an address takes what is for no group. type: what
// the ordinary frame has behind its addresses, as in a packet; 0: anything.
void own_init(struct own *o, const struct task *t, uint16_t type);

// Whether it is for us, ordinary or not. The packet has an address in its first segment.
bool own_takes(const struct own *o, const struct rte_mbuf *m);

// Whether it is an ordinary one for us, with 16 bytes at least in its first segment.
static __rte_always_inline bool own_ordinary(const struct own *o, const struct rte_mbuf *m)
{
	const struct own_address *a = &o->port[m->port & o->tells];
	__m128i v = _mm_loadu_si128(rte_pktmbuf_mtod(m, const __m128i *));

	return _mm_testz_si128(_mm_xor_si128(v, a->is), a->mask) != 0;
}
