// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// When may the control thread reuse memory that it took out of a table? When every lcore has been seen
// between two bursts since (rte_rcu_qsbr). Lcores say so in their loop, not in tasks: nothing of it is
// on the path of a packet. A task keeps no pointer into a table from one poll to the next.
#pragma once

#include "base/err.h"

#include <rte_rcu_qsbr.h>
#include <stdbool.h>

#define TABLE_RCU_LCORES RTE_MAX_LCORE

extern struct rte_rcu_qsbr *table_rcu; // NULL until table_rcu_begin

// ---- of an lcore, by its number in EAL

// It begins to poll; from here on it must say table_rcu_between now and then.
static inline void table_rcu_enter(unsigned lcore)
{
	if (table_rcu == NULL)
		return;
	rte_rcu_qsbr_thread_register(table_rcu, lcore);
	rte_rcu_qsbr_thread_online(table_rcu, lcore);
}

// Between two polls: it holds nothing of a table. Every millisecond or so is often enough.
static __rte_always_inline void table_rcu_between(unsigned lcore)
{
	if (table_rcu != NULL)
		rte_rcu_qsbr_quiescent(table_rcu, lcore);
}

// It stops polling for a time unknown (a task told to stop), or for good.
static inline void table_rcu_leave(unsigned lcore)
{
	if (table_rcu == NULL)
		return;
	rte_rcu_qsbr_thread_offline(table_rcu, lcore);
	rte_rcu_qsbr_thread_unregister(table_rcu, lcore);
}

// ---- of the control thread, and of EAL's for interrupts

// Once in a process: it stays, as a thread may be waiting with it at any time.
int table_rcu_begin(struct err *err);

// Waits until every lcore that polls has been between two polls. ETIMEDOUT after 2 s: one of them is
// held up by an output that takes nothing (drop=no).
int table_rcu_wait(struct err *err);
