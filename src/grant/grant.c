// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The grant as a value: sums over it, and its JSON form.

#include "grant/grant.h"

#include "base/jread.h"
#include "base/scope.h"
#include "grant/caps.h"
#include "grant/parts.h"

#include <string.h>

#define GRANT_FORMAT 1

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

static json_t *nics_to_json(const struct grant *g)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < g->nnics; i++)
		json_array_append_new(
			list,
			json_pack(
				"{s:s, s:i}",
				"pci",
				g->nics[i].bdf,
				"iommu-group",
				g->nics[i].iommu_group
			)
		);
	return list;
}

static json_t *links_to_json(const struct grant *g)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < g->nlinks; i++)
		json_array_append_new(
			list,
			json_pack("{s:s, s:s}", "kind", g->links[i].kind, "name", g->links[i].name)
		);
	return list;
}

static json_t *caps_to_json(uint64_t caps)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < CAPS_MAX; i++) {
		if (cap_has(caps, i))
			json_array_append_new(list, json_string(cap_name(i)));
	}
	return list;
}

json_t *grant_to_json(const struct grant *g)
{
	json_t *doc = json_object(), *list = json_array();

	for (unsigned i = 0; i < g->nhugepages; i++) {
		const struct grant_hugepages *h = &g->hugepages[i];

		json_array_append_new(
			list,
			json_pack(
				"{s:o, s:I, s:i, s:s}",
				"size",
				json_size(h->size),
				"count",
				(json_int_t)h->count,
				"node",
				h->node,
				"kind",
				h->anon ? "anon" : "fs"
			)
		);
	}
	json_object_set_new(doc, "format", json_integer(GRANT_FORMAT));
	json_object_set_new(doc, "kind", json_string(grant_kind_name(g->kind)));
	json_object_set_new(doc, "name", json_string(g->name));
	json_object_set_new(doc, "cpus", json_idset(&g->cpus));
	if (g->shared_pool[0] != '\0') {
		json_object_set_new(doc, "shared-pool", json_string(g->shared_pool));
		json_object_set_new(doc, "shared-cpus", json_idset(&g->shared_cpus));
	}
	if (g->isolated)
		json_object_set_new(doc, "partition", json_string("isolated"));
	if (g->on_offline != OFFLINE_FREEZE)
		json_object_set_new(
			doc, "on-offline", json_string(grant_offline_name(g->on_offline))
		);
	json_object_set_new(doc, "mems", json_idset(&g->mems));
	json_object_set_new(doc, "hugepages", list);
	json_object_set_new(doc, "memory", json_size(g->memory));
	json_object_set_new(doc, "pids", json_integer((json_int_t)g->pids));
	json_object_set_new(doc, "nics", nics_to_json(g));
	json_object_set_new(doc, "links", links_to_json(g));
	if (g->caps != 0)
		json_object_set_new(doc, "caps", caps_to_json(g->caps));
	if (g->seccomp[0] != '\0')
		json_object_set_new(doc, "seccomp", json_string(g->seccomp));
	if (g->owner_uid != 0)
		json_object_set_new(
			doc,
			"owner",
			json_pack(
				"{s:I, s:I}",
				"uid",
				(json_int_t)g->owner_uid,
				"gid",
				(json_int_t)g->owner_gid
			)
		);
	return doc;
}

static int nics_from_json(const json_t *doc, const char *what, struct grant *g, struct err *err)
{
	static const char *const keys[] = {"pci", "iommu-group", NULL};
	json_t *list = NULL, *e;
	size_t i;

	if (jread_array(doc, what, "nics", &list, err) < 0)
		return -err->code;
	json_array_foreach (list, i, e) {
		const char *bdf = NULL;
		uint64_t group = 0;

		if (jread_keys(e, what, keys, err) < 0
		    || jread_str(e, what, "pci", true, &bdf, err) < 0
		    || jread_u64(e, what, "iommu-group", true, INT32_MAX, &group, err) < 0)
			return -err->code;
		if (part_add_nic(g->nics, &g->nnics, bdf, err) < 0)
			return err_wrap(err, "read %s", what);
		g->nics[g->nnics - 1].iommu_group = (int)group;
	}
	return 0;
}

