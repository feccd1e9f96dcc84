// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Choosing one of a task's outputs by what must stay together.
#pragma once

#include "task/task.h"

#include <rte_hash_crc.h>
#include <rte_prefetch.h>

#define LB_AHEAD 4

// One of the outputs for that protocol, the same for the same key.
static __rte_always_inline unsigned lb_output(
	const struct task *t, enum task_proto p, uint32_t hash
)
{
	const struct task_set *s = &t->set[likely(t->set[p].n > 0) ? p : PROTO_IPV4];

	return s->first + (unsigned)(((uint64_t)hash * s->n) >> 32);
}

static __rte_always_inline uint32_t lb_hash(uint32_t key)
{
	return rte_hash_crc_4byte(key, 0x9e3779b9);
}

static __rte_always_inline enum task_proto lb_proto(uint16_t type)
{
	if (likely(type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)))
		return PROTO_IPV4;
	return type == rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP)    ? PROTO_ARP
	       : type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6) ? PROTO_IPV6
							       : PROTO_IPV4;
}

// One burst. choose: what to drop the packet for, or 0 and its output.
typedef unsigned (*lb_fn)(const struct task *t, struct rte_mbuf *m, unsigned *ret);
static __rte_always_inline uint16_t lb_poll(struct task *t, lb_fn choose)
{
	struct rte_mbuf *m[BURST];
	uint16_t n = task_rx(t, m);
	uint32_t bytes = 0, sent = 0;

	for (uint16_t i = 0; i < LB_AHEAD && i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
	for (uint16_t i = 0; i < n; i++) {
		unsigned output = 0, why;

		if (i + LB_AHEAD < n)
			rte_prefetch0(rte_pktmbuf_mtod(m[i + LB_AHEAD], void *));
		bytes += m[i]->pkt_len;
		why = choose(t, m[i], &output);
		if (unlikely(why != 0))
			task_drop(t, why, m[i]);
		else
			task_put(t, output, m[i], &sent);
	}
	t->counters.rx_bytes += bytes;
	task_flush(t, sent);
	return n;
}
