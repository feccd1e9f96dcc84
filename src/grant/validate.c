// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Whether a grant can be had on this machine, now, beside the others. Each refusal is one line that
// names the thing and the cure.

#include "base/scope.h"
#include "base/size.h"
#include "grant/avail.h"
#include "grant/choose.h"

#include <string.h>

static int check_cpus(
	const struct grant *g,
	const struct host *host,
	const struct holdings *others,
	struct err *err
)
{
	char list[IDSET_STR];

	idset_foreach (cpu, &g->cpus) {
		const struct grant *holder = avail_cpu_holder(others, (unsigned)cpu);

		if (!idset_has(&host->online, (unsigned)cpu)) {
			if (idset_has(&host->present, (unsigned)cpu))
				return err_set(
					err,
					ENODEV,
					"CPU %d is offline; bring it up with: echo 1 > "
					"/sys/devices/system/cpu/cpu%d/online",
					cpu,
					cpu
				);
			return err_set(
				err,
				ENODEV,
				"CPU %d does not exist; this host has %.200s",
				cpu,
				idset_format(&host->online, list, sizeof(list))
			);
		}
		if (holder != NULL) {
			struct idset left = avail_cpus(host, others);

			return err_set(
				err,
				EBUSY,
				"CPU %d is granted to '%s' already; %s%.200s",
				cpu,
				holder->name,
				idset_empty(&left)
					? "no CPU is free: see pinfold ps and pinfold grant list"
					: "free: ",
				idset_format(&left, list, sizeof(list))
			);
		}
	}
	if (idset_empty(&g->cpus) && idset_empty(&g->shared_cpus))
		return err_set(
			err, EINVAL, "grant '%s': no CPU; make it again with --cpu-count", g->name
		);
	return 0;
}

// A definition keeps the CPUs of its pool, which may have been made anew since.
static int check_pool(
	const struct grant *g,
	const struct host *host,
	const struct holdings *others,
	struct err *err
)
{
	const struct grant *pool;

	if (g->shared_pool[0] == '\0')
		return 0;
	pool = avail_pool(others, g->shared_pool, err);
	if (pool == NULL)
		return -err->code;
	if (!idset_subset(&g->shared_cpus, &pool->cpus))
		return err_set(
			err,
			EINVAL,
			"pool '%s' has other CPUs now than grant '%s' says; make the grant again",
			g->shared_pool,
			g->name
		);
	idset_foreach (cpu, &g->shared_cpus) {
		if (!idset_has(&host->online, (unsigned)cpu))
			return err_set(
				err,
				ENODEV,
				"CPU %d of pool '%s' is not online; bring it up or remake the pool",
				cpu,
				g->shared_pool
			);
	}
	return 0;
}

static int check_mems(const struct grant *g, const struct host *host, struct err *err)
{
	char list[IDSET_STR];

	if (idset_empty(&g->mems))
		return err_set(
			err, EINVAL, "grant '%s': no NUMA node to take memory from", g->name
		);
	idset_foreach (node, &g->mems) {
		if (host_node(host, (unsigned)node) == NULL)
			return err_set(
				err,
				ENODEV,
				"NUMA node %d does not exist; this host has %.200s",
				node,
				idset_format(&host->nodes_online, list, sizeof(list))
			);
		// a cpuset takes no node without memory
		if (!idset_has(&host->nodes_with_memory, (unsigned)node))
			return err_set(
				err,
				ENOMEM,
				"NUMA node %d has no memory; name nodes that have with --mems: "
				"%.200s",
				node,
				idset_format(&host->nodes_with_memory, list, sizeof(list))
			);
	}
	// what a kernel needs for a program itself (pipes, mounts) it does not get there
	if (!idset_intersects(&g->mems, &host->nodes_for_kernel)) {
		int first = idset_first(&g->mems);
		struct idset more = g->mems;
		int nearest = host_nearest(host, first, &host->nodes_for_kernel);

		if (nearest >= 0)
			idset_add(&more, (unsigned)nearest);
		return err_set(
			err,
			ENOMEM,
			"NUMA node %d has no memory but movable one, with which alone no program "
			"runs; name another beside it: --mems %.200s",
			first,
			idset_format(&more, list, sizeof(list))
		);
	}
	return 0;
}

