// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The grant as a value: sums over it.

#include "grant/grant.h"

#include <stdlib.h>

struct idset grant_all_cpus(const struct grant *g)
{
	struct idset all = g->cpus;

	idset_or(&all, &g->shared_cpus);
	return all;
}

uint64_t grant_pages(const struct grant *g, uint64_t size, int node, bool fs, bool anon)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < g->nhugepages; i++) {
		const struct grant_hugepages *h = &g->hugepages[i];

		if (h->size == size && (node < 0 || h->node == node) && (h->anon ? anon : fs))
			n += h->count;
	}
	return n;
}

uint64_t grant_hugepage_bytes(const struct grant *g, int node)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < g->nhugepages; i++) {
		if (node < 0 || g->hugepages[i].node == node)
			bytes += g->hugepages[i].size * g->hugepages[i].count;
	}
	return bytes;
}

unsigned grant_fill_seconds(const struct grant *g)
{
	uint64_t gib = (g->memory + grant_hugepage_bytes(g, -1)) >> 30;

	return gib < 3600 ? (unsigned)gib : 3600;
}

void holdings_done(struct holdings *h)
{
	free(h->held);
	*h = (struct holdings){0};
}

int holdings_add(struct holdings *h, const struct grant *g, bool live, struct err *err)
{
	if (h->n == h->room) {
		unsigned room = h->room == 0 ? 8 : h->room * 2;
		struct holding *more = realloc(h->held, room * sizeof(*more));

		if (more == NULL)
			return err_oom(err);
		h->held = more;
		h->room = room;
	}
	h->held[h->n++] = (struct holding){.grant = *g, .live = live};
	return 0;
}
