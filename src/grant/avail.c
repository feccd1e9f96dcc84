// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "grant/avail.h"

#include "base/size.h"

#include <errno.h>
#include <stdio.h>

struct idset avail_cpus(const struct host *host, const struct holdings *others)
{
	struct idset left = host->online;

	for (unsigned i = 0; i < others->n; i++)
		idset_andnot(&left, &others->held[i].grant.cpus);
	return left;
}

const struct grant *avail_cpu_holder(const struct holdings *others, unsigned cpu)
{
	for (unsigned i = 0; i < others->n; i++) {
		if (idset_has(&others->held[i].grant.cpus, cpu))
			return &others->held[i].grant;
	}
	return NULL;
}

const struct grant *avail_pool(const struct holdings *others, const char *name, struct err *err)
{
	for (unsigned i = 0; i < others->n; i++) {
		const struct grant *g = &others->held[i].grant;

		if (g->kind == GRANT_POOL && str_eq(g->name, name))
			return g;
	}
	err_set(err,
		ENOENT,
		"pool '%s' does not exist; make it with: pinfold grant create --pool --name %s "
		"--cpus LIST",
		name,
		name);
	return NULL;
}

uint64_t avail_pages(
	const struct host *host, const struct holdings *others, uint64_t size, int node
)
{
	int index = host_page_size_index(host, size);
	const struct host_hugepages *pool;
	uint64_t held = 0, live = 0, used, gone;

	if (index < 0)
		return 0;
	if (node < 0) {
		pool = &host->hugepages[index];
	} else {
		const struct host_node *n = host_node(host, (unsigned)node);

		if (n == NULL)
			return 0;
		pool = &n->hugepages[index];
	}
	for (unsigned i = 0; i < others->n; i++) {
		uint64_t pages = grant_pages(&others->held[i].grant, size, node, true, true);

		held += pages;
		if (others->held[i].live)
			live += pages;
	}
	// What is used or promised beyond what live grants may use belongs to programs outside. A
	// grant that has not touched its pages yet hides some of that: the hugetlbfs mount, which
	// reserves the pages, is the last word.
	used = pool->total - pool->free + pool->reserved;
	gone = held + (used > live ? used - live : 0);
	return pool->total > gone ? pool->total - gone : 0;
}

uint64_t avail_memory_total(const struct host *host, int node)
{
	const struct host_node *n = node < 0 ? NULL : host_node(host, (unsigned)node);
	const struct host_hugepages *pools = n != NULL ? n->hugepages : host->hugepages;
	uint64_t left = n != NULL ? n->mem_total : host->mem_total;

	if (node >= 0 && n == NULL)
		return 0;
	for (unsigned i = 0; i < host->nsizes; i++) {
		uint64_t pages = pools[i].total * pools[i].size;

		left -= left < pages ? left : pages;
	}
	return left;
}

uint64_t avail_memory(const struct host *host, const struct holdings *others, int node)
{
	uint64_t left = avail_memory_total(host, node);

	for (unsigned i = 0; i < others->n; i++) {
		const struct grant *g = &others->held[i].grant;
		uint64_t held = g->memory;

		// A pool has none, and what runs with as much as the machine has is an engine's container without a limit.
		if (g->kind == GRANT_POOL || (others->held[i].live && g->memory >= host->mem_total))
			continue;
		if (node >= 0)
			held = idset_has(&g->mems, (unsigned)node) ? held / idset_count(&g->mems)
								   : 0;
		left -= left < held ? left : held;
	}
	return left;
}

char *avail_reserve(
	const struct host *host, uint64_t size, int node, uint64_t missing, char ret[RESERVE_LEN]
)
{
	const struct host_node *n =
		node >= 0 && host->numa ? host_node(host, (unsigned)node) : NULL;
	int index = host_page_size_index(host, size);
	char text[SIZE_STR], where[16] = "";
	uint64_t have = 0;

	if (index >= 0)
		have = (n != NULL ? n->hugepages : host->hugepages)[index].total;
	// the same on a machine of one node
	if (n != NULL && host->nnodes > 1)
		snprintf(where, sizeof(where), "@%d", node);
	snprintf(
		ret,
		RESERVE_LEN,
		"pinfold host prepare --hugepages %s=%llu%s",
		size_format(size, text),
		(unsigned long long)(have + missing),
		where
	);
	return ret;
}
