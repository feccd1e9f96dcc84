// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "deviceplugin/catalog.h"

#include "base/jread.h"
#include "base/scope.h"
#include "base/size.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void catalog_resource_of(const char *grant, char ret[static NAME_MAX_LEN + 1])
{
	size_t len = strnlen(grant, NAME_MAX_LEN), end = len;

	while (end > 0 && strchr("0123456789", grant[end - 1]) != NULL)
		end--;
	if (end < len && end > 1 && grant[end - 1] == '-')
		len = end - 1;
	// the first is a letter or a digit
	while (len > 1 && strchr("._-", grant[len - 1]) != NULL)
		len--;
	memcpy(ret, grant, len);
	ret[len] = '\0';
}

// ---- of the machine

// Hugepages of one size on one node that no definition was counted for yet.
struct pool {
	uint64_t size, left;
	int node;
};

struct reading {
	const struct ledger *ledger;
	const struct host *host;
	const json_t *pending; // names of definitions that are not valid yet
	struct pool pools[HOST_PAGE_SIZES * 64];
	unsigned npools;
	bool counting; // the first of two rounds: of all that kubelet does not hand out
	struct catalog catalog;
};

static struct pool *pool_of(struct reading *r, uint64_t size, int node)
{
	const struct host_node *n = node >= 0 ? host_node(r->host, (unsigned)node) : NULL;
	int at = host_page_size_index(r->host, size);

	for (unsigned i = 0; i < r->npools; i++) {
		if (r->pools[i].size == size && r->pools[i].node == node)
			return &r->pools[i];
	}
	if (n == NULL || at < 0 || r->npools == ARRAY_LEN(r->pools))
		return NULL;
	r->pools[r->npools] = (struct pool){size, n->hugepages[at].total, node};
	return &r->pools[r->npools++];
}

// What was reserved when the grant was made, and is not any more, is missing for the last of them.
static void check_pages(struct reading *r, const struct grant *g, char *why, size_t len)
{
	char size[SIZE_STR];

	for (unsigned i = 0; i < g->nhugepages; i++) {
		const struct grant_hugepages *h = &g->hugepages[i];
		struct pool *pool = pool_of(r, h->size, h->node);
		uint64_t have = pool != NULL ? pool->left : 0;

		if (have < h->count && why[0] == '\0')
			snprintf(
				why,
				len,
				"hugepages of %s on node %d are gone: %llu of %llu",
				size_format(h->size, size),
				h->node,
				(unsigned long long)have,
				(unsigned long long)h->count
			);
		if (pool != NULL)
			pool->left -= have < h->count ? have : h->count;
	}
}

static void check_cpus(const struct host *host, const struct grant *g, char *why, size_t len)
{
	struct idset off = g->cpus, nodes = g->mems;

	idset_andnot(&off, &host->online);
	idset_andnot(&nodes, &host->nodes_with_memory);
	if (!idset_empty(&off))
		snprintf(why, len, "CPU %d is offline", idset_first(&off));
	else if (idset_empty(&g->cpus) && !idset_intersects(&g->shared_cpus, &host->online))
		snprintf(why, len, "all of its CPUs are offline");
	else if (!idset_empty(&nodes))
		snprintf(why, len, "node %d has no memory", idset_first(&nodes));
}

static void check_nics(const struct host *host, const struct grant *g, char *why, size_t len)
{
	for (unsigned i = 0; i < g->nnics; i++) {
		if (host_pci(host, g->nics[i].bdf) == NULL)
			snprintf(why, len, "NIC %s is gone", g->nics[i].bdf);
	}
}

static struct device describe(struct reading *r, const struct grant *g)
{
	struct idset cpus = grant_all_cpus(g);
	struct device d = {.nodes = host_nodes_of(r->host, &cpus)};

	struct err err;

	memcpy(d.name, g->name, sizeof(d.name));
	if (token_read(r->ledger, g->name, d.token, &err) < 0)
		snprintf(d.why, sizeof(d.why), "it has no token: pinfold cdi generate");
	for (unsigned i = 0; i < g->nhugepages; i++) {
		if (g->hugepages[i].node >= 0)
			idset_add(&d.nodes, (unsigned)g->hugepages[i].node);
	}
	check_nics(r->host, g, d.why, sizeof(d.why));
	check_cpus(r->host, g, d.why, sizeof(d.why));
	check_pages(r, g, d.why, sizeof(d.why));
	return d;
}

