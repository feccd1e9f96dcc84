// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "task/task.h"

#include "rcu.h"

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_pause.h>
#include <sched.h>
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

	if (reason < DROP_COMMON)
		return common[reason];
	return reason - DROP_COMMON < mode->ndrops ? mode->drops[reason - DROP_COMMON] : NULL;
}

uint16_t task_rx_many(struct task *t, struct rte_mbuf **m)
{
	const struct task_in *in = &t->rx[t->next_rx];
	uint64_t now;
	uint16_t n;

	if (++t->next_rx >= t->nrx + t->nctrl)
		t->next_rx = 0;
	// the control path's turn comes when it is due
	if (t->next_rx == t->nrx && t->nctrl > 0) {
		now = rte_rdtsc();
		if (now < t->ctrl_due)
			t->next_rx = 0;
		else
			t->ctrl_due = now + t->ctrl_cycles;
	}
	n = task_rx_one(in, m);
	return n;
}

static bool fits(const struct task_gate *g, const struct rte_mbuf *m)
{
	return g->max_segs == 0 || (m->nb_segs <= g->max_segs && m->pkt_len <= g->max_len);
}

// What does not fit is taken as well, and thrown away.
static uint16_t offer_fitting(const struct task_out *out, struct rte_mbuf **m, uint16_t n)
{
	uint16_t at = 0;

	while (at < n) {
		uint16_t first = at, sent;

		while (at < n && fits(out->gate, m[at]))
			at++;
		sent = rte_eth_tx_burst(out->port, out->queue, m + first, at - first);
		if (sent < at - first)
			return first + sent;
		if (at < n) {
			__atomic_add_fetch(&out->gate->unfit, 1, __ATOMIC_RELAXED);
			rte_pktmbuf_free(m[at++]);
		}
	}
	return at;
}

uint16_t task_offer_in_turn(const struct task_out *out, struct rte_mbuf **m, uint16_t n)
{
	uint16_t sent;

	if (!out->gate->shared)
		return offer_fitting(out, m, n);
	while (!rte_spinlock_trylock(&out->gate->lock)) {
		if (out->gate->squeezed)
			sched_yield();
		else
			rte_pause();
	}
	sent = offer_fitting(out, m, n);
	rte_spinlock_unlock(&out->gate->lock);
	return sent;
}

uint16_t task_tx_rest(
	struct task *t,
	struct task_out *out,
	struct rte_mbuf **m,
	uint16_t n,
	uint16_t sent,
	uint32_t *bytes
)
{
	while (t->keep && !out->no_wait && sent < n
	       && !__atomic_load_n(&t->control.stopped, __ATOMIC_RELAXED)
	       && !__atomic_load_n(&t->control.held, __ATOMIC_RELAXED)) {
		// who was at the other end of a link may be gone
		rcu_outside(RCU_LINKS, t->lcore);
		if (t->squeezed)
			sched_yield();
		sent += task_offer(out, m + sent, n - sent);
	}
	if (sent < n) {
		out->dropped += n - sent;
		t->counters.drops[DROP_TX_FULL] += n - sent;
		for (uint16_t i = sent; bytes != NULL && i < n; i++)
			*bytes -= m[i]->pkt_len;
		rte_pktmbuf_free_bulk(m + sent, n - sent);
	}
	return sent;
}

int task_begin(struct task *t, const void *conf, struct err *err)
{
	const struct task_mode *m = t->mode;
	size_t stage = m->puts ? t->nout * sizeof(*t->stage) : 0;
	int r = 0;

	t->state = rte_zmalloc_socket(m->name, m->state_size, RTE_CACHE_LINE_SIZE, t->socket);
	t->stage = rte_zmalloc_socket("stage", stage, RTE_CACHE_LINE_SIZE, t->socket);
	// of no bytes there is nothing
	if ((m->state_size > 0 && t->state == NULL) || (stage > 0 && t->stage == NULL))
		r = err_oom(err);
	if (r == 0)
		r = m->init(t, conf, err);
	if (r < 0)
		task_end(t);
	return r;
}

void task_end(struct task *t)
{
	if (t->state != NULL && t->mode->done != NULL)
		t->mode->done(t);
	rte_free(t->state);
	rte_free(t->stage);
	t->state = t->stage = NULL;
}