static int check_pages(
	const struct grant *g,
	const struct host *host,
	const struct holdings *others,
	struct err *err
)
{
	char size[SIZE_STR], more[RESERVE_LEN];

	for (unsigned i = 0; i < g->nhugepages; i++) {
		const struct grant_hugepages *h = &g->hugepages[i];
		unsigned long long want, have;

		size_format(h->size, size);
		if (check_page_size(host, h->size, err) < 0)
			return -err->code;
		if (h->node < 0 || host_node(host, (unsigned)h->node) == NULL)
			return err_set(
				err,
				ENODEV,
				"hugepages of %s: NUMA node %d does not exist",
				size,
				h->node
			);
		if (!idset_has(&host->nodes_with_memory, (unsigned)h->node))
			return err_set(
				err,
				ENOMEM,
				"hugepages of %s on node %d: that node has no memory",
				size,
				h->node
			);
		if (!idset_has(&g->mems, (unsigned)h->node))
			return err_set(
				err,
				EINVAL,
				"hugepages of %s on node %d: that node is not in --mems",
				size,
				h->node
			);
		want = grant_pages(g, h->size, h->node, true, true);
		have = avail_pages(host, others, h->size, h->node);
		if (want > have)
			return err_set(
				err,
				ENOMEM,
				"hugepages of %s on node %d: %llu wanted, %llu available; reserve "
				"more: %s",
				size,
				h->node,
				want,
				have,
				avail_reserve(host, h->size, h->node, want - have, more)
			);
		want = grant_pages(g, h->size, -1, true, true);
		have = avail_pages(host, others, h->size, -1);
		if (want > have)
			return err_set(
				err,
				ENOMEM,
				"hugepages of %s: %llu wanted, %llu are not promised to another "
				"program; reserve more: %s",
				size,
				want,
				have,
				avail_reserve(host, h->size, -1, want - have, more)
			);
	}
	return 0;
}

int check_memory(const struct grant *g, const struct host *host, struct err *err)
{
	char a[SIZE_STR], b[SIZE_STR];

	// a machine that does not say how much it has is asked for any
	if (g->memory >= GRANT_MEMORY_MIN && (host->mem_total == 0 || g->memory <= host->mem_total))
		return 0;
	return err_set(
		err,
		EINVAL,
		"memory %s: not between 8M and what this host has (%s)",
		size_format(g->memory, a),
		size_format(host->mem_total & ~((UINT64_C(1) << 20) - 1), b)
	);
}

int check_memory_beside(
	const struct grant *g,
	const struct host *host,
	const struct holdings *others,
	struct err *err
)
{
	uint64_t left = 0, of = 0, all = avail_memory(host, others, -1);
	char list[IDSET_STR], want[SIZE_STR], a[SIZE_STR], b[SIZE_STR];
	const uint64_t whole = ~((UINT64_C(1) << 20) - 1);
	bool nodes;

	if (g->kind == GRANT_POOL || host->mem_total == 0)
		return 0;
	idset_foreach (node, &g->mems) {
		left += avail_memory(host, others, node);
		of += avail_memory_total(host, node);
	}
	nodes = left < g->memory;
	if (!nodes && g->memory <= all)
		return 0;
	return err_set(
		err,
		ENOMEM,
		"%s%.200s: memory %s wanted, %s of %s are promised to no other grant; say less "
		"--memory",
		nodes ? "node " : "this host",
		nodes ? idset_format(&g->mems, list, sizeof(list)) : "",
		size_format(g->memory, want),
		size_format((nodes ? left : all) & whole, a),
		size_format((nodes ? of : avail_memory_total(host, -1)) & whole, b)
	);
}

int grant_validate(
	const struct grant *g,
	const struct host *host,
	const struct holdings *others,
	struct err *err
)
{
	for (unsigned i = 0; i < others->n; i++) {
		if (str_eq(others->held[i].grant.name, g->name))
			return err_set(
				err,
				EEXIST,
				"grant '%s' %s; choose another --name or %s it",
				g->name,
				others->held[i].live ? "is in use" : "exists already",
				others->held[i].live ? "stop" : "remove"
			);
	}
	if (g->kind == GRANT_POOL)
		return check_cpus(g, host, others, err);
	if (check_memory(g, host, err) < 0 || check_cpus(g, host, others, err) < 0
	    || check_pool(g, host, others, err) < 0 || check_partition(g, host, err) < 0
	    || check_mems(g, host, err) < 0 || check_pages(g, host, others, err) < 0
	    || check_nics(g, host, others, err) < 0 || check_netdevs(g, host, others, err) < 0)
		return -err->code;
	return 0;
}
