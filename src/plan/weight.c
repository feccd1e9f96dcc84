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
// 100 is a process's own. On cgroup v1 nothing is done:
// it would be one more hierarchy, 3 % of a start.

#include "base/scope.h"
#include "plan/make.h"

#include <string.h>

#define MIN 1u
#define MAX 10000u

static void hint(struct plan *p, const char *group, const char *file, char *value)
{
	plan_step(p, STEP_SET, STEP_HOST, str_printf("%s/%s", group, file), value)->hint = true;
}

static void weigh(struct plan *p, const char *group, unsigned weight)
{
	hint(p, group, "cpu.weight", str_printf("%u", weight));
}

static unsigned in_proportion(const struct plan *p)
{
	struct idset cpus = grant_all_cpus(&p->lease.grant);
	unsigned of = idset_count(&p->host->online);
	unsigned n = MAX * idset_count(&cpus) / (of > 0 ? of : 1);

	return n < MIN ? MIN : n > MAX ? MAX : n;
}

// The controller is a step of its own: the kernel does not take it where a real-time process is in a
// cgroup.
void plan_weight_v2(struct plan *p, const char *top, const char *lease)
{
	if ((p->host->cgroup.controllers & HOST_CG_CPU) == 0)
		return;
	hint(p, p->host->cgroup.mount, "cgroup.subtree_control", strdup("+cpu"));
	if (p->lease.grant.isolated) {
		weigh(p, lease, MAX);
		return;
	}
	hint(p, top, "cgroup.subtree_control", strdup("+cpu"));
	weigh(p, top, MAX);
	weigh(p, lease, in_proportion(p));
}
