// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Longest prefix match of IPv4 addresses, DIR-24-8 (Gupta, Lin, McKeown: Routing lookups in hardware at
// memory access speeds, 1998): an entry for each /24, and a group of 256 where there are longer prefixes.
//
// Why not rte_fib, which is the same to look up in: it keeps its routes in a tree of nodes, 350 MB for a
// million, and to change them while packets flow takes a copy of both. Here the control thread keeps a
// sorted list (16 bytes a route); the table is painted from it and changed entry by entry while lcores
// read: a packet finds the old hop or the new one. And an lcore can ask for the line of an address
// long before it is needed, which rte_fib does not let it.
//
// An entry has 2 bytes as long as 15 bits are enough for the hops and for the groups, which is what the
// caches like, else 4.
#pragma once

#include "base/err.h"
#include "table/prefetch.h"
#include "table/spec.h"

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <stdbool.h>
#include <stdint.h>

#define FIB_SLOTS (1u << 24) // groups begin behind these

struct fib {
	bool wide;     // entries have 4 bytes
	void *entries; // [address >> 8], then groups: [FIB_SLOTS + (group << 8) + (address & 255)]
	struct fib_admin *admin;
};

#define FIB_GROUP2 0x8000u     // in an entry: the rest is the number of a group, not a hop
#define FIB_GROUP4 0x80000000u // the same in one of 4 bytes

// For the address (host order) that fib_find will be asked for.
static __rte_always_inline void fib_prefetch(const struct fib *f, uint32_t ip)
{
	prefetch_far((const char *)f->entries + ((size_t)(ip >> 8) << (f->wide ? 2 : 1)));
}

// The hop of an address (host order), 0: no route.
static __rte_always_inline uint32_t fib_find(const struct fib *f, uint32_t ip)
{
	uint32_t at = ip >> 8, v;

	if (likely(!f->wide)) {
		const uint16_t *e = f->entries;

		v = __atomic_load_n(&e[at], __ATOMIC_ACQUIRE);
		if (unlikely((v & FIB_GROUP2) != 0))
			v = __atomic_load_n(
				&e[FIB_SLOTS + ((v & ~FIB_GROUP2) << 8 | (ip & 255))],
				__ATOMIC_RELAXED
			);
	} else {
		const uint32_t *e = f->entries;

		v = __atomic_load_n(&e[at], __ATOMIC_ACQUIRE);
		if (unlikely((v & FIB_GROUP4) != 0))
			v = __atomic_load_n(
				&e[FIB_SLOTS + ((size_t)(v & ~FIB_GROUP4) << 8 | (ip & 255))],
				__ATOMIC_RELAXED
			);
	}
	return v;
}

// ---- control thread

// number[id]: hop of the table for that hop, above 0. hops: the greatest there will be.
int fib_make(
	const struct routes *r,
	const uint32_t *number,
	uint32_t hops,
	int socket,
	struct fib **ret,
	struct err *err
);
// Another with the same routes and room for more.
int fib_copy(const struct fib *from, int socket, struct fib **ret, struct err *err);
void fib_free(struct fib *f);

size_t fib_routes(const struct fib *f); // prefixes, each once
bool fib_has(const struct fib *f, uint32_t ip, uint8_t depth);

// While lcores read; ip has no bits behind the prefix. ENOSPC (no group is left), ENOMEM: nothing is
// changed.
int fib_add(struct fib *f, uint32_t ip, uint8_t depth, uint32_t hop, struct err *err);
// A group that is not needed any more is in use until fib_settle, which may be called when no lcore
// holds anything of the time before. Of a prefix that is not there nothing is changed.
void fib_del(struct fib *f, uint32_t ip, uint8_t depth);
void fib_settle(struct fib *f);
