// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// none: packets go from one port to another untouched (paper §6.1.1).

#include "task/task.h"

static uint16_t poll_none(struct task *t)
{
	struct rte_mbuf *m[BURST];
	uint16_t n = task_rx(t, m);

	if (n > 0)
		task_tx_to(t, &t->out[0], m, n, NULL);
	return n;
}

static int init_none(struct task *t, const void *conf, struct err *err)
{
	(void)conf;
	(void)err;
	t->poll = poll_none;
	return 0;
}

static struct task_mode none = {
	.name = "none",
	.alias = "nop",
	.help = "packets go from one port to another untouched",
	.wants_rx = true,
	.wants_tx = true,
	.passes = true,
	.blind = true,
	.init = init_none,
};
TASK_MODE(none)
