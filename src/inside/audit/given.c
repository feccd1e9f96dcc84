// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "inside/audit/given.h"

#include "base/jread.h"
#include "base/scope.h"
#include "grant/caps.h"

#include <linux/capability.h>
#include <string.h>

#define FILE_MAX (1u << 20)

static int too_many(const char *what, const char *key, unsigned max, struct err *err)
{
	return err_set(err, E2BIG, "read %s: '%s' has more than %u", what, key, max);
}

// What an element of a list says, its number being i.
typedef int element_fn(
	const json_t *e, size_t i, const char *what, struct given *g, struct err *err
);

static int read_pages(const json_t *e, size_t, const char *what, struct given *g, struct err *err)
{
	uint64_t size = 0, count = 0;
	unsigned k = 0;

	if (jread_size(e, what, "size", true, &size, err) < 0
	    || jread_u64(e, what, "count", true, UINT32_MAX, &count, err) < 0)
		return -err->code;
	if (size == 0 || (size & (size - 1)) != 0)
		return err_set(err, EINVAL, "read %s: no power of two as size of hugepages", what);
	while (k < g->npages && g->pages[k].size != size)
		k++;
	if (k == GIVEN_PAGES)
		return too_many(what, "hugepages", GIVEN_PAGES, err);
	if (k == g->npages)
		g->npages++;
	g->pages[k].size = size;
	g->pages[k].count += count;
	return 0;
}

static int read_nic(const json_t *e, size_t i, const char *what, struct given *g, struct err *err)
{
	struct given_nic *n = &g->nics[i];
	uint64_t group = 0; // a machine may have no IOMMU

	if (i == GIVEN_NICS)
		return too_many(what, "nics", GIVEN_NICS, err);
	if (jread_text(e, what, "pci", true, n->pci, sizeof(n->pci), err) < 0
	    || jread_bool(e, what, "unsafe-uio", &n->uio, err) < 0
	    || jread_bool(e, what, "bifurcated", &n->bifurcated, err) < 0)
		return -err->code;
	if (jread_u64(
		    e,
		    what,
		    "iommu-group",
		    !g->machine && !n->uio && !n->bifurcated,
		    INT_MAX,
		    &group,
		    err
	    )
	    < 0)
		return -err->code;
	n->iommu_group = (unsigned)group;
	g->nnics++;
	return 0;
}

static int read_mount(const json_t *e, size_t i, const char *what, struct given *g, struct err *err)
{
	struct given_mount *m = &g->mounts[i];

	if (i == GIVEN_MOUNTS)
		return too_many(what, "hugetlbfs", GIVEN_MOUNTS, err);
	if (jread_size(e, what, "size", true, &m->size, err) < 0
	    || jread_text(e, what, "path", true, m->path, sizeof(m->path), err) < 0)
		return -err->code;
	g->nmounts++;
	return 0;
}

static int read_cap(const json_t *e, size_t, const char *what, struct given *g, struct err *err)
{
	unsigned cap;

	if (cap_parse(json_string_value(e), &cap, err) < 0)
		return err_wrap(err, "read %s", what);
	g->caps |= UINT64_C(1) << cap;
	return 0;
}

static int add_interface(
	struct given *g, const char *what, const char *name, size_t n, struct err *err
)
{
	if (g->ninterfaces == GIVEN_INTERFACES)
		return too_many(what, "interfaces", GIVEN_INTERFACES, err);
	if (n >= GIVEN_INTERFACE)
		return err_set(err, E2BIG, "read %s: an interface's name is too long", what);
	memcpy(g->interfaces[g->ninterfaces++], name, n);
	return 0;
}

// "NAME,ADDRESS/PREFIX…,vhost"
static int read_port(const json_t *e, size_t, const char *what, struct given *g, struct err *err)
{
	const char *text = json_string_value(e);

	if (add_interface(g, what, text, strcspn(text, ","), err) < 0)
		return -err->code;
	g->port = true;
	g->vhost = g->vhost || strstr(text, ",vhost") != NULL;
	g->caps |= UINT64_C(1) << CAP_NET_ADMIN;
	return 0;
}

