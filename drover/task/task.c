// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "task/task.h"

#include <string.h>

static struct task_mode *modes;

void task_mode_register(struct task_mode *m)
{
	struct task_mode **at = &modes;

	while (*at != NULL && strcmp((*at)->name, m->name) < 0)
		at = &(*at)->next;
	m->next = *at;
	*at = m;
}

const struct task_mode *task_modes(void)
{
	return modes;
}

const struct task_mode *task_mode_find(const char *name)
{
	for (const struct task_mode *m = modes; m != NULL; m = m->next) {
		if (strcmp(m->name, name) == 0 || (m->alias != NULL && strcmp(m->alias, name) == 0))
			return m;
	}
	return NULL;
}

const char *task_drop_name(const struct task_mode *mode, unsigned reason)
{
	static const char *const common[DROP_COMMON] = {[DROP_TX_FULL] = "tx full"};
	unsigned n = 0;

	if (reason < DROP_COMMON)
		return common[reason];
	while (mode->drops != NULL && mode->drops[n] != NULL)
		n++;
	return reason - DROP_COMMON < n ? mode->drops[reason - DROP_COMMON] : NULL;
}

uint16_t task_tx_rest(struct task *t, struct rte_mbuf **m, uint16_t n, uint16_t sent)
{
	while (t->keep && sent < n && !__atomic_load_n(&t->control.stopped, __ATOMIC_RELAXED))
		sent += rte_eth_tx_burst(t->tx.port, t->tx.queue, m + sent, n - sent);
	if (sent < n) {
		t->counters.drops[DROP_TX_FULL] += n - sent;
		rte_pktmbuf_free_bulk(m + sent, n - sent);
	}
	return sent;
}
