// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Cgroup directories: whose processes are in them, and which hierarchy they belong to.
#pragma once

#include "host/host.h"

// The processes of one directory, in `dir`. Non-zero ends the walk.
typedef int (*host_cgroup_fn)(int dir, const int *pids, size_t n, void *arg);

// Of a lease's cgroup: where the runtime is, and who else works for the workload beside it.
#define CGROUP_RUNTIME "super"

// Calls fn for every directory from `dir` downwards that has processes; not for the runtime's if
// skip_runtime. 0, what fn returned, or -errno when something could not be looked at: then nobody knows
// whether it was empty. A directory that is removed meanwhile is empty.
int host_cgroup_walk(int dir, bool skip_runtime, host_cgroup_fn fn, void *arg);

// The numbers in cgroup.procs of `dir`: an array (free it). 0 or -errno; none where there is no such file.
int host_cgroup_pids(int dir, int **ret, size_t *ret_n);

// True for a file of a cgroup file system, not one of a plain directory in its place.
bool host_is_cgroup(int fd);
// The same, of version 2.
bool host_is_cgroup2(int fd);

// Version, mount and directories of the hierarchies, as host_read has them in host.cgroup; what needs the
// kernel's release is left out.
void host_cgroup_mounts(const struct hostfs *fs, struct host_cgroup *ret);
