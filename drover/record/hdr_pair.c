// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "record/hdr_pair.h"

#include <rte_cycles.h>

// An lcore that does not poll for so long is not waited for.
#define SWAP_TRIES 200
#define SWAP_WAIT 100 // microseconds

void hdr_pair_init(struct hdr_pair *p)
{
	*p = (struct hdr_pair){0};
	hdr_clear(&p->hist[0]);
	hdr_clear(&p->hist[1]);
	hdr_clear(&p->total);
}

// If the lcore has changed to the other histogram, this one is ours until we ask again.
static bool collect(struct hdr_pair *p)
{
	struct hdr *idle = &p->hist[(p->asked & 1) ^ 1];

	if (__atomic_load_n(&p->swaps, __ATOMIC_ACQUIRE) != p->asked)
		return false;
	if (!p->forget)
		hdr_merge(&p->total, idle);
	hdr_clear(idle);
	p->forget = false;
	p->pending = false;
	return true;
}

// Adds up in `total` what was recorded until now. False: the lcore does not poll.
static bool harvest(struct hdr_pair *p)
{
	if (p->pending && !collect(p))
		return false;
	p->pending = true;
	__atomic_store_n(&p->asked, p->asked + 1, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < SWAP_TRIES; i++) {
		if (collect(p))
			return true;
		rte_delay_us_sleep(SWAP_WAIT);
	}
	return false;
}

const struct hdr *hdr_pair_view(struct hdr_pair *p)
{
	if (harvest(p))
		return &p->total;
	p->view = p->total;
	if (!p->forget) {
		hdr_merge(&p->view, &p->hist[0]);
		hdr_merge(&p->view, &p->hist[1]);
	}
	return &p->view;
}

void hdr_pair_clear(struct hdr_pair *p)
{
	if (!harvest(p))
		p->forget = true;
	hdr_clear(&p->total);
}
