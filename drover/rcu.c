// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "rcu.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_malloc.h>

#define WAIT_MICROSECONDS 2000000
#define STEP_MICROSECONDS 50

struct rte_rcu_qsbr *rcu[RCU_COUNT];

int rcu_begin(struct err *err)
{
	size_t size = rte_rcu_qsbr_get_memsize(RCU_LCORES);

	for (unsigned i = 0; i < RCU_COUNT; i++) {
		struct rte_rcu_qsbr *v;

		if (rcu[i] != NULL)
			continue;
		v = rte_zmalloc("rcu", size, RTE_CACHE_LINE_SIZE);
		if (v == NULL || rte_rcu_qsbr_init(v, RCU_LCORES) != 0) {
			rte_free(v);
			return err_oom(err);
		}
		rcu[i] = v;
	}
	return 0;
}

void rcu_enter(unsigned lcore)
{
	for (unsigned i = 0; i < RCU_COUNT; i++) {
		if (rcu[i] == NULL)
			continue;
		rte_rcu_qsbr_thread_register(rcu[i], lcore);
		rte_rcu_qsbr_thread_online(rcu[i], lcore);
	}
}

void rcu_leave(unsigned lcore)
{
	for (unsigned i = 0; i < RCU_COUNT; i++) {
		if (rcu[i] == NULL)
			continue;
		rte_rcu_qsbr_thread_offline(rcu[i], lcore);
		rte_rcu_qsbr_thread_unregister(rcu[i], lcore);
	}
}

int rcu_wait(enum rcu_of of, struct err *err)
{
	uint64_t token;

	if (rcu[of] == NULL)
		return 0;
	token = rte_rcu_qsbr_start(rcu[of]);
	for (unsigned us = 0; us < WAIT_MICROSECONDS; us += STEP_MICROSECONDS) {
		if (rte_rcu_qsbr_check(rcu[of], token, false) == 1)
			return 0;
		rte_delay_us_sleep(STEP_MICROSECONDS);
	}
	return err_set(
		err,
		ETIMEDOUT,
		"a core did not end its burst for %d s: does an output with drop=no take nothing?",
		WAIT_MICROSECONDS / 1000000
	);
}
