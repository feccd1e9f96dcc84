// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What an lcore runs: its tasks in turn, for ever.

#include "plane.h"

#include "rcu.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_pause.h>
#include <sched.h>

// Reading the TSC costs as much as forwarding several packets. While there are packets the clock is
// looked at only now and then; while there are none, there is nothing better to do.
#define CLOCK_POLLS 1024
// Links hold 1024 packets and more: as many as come in so many polls of the other end.
#define EMPTY_POLLS 16
#define EMPTY_BURSTS 32 // and no more at once, whoever sends

static __rte_always_inline bool flag(const bool *f)
{
	return __atomic_load_n(f, __ATOMIC_RELAXED);
}

static __rte_always_inline bool pauses(const struct task *t)
{
	return flag(&t->control.stopped) || flag(&t->control.held);
}

// Accounts the time since the last look to what the task did since then.
static __rte_always_inline uint64_t account(struct task *t, bool busy, uint64_t last)
{
	uint64_t now = rte_rdtsc();

	if (busy)
		t->counters.busy += now - last;
	else
		t->counters.idle += now - last;
	return now;
}

// Throws away what comes over links that no task reads.
static __rte_noinline void empty(const struct plane_lcore *l)
{
	for (unsigned i = 0; i < l->nunread && !flag(&l->held); i++) {
		for (unsigned k = 0; k < EMPTY_BURSTS; k++) {
			struct rte_mbuf *m[BURST];
			uint16_t n = rte_eth_rx_burst(l->unread[i], 0, m, BURST);

			rte_pktmbuf_free_bulk(m, n);
			if (n < BURST)
				break;
		}
	}
}

// One task has the core to itself. A run of busy polls is accounted when the first empty one ends it,
// which counts as busy too: a few dozen cycles.
static void loop_one(struct plane *p, const struct plane_lcore *l, struct task *t)
{
	uint64_t last = rte_rdtsc();
	bool busy = false;

	while (!flag(&p->quit)) {
		for (unsigned i = 0; i < CLOCK_POLLS; i++) {
			if (i % EMPTY_POLLS == 0 && unlikely(l->nunread > 0))
				empty(l);
			if (t->poll(t) > 0) {
				t->counters.bursts++;
				busy = true;
				// told to stop with a full output: nothing more is taken in
				if (unlikely(t->keep) && pauses(t))
					break;
			} else {
				last = account(t, busy, last);
				busy = false;
			}
		}
		t->counters.polls += CLOCK_POLLS;
		last = account(t, busy, last);
		busy = false;
		rcu_between(t->lcore);
		if (unlikely(pauses(t))) {
			rcu_leave(t->lcore);
			while (pauses(t) && !flag(&p->quit))
				rte_pause();
			rcu_enter(t->lcore);
			last = rte_rdtsc();
		}
	}
}

// Several tasks: the clock is read between them.
static void loop_many(struct plane *p, const struct plane_lcore *l)
{
	struct task *const *tasks = l->tasks;
	const unsigned n = l->ntasks;
	uint64_t last = rte_rdtsc();

	while (!flag(&p->quit)) {
		for (unsigned i = 0; i < n; i++) {
			struct task *t = tasks[i];
			uint16_t got;

			if (unlikely(pauses(t)))
				continue;
			got = t->poll(t);
			t->counters.polls++;
			t->counters.bursts += got > 0;
			last = account(t, got > 0, last);
		}
		if (unlikely(l->nunread > 0))
			empty(l);
		rcu_between(l->lcore);
	}
}

// The CPU is shared with other polling lcores (--squeeze): whoever finds nothing lets the others run.
static void loop_squeezed(struct plane *p, const struct plane_lcore *l)
{
	struct task *const *tasks = l->tasks;
	const unsigned n = l->ntasks;
	uint64_t last = rte_rdtsc();

	while (!flag(&p->quit)) {
		bool any = false;

		for (unsigned i = 0; i < n; i++) {
			struct task *t = tasks[i];
			uint16_t got;

			if (pauses(t))
				continue;
			got = t->poll(t);
			t->counters.polls++;
			t->counters.bursts += got > 0;
			last = account(t, got > 0, last);
			any = any || got > 0;
		}
		if (unlikely(l->nunread > 0))
			empty(l);
		rcu_between(l->lcore);
		if (!any)
			sched_yield();
	}
}

int lcore_main(void *arg)
{
	struct plane_lcore *l = arg;

	while (!flag(&l->plane->go) && !flag(&l->plane->quit))
		rte_pause();
	rcu_enter(l->lcore);
	if (l->squeezed)
		loop_squeezed(l->plane, l);
	else if (l->ntasks == 1)
		loop_one(l->plane, l, l->tasks[0]);
	else if (l->ntasks > 1)
		loop_many(l->plane, l);
	rcu_leave(l->lcore);
	return 0;
}
