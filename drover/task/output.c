// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "task/output.h"

#include "port/address.h"

#include <rte_ethdev.h>

#define TASKS 256

// Tasks are looked behind once: rings may lead in a circle.
struct walk {
	const struct task *seen[TASKS];
	unsigned nseen;
	struct output found;
	bool any;
};

static void meet_port(struct walk *w, uint16_t port, unsigned adds)
{
	uint16_t mtu;

	if (rte_eth_dev_get_mtu(port, &mtu) < 0)
		mtu = RTE_ETHER_MTU;
	mtu = (uint16_t)(mtu > adds ? mtu - adds : 0);
	if (mtu < w->found.mtu)
		w->found.mtu = mtu;
	if (!w->any)
		w->found.mac = port_address(port);
	w->any = true;
}

static bool first_time(struct walk *w, const struct task *t)
{
	for (unsigned i = 0; i < w->nseen; i++) {
		if (w->seen[i] == t)
			return false;
	}
	if (w->nseen == TASKS)
		return false;
	w->seen[w->nseen++] = t;
	return true;
}

// adds: bytes that tasks on the way put in front.
static void follow(struct walk *w, const struct task *t, unsigned i, unsigned adds)
{
	const struct task *next = t->leads[i];

	if (next == NULL) {
		if (t->out[i].ring == NULL && t->out[i].port < RTE_MAX_ETHPORTS)
			meet_port(w, t->out[i].port, adds);
		return;
	}
	if (!next->mode->passes || !first_time(w, next))
		return;
	for (unsigned k = 0; k < next->nout; k++)
		follow(w, next, k, adds + next->mode->adds);
}

struct output output_of(const struct task *t, unsigned i)
{
	struct walk w = {.found = {.mtu = UINT16_MAX}};

	follow(&w, t, i, 0);
	return w.found;
}
