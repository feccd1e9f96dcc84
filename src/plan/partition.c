// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Where the cgroup of a lease is, and its CPUs as an isolated partition (cpuset.cpus.partition of
// cgroup v2).
//
// A partition needs its CPUs from its parent, and takes them from all that is beside it. Below
// "pinfold/" one grant's partition would change that of the others, so such a lease has a cgroup of its
// own in the root, which is a partition always: "pinfold-NAME". Its end gives the CPUs back.

#include "base/scope.h"
#include "plan/make.h"

#include <string.h>

char *plan_lease_cgroup(const struct grant *g)
{
	return str_printf("pinfold%c%s", g->isolated ? '-' : '/', g->name);
}

static void cpus(struct plan *p, const char *group, const char *file)
{
	char list[IDSET_STR];

	plan_step(
		p,
		STEP_SET,
		STEP_HOST,
		str_printf("%s/%s", group, file),
		strdup(idset_format(&p->lease.grant.cpus, list, sizeof(list)))
	);
}

static void partition(struct plan *p, const char *group)
{
	plan_step(p, STEP_PARTITION, STEP_HOST, strdup(group), strdup("isolated"));
}

// Before Linux 6.7 only a child of a partition can be one. The runtime's cgroup is below it then, and
// must have a CPU of it.
void plan_partition_lease(struct plan *p, const char *lease)
{
	if (!p->lease.grant.isolated || p->host->cgroup.partition != HOST_PARTITION_LOCAL)
		return;
	cpus(p, lease, "cpuset.cpus");
	partition(p, lease);
	plan_note(
		p,
		"this kernel has isolated partitions only below the root (elsewhere since Linux "
		"6.7): the runtime and what writes the log share the isolated CPUs, idle but for "
		"output"
	);
}

// A remote one: each cgroup on the way down says which CPUs it hands on.
void plan_partition_box(struct plan *p, const char *lease, const char *box)
{
	if (!p->lease.grant.isolated || p->host->cgroup.partition != HOST_PARTITION_REMOTE)
		return;
	cpus(p, lease, "cpuset.cpus.exclusive");
	cpus(p, box, "cpuset.cpus.exclusive");
	partition(p, box);
}