// Root needs no keeper; a group of 0 would be root's.
static int owner_from_json(const json_t *doc, const char *what, struct grant *g, struct err *err)
{
	static const char *const keys[] = {"uid", "gid", NULL};
	const json_t *owner = json_object_get(doc, "owner");
	uint64_t uid = 0, gid = 0;

	if (owner == NULL)
		return 0;
	if (jread_keys(owner, what, keys, err) < 0
	    || jread_u64(owner, what, "uid", true, UINT32_MAX - 1, &uid, err) < 0
	    || jread_u64(owner, what, "gid", true, UINT32_MAX - 1, &gid, err) < 0)
		return -err->code;
	if (uid == 0 || gid == 0)
		return err_set(err, EINVAL, "read %s: the owner is root or its group", what);
	g->owner_uid = (uint32_t)uid;
	g->owner_gid = (uint32_t)gid;
	return 0;
}

int grant_from_json(const json_t *doc, const char *what, struct grant *ret, struct err *err)
{
	static const char *const keys[] = {
		"format",
		"kind",
		"name",
		"cpus",
		"shared-pool",
		"shared-cpus",
		"partition",
		"on-offline",
		"mems",
		"hugepages",
		"memory",
		"pids",
		"nics",
		"links",
		"caps",
		"seccomp",
		"owner",
		NULL,
	};
	struct grant g = {0};
	const char *name = NULL, *pool = NULL, *partition = NULL, *offline = NULL, *seccomp = NULL;
	uint64_t format = 0;

	if (jread_keys(doc, what, keys, err) < 0
	    || jread_u64(doc, what, "format", true, GRANT_FORMAT, &format, err) < 0
	    || jread_str(doc, what, "name", true, &name, err) < 0
	    || part_kind(doc, what, &g.kind, err) < 0
	    || jread_idset(doc, what, "cpus", true, &g.cpus, err) < 0
	    || jread_str(doc, what, "shared-pool", false, &pool, err) < 0
	    || jread_idset(doc, what, "shared-cpus", pool != NULL, &g.shared_cpus, err) < 0
	    || jread_str(doc, what, "partition", false, &partition, err) < 0
	    || jread_str(doc, what, "on-offline", false, &offline, err) < 0
	    || jread_idset(doc, what, "mems", true, &g.mems, err) < 0
	    || part_hugepages(doc, what, true, g.hugepages, &g.nhugepages, err) < 0
	    || jread_size(doc, what, "memory", true, &g.memory, err) < 0
	    || jread_u64(doc, what, "pids", true, GRANT_PIDS_MAX, &g.pids, err) < 0
	    || nics_from_json(doc, what, &g, err) < 0
	    || part_links(doc, what, g.links, &g.nlinks, err) < 0
	    || part_caps(doc, what, &g.caps, err) < 0
	    || jread_str(doc, what, "seccomp", false, &seccomp, err) < 0
	    || owner_from_json(doc, what, &g, err) < 0)
		return -err->code;
	if (format != GRANT_FORMAT)
		return err_set(err, EINVAL, "read %s: 'format' is not %d", what, GRANT_FORMAT);
	if (g.pids == 0)
		return err_set(err, EINVAL, "read %s: 'pids' is 0", what);
	if (pool == NULL && !idset_empty(&g.shared_cpus))
		return err_set(err, EINVAL, "read %s: 'shared-cpus' without 'shared-pool'", what);
	if (name_check("a grant", name, err) < 0
	    || (pool != NULL && name_check("a pool", pool, err) < 0))
		return err_wrap(err, "read %s", what);
	if (partition != NULL && part_set_partition(&g.isolated, partition, err) < 0)
		return err_wrap(err, "read %s", what);
	if (offline != NULL && part_set_offline(&g.on_offline, offline, err) < 0)
		return err_wrap(err, "read %s", what);
	if (seccomp != NULL && part_set_seccomp(g.seccomp, seccomp, err) < 0)
		return err_wrap(err, "read %s", what);
	strcpy(g.name, name);
	if (pool != NULL)
		strcpy(g.shared_pool, pool);
	*ret = g;
	return 0;
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
