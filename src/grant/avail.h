// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What is left of the machine after what others hold.
#pragma once

#include "grant/grant.h"

// The online CPUs that nobody holds, as their own or in a pool.
struct idset avail_cpus(const struct host *host, const struct holdings *others);

// Who holds a CPU, or NULL.
const struct grant *avail_cpu_holder(const struct holdings *others, unsigned cpu);

// The pool of that name, whose CPUs a grant may share; NULL with an error if there is none.
const struct grant *avail_pool(const struct holdings *others, const char *name, struct err *err);

// Pages of a size that a new grant can have on a node (-1: on the whole machine): all of them, less
// what grants hold, less what other programs use.
uint64_t avail_pages(
	const struct host *host, const struct holdings *others, uint64_t size, int node
);

// Bytes of ordinary memory of a node (-1: of the whole machine): all of it that is not hugepages.
uint64_t avail_memory_total(const struct host *host, int node);

// What of that no grant was promised. Those that may take it from several nodes count on each with an equal part.
uint64_t avail_memory(const struct host *host, const struct holdings *others, int node);

// What reserves as many pages of a size as there have to be for `missing` more on a node (-1: anywhere), in `ret`.
#define RESERVE_LEN 80
char *avail_reserve(
	const struct host *host, uint64_t size, int node, uint64_t missing, char ret[RESERVE_LEN]
);
