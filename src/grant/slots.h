// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// How many equal grants a machine has room for.
#pragma once

#include "grant/grant.h"

#define SLOTS_MAX 4096

// What there is too little of for one more.
enum slots_limit {
	SLOTS_ALL_FIT = 0,
	SLOTS_CPUS,
	SLOTS_HUGEPAGES,
	SLOTS_MEMORY, // of its nodes, beside the others
	SLOTS_NICS,
	SLOTS_NODES, // it would not have all on one node
	SLOTS_OTHER,
};

struct slots {
	unsigned n;
	enum slots_limit limit;
	struct err why; // of one more
};

// "cpus", "hugepages"; NULL: all fit.
const char *slots_limit_name(enum slots_limit l);

// Adds grants called NAME-1, NAME-2, … to others, as many as there is room for, at most `most`. local: only such as have
// their CPUs, and the pages that name no node, on one node, where one has as many.
int slots_fill(
	const struct request *req,
	const struct host *host,
	struct holdings *others,
	unsigned most,
	bool local,
	struct slots *ret,
	struct err *err
);

// Hyper-threads of its cores that another grant has.
struct idset slots_shared_cores(
	const struct grant *g, const struct host *host, const struct holdings *all
);
