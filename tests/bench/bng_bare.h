// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The same work as routing and the two halves of the BNG, each as one loop by hand for exactly one
// format, one input and one output: what the modes of drover are measured against. Packets are judged
// as there (lengths, checksums, time to live); what is wrong is freed and counted as one.
#pragma once

#include <rte_fib.h>
#include <rte_mbuf.h>
#include <stdint.h>

#define BARE_BURST 32

// What is in front of a packet that leaves by this hop.
struct bare_hop {
	uint8_t head[46];
	uint16_t sum; // of the IPv4 header in it, without length
} __attribute__((aligned(64)));

struct bare_cpe {
	uint8_t mac[6];
	uint16_t port;
	uint32_t ip, seen;
};

// A subscriber, ready to be written: tags downstream, key upstream.
struct bare_user {
	uint32_t key;
	uint16_t stag, ctag;
	uint8_t spare[8];
	struct bare_cpe cpe[3];
} __attribute__((aligned(64)));

struct bare {
	uint16_t port;
	struct rte_fib *fib;
	const struct bare_hop *hops;
	const uint32_t *by_tags; // 2^24
	struct bare_user *users;
	uint32_t nusers, first;
	uint32_t now;
	uint8_t access[16]; // own MAC and type of the S-tag where they are in a packet
	uint64_t bad;
};

// One burst each. Return how many packets came.
unsigned bare_routing(struct bare *b);
unsigned bare_up(struct bare *b);
unsigned bare_down(struct bare *b);
