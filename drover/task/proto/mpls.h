// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Label stacks (RFC 3032).
#pragma once

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#define MPLS_LEN 4
#define MPLS_LABELS 8 // that are looked through at most
#define MPLS_TTL 64

// Of a label as in a packet.
#define LABEL_BOTTOM RTE_BE32(1u << 8)
#define LABEL_BITS RTE_BE32(0xfffff000u)
// All zero below 16, the lowest that a network gives out itself.
#define LABEL_ORDINARY RTE_BE32(0xffff0000u)

enum mpls_fault {
	MPLS_OK = 0,
	MPLS_SHORT,
	MPLS_NONE,     // no label behind the Ethernet header
	MPLS_DEEP,     // no bottom within MPLS_LABELS
	MPLS_OTHER,    // behind the labels is neither IPv4 nor IPv6
	MPLS_RESERVED, // a label has a meaning of its own that is not ours to act on
};

// What the labels so far ask for.
struct mpls_walk {
	bool entropy;  // the next one may be any
	uint8_t after; // version of IP that must follow; 0: any
};

// Steps over a label, a word of the stack as in a packet. Of those with a meaning of their own (RFC 3032, 7274)
// it takes explicit null (0 for IPv4, 2 for IPv6), and the indicator of an entropy label (7, RFC 6790).
// False: the others, of which none may be forgotten.
bool mpls_step(struct mpls_walk *w, uint32_t label);

// Takes all labels away: the Ethernet header moves up to what follows, which is IPv4 or IPv6 by its
// first four bits (RFC 3032 leaves it to the label to say, RFC 4928 what else has other bits). On
// failure the packet is as it was.
enum mpls_fault mpls_pop(struct rte_mbuf *m);
