// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The inventory of a machine as text for people. It is made from the JSON, which says all of it.

#include "cli/host_print.h"

#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "cli/cli.h"
#include "host/host.h"

#include <string.h>

static json_int_t int_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *or_dash(const char *s)
{
	return *s != '\0' ? s : "-";
}

static struct idset set_of(const json_t *o, const char *key)
{
	struct idset s = {0};
	struct err ignored;

	idset_parse(json_text(o, key, ""), &s, &ignored);
	return s;
}

#define HUMAN 32

static const char *human(json_int_t bytes, char buf[static HUMAN])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double v = (double)bytes;
	size_t u = 0;

	for (; v >= 1024 && u + 1 < ARRAY_LEN(units); u++)
		v /= 1024;
	snprintf(buf, HUMAN, v == (double)(json_int_t)v ? "%.0f %s" : "%.1f %s", v, units[u]);
	return buf;
}

// Of the CPUs in a set: their cores, and how hyper-threads pair up: "n,n+24" when they all do so.
static void describe_cores(const json_t *cpus, const struct idset *of, json_t *row)
{
	const json_t *c;
	size_t i;
	unsigned cores = 0, most = 0;
	int stride = 0; // -1: not the same everywhere
	char buf[48];

	json_array_foreach (json_object_get(cpus, "list"), i, c) {
		struct idset siblings = set_of(c, "siblings");
		int id = (int)int_of(c, "id"), second;

		if (!idset_has(of, (unsigned)id) || idset_first(&siblings) != id)
			continue;
		cores++;
		if (idset_count(&siblings) > most)
			most = idset_count(&siblings);
		second = idset_next(&siblings, (unsigned)id + 1);
		if (idset_count(&siblings) != 2 || (stride != 0 && second - id != stride))
			stride = -1;
		else
			stride = second - id;
	}
	if (stride > 0)
		snprintf(buf, sizeof(buf), "%u: n,n+%d", most, stride);
	else
		snprintf(buf, sizeof(buf), "%u", most);
	json_object_set_new(row, "cores", json_integer(cores));
	json_object_set_new(row, "threads", json_string(buf));
}

static unsigned count_packages(const json_t *cpus)
{
	struct idset packages = {0};
	const json_t *c;
	size_t i;

	json_array_foreach (json_object_get(cpus, "list"), i, c) {
		const json_t *package = json_object_get(c, "package");

		if (json_is_integer(package))
			idset_add(&packages, (unsigned)json_integer_value(package));
	}
	return idset_count(&packages);
}

// One line: "L1 data 32 KiB x 24, …": caches of one level, type and size, counted once for each set
// of CPUs that shares one.
static void print_caches(const json_t *cpus)
{
	struct {
		json_int_t level, size;
		const char *type;
		unsigned count;
	} kinds[16] = {0};
	size_t n = 0, i, k, at;
	const json_t *c, *cache;
	char size[HUMAN];

	json_array_foreach (json_object_get(cpus, "list"), i, c) {
		json_array_foreach (json_object_get(c, "caches"), k, cache) {
			struct idset shared = set_of(cache, "shared");

			if (idset_first(&shared) != int_of(c, "id"))
				continue;
			for (at = 0; at < n; at++) {
				if (kinds[at].level == int_of(cache, "level")
				    && kinds[at].size == int_of(cache, "size")
				    && str_eq(kinds[at].type, json_text(cache, "type", "")))
					break;
			}
			if (at == ARRAY_LEN(kinds))
				continue;
			if (at == n)
				n++;
			kinds[at].level = int_of(cache, "level");
			kinds[at].size = int_of(cache, "size");
			kinds[at].type = json_text(cache, "type", "");
			kinds[at].count++;
		}
	}
	printf("Caches        %s", n == 0 ? "-" : "");
	for (at = 0; at < n; at++) {
		bool unified = str_eq(kinds[at].type, "Unified");

		printf("%sL%d%s%s %s x %u",
		       at > 0 ? ", " : "",
		       (int)kinds[at].level,
		       unified ? "" : " ",
		       unified ? "" : kinds[at].type,
		       human(kinds[at].size, size),
		       kinds[at].count);
	}
	putchar('\n');
}

