// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Which nodes the hugepages of a grant come from.

#include "base/scope.h"
#include "base/size.h"
#include "grant/avail.h"
#include "grant/choose.h"

#include <string.h>

int check_page_size(const struct host *host, uint64_t size, struct err *err)
{
	char one[SIZE_STR], sizes[96] = "no hugepages";
	size_t n = 0;

	if (host_page_size_index(host, size) >= 0)
		return 0;
	for (unsigned i = 0; i < host->nsizes && n < sizeof(sizes); i++)
		n += (size_t)snprintf(
			sizes + n,
			sizeof(sizes) - n,
			"%s%s",
			i > 0 ? " and " : "",
			size_format(host->hugepages[i].size, one)
		);
	size_format(size, one);
	return err_set(err, EINVAL, "hugepages of %s: this kernel has %s", one, sizes);
}

// Adds pages to the grant, which has an entry at most once.
static int add_pages(struct grant *g, const struct grant_hugepages *h, struct err *err)
{
	for (unsigned i = 0; i < g->nhugepages; i++) {
		struct grant_hugepages *k = &g->hugepages[i];

		if (k->size == h->size && k->node == h->node && k->anon == h->anon) {
			k->count += h->count;
			return 0;
		}
	}
	if (g->nhugepages == GRANT_HUGEPAGES)
		return err_set(
			err, E2BIG, "hugepages: spread over more than %d nodes", GRANT_HUGEPAGES
		);
	g->hugepages[g->nhugepages++] = *h;
	return 0;
}

// How far a node is from the CPUs of a grant that are nearest to it, and from its home.
static unsigned distance(const struct host *host, const struct grant *g, int home, int node)
{
	struct idset cpus = grant_all_cpus(g), homes = host_nodes_of(host, &cpus);
	unsigned best = host_distance(host, home, node), from_home = best;

	idset_foreach (h, &homes) {
		if (host_distance(host, h, node) < best)
			best = host_distance(host, h, node);
	}
	return best << 8 | from_home;
}

// Puts pages that may lie anywhere on the home node, then on those of other CPUs of the grant, then on the
// nearest ones that have some.
static int place_pages(
	const struct grant_hugepages *want,
	const struct request *req,
	const struct host *host,
	const struct holdings *others,
	int home,
	struct grant *g,
	struct err *err
)
{
	uint64_t left = want->count;
	bool tried[HOST_NODES] = {false}, has_memory;
	char size[SIZE_STR], more[RESERVE_LEN];

	while (left > 0) {
		const struct host_node *best = NULL;
		uint64_t have, take;

		for (unsigned i = 0; i < host->nnodes; i++) {
			const struct host_node *n = &host->nodes[i];

			if (tried[n->id] || !idset_has(&host->nodes_with_memory, n->id)
			    || (!idset_empty(&req->mems) && !idset_has(&req->mems, n->id)))
				continue;
			if (best == NULL
			    || distance(host, g, home, (int)n->id)
				       < distance(host, g, home, (int)best->id))
				best = n;
		}
		if (best == NULL)
			break;
		tried[best->id] = true;
		have = avail_pages(host, others, want->size, (int)best->id);
		have -= have < grant_pages(g, want->size, (int)best->id, true, true)
				? have
				: grant_pages(g, want->size, (int)best->id, true, true);
		take = left < have ? left : have;
		if (take == 0)
			continue;
		if (add_pages(
			    g,
			    &(struct grant_hugepages){
				    .size = want->size,
				    .count = take,
				    .node = (int)best->id,
				    .anon = want->anon},
			    err
		    )
		    < 0)
			return -err->code;
		left -= take;
	}
	has_memory = home >= 0 && idset_has(&host->nodes_with_memory, (unsigned)home);
	if (left > 0)
		return err_set(
			err,
			ENOMEM,
			"hugepages of %s: %llu wanted, %llu available; reserve more: %s",
			size_format(want->size, size),
			(unsigned long long)want->count,
			(unsigned long long)(want->count - left),
			avail_reserve(host, want->size, has_memory ? home : -1, left, more)
		);
	return 0;
}

static int compare_pages(const void *a, const void *b)
{
	const struct grant_hugepages *x = a, *y = b;

	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return (int)x->anon - (int)y->anon;
}

int choose_pages(
	const struct request *req,
	const struct host *host,
	const struct holdings *others,
	int home,
	struct grant *g,
	struct err *err
)
{
	// entries with a node first, so that the others see what is left
	for (unsigned i = 0; i < req->nhugepages; i++) {
		if (req->hugepages[i].node >= 0)
			g->hugepages[g->nhugepages++] = req->hugepages[i];
	}
	for (unsigned i = 0; i < req->nhugepages; i++) {
		const struct grant_hugepages *h = &req->hugepages[i];

		if (h->node >= 0)
			continue;
		if (check_page_size(host, h->size, err) < 0)
			return -err->code;
		if (place_pages(h, req, host, others, home, g, err) < 0)
			return -err->code;
	}
	qsort(g->hugepages, g->nhugepages, sizeof(g->hugepages[0]), compare_pages);
	return 0;
}
