// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The isolated partition: the kernel takes the CPUs of a grant from all other processes, and moves
// nothing between them (cpuset.cpus.partition, Documentation/admin-guide/cgroup-v2.rst).

#include "base/scope.h"
#include "grant/choose.h"

int check_partition(const struct grant *g, const struct host *host, struct err *err)
{
	struct idset left = host->online;

	if (!g->isolated)
		return 0;
	if (g->shared_pool[0] != '\0')
		return err_set(
			err,
			EINVAL,
			"grant '%s': a partition has its CPUs for itself; leave --shared-cpus or "
			"--partition out",
			g->name
		);
	if (host->cgroup.version != HOST_CGROUP_V2)
		return err_set(
			err,
			EOPNOTSUPP,
			"grant '%s': partitions need cgroup v2; boot with "
			"systemd.unified_cgroup_hierarchy=1, or leave --partition out (isolcpus= "
			"on "
			"the kernel's command line keeps CPUs free as well)",
			g->name
		);
	if (host->cgroup.partition == HOST_PARTITION_NONE)
		return err_set(
			err,
			EOPNOTSUPP,
			"grant '%s': isolated partitions need the cpuset controller of Linux 6.1 "
			"or "
			"newer, this is %.64s; leave --partition out",
			g->name,
			host->release
		);
	idset_andnot(&left, &g->cpus);
	if (idset_empty(&left))
		return err_set(
			err,
			EINVAL,
			"grant '%s': a partition of all CPUs leaves none to the machine; grant one "
			"less, or leave --partition out",
			g->name
		);
	return 0;
}
