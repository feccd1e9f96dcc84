// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// When may memory that lcores have used go? When every lcore has been seen outside since (rte_rcu_qsbr):
//
//   RCU_TABLES  between two polls: what the control thread took out of a table. A task keeps no pointer
//               into a table from one poll to the next.
//   RCU_LINKS   between two bursts from or to a port: what a driver shared with the other end of a link.
//               An lcore that waits in a poll for an output to take something is between bursts, too.
//
// Lcores say so in their loop, not in tasks: nothing of it is on the path of a packet.
#pragma once

#include "base/err.h"

#include <rte_rcu_qsbr.h>

#define RCU_LCORES RTE_MAX_LCORE

enum rcu_of {
	RCU_TABLES = 0,
	RCU_LINKS,
	RCU_COUNT
};

extern struct rte_rcu_qsbr *rcu[RCU_COUNT]; // NULL until rcu_begin

// ---- of an lcore, by its number in EAL

static __rte_always_inline void rcu_outside(enum rcu_of of, unsigned lcore)
{
	if (rcu[of] != NULL)
		rte_rcu_qsbr_quiescent(rcu[of], lcore);
}

// Between two polls. Every millisecond or so is often enough.
static __rte_always_inline void rcu_between(unsigned lcore)
{
	rcu_outside(RCU_TABLES, lcore);
	rcu_outside(RCU_LINKS, lcore);
}

// It begins to poll; from here on it must say rcu_between now and then.
void rcu_enter(unsigned lcore);
// It stops polling for a time unknown (a task told to stop), or for good.
void rcu_leave(unsigned lcore);

// ---- of the control thread, and of EAL's for interrupts

// Once in a process: it stays, as a thread may be waiting with it at any time.
int rcu_begin(struct err *err);

// Waits until every lcore that polls has been outside. ETIMEDOUT after 2 s: RCU_TABLES when one of them is
// held up by an output that takes nothing (drop=no).
int rcu_wait(enum rcu_of of, struct err *err);
