// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Label stacks (RFC 3032).
#pragma once

#include <rte_mbuf.h>
#include <stdbool.h>

#define MPLS_LEN 4
#define MPLS_LABELS 8 // that are looked through at most
#define MPLS_TTL 64

enum mpls_fault {
	MPLS_OK = 0,
	MPLS_SHORT,
	MPLS_NONE,  // no label behind the Ethernet header
	MPLS_DEEP,  // no bottom within MPLS_LABELS
	MPLS_OTHER, // behind the labels is neither IPv4 nor IPv6
};

// Takes all labels away: the Ethernet header moves up to what follows, which is IPv4 or IPv6 by its
// first four bits (RFC 3032 leaves it to the label to say, RFC 4928 what else has other bits). On
// failure the packet is as it was.
enum mpls_fault mpls_pop(struct rte_mbuf *m);