// ---- the list

static int add(struct catalog *c, const struct device *d, struct err *err)
{
	char name[NAME_MAX_LEN + 1];
	struct resource *r;
	struct device *more;

	catalog_resource_of(d->name, name);
	r = catalog_find(c, name);
	if (r == NULL) {
		struct resource *all = realloc(c->resources, (c->n + 1) * sizeof(*all));

		if (all == NULL)
			return err_oom(err);
		c->resources = all;
		r = &all[c->n++];
		*r = (struct resource){0};
		memcpy(r->name, name, sizeof(name));
	}
	more = realloc(r->devices, (r->n + 1) * sizeof(*more));
	if (more == NULL)
		return err_oom(err);
	r->devices = more;
	r->devices[r->n++] = *d;
	return 0;
}

static bool is_pending(const json_t *names, const char *name)
{
	const json_t *e;
	size_t i;

	json_array_foreach ((json_t *)names, i, e) {
		if (json_is_string(e) && str_eq(json_string_value(e), name))
			return true;
	}
	return false;
}

static int look_at(const struct grant *g, void *arg, struct err *err)
{
	struct reading *r = arg;
	bool ours = (g->claim_by & CLAIM_BY_KUBERNETES) != 0 && g->kind == GRANT_WORKLOAD
		    && g->owner_uid == 0;
	char unused[128] = "";
	struct device d;

	if (ours == r->counting || is_pending(r->pending, g->name))
		return 0;
	if (r->counting) {
		check_pages(r, g, unused, sizeof(unused));
		return 0;
	}
	d = describe(r, g);
	return add(&r->catalog, &d, err);
}

// A definition that is there and was not read is as it was, but that nobody can have it.
static int keep_unreadable(
	const struct ledger *l, const struct catalog *before, struct catalog *c, struct err *err
)
{
	for (unsigned i = 0; i < before->n; i++) {
		const struct resource *old = &before->resources[i], *now;

		for (unsigned k = 0; k < old->n; k++) {
			struct device d = old->devices[k];

			now = catalog_find(c, old->name);
			if ((now != NULL && resource_find(now, d.name) != NULL)
			    || !definition_exists(l, d.name))
				continue;
			snprintf(d.why, sizeof(d.why), "its definition cannot be read");
			if (add(c, &d, err) < 0)
				return -err->code;
		}
	}
	return 0;
}

int catalog_read(
	const struct ledger *l,
	const struct host *host,
	const struct catalog *before,
	struct catalog *ret,
	struct err *err
)
{
	_cleanup_json_ json_t *pending = NULL;
	struct reading r = {.ledger = l, .host = host, .counting = true};
	struct err unreadable = {0};
	int k;

	if (definitions_pending(l, &pending, err) < 0)
		return -err->code;
	r.pending = pending;
	// what cannot be read is in neither round
	k = definition_each(l, look_at, &r, &unreadable);
	r.counting = false;
	if (k != -ENOMEM)
		k = definition_each(l, look_at, &r, &unreadable);
	if (k == -ENOMEM || keep_unreadable(l, before, &r.catalog, err) < 0) {
		catalog_done(&r.catalog);
		return err_oom(err);
	}
	*ret = r.catalog;
	return 0;
}

void catalog_done(struct catalog *c)
{
	for (unsigned i = 0; i < c->n; i++)
		free(c->resources[i].devices);
	free(c->resources);
	*c = (struct catalog){0};
}

struct resource *catalog_find(const struct catalog *c, const char *name)
{
	for (unsigned i = 0; i < c->n; i++) {
		if (str_eq(c->resources[i].name, name))
			return &c->resources[i];
	}
	return NULL;
}

const struct device *resource_find(const struct resource *r, const char *name)
{
	for (unsigned i = 0; i < r->n; i++) {
		if (str_eq(r->devices[i].name, name))
			return &r->devices[i];
	}
	return NULL;
}

bool resource_equal(const struct resource *a, const struct resource *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++) {
		const struct device *x = &a->devices[i], *y = &b->devices[i];

		if (!str_eq(x->name, y->name) || !str_eq(x->why, y->why)
		    || !str_eq(x->token, y->token) || !idset_equal(&x->nodes, &y->nodes))
			return false;
	}
	return true;
}
