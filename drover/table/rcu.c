// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "table/rcu.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_malloc.h>

#define WAIT_MICROSECONDS 2000000
#define STEP_MICROSECONDS 50

struct rte_rcu_qsbr *table_rcu;

int table_rcu_begin(struct err *err)
{
	size_t size = rte_rcu_qsbr_get_memsize(TABLE_RCU_LCORES);
	struct rte_rcu_qsbr *rcu;

	if (table_rcu != NULL)
		return 0;
	rcu = rte_zmalloc("table rcu", size, RTE_CACHE_LINE_SIZE);
	if (rcu == NULL || rte_rcu_qsbr_init(rcu, TABLE_RCU_LCORES) != 0) {
		rte_free(rcu);
		return err_oom(err);
	}
	table_rcu = rcu;
	return 0;
}

int table_rcu_wait(struct err *err)
{
	uint64_t token;

	if (table_rcu == NULL)
		return 0;
	token = rte_rcu_qsbr_start(table_rcu);
	for (unsigned us = 0; us < WAIT_MICROSECONDS; us += STEP_MICROSECONDS) {
		if (rte_rcu_qsbr_check(table_rcu, token, false) == 1)
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