static void print_cgroup(const json_t *cgroup)
{
	const json_t *controllers = json_object_get(cgroup, "controllers"), *name, *other;
	size_t i, k;
	bool first = true;

	printf("Cgroups       %s", json_text(cgroup, "version", ""));
	if (*json_text(cgroup, "mount", "") != '\0')
		printf(" at %s:", json_text(cgroup, "mount", ""));
	json_array_foreach (controllers, i, name)
		printf(" %s", json_string_value(name));
	json_array_foreach (json_object_get(cgroup, "known"), i, name) {
		bool there = str_eq(json_text(cgroup, "version", ""), "v2")
			     && str_eq(json_string_value(name), "devices");

		// a runtime needs no controller to fence devices on version 2
		json_array_foreach (controllers, k, other)
			there |= json_equal(name, other);
		if (there)
			continue;
		printf("%s %s", first ? "; not mounted:" : "", json_string_value(name));
		first = false;
	}
	putchar('\n');
}

static void print_machine(const json_t *inventory)
{
	const json_t *cpus = json_object_get(inventory, "cpus");
	const json_t *memory = json_object_get(inventory, "memory");
	struct idset online = set_of(cpus, "online"), present = set_of(cpus, "present");
	char total[HUMAN], unused[HUMAN];
	json_t *cores _cleanup_json_ = json_object();

	describe_cores(cpus, &online, cores);
	printf("Machine       %s, Linux %s\n",
	       or_dash(json_text(inventory, "hostname", "")),
	       or_dash(json_text(inventory, "release", "")));
	printf("CPUs          %u online (%s)", idset_count(&online), json_text(cpus, "online", ""));
	if (!idset_empty(&present))
		printf(" of %u present", idset_count(&present));
	printf("; cores: %d, packages: %u\n", (int)int_of(cores, "cores"), count_packages(cpus));
	printf("Isolated      %s\n", or_dash(json_text(cpus, "isolated", "")));
	printf("Without tick  %s\n", or_dash(json_text(cpus, "nohz_full", "")));
	print_caches(cpus);
	printf("Memory        %s, %s free\n",
	       human(int_of(memory, "total"), total),
	       human(int_of(memory, "free"), unused));
	print_cgroup(json_object_get(inventory, "cgroup"));
	printf("IOMMU         %s\n",
	       json_is_true(json_object_get(inventory, "iommu")) ? "yes" : "no");
	printf("Command line  %s\n", or_dash(json_text(inventory, "cmdline", "")));
}

static void print_nodes(const json_t *inventory)
{
	static const char *const keys[] = {
		"node", "memory", "free", "distances", "cores", "threads", "cpus", NULL};
	json_t *rows _cleanup_json_ = json_array();
	const json_t *node, *distance;
	size_t i, k;
	char buf[HUMAN];

	json_array_foreach (json_object_get(inventory, "nodes"), i, node) {
		const json_t *memory = json_object_get(node, "memory");
		struct idset cpus = set_of(node, "cpus");
		json_t *row = json_object();
		char distances[HOST_NODES * 4 + 1] = "";

		json_array_foreach (json_object_get(node, "distances"), k, distance)
			str_add(distances,
				sizeof(distances),
				" ",
				"%d",
				(int)json_integer_value(distance) % 1000);
		json_object_set(row, "node", json_object_get(node, "id"));
		json_object_set_new(
			row, "memory", json_string(human(int_of(memory, "total"), buf))
		);
		json_object_set_new(row, "free", json_string(human(int_of(memory, "free"), buf)));
		json_object_set_new(row, "distances", json_string(distances));
		describe_cores(json_object_get(inventory, "cpus"), &cpus, row);
		json_object_set(row, "cpus", json_object_get(node, "cpus"));
		json_array_append_new(rows, row);
	}
	printf("\nNUMA nodes%s\n",
	       json_is_true(json_object_get(inventory, "numa")) ? "" : " (a kernel without NUMA)");
	cli_print_rows(rows, keys, false);
}

