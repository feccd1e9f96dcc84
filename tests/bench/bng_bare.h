// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The same work as routing and the two halves of the BNG, each as one loop by hand for exactly one
// format, one input and one output: what the modes of drover are measured against. Packets are judged
// as there (lengths, checksums, time to live); what is wrong is freed and counted as one. Tables are laid
// out as drover's, and all that is far away is asked for ahead, as drover does.
#pragma once

#include "table/fib.h"

#include <rte_mbuf.h>
#include <stdint.h>

#define BARE_BURST 32

// What is in front of a packet that leaves by this hop.
struct bare_hop {
	uint8_t head[46];
	uint16_t sum; // of the IPv4 header in it, without length
} __attribute__((aligned(64)));

// Of two tags: a subscriber, and a mark of the CPE that was learned last.
struct bare_entry {
	uint32_t number, known;
};

// A subscriber for downstream, with the one CPE.
struct bare_user {
	uint8_t mac[6];
	uint16_t port;
	uint32_t ip, seen;
	uint16_t stag, ctag;
} __attribute__((aligned(32)));

struct bare {
	uint16_t port;
	struct fib fib;
	const struct bare_hop *hops;
	struct bare_entry *by_tags; // [svlan << 12 | cvlan]
	struct bare_user *users;
	uint32_t nusers, first;
	uint32_t now;
	uint64_t secret;    // of marks
	uint8_t access[16]; // own MAC and type of the S-tag where they are in a packet
	uint64_t bad;
};

// One burst each. Return how many packets came.
unsigned bare_routing(struct bare *b);
unsigned bare_up(struct bare *b);
unsigned bare_down(struct bare *b);
