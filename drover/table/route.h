// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Routes while packets flow: a FIB (fib.h) from an address to a hop, and of each hop 64 bytes that are
// ready to be put in front of a packet.
//
// What is in front depends on the task (its own addresses, its format), so every task has a view of
// the table with headers of its own. Routes are added and removed in place, an address at a time. What
// needs another FIB (a reload, or no room) is made beside it and handed to all views; the old one goes
// when the lcores have left it.
#pragma once

#include "base/err.h"
#include "table/fib.h"
#include "table/spec.h"

#include <rte_common.h>
#include <stdbool.h>
#include <stdint.h>

struct route_table;

// Of one hop, for one task.
struct hop_head {
	uint8_t bytes[48]; // written in front of the packet; which, is the task's affair
	uint32_t sum;	   // task's: of the checksum of what is in bytes
	uint16_t port;	   // output
	uint16_t mtu;	   // of that output
	uint8_t spare[8];
} __rte_aligned(64);

struct route_live {
	struct fib *fib;
	const struct hop_head *heads; // heads[n] is of hop n of the FIB; 0: there is no route
};

// Fills what a task writes for a hop. arg: what was given to route_view_make.
typedef void (*route_head_fn)(const void *arg, const struct hop *hop, struct hop_head *head);

struct route_view {
	struct route_live *live; // read by the lcore, once a burst
	struct route_table *table;
	route_head_fn fill;
	const void *arg;
	int socket;
	struct route_live *spare; // of the control thread: what live will be
	struct route_view *next;
};

// The view belongs to the caller, who keeps it where it is until route_view_done. arg must last as
// long. nports: how many outputs the task has; a hop that names another one is refused, also later.
int route_view_make(
	struct route_table *t,
	unsigned nports,
	route_head_fn fill,
	const void *arg,
	int socket,
	struct route_view *ret,
	struct err *err
);
void route_view_done(struct route_view *v);

// For one burst.
static __rte_always_inline const struct route_live *route_live(const struct route_view *v)
{
	return __atomic_load_n(&v->live, __ATOMIC_ACQUIRE);
}

// ---- control thread

int route_table_make(
	const char *name,
	const struct routes *r,
	int socket,
	struct route_table **ret,
	struct err *err
);
void route_table_free(struct route_table *t); // its views are gone

// While packets flow. A failure leaves everything as it was.

// Everything is replaced by what r says.
int route_table_reload(struct route_table *t, const struct routes *r, struct err *err);
// Adds the route, or leads it to another hop. ENOENT: no such hop.
int route_table_add(struct route_table *t, const struct route *route, struct err *err);
int route_table_del(struct route_table *t, uint32_t ip, uint8_t depth, struct err *err);
int route_table_add_hop(struct route_table *t, const struct hop *hop, struct err *err);

size_t route_table_routes(const struct route_table *t);
size_t route_table_hops(const struct route_table *t);
