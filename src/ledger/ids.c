// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Host ids for containers: a pool of pinfold's own. systemd-nspawn takes 0x00080000 to 0x6fffffff
// (systemd, docs/UIDS-GIDS.md), its foreign range starts at 0x7ffe0000: ours lies between.

#include "base/fs.h"
#include "base/scope.h"
#include "ledger/ledger.h"

#include <stdio.h>
#include <string.h>

#define POOL_FIRST 0x70000000u
#define POOL_RANGES 2048u // to 0x77ffffff
#define LINK_FIRST 0x78000000u
#define LINK_GROUPS 65536u

struct taken {
	bool range[POOL_RANGES];
};

static int take_lease(const struct lease *lease, void *arg, struct err *err)
{
	struct taken *t = arg;

	(void)err;
	if (lease->uid_base >= POOL_FIRST
	    && lease->uid_base < POOL_FIRST + POOL_RANGES * IDS_PER_LEASE)
		t->range[(lease->uid_base - POOL_FIRST) / IDS_PER_LEASE] = true;
	return 0;
}

// Marks what a line "name:first:count" of /etc/subuid or /etc/subgid takes.
static void take_subids(const struct ledger *l, const char *path, struct taken *t)
{
	_cleanup_free_ char *text = NULL;
	char *save = NULL;

	if (fs_read(l->fs.root, path, 1u << 20, &text, NULL) < 0)
		return;
	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		unsigned long long first, count;

		if (sscanf(line, "%*[^:]:%llu:%llu", &first, &count) != 2)
			continue;
		for (unsigned i = 0; i < POOL_RANGES; i++) {
			unsigned long long start =
				POOL_FIRST + (unsigned long long)i * IDS_PER_LEASE;

			if (first < start + IDS_PER_LEASE && start < first + count)
				t->range[i] = true;
		}
	}
}

int ids_choose_range(const struct ledger *l, uint32_t *ret, struct err *err)
{
	struct taken t = {0};

	if (lease_each(l, take_lease, &t, err) < 0)
		return -err->code;
	take_subids(l, "etc/subuid", &t);
	take_subids(l, "etc/subgid", &t);
	for (unsigned i = 0; i < POOL_RANGES; i++) {
		if (!t.range[i]) {
			*ret = POOL_FIRST + i * IDS_PER_LEASE;
			return 0;
		}
	}
	return err_set(
		err,
		EBUSY,
		"user ids: all %u ranges from %u on are taken by leases or /etc/subuid",
		POOL_RANGES,
		POOL_FIRST
	);
}

struct link_search {
	const struct grant_link *link;
	uint32_t found; // group of the link in a lease, 0: in none
	bool taken[LINK_GROUPS];
};

static int search_link(const struct lease *lease, void *arg, struct err *err)
{
	struct link_search *s = arg;

	(void)err;
	for (unsigned i = 0; i < lease->grant.nlinks; i++) {
		const struct grant_link *k = &lease->grant.links[i];

		if (str_eq(k->name, s->link->name))
			s->found = k->gid;
		if (k->gid >= LINK_FIRST && k->gid < LINK_FIRST + LINK_GROUPS)
			s->taken[k->gid - LINK_FIRST] = true;
	}
	return 0;
}

int ids_choose_link_groups(const struct ledger *l, struct grant *g, struct err *err)
{
	for (unsigned i = 0; i < g->nlinks; i++) {
		struct link_search s = {.link = &g->links[i]};
		unsigned n = 0;

		if (lease_each(l, search_link, &s, err) < 0)
			return -err->code;
		for (unsigned k = 0; k < i; k++) { // those chosen just now are in no lease yet
			if (g->links[k].gid >= LINK_FIRST
			    && g->links[k].gid < LINK_FIRST + LINK_GROUPS)
				s.taken[g->links[k].gid - LINK_FIRST] = true;
		}
		while (n < LINK_GROUPS && s.taken[n])
			n++;
		if (s.found == 0 && n == LINK_GROUPS)
			return err_set(err, EBUSY, "link '%s': no free group id", g->links[i].name);
		g->links[i].gid = s.found != 0 ? s.found : LINK_FIRST + n;
	}
	return 0;
}
