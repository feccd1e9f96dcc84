// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold host free: what a new grant could have.

#include "cli/host.h"

#include "base/jread.h"
#include "base/scope.h"
#include "base/size.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/request.h"
#include "grant/avail.h"
#include "host/nic.h"

#include <stdio.h>
#include <string.h>

static const char usage[] = "Usage: pinfold host free [--json]\n"
			    "\n"
			    "Shows what a new grant could have, for each NUMA node: CPUs, "
			    "hugepages and memory that nobody\n"
			    "holds, and NICs that neither a grant nor the host uses.";

static bool is_held(const struct holdings *others, const char *bdf)
{
	for (unsigned i = 0; i < others->n; i++) {
		for (unsigned k = 0; k < others->held[i].grant.nnics; k++) {
			if (str_eq(others->held[i].grant.nics[k].bdf, bdf))
				return true;
		}
	}
	return false;
}

// Those of no known node are shown at the first.
static json_t *free_nics(const struct host *h, const struct holdings *others, unsigned index)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < h->npci; i++) {
		const struct host_pci *p = &h->pci[i];
		int node = p->node >= 0 ? p->node : (int)h->nodes[0].id;

		if (host_pci_is_nic(p) && node == (int)h->nodes[index].id && !p->default_route
		    && !p->addressed && p->upper[0] == '\0' && p->iommu_group >= 0
		    && !host_nic_bifurcated(p->driver) && !is_held(others, p->bdf))
			json_array_append_new(list, json_string(p->bdf));
	}
	return list;
}

json_t *host_free_rows(const struct host *h, const struct holdings *others)
{
	struct idset all = avail_cpus(h, others);
	json_t *rows = json_array();

	for (unsigned i = 0; i < h->nnodes; i++) {
		const struct host_node *n = &h->nodes[i];
		json_t *pages = json_array();
		struct idset cpus = n->cpus;

		for (unsigned k = 0; k < h->nsizes; k++) {
			uint64_t size = h->hugepages[k].size;

			json_array_append_new(
				pages,
				json_pack(
					"{s:o, s:I, s:I}",
					"size",
					json_size(size),
					"free",
					(json_int_t)avail_pages(h, others, size, (int)n->id),
					"total",
					(json_int_t)n->hugepages[k].total
				)
			);
		}
		idset_and(&cpus, &all);
		json_array_append_new(
			rows,
			json_pack(
				"{s:i, s:o, s:i, s:I, s:I, s:o, s:o}",
				"node",
				(int)n->id,
				"cpus",
				json_idset(&cpus),
				"cpus_total",
				(int)idset_count(&n->cpus),
				"memory",
				(json_int_t)avail_memory(h, others, (int)n->id),
				"memory_total",
				(json_int_t)avail_memory_total(h, (int)n->id),
				"hugepages",
				pages,
				"nics",
				free_nics(h, others, i)
			)
		);
	}
	return rows;
}

// "0000:03:00.0 0000:03:00.1 and 6 more"
static json_t *list_nics(const json_t *nics)
{
	size_t n = json_array_size(nics);
	const char *words[3] = {"", "", ""};

	for (size_t i = 0; i < n && i < 2; i++)
		words[i] = json_string_value(json_array_get(nics, i));
	if (n > 2)
		return json_sprintf("%s %s and %zu more", words[0], words[1], n - 2);
	return n > 0 ? json_sprintf("%s%s%s", words[0], n > 1 ? " " : "", words[1]) : json_null();
}

// To the MiB.
static const char *memory_text(const json_t *row, const char *key, char buf[static SIZE_STR])
{
	json_int_t bytes = json_integer_value(json_object_get(row, key));

	return size_format((uint64_t)bytes & ~((UINT64_C(1) << 20) - 1), buf);
}

void host_free_print(const json_t *rows)
{
	static const char *const keys[] = {
		"node", "cpus", "which", "hugepages", "memory", "nics", NULL};
	_cleanup_json_ json_t *table = json_array();
	const json_t *row, *pool;
	size_t i, k;

	json_array_foreach (rows, i, row) {
		char text[256] = "", left[SIZE_STR], of[SIZE_STR];
		struct idset cpus = {0};
		struct err unused;

		(void)idset_parse(json_string_value(json_object_get(row, "cpus")), &cpus, &unused);

		json_array_foreach (json_object_get(row, "hugepages"), k, pool) {
			json_int_t total = json_integer_value(json_object_get(pool, "total"));

			if (total > 0)
				str_add(text,
					sizeof(text),
					" ",
					"%s=%lld/%lld",
					json_string_value(json_object_get(pool, "size")),
					json_integer_value(json_object_get(pool, "free")),
					total);
		}
		json_array_append_new(
			table,
			json_pack(
				"{s:O, s:o, s:O, s:s, s:o, s:o}",
				"node",
				json_object_get(row, "node"),
				"cpus",
				json_sprintf(
					"%u/%lld",
					idset_count(&cpus),
					json_integer_value(json_object_get(row, "cpus_total"))
				),
				"which",
				json_object_get(row, "cpus"),
				"hugepages",
				text,
				"memory",
				json_sprintf(
					"%s/%s",
					memory_text(row, "memory", left),
					memory_text(row, "memory_total", of)
				),
				"nics",
				list_nics(json_object_get(row, "nics"))
			)
		);
	}
	cli_print_rows(table, keys, false);
}

int cmd_host_free(int argc, char **argv)
{
	_cleanup_json_ json_t *rows = NULL;
	struct holdings others = {0};
	struct host h = {0};
	bool json = false;
	struct hostfs fs;
	struct ledger l;
	struct err err;
	int r = cli_simple_options(argc, argv, usage, &json, &err);

	if (r > 0)
		return STATUS_OK;
	if (r == 0 && cli_host_tree == NULL && geteuid() != 0)
		return cli_refuse("host free: what is granted is root's to read; use sudo");
	if (r == 0)
		r = cli_open_host(&fs, &err);
	if (r < 0)
		return cli_fail(&err);
	r = host_read(&fs, HOST_PCI, &h, &err);
	if (r == 0)
		r = ledger_open(&fs, false, &l, &err);
	if (r == 0) {
		r = ledger_holdings(&l, NULL, &others, &err);
		ledger_close(&l);
	}
	if (r == 0) {
		rows = host_free_rows(&h, &others);
		if (json)
			cli_print_json(rows);
		else
			host_free_print(rows);
	}
	holdings_done(&others);
	host_done(&h);
	hostfs_close(&fs);
	return r < 0 ? cli_fail(&err) : STATUS_OK;
}
