// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// mirror: every packet goes to every output.
//
// Who only reads a packet, a port that puts it on a wire, can share its data with others: it gets a clone,
// a header of its own in front of the same bytes. A task may write into what it is given, and so may
// whoever reads a port that is a ring: they get a copy. The packet itself goes to the last output of
// those that share, else to the last of all.

#include "task/task.h"

#include <rte_ethdev.h>
#include <string.h>

#define TIMES_MAX 32

struct mirror_conf {
	uint32_t times;
	uint32_t sub_mode;
};

enum {
	SHARE = 0, // by output, as above
	COPY,
};

struct mirror {
	uint32_t times;
	unsigned last; // output that the packet itself goes to
	bool copy[TASK_OUTPUTS];
};

#define DROPS(DROP) DROP(NO_BUFFER, "no buffer")

TASK_DROP_REASONS(DROPS);

// One more of it; NULL: there is no buffer.
static struct rte_mbuf *again(struct rte_mempool *pool, struct rte_mbuf *m, bool copy)
{
	if (!copy)
		return rte_pktmbuf_clone(m, pool);
	// which makes no copy of nothing
	if (likely(m->pkt_len > 0))
		return rte_pktmbuf_copy(m, pool, 0, UINT32_MAX);
	return rte_pktmbuf_alloc(pool);
}

static void send_again(struct task *t, unsigned to, struct rte_mbuf **m, uint16_t n)
{
	const struct mirror *s = t->state;
	struct rte_mbuf *more[BURST];
	uint32_t bytes = 0;
	uint16_t made = 0;

	for (uint16_t i = 0; i < n; i++) {
		more[made] = again(t->pool, m[i], s->copy[to]);
		if (unlikely(more[made] == NULL))
			continue;
		bytes += m[i]->pkt_len;
		made++;
	}
	t->counters.drops[DROP_NO_BUFFER] += (uint64_t)(n - made);
	if (likely(made > 0))
		task_send(t, to, more, made, bytes);
}

static uint16_t poll_mirror(struct task *t)
{
	const struct mirror *s = t->state;
	struct rte_mbuf *m[BURST];
	uint16_t n = task_rx(t, m);
	uint32_t bytes = 0;

	if (n == 0)
		return 0;
	for (uint16_t i = 0; i < n; i++)
		bytes += m[i]->pkt_len;
	t->counters.rx_bytes += bytes;
	for (unsigned to = 0; to < t->nout; to++) {
		// the packet itself is one of those for the last
		for (uint32_t k = to == s->last; k < s->times; k++)
			send_again(t, to, m, n);
	}
	task_send(t, s->last, m, n, bytes);
	return n;
}

// Whether what is sent there may be written into by whoever takes it.
static bool writes(const struct task_out *out)
{
	struct rte_eth_dev_info info;

	return out->ring != NULL || rte_eth_dev_info_get(out->port, &info) < 0
	       || strcmp(info.driver_name, "net_ring") == 0;
}

static int init_mirror(struct task *t, const void *arg, struct err *err)
{
	const struct mirror_conf *c = arg;
	struct mirror *s = t->state;

	(void)err;
	s->times = c->times;
	s->last = t->nout - 1u;
	for (unsigned i = 0; i < t->nout; i++) {
		s->copy[i] = c->sub_mode == COPY || writes(&t->out[i]);
		if (!s->copy[i])
			s->last = i;
	}
	t->poll = poll_mirror;
	return 0;
}

static void defaults_mirror(void *arg)
{
	*(struct mirror_conf *)arg = (struct mirror_conf){.times = 1};
}

static const char *const sub_modes[] = {[SHARE] = "l2", [COPY] = "copy", NULL};

#define KEY_CONF struct mirror_conf
static const struct key keys[] = {
	KEY_U32("multiplier", times, 1, TIMES_MAX, "how often to each output; default 1"),
	KEY_WORD(
		"sub mode",
		sub_mode,
		sub_modes,
		"copy: ports get copies too; l2 (default): ports share the bytes of a packet"
	),
	{NULL},
};

static struct task_mode mirror = {
	.name = "mirror",
	.help = "every packet goes to every output",
	.wants_rx = true,
	.wants_tx = true,
	.many_tx = true,
	.passes = true,
	.keys = keys,
	.conf_size = sizeof(struct mirror_conf),
	.defaults = defaults_mirror,
	TASK_DROP_NAMES,
	.state_size = sizeof(struct mirror),
	.init = init_mirror,
};
TASK_MODE(mirror)
