// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a task must know of its outputs.
#pragma once

#include "task/task.h"

#include <rte_ethdev.h>
#include <string.h>

struct output {
	struct rte_ether_addr mac; // zero: it leads to another task
	uint16_t mtu;		   // greatest IP packet; of one to another task: no limit
};

static inline struct output output_of(const struct task *t, unsigned i)
{
	struct output o = {.mtu = UINT16_MAX};
	const struct task_out *out = &t->out[i];

	if (out->ring != NULL || out->port >= RTE_MAX_ETHPORTS)
		return o;
	if (rte_eth_dev_get_mtu(out->port, &o.mtu) < 0)
		o.mtu = RTE_ETHER_MTU;
	if (rte_eth_macaddr_get(out->port, &o.mac) < 0)
		memset(&o.mac, 0, sizeof(o.mac));
	return o;
}