// "NAME,name=NEW,…", NEW being its name here
static int read_netdev(const json_t *e, size_t, const char *what, struct given *g, struct err *err)
{
	static const char renamed[] = ",name=";
	const char *text = json_string_value(e), *name = strstr(text, renamed);

	name = name != NULL ? name + strlen(renamed) : text;
	return add_interface(g, what, name, strcspn(name, ","), err);
}

static int read_lists(const json_t *doc, const char *what, struct given *g, struct err *err)
{
	static const struct {
		const char *key;
		json_type of;
		element_fn *read;
	} lists[] = {
		{"hugepages", JSON_OBJECT, read_pages},
		{"nics", JSON_OBJECT, read_nic},
		{"hugetlbfs", JSON_OBJECT, read_mount},
		{"caps", JSON_STRING, read_cap},
		{"kernel-ports", JSON_STRING, read_port},
		{"netdevs", JSON_STRING, read_netdev},
	};

	for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
		json_t *list = NULL, *e;
		size_t i;

		if (jread_array(doc, what, lists[k].key, &list, err) < 0)
			return -err->code;
		json_array_foreach (list, i, e) {
			if (json_typeof(e) != lists[k].of)
				return err_set(
					err,
					EINVAL,
					"read %s: '%s' holds what is no %s",
					what,
					lists[k].key,
					lists[k].of == JSON_OBJECT ? "object" : "text"
				);
			if (lists[k].read(e, i, what, g, err) < 0)
				return -err->code;
		}
	}
	return 0;
}

int given_parse(const char *text, size_t len, const char *what, struct given *ret, struct err *err)
{
	_cleanup_json_ json_t *doc = NULL;
	struct given g = {.known = true};
	struct idset shared = {0};
	const char *seccomp = "";
	uint64_t format = 0;

	if (jread_parse(text, len, what, &doc, err) < 0
	    || jread_u64(doc, what, "format", true, UINT32_MAX, &format, err) < 0)
		return -err->code;
	if (format != 1)
		return err_set(
			err,
			EPROTONOSUPPORT,
			"read %s: format %llu, of a newer pinfold; use its pinfold-inside",
			what,
			(unsigned long long)format
		);
	g.machine = json_is_object(json_object_get(doc, "machine"));
	if (jread_text(doc, what, "name", true, g.name, sizeof(g.name), err) < 0
	    || jread_idset(doc, what, "cpus", true, &g.cpus, err) < 0
	    || jread_idset(doc, what, "shared-cpus", false, &shared, err) < 0
	    || jread_idset(doc, what, "mems", true, &g.mems, err) < 0
	    || jread_size(doc, what, "memory", true, &g.memory, err) < 0
	    || jread_u64(doc, what, "pids", true, UINT32_MAX, &g.pids, err) < 0
	    || jread_str(doc, what, "seccomp", false, &seccomp, err) < 0
	    || read_lists(doc, what, &g, err) < 0)
		return -err->code;
	g.aio = str_eq(seccomp, "aio");
	idset_or(&g.cpus, &shared);
	*ret = g;
	return 0;
}

int given_read(const char *path, struct given *ret, struct err *err)
{
	_cleanup_free_ char *text = malloc(FILE_MAX), *what = str_printf("grant '%s'", path);
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	size_t n;

	if (text == NULL || what == NULL)
		return err_oom(err);
	if (f == NULL && errno == ENOENT) {
		*ret = (struct given){0};
		return 0;
	}
	if (f == NULL)
		return err_sys(err, errno, "open %s", what);
	n = fread(text, 1, FILE_MAX - 1, f);
	if (ferror(f))
		return err_sys(err, EIO, "read %s", what);
	text[n] = '\0';
	if (n == 0) { // as it lies on a host, for a workload's to be bound over
		*ret = (struct given){0};
		return 0;
	}
	return given_parse(text, n, what, ret, err);
}

uint64_t given_pages(const struct given *g, uint64_t size)
{
	for (unsigned i = 0; i < g->npages; i++)
		if (g->pages[i].size == size)
			return g->pages[i].count;
	return 0;
}
