// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The machine as JSON: data/schemas/inventory.json.

#include "host/host.h"

#include "base/jread.h"
#include "base/scope.h"
#include "host/cgroup.h"

#include <stdio.h>
#include <string.h>

// A string or, for "", null. Kernel command lines and names are bytes: what JSON (UTF-8) cannot hold
// and what would move a terminal's cursor is replaced.
static json_t *text(const char *s)
{
	_cleanup_free_ char *clean = NULL;
	json_t *j;

	if (*s == '\0')
		return json_null();
	clean = strdup(s);
	if (clean == NULL)
		return NULL;
	for (char *c = clean; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	}
	j = json_string(clean);
	if (j != NULL)
		return j;
	for (char *c = clean; *c != '\0'; c++) {
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	}
	return json_string(clean);
}

static json_t *number(uint64_t v)
{
	return json_integer((json_int_t)(v <= INT64_MAX ? v : INT64_MAX));
}

static json_t *hex(unsigned v, int digits)
{
	char buf[16];

	snprintf(buf, sizeof(buf), "%0*x", digits, v);
	return json_string(buf);
}

static json_t *cpu_json(const struct host_cpu *c)
{
	json_t *caches = json_array();

	for (unsigned i = 0; i < c->ncaches; i++)
		json_array_append_new(
			caches,
			json_pack(
				"{s:i, s:o, s:o, s:o}",
				"level",
				(int)c->caches[i].level,
				"type",
				text(c->caches[i].type),
				"size",
				number(c->caches[i].size),
				"shared",
				json_idset(&c->caches[i].shared)
			)
		);
	return json_pack(
		"{s:i, s:o, s:o, s:i, s:o, s:o}",
		"id",
		(int)c->id,
		"package",
		json_int_or_null(c->package),
		"core",
		json_int_or_null(c->core),
		"node",
		c->node,
		"siblings",
		json_idset(&c->siblings),
		"caches",
		caches
	);
}

static json_t *cpus_json(const struct host *h)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < h->ncpus; i++)
		json_array_append_new(list, cpu_json(&h->cpus[i]));
	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o}",
		"online",
		json_idset(&h->online),
		"possible",
		json_idset(&h->possible),
		"present",
		json_idset(&h->present),
		"isolated",
		json_idset(&h->isolated),
		"nohz_full",
		json_idset(&h->nohz_full),
		"list",
		list
	);
}

// The kernel counts reservations only for the whole machine.
static json_t *hugepages_json(const struct host_hugepages *pools, unsigned n, bool reserved)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++) {
		json_t *pool = json_pack(
			"{s:o, s:o, s:o, s:o}",
			"size",
			json_size(pools[i].size),
			"total",
			number(pools[i].total),
			"free",
			number(pools[i].free),
			"surplus",
			number(pools[i].surplus)
		);

		if (reserved)
			json_object_set_new(pool, "reserved", number(pools[i].reserved));
		json_array_append_new(list, pool);
	}
	return list;
}

static json_t *memory_json(uint64_t total, uint64_t free_bytes)
{
	return json_pack("{s:o, s:o}", "total", number(total), "free", number(free_bytes));
}

static json_t *nodes_json(const struct host *h)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < h->nnodes; i++) {
		const struct host_node *n = &h->nodes[i];
		json_t *distances = json_array();

		for (unsigned k = 0; k < n->ndistances; k++)
			json_array_append_new(distances, json_integer(n->distances[k]));
		json_array_append_new(
			list,
			json_pack(
				"{s:i, s:o, s:o, s:o, s:o}",
				"id",
				(int)n->id,
				"cpus",
				json_idset(&n->cpus),
				"memory",
				memory_json(n->mem_total, n->mem_free),
				"distances",
				distances,
				"hugepages",
				hugepages_json(n->hugepages, h->nsizes, false)
			)
		);
	}
	return list;
}

static json_t *pci_json(const struct host *h)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < h->npci; i++) {
		const struct host_pci *p = &h->pci[i];
		json_t *o = json_pack(
			"{s:s, s:o, s:o, s:o, s:o}",
			"bdf",
			p->bdf,
			"path",
			text(p->path),
			"vendor",
			hex(p->vendor, 4),
			"device",
			hex(p->device, 4),
			"class",
			hex(p->class, 6)
		);

		json_object_set_new(o, "driver", text(p->driver));
		json_object_set_new(o, "iommu_group", json_int_or_null(p->iommu_group));
		json_object_set_new(o, "node", json_int_or_null(p->node));
		json_object_set_new(o, "netdev", text(p->netdev));
		json_object_set_new(o, "default_route", json_boolean(p->default_route));
		json_object_set_new(o, "physfn", text(p->physfn));
		json_object_set_new(o, "totalvfs", json_integer(p->totalvfs));
		json_object_set_new(o, "numvfs", json_integer(p->numvfs));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *controllers_json(unsigned bits)
{
	json_t *list = json_array();

	for (size_t i = 0; i < HOST_CONTROLLERS; i++) {
		if ((bits & host_controllers[i].bit) != 0)
			json_array_append_new(list, json_string(host_controllers[i].name));
	}
	return list;
}

static json_t *cgroup_json(const struct host_cgroup *c)
{
	static const char *const versions[] = {"none", "v1", "v2"};
	json_t *directories = json_object();

	for (const struct host_controller *k = host_controllers;
	     k < host_controllers + HOST_CONTROLLERS;
	     k++) {
		if (k->dir != 0 && host_controller_dir(c, k)[0] != '\0')
			json_object_set_new(directories, k->name, text(host_controller_dir(c, k)));
	}
	return json_pack(
		"{s:s, s:o, s:o, s:o, s:o}",
		"version",
		versions[c->version],
		"mount",
		text(c->mount),
		"controllers",
		controllers_json(c->controllers),
		"known",
		controllers_json(c->known),
		"directories",
		directories
	);
}

json_t *host_to_json(const struct host *h)
{
	static const char *const apparmor[] = {"off", "no-profile", "ready"};
	json_t *o = json_object(), *notes = json_array();

	json_object_set_new(o, "version", json_integer(1));
	json_object_set_new(o, "hostname", text(h->hostname));
	json_object_set_new(o, "release", text(h->release));
	json_object_set_new(o, "boot_id", text(h->boot_id));
	json_object_set_new(o, "cmdline", text(h->cmdline));
	json_object_set_new(o, "memory", memory_json(h->mem_total, h->mem_free));
	json_object_set_new(
		o,
		"default_hugepage",
		h->default_hugepage != 0 ? json_size(h->default_hugepage) : json_null()
	);
	json_object_set_new(o, "cpus", cpus_json(h));
	json_object_set_new(o, "numa", json_boolean(h->numa));
	json_object_set_new(o, "nodes", nodes_json(h));
	json_object_set_new(o, "nodes_with_memory", json_idset(&h->nodes_with_memory));
	json_object_set_new(o, "hugepages", hugepages_json(h->hugepages, h->nsizes, true));
	json_object_set_new(o, "iommu", json_boolean(h->iommu));
	json_object_set_new(o, "apparmor", json_string(apparmor[h->apparmor]));
	json_object_set_new(o, "pci", pci_json(h));
	json_object_set_new(o, "cgroup", cgroup_json(&h->cgroup));
	for (unsigned i = 0; i < h->nnotes; i++)
		json_array_append_new(notes, text(h->notes[i]));
	json_object_set_new(o, "notes", notes);
	return o;
}
