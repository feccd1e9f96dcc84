// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a workload weighs in the cpu controller, where others want its CPUs.
//
// The scheduler takes a cgroup for one task, and divides its weight among the CPUs it runs on: left
// alone, all containers together would get from one process that strays on their CPUs no more than one
// process gets, and less the more CPUs are granted. CPUs are granted so that nobody else computes on
// them, hence:
//
//   pinfold/       the most there is. It is divided among the granted CPUs that are busy
//   pinfold/NAME   in proportion to its CPUs: the same on each granted CPU, and in a shared pool
//
// It is a hint: no limit hangs on it. The numbers: cpu.weight of Documentation/admin-guide/cgroup-v2.rst;
// 100 is a process's own. On cgroup v1 nothing is done.

#include "base/scope.h"
#include "plan/plan.h"

#include <string.h>

#define V2_MIN 1u
#define V2_MAX 10000u

static void hint(struct plan *p, char *path, char *value)
{
	plan_step(p, STEP_SET, STEP_HOST, path, value)->hint = true;
}

static void weigh(struct plan *p, const char *group, const char *file, unsigned weight)
{
	hint(p, str_printf("%s/%s", group, file), str_printf("%u", weight));
}

static unsigned in_proportion(
	const struct plan *p, const struct host *host, unsigned min, unsigned max
)
{
	struct idset cpus = grant_all_cpus(&p->lease.grant);
	unsigned of = idset_count(&host->online);
	unsigned n = (unsigned)((uint64_t)max * idset_count(&cpus) / (of > 0 ? of : 1));

	return n < min ? min : n > max ? max : n;
}

// Its own step: the kernel does not take the controller where a real-time process is in a cgroup.
static void weigh_v2(struct plan *p, const struct host *host)
{
	const char *mount = host->cgroup.mount;
	_cleanup_free_ char *group = plan_lease_cgroup(&p->lease.grant);
	_cleanup_free_ char *lease = str_printf("%s/%s", mount, group);
	_cleanup_free_ char *top = str_printf("%s/pinfold", mount);

	hint(p, str_printf("%s/cgroup.subtree_control", mount), strdup("+cpu"));
	if (p->lease.grant.isolated) {
		weigh(p, lease, "cpu.weight", V2_MAX);
		return;
	}
	hint(p, str_printf("%s/cgroup.subtree_control", top), strdup("+cpu"));
	weigh(p, top, "cpu.weight", V2_MAX);
	weigh(p, lease, "cpu.weight", in_proportion(p, host, V2_MIN, V2_MAX));
}

void plan_weight(struct plan *p, const struct host *host)
{
	if ((host->cgroup.controllers & HOST_CG_CPU) == 0)
		return;
	// of v1 it would be one more hierarchy, 3 % of a start
	if (host->cgroup.version == HOST_CGROUP_V2)
		weigh_v2(p, host);
}
