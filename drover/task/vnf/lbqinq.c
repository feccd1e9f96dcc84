// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// lbqinq: shares the access side's packets out among workers, by the two tags: all packets of a
// subscriber go to one worker.

#include "config/table_keys.h"
#include "task/proto/ip4.h"
#include "task/proto/qinq.h"
#include "task/task.h"
#include "task/vnf/lb.h"

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

static __rte_always_inline unsigned choose(const struct task *t, struct rte_mbuf *m, unsigned *ret)
{
	const struct lbqinq *l = t->state;
	const struct qinq_hdr *h = rte_pktmbuf_mtod(m, struct qinq_hdr *);
	uint64_t v;

	if (unlikely(m->data_len < QINQ_LEN) && !mbuf_pull(m, QINQ_LEN))
		return DROP_SHORT;
	memcpy(&v, &h->stype, sizeof(v));
	if (unlikely((v & QINQ_TYPES_MASK) != l->types))
		return DROP_NOT_QINQ;
	// the worker learns from it where the CPE is
	if (likely(l->port != RTE_MAX_ETHPORTS))
		m->port = l->port;
	*ret = lb_output(t, lb_proto(h->type), lb_hash(qinq_tags(v)));
	return 0;
}

static uint16_t poll_lbqinq(struct task *t)
{
	return lb_poll(t, choose);
}

static int init_lbqinq(struct task *t, const void *arg, struct err *err)
{
	const struct lbqinq_conf *c = arg;
	struct lbqinq *l = t->state;
	uint16_t stype;

	if (qinq_stype(c->stype, &stype, err) < 0)
		return -err->code;
	l->types = qinq_types(stype);
	l->port = t->nrx == 1 && t->rx[0].ring == NULL ? t->rx[0].port : RTE_MAX_ETHPORTS;
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
	.state_size = sizeof(struct lbqinq),
	.puts = true,
	.init = init_lbqinq,
};
TASK_MODE(lbqinq)
