// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// tagmpls: a label is put in front of every packet. Packets that have labels get one more.

#include "task/output.h"
#include "task/proto/ip4.h"
#include "task/proto/mpls.h"
#include "task/task.h"

#include <rte_ether.h>
#include <string.h>

struct tagmpls_conf {
	uint32_t label;
};

struct tagmpls {
	uint32_t bottom, above; // the label, as in a packet
	uint32_t longest;	// packet that the output takes with one label more
};

#define DROPS(DROP)                \
	DROP(SHORT, "too short")   \
	DROP(TOO_LONG, "too long") \
	DROP(HEADROOM, "no headroom")

TASK_DROP_REASONS(DROPS);

static uint16_t poll_tagmpls(struct task *t)
{
	const struct tagmpls *l = t->state;
	struct rte_mbuf *m[BURST];
	uint16_t n = task_rx(t, m), out = 0;
	uint32_t bytes = 0, sent = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_ether_hdr eth;
		const uint32_t *label;
		char *at;

		bytes += m[i]->pkt_len;
		if (unlikely(m[i]->data_len < sizeof(eth)) && !mbuf_pull(m[i], sizeof(eth))) {
			task_drop(t, DROP_SHORT, m[i]);
			continue;
		}
		if (unlikely(m[i]->pkt_len > l->longest)) {
			task_drop(t, DROP_TOO_LONG, m[i]);
			continue;
		}
		memcpy(&eth, rte_pktmbuf_mtod(m[i], void *), sizeof(eth));
		at = rte_pktmbuf_prepend(m[i], MPLS_LEN);
		if (unlikely(at == NULL)) {
			task_drop(t, DROP_HEADROOM, m[i]);
			continue;
		}
		label = eth.ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_MPLS) ? &l->above
										: &l->bottom;
		eth.ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_MPLS);
		memcpy(at, &eth, sizeof(eth));
		memcpy(at + sizeof(eth), label, sizeof(*label));
		sent += m[i]->pkt_len;
		m[out++] = m[i];
	}
	t->counters.rx_bytes += bytes;
	if (out > 0)
		task_tx(t, m, out, sent);
	return n;
}

static int init_tagmpls(struct task *t, const void *arg, struct err *err)
{
	const struct tagmpls_conf *c = arg;
	struct tagmpls *l = t->state;

	(void)err;
	l->above = rte_cpu_to_be_32(c->label << 12 | MPLS_TTL);
	l->bottom = l->above | rte_cpu_to_be_32(1 << 8);
	l->longest = (uint32_t)RTE_ETHER_HDR_LEN + output_of(t, 0).mtu - MPLS_LEN;
	t->poll = poll_tagmpls;
	return 0;
}

#define KEY_CONF struct tagmpls_conf
static const struct key keys[] = {
	KEY_U32("label", label, 0, (1 << 20) - 1, "the label (default 0: explicit null)"),
	{NULL},
};

static struct task_mode tagmpls = {
	.name = "tagmpls",
	.help = "an MPLS label is put in front",
	.wants_rx = true,
	.wants_tx = true,
	.passes = true,
	.adds = MPLS_LEN,
	.keys = keys,
	.conf_size = sizeof(struct tagmpls_conf),
	TASK_DROP_NAMES,
	.state_size = sizeof(struct tagmpls),
	.init = init_tagmpls,
};
TASK_MODE(tagmpls)
