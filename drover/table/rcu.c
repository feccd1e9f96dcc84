// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "table/rcu.h"

#include <errno.h>
#include <rte_cycles.h>

#define WAIT_MICROSECONDS 2000000
#define STEP_MICROSECONDS 50

struct rte_rcu_qsbr *table_rcu;

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
