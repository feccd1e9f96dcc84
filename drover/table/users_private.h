// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the files of the table of subscribers share: how a live one is made, and what is beside it.
#pragma once

#include "table/users.h"

struct user_admin {
	char name[SPEC_NAME];
	int socket;
	size_t n; // subscribers
};

// Range of what is to be in the table.
struct extent {
	uint32_t low, high; // gre_ids
	size_t n;
	uint16_t blocks; // S-VLANs
	uint16_t block[SPEC_VLANS];
};

struct extent extent_of(const struct users *u);

// An empty table of that extent, with some room to grow; freed by live_free. NULL: err is set.
struct user_live *live_make(const struct extent *e, int socket, struct err *err);
void live_free(struct user_live *l);

// Adds a subscriber. -ENOSPC: a larger table has room; -EEXIST: the tags or the gre_id are somebody's.
int live_put(struct user_live *l, const struct user *u, struct err *err);
int live_fill(struct user_live *l, const struct users *u, struct err *err);

// The CPEs of a record that no core looks at.
void live_clear(struct user_live *l, struct user_record *r);

static inline uint32_t tags_of(uint16_t svlan, uint16_t cvlan)
{
	return (uint32_t)svlan << 12 | cvlan;
}

static inline uint32_t tags_of_record(const struct user_record *r)
{
	return tags_of(rte_be_to_cpu_16(r->stag), rte_be_to_cpu_16(r->ctag));
}
