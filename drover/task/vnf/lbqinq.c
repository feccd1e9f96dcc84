// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// lbqinq: shares the access side's packets out among workers, by the two tags: all packets of a
// subscriber go to one worker.

#include "config/table_keys.h"
#include "task/proto/ip4.h"
#include "task/proto/qinq.h"
#include "task/task.h"
#include "task/vnf/lb.h"

#include <rte_malloc.h>
#include <rte_prefetch.h>

#define AHEAD 4

struct lbqinq_conf {
	uint32_t stype;
};

struct lbqinq {
	uint64_t types;
	uint16_t port; // where packets come from; RTE_MAX_ETHPORTS: each says so itself
};

#define DROPS(DROP)              \
	DROP(SHORT, "too short") \
	DROP(NOT_QINQ, "not qinq")

TASK_DROP_REASONS(DROPS);

static uint16_t poll_lbqinq(struct task *t)
{
	const struct lbqinq *l = t->state;
	struct rte_mbuf *m[BURST];
	uint16_t n = task_rx(t, m);
	uint32_t bytes = 0, sent = 0;

	for (uint16_t i = 0; i < AHEAD && i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
	for (uint16_t i = 0; i < n; i++) {
		const struct qinq_hdr *h = rte_pktmbuf_mtod(m[i], struct qinq_hdr *);
		uint64_t v;

		if (i + AHEAD < n)
			rte_prefetch0(rte_pktmbuf_mtod(m[i + AHEAD], void *));
		bytes += m[i]->pkt_len;
		if (unlikely(m[i]->data_len < QINQ_LEN) && !mbuf_pull(m[i], QINQ_LEN)) {
			task_drop(t, DROP_SHORT, m[i]);
			continue;
		}
		memcpy(&v, &h->stype, sizeof(v));
		if (unlikely((v & QINQ_TYPES_MASK) != l->types)) {
			task_drop(t, DROP_NOT_QINQ, m[i]);
			continue;
		}
		// the worker learns from it where the CPE is
		if (likely(l->port != RTE_MAX_ETHPORTS))
			m[i]->port = l->port;
		task_put(t, lb_output(t, lb_proto(h->type), lb_hash(qinq_tags(v))), m[i], &sent);
	}
	t->counters.rx_bytes += bytes;
	task_flush(t, sent);
	return n;
}

static int init_lbqinq(struct task *t, const void *arg, struct err *err)
{
	const struct lbqinq_conf *c = arg;
	struct lbqinq *l;
	uint16_t stype;

	if (qinq_stype(c->stype, &stype, err) < 0 || task_make_stage(t, err) < 0)
		return -err->code;
	l = rte_zmalloc_socket("lbqinq", sizeof(*l), RTE_CACHE_LINE_SIZE, t->socket);
	if (l == NULL)
		return err_oom(err);
	l->types = qinq_types(stype);
	l->port = t->nrx == 1 && t->rx[0].ring == NULL ? t->rx[0].port : RTE_MAX_ETHPORTS;
	t->state = l;
	t->poll = poll_lbqinq;
	return 0;
}

#define KEY_CONF struct lbqinq_conf
static const struct key keys[] = {
	KEY_QINQ_TAG(stype, "type of the S-tag: 0x88a8 (default), 0x8100"),
	{NULL},
};

static struct task_mode lbqinq = {
	.name = "lbqinq",
	.help = "packets with two tags are shared out among outputs, by the tags",
	.wants_rx = true,
	.wants_tx = true,
	.many_tx = true,
	.by_proto = true,
	.passes = true,
	.keys = keys,
	.conf_size = sizeof(struct lbqinq_conf),
	TASK_DROP_NAMES,
	.init = init_lbqinq,
};
TASK_MODE(lbqinq)
