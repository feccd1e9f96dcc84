// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// /sys/devices/system/node with the granted nodes only and, on them, the granted memory.

#include "base/scope.h"
#include "view/view.h"

#include <stdio.h>
#include <string.h>

#define NODE_DIR "sys/devices/system/node"

// Nodes worth showing: those of its memory and those of its CPUs.
static struct idset shown_nodes(const struct grant *g, const struct host *host)
{
	struct idset cpus = grant_all_cpus(g), nodes = host_nodes_of(host, &cpus);

	idset_or(&nodes, &g->mems);
	idset_and(&nodes, &host->nodes_online);
	return nodes;
}

// Ordinary memory is limited for all nodes together: each node shows an equal share.
static uint64_t memory_share(const struct grant *g, unsigned node)
{
	unsigned n = idset_count(&g->mems);

	return idset_has(&g->mems, node) && n > 0 ? g->memory / n : 0;
}

static void distances(
	struct view *v,
	const struct host_node *n,
	const struct idset *shown,
	const struct host *host
)
{
	char line[HOST_NODES * 4 + 2] = "";

	for (unsigned i = 0; i < host->nnodes && i < n->ndistances; i++) {
		if (idset_has(shown, host->nodes[i].id))
			str_add(line, sizeof(line), " ", "%u", n->distances[i]);
	}
	view_add(v, VIEW_FILE, str_printf("%s\n", line), NODE_DIR "/node%u/distance", n->id);
}

static void meminfo(
	struct view *v, const struct grant *g, const struct host *host, const struct host_node *n
)
{
	uint64_t share = memory_share(g, n->id),
		 total = share + grant_hugepage_bytes(g, (int)n->id);
	uint64_t pages = grant_pages(g, host->default_hugepage, (int)n->id, true, true);

	// the kernel's MemTotal of a node includes the hugepages, its MemFree does not
	view_add(
		v,
		VIEW_FILE,
		str_printf(
			"Node %u MemTotal:       %llu kB\nNode %u MemFree:        %llu kB\n"
			"Node %u MemUsed:        %llu kB\nNode %u HugePages_Total: %5llu\n"
			"Node %u HugePages_Free:  %5llu\nNode %u HugePages_Surp:      0\n",
			n->id,
			(unsigned long long)total >> 10,
			n->id,
			(unsigned long long)share >> 10,
			n->id,
			(unsigned long long)(total - share) >> 10,
			n->id,
			(unsigned long long)pages,
			n->id,
			(unsigned long long)pages,
			n->id
		),
		NODE_DIR "/node%u/meminfo",
		n->id
	);
}

static void hugepages(
	struct view *v, const struct grant *g, const struct host *host, const struct host_node *n
)
{
	static const char *const counters[] = {"nr_hugepages", "free_hugepages"};

	view_add(v, VIEW_DIR, NULL, NODE_DIR "/node%u/hugepages", n->id);
	for (unsigned i = 0; i < host->nsizes; i++) {
		unsigned long long kb = host->hugepages[i].size >> 10;
		uint64_t pages = grant_pages(g, host->hugepages[i].size, (int)n->id, true, true);

		if (grant_pages(g, host->hugepages[i].size, -1, true, true) == 0)
			continue;
		view_add(
			v, VIEW_DIR, NULL, NODE_DIR "/node%u/hugepages/hugepages-%llukB", n->id, kb
		);
		for (size_t c = 0; c < ARRAY_LEN(counters); c++)
			view_add(
				v,
				VIEW_FILE,
				str_printf("%llu\n", (unsigned long long)pages),
				NODE_DIR "/node%u/hugepages/hugepages-%llukB/%s",
				n->id,
				kb,
				counters[c]
			);
		view_add(
			v,
			VIEW_FILE,
			strdup("0\n"),
			NODE_DIR "/node%u/hugepages/hugepages-%llukB/surplus_hugepages",
			n->id,
			kb
		);
	}
}

static void one_node(
	struct view *v,
	const struct grant *g,
	const struct host *host,
	const struct host_node *n,
	const struct idset *shown
)
{
	struct idset cpus = grant_all_cpus(g);
	char buf[IDSET_STR];

	idset_and(&cpus, &n->cpus);
	view_add(v, VIEW_DIR, NULL, NODE_DIR "/node%u", n->id);
	view_add(
		v,
		VIEW_FILE,
		str_printf("%s\n", idset_format(&cpus, buf, sizeof(buf))),
		NODE_DIR "/node%u/cpulist",
		n->id
	);
	view_add(
		v,
		VIEW_FILE,
		str_printf(
			"%s\n",
			idset_format_mask(
				&cpus, host->cpus[host->ncpus - 1].id + 1, buf, sizeof(buf)
			)
		),
		NODE_DIR "/node%u/cpumap",
		n->id
	);
	idset_foreach (cpu, &cpus)
		view_add(
			v,
			VIEW_LINK,
			str_printf("../../cpu/cpu%d", cpu),
			NODE_DIR "/node%u/cpu%d",
			n->id,
			cpu
		);
	distances(v, n, shown, host);
	meminfo(v, g, host, n);
	// for numastat(8), which gives up without it
	view_add(
		v,
		VIEW_FILE,
		strdup("numa_hit 0\nnuma_miss 0\nnuma_foreign 0\ninterleave_hit 0\nlocal_node 0\n"
		       "other_node 0\n"),
		NODE_DIR "/node%u/numastat",
		n->id
	);
	hugepages(v, g, host, n);
}

void view_node(
	struct view *v, const struct grant *g, const struct host *host, const struct hostfs *fs
)
{
	struct idset shown = shown_nodes(g, host), with_cpu = {0};
	char buf[IDSET_STR];

	view_dirs(v, NODE_DIR);
	for (unsigned i = 0; i < host->nnodes; i++) {
		struct idset cpus = grant_all_cpus(g);

		if (!idset_has(&shown, host->nodes[i].id))
			continue;
		idset_and(&cpus, &host->nodes[i].cpus);
		if (!idset_empty(&cpus))
			idset_add(&with_cpu, host->nodes[i].id);
		one_node(v, g, host, &host->nodes[i], &shown);
	}
	idset_format(&shown, buf, sizeof(buf));
	view_file(v, NODE_DIR "/online", "%s\n", buf);
	view_file(v, NODE_DIR "/possible", "%s\n", buf);
	view_file(v, NODE_DIR "/has_cpu", "%s\n", idset_format(&with_cpu, buf, sizeof(buf)));
	idset_format(&g->mems, buf, sizeof(buf));
	view_file(v, NODE_DIR "/has_memory", "%s\n", buf);
	view_file(v, NODE_DIR "/has_normal_memory", "%s\n", buf);
	if (!v->whole)
		view_cover(v, fs, NODE_DIR);
}
