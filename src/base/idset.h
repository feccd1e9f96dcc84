// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A set of small numbers: CPUs or NUMA nodes, in the kernel's list format ("0-3,8").
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

// Ids are 0..IDSET_MAX-1: Linux can be built for 8192 CPUs and for 1024 nodes.
#define IDSET_MAX 8192

struct idset {
	uint64_t word[IDSET_MAX / 64];
};

// Room for the list format of any set (worst case: pairs, "0-1,3-4,6-7,...": 26568 characters).
#define IDSET_STR 27136

// Parses "0-3,8,10-11". White space around and a trailing newline are taken; "" is the empty set.
// Fails on anything else, on an id >= IDSET_MAX and on a range that runs backwards.
int idset_parse(const char *s, struct idset *ret, struct err *err);

// The same for what a kernel says, which may have more than there is room for: ids from limit on are left
// out. 0, 1 if there were such, or -EINVAL.
int idset_parse_below(const char *s, unsigned limit, struct idset *ret);

// Writes the list format, shortest form. Returns buf. len >= IDSET_STR always fits.
char *idset_format(const struct idset *s, char *buf, size_t len);

// The kernel's mask format of cpumap files: 32-bit words, most significant first, comma separated.
// nbits: how many ids the mask covers (rounded up to 32).
char *idset_format_mask(const struct idset *s, unsigned nbits, char *buf, size_t len);

static inline bool idset_has(const struct idset *s, unsigned id)
{
	return id < IDSET_MAX && ((s->word[id / 64] >> (id % 64)) & 1) != 0;
}

static inline void idset_add(struct idset *s, unsigned id)
{
	if (id < IDSET_MAX)
		s->word[id / 64] |= UINT64_C(1) << (id % 64);
}

static inline void idset_del(struct idset *s, unsigned id)
{
	if (id < IDSET_MAX)
		s->word[id / 64] &= ~(UINT64_C(1) << (id % 64));
}

unsigned idset_count(const struct idset *s);
bool idset_empty(const struct idset *s);
bool idset_equal(const struct idset *a, const struct idset *b);
bool idset_subset(const struct idset *a, const struct idset *of);
bool idset_intersects(const struct idset *a, const struct idset *b);
void idset_or(struct idset *a, const struct idset *b);
void idset_and(struct idset *a, const struct idset *b);
void idset_andnot(struct idset *a, const struct idset *b);

// The smallest id >= from, or -1.
int idset_next(const struct idset *s, unsigned from);

#define idset_first(s) idset_next(s, 0)
#define idset_foreach(id, s) \
	for (int id = idset_first(s); id >= 0; id = idset_next(s, (unsigned)id + 1))
