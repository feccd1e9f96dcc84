// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "grant/slots.h"

#include "grant/avail.h"
#include "grant/choose.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *slots_limit_name(enum slots_limit l)
{
	static const char *const names[] = {
		NULL, "cpus", "hugepages", "memory", "nics", "nodes", "other"};

	return names[l];
}

// Whether one more could be had, if there were enough of something.
static bool without(
	const struct request *req,
	const struct host *host,
	const struct holdings *others,
	enum slots_limit something
)
{
	struct request less = *req;
	struct grant g;
	struct err unused;

	if (something == SLOTS_HUGEPAGES)
		less.nhugepages = 0;
	else if (something == SLOTS_MEMORY)
		less.memory = GRANT_MEMORY_MIN;
	else
		less.nnics = 0;
	return grant_resolve(&less, host, others, &g, &unused) == 0;
}

static enum slots_limit limit_of(
	const struct request *req, const struct host *host, const struct holdings *others
)
{
	struct idset left = avail_cpus(host, others);

	if (req->cpu_count > idset_count(&left)
	    || (!idset_empty(&req->cpus) && !idset_subset(&req->cpus, &left)))
		return SLOTS_CPUS;
	if (req->nhugepages > 0 && without(req, host, others, SLOTS_HUGEPAGES))
		return SLOTS_HUGEPAGES;
	if (req->memory > host->mem_total && without(req, host, others, SLOTS_MEMORY))
		return SLOTS_MEMORY;
	if (req->nnics > 0 && without(req, host, others, SLOTS_NICS))
		return SLOTS_NICS;
	return SLOTS_OTHER;
}

// True if a node has as many CPUs as are wanted.
static bool one_node_has(const struct host *host, unsigned count)
{
	for (unsigned i = 0; i < host->nnodes; i++) {
		if (idset_count(&host->nodes[i].cpus) >= count)
			return true;
	}
	return false;
}

static bool names_a_node(const struct request *req)
{
	bool named = !idset_empty(&req->mems);

	for (unsigned i = 0; i < req->nhugepages; i++)
		named = named || req->hugepages[i].node >= 0;
	return named;
}

// One that is not all on one node, though it could be.
static bool is_spread(
	const struct request *req, const struct host *host, const struct grant *g, struct err *why
)
{
	struct idset nodes = host_nodes_of(host, &g->cpus);
	char list[IDSET_STR];

	for (unsigned i = 0; !names_a_node(req) && i < g->nhugepages; i++)
		idset_add(&nodes, (unsigned)g->hugepages[i].node);
	if (idset_count(&nodes) < 2 || !one_node_has(host, idset_count(&g->cpus)))
		return false;
	err_set(why,
		EBUSY,
		"the next one would have its CPUs and pages on nodes %s; --count N takes those, "
		"too",
		idset_format(&nodes, list, sizeof(list)));
	return true;
}

int slots_fill(
	const struct request *req,
	const struct host *host,
	struct holdings *others,
	unsigned most,
	bool local,
	struct slots *ret,
	struct err *err
)
{
	struct request one = *req;
	struct grant g;

	*ret = (struct slots){0};
	while (ret->n < most) {
		if (most > 1
		    && snprintf(one.name, sizeof(one.name), "%s-%u", req->name, ret->n + 1)
			       >= (int)sizeof(one.name))
			return err_set(err, EINVAL, "name '%s' is too long for --count", req->name);
		if (grant_resolve(&one, host, others, &g, &ret->why) < 0) {
			ret->limit = limit_of(&one, host, others);
			return 0;
		}
		if (local && is_spread(&one, host, &g, &ret->why)) {
			ret->limit = SLOTS_NODES;
			return 0;
		}
		if (most > 1 && check_memory_beside(&g, host, others, &ret->why) < 0) {
			ret->limit = SLOTS_MEMORY;
			return 0;
		}
		if (holdings_add(others, &g, false, err) < 0)
			return -err->code;
		ret->n++;
	}
	return 0;
}

struct idset slots_shared_cores(
	const struct grant *g, const struct host *host, const struct holdings *all
)
{
	struct idset siblings = {0}, held = {0};

	idset_foreach (cpu, &g->cpus) {
		const struct host_cpu *c = host_cpu(host, (unsigned)cpu);

		if (c != NULL)
			idset_or(&siblings, &c->siblings);
	}
	for (unsigned i = 0; i < all->n; i++)
		idset_or(&held, &all->held[i].grant.cpus);
	idset_and(&siblings, &held);
	idset_andnot(&siblings, &g->cpus);
	return siblings;
}
