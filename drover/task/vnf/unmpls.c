// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// unmpls: labels are taken away; packets without go through.

#include "task/proto/ip4.h"
#include "task/proto/mpls.h"
#include "task/task.h"

#include <rte_ether.h>
#include <string.h>

#define DROPS(DROP)                \
	DROP(SHORT, "too short")   \
	DROP(LABELS, "bad labels") \
	DROP(NOT_IP, "not ip")     \
	DROP(RESERVED, "reserved label")

TASK_DROP_REASONS(DROPS);

static unsigned drop_for(enum mpls_fault f)
{
	switch (f) {
	case MPLS_SHORT:
		return DROP_SHORT;
	case MPLS_OTHER:
		return DROP_NOT_IP;
	case MPLS_RESERVED:
		return DROP_RESERVED;
	default:
		return DROP_LABELS;
	}
}

#define EXPLICIT_NULL 0
#define EXPLICIT_NULL_6 2
#define ENTROPY_INDICATOR 7

bool mpls_step(struct mpls_walk *w, uint32_t label)
{
	if (w->entropy) {
		w->entropy = false;
		return true;
	}
	if (likely((label & LABEL_ORDINARY) != 0))
		return true;
	switch (rte_be_to_cpu_32(label) >> 12) {
	case EXPLICIT_NULL:
		w->after = 4;
		return true;
	case EXPLICIT_NULL_6:
		w->after = 6;
		return true;
	case ENTROPY_INDICATOR:
		w->entropy = true;
		return (label & LABEL_BOTTOM) == 0;
	default:
		return false;
	}
}

enum mpls_fault mpls_pop(struct rte_mbuf *m)
{
	struct rte_ether_hdr eth;
	unsigned at = RTE_ETHER_HDR_LEN;
	struct mpls_walk walk = {0};
	uint32_t label;
	uint8_t version;

	if (!mbuf_pull(m, at))
		return MPLS_SHORT;
	memcpy(&eth, rte_pktmbuf_mtod(m, void *), sizeof(eth));
	if (eth.ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_MPLS))
		return MPLS_NONE;
	for (bool bottom = false; !bottom; at += MPLS_LEN) {
		if (at == RTE_ETHER_HDR_LEN + MPLS_LABELS * MPLS_LEN)
			return MPLS_DEEP;
		if (!mbuf_pull(m, at + MPLS_LEN + 1))
			return MPLS_SHORT;
		memcpy(&label, rte_pktmbuf_mtod_offset(m, void *, at), sizeof(label));
		bottom = (label & LABEL_BOTTOM) != 0;
		if (!mpls_step(&walk, label))
			return MPLS_RESERVED;
	}
	version = *rte_pktmbuf_mtod_offset(m, uint8_t *, at) >> 4;
	if ((version != 4 && version != 6) || (walk.after != 0 && version != walk.after))
		return MPLS_OTHER;
	eth.ether_type = rte_cpu_to_be_16(version == 6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	memcpy(rte_pktmbuf_adj(m, (uint16_t)(at - sizeof(eth))), &eth, sizeof(eth));
	return MPLS_OK;
}

static uint16_t poll_unmpls(struct task *t)
{
	struct rte_mbuf *m[BURST];
	uint16_t n = task_rx(t, m), out = 0;
	uint32_t bytes = 0, sent = 0;

	for (uint16_t i = 0; i < n; i++) {
		enum mpls_fault f;

		bytes += m[i]->pkt_len;
		f = mpls_pop(m[i]);
		if (unlikely(f != MPLS_OK && f != MPLS_NONE)) {
			task_drop(t, drop_for(f), m[i]);
			continue;
		}
		sent += m[i]->pkt_len;
		m[out++] = m[i];
	}
	t->counters.rx_bytes += bytes;
	if (out > 0)
		task_tx(t, m, out, sent);
	return n;
}

static int init_unmpls(struct task *t, const void *conf, struct err *err)
{
	(void)conf;
	(void)err;
	t->poll = poll_unmpls;
	return 0;
}

static struct task_mode unmpls = {
	.name = "unmpls",
	.help = "MPLS labels are taken away",
	.wants_rx = true,
	.wants_tx = true,
	.passes = true,
	TASK_DROP_NAMES,
	.init = init_unmpls,
};
TASK_MODE(unmpls)
