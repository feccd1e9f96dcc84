// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a task must know of its outputs.
#pragma once

#include "task/task.h"

#include <rte_ethdev.h>
#include <string.h>

struct output {
	struct rte_ether_addr mac; // zero: it leads to a task with several outputs, or to none
	uint16_t mtu;		   // greatest IP packet; no limit there
};

#define OUTPUT_HOPS 8 // a chain of tasks that is longer, or a circle, is not followed

// The port that it leads to, be it through tasks with one output each; else the last output found.
static inline const struct task_out *output_port(const struct task_out *out)
{
	for (unsigned i = 0; i < OUTPUT_HOPS && out->ring != NULL && out->to != NULL; i++) {
		if (out->to->nout != 1)
			break;
		out = &out->to->out[0];
	}
	return out;
}

static inline struct output output_of(const struct task *t, unsigned i)
{
	struct output o = {.mtu = UINT16_MAX};
	const struct task_out *out = output_port(&t->out[i]);

	if (out->ring != NULL || out->port >= RTE_MAX_ETHPORTS)
		return o;
	if (rte_eth_dev_get_mtu(out->port, &o.mtu) < 0)
		o.mtu = RTE_ETHER_MTU;
	if (rte_eth_macaddr_get(out->port, &o.mac) < 0)
		memset(&o.mac, 0, sizeof(o.mac));
	return o;
}