static void add_pools(json_t *rows, json_t *pools, json_t *node)
{
	json_t *pool;
	size_t i;

	json_array_foreach (pools, i, pool) {
		json_t *row = json_copy(pool);

		json_object_set(row, "node", node);
		json_array_append_new(rows, row);
	}
}

static void print_hugepages(const json_t *inventory)
{
	static const char *const keys[] = {
		"node", "size", "total", "free", "reserved", "surplus", NULL};
	json_t *rows _cleanup_json_ = json_array(), *all _cleanup_json_ = json_string("all");
	json_t *node;
	size_t i;

	add_pools(rows, json_object_get(inventory, "hugepages"), all);
	json_array_foreach (json_object_get(inventory, "nodes"), i, node)
		add_pools(rows, json_object_get(node, "hugepages"), json_object_get(node, "id"));
	if (json_array_size(rows) == 0) {
		printf("\nHugepages: none, the kernel does not support them\n");
		return;
	}
	printf("\nHugepages (default size %s)\n",
	       or_dash(json_text(inventory, "default_hugepage", "")));
	cli_print_rows(rows, keys, false);
}

static json_t *pci_note(const json_t *p)
{
	char vf[64] = "", vfs[64] = "";
	bool routed = json_is_true(json_object_get(p, "default_route"));
	json_t *note = NULL;
	char *s;

	if (*json_text(p, "physfn", "") != '\0')
		snprintf(vf, sizeof(vf), ", VF of %s", json_text(p, "physfn", ""));
	if (int_of(p, "numvfs") > 0)
		snprintf(
			vfs,
			sizeof(vfs),
			", %d of %d VFs",
			(int)int_of(p, "numvfs"),
			(int)int_of(p, "totalvfs")
		);
	s = str_printf("%s%s%s", routed ? ", default route" : "", vf, vfs);
	if (s != NULL && *s != '\0')
		note = json_string(s + 2);
	free(s);
	return note != NULL ? note : json_null();
}

static void print_pci(const json_t *inventory, bool all)
{
	static const char *const keys[] = {
		"function", "id", "class", "driver", "group", "node", "netdev", "note", NULL};
	json_t *rows _cleanup_json_ = json_array();
	const json_t *p;
	size_t i, other = 0;

	json_array_foreach (json_object_get(inventory, "pci"), i, p) {
		json_t *row;
		char id[32];

		if (!all && !str_starts(json_text(p, "class", ""), "02")) {
			other++;
			continue;
		}
		row = json_object();
		snprintf(
			id,
			sizeof(id),
			"%s:%s",
			json_text(p, "vendor", ""),
			json_text(p, "device", "")
		);
		json_object_set(row, "function", json_object_get(p, "bdf"));
		json_object_set_new(row, "id", json_string(id));
		json_object_set(row, "class", json_object_get(p, "class"));
		json_object_set(row, "driver", json_object_get(p, "driver"));
		json_object_set(row, "group", json_object_get(p, "iommu_group"));
		json_object_set(row, "node", json_object_get(p, "node"));
		json_object_set(row, "netdev", json_object_get(p, "netdev"));
		json_object_set_new(row, "note", pci_note(p));
		json_array_append_new(rows, row);
	}
	printf("\n%s", all ? "PCI functions" : "PCI network functions");
	if (other > 0)
		printf(" (%zu others: --all)", other);
	if (json_array_size(rows) == 0) {
		printf(": none\n");
		return;
	}
	putchar('\n');
	cli_print_rows(rows, keys, false);
}

static void print_notes(const json_t *inventory)
{
	const json_t *note;
	size_t i;

	json_array_foreach (json_object_get(inventory, "notes"), i, note)
		printf("%sNote: %s\n", i == 0 ? "\n" : "", json_string_value(note));
}

void host_print(const json_t *inventory, bool all)
{
	print_machine(inventory);
	print_nodes(inventory);
	print_hugepages(inventory);
	print_pci(inventory, all);
	print_notes(inventory);
}
