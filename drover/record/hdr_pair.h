// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A histogram that an lcore fills while the control side reads it. There are two: the control side asks
// the lcore to change to the other one, and then has the first to itself.
#pragma once

#include "record/hdr.h"

#include <rte_common.h>
#include <stdbool.h>

struct hdr_pair {
	unsigned swaps; // done; the lcore fills hist[swaps & 1]
	unsigned asked; // swaps the control side wants
	struct hdr hist[2] __rte_cache_aligned;
	// of the control side
	bool pending; // a swap was asked for and has not been seen done
	bool forget;  // what it brings precedes the last clear
	struct hdr total, view;
};

// Before use.
void hdr_pair_init(struct hdr_pair *p);

// ---- of the lcore

// Once a poll: changes histograms when it was asked to.
static __rte_always_inline void hdr_pair_swap(struct hdr_pair *p)
{
	unsigned asked = __atomic_load_n(&p->asked, __ATOMIC_ACQUIRE);

	if (__builtin_expect(asked != p->swaps, 0))
		__atomic_store_n(&p->swaps, asked, __ATOMIC_RELEASE);
}

// The one to fill until the next hdr_pair_swap.
static __rte_always_inline struct hdr *hdr_pair_mine(struct hdr_pair *p)
{
	return &p->hist[p->swaps & 1];
}

// ---- of the control side

// All that was recorded since the last clear. Waits up to 20 ms for the lcore; where it does not poll,
// what it left behind is read in place.
const struct hdr *hdr_pair_view(struct hdr_pair *p);
void hdr_pair_clear(struct hdr_pair *p);
