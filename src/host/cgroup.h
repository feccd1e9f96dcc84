// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Cgroup directories: whose processes are in them, and which hierarchy they belong to.
#pragma once

#include "host/host.h"

// The processes of one directory, in `dir`. Non-zero ends the walk.
typedef int (*host_cgroup_fn)(int dir, const int *pids, size_t n, void *arg);

// Of a lease's cgroup: where the runtime is, and who else works for the workload beside it.
#define CGROUP_RUNTIME "super"

// Calls fn (NULL: 1) for every directory from `dir` downwards that has processes; not for the runtime's if
// skip_runtime. 0, what fn returned, or -errno when something could not be looked at: then nobody knows
// whether it was empty; -ETIME: not within so many milliseconds. A directory that is removed meanwhile is empty.
int host_cgroup_walk(
	int dir, bool skip_runtime, unsigned milliseconds, host_cgroup_fn fn, void *arg
);
// Who makes cgroups faster than they are looked at keeps nobody for ever.
#define HOST_CGROUP_WALK 20000

// Goes through all directories from `dir` downwards, however deep and many whoever is in there made them. enter (may
// be NULL) is called in each on the way down; leave (may be NULL) on the way up for each but `dir` itself, when all
// below it have been left. Non-zero from either ends it. 0, what ended it, or -errno; -ETIME after `milliseconds`.
struct host_cgroup_visit {
	int (*enter)(int dir, void *arg);
	int (*leave)(int parent, const char *name, void *arg);
	void *arg;
	bool skip_runtime; // CGROUP_RUNTIME of `dir`
	unsigned milliseconds;
};
int host_cgroup_visit(int dir, const struct host_cgroup_visit *v);

// True for what the kernel says about a directory that was removed while it was looked at, and files of it.
bool host_cgroup_gone(int r);

// The numbers in cgroup.procs of `dir`: an array (free it). 0 or -errno; none where there is no such file.
int host_cgroup_pids(int dir, int **ret, size_t *ret_n);

// Version 2: 1 where a process is in `dir` or below, else 0; -ENOENT: of version 1, which does not tell; or -errno.
int host_cgroup_populated(int dir);

// True for a file of a cgroup file system, not one of a plain directory in its place.
bool host_is_cgroup(int fd);
// The same, of version 2.
bool host_is_cgroup2(int fd);

// The number behind a key of such lines as memory.stat has, or, without a key, the one that the text begins with.
// HOST_CGROUP_NONE_SAID: there is no such line.
#define HOST_CGROUP_NONE_SAID UINT64_MAX
uint64_t host_cgroup_number(const char *text, const char *key);

struct host_controller {
	const char *name;
	unsigned bit; // HOST_CG_…
	size_t dir; // where its directory of v1 is in struct host_cgroup; 0: it is a part of another
};

// All that pinfold knows.
#define HOST_CONTROLLERS 9
extern const struct host_controller host_controllers[HOST_CONTROLLERS];
// Without these no grant can be held; freezer and devices may stay on version 1 beside version 2.
#define HOST_CG_LIMITS (HOST_CG_CPUSET | HOST_CG_MEMORY | HOST_CG_PIDS | HOST_CG_HUGETLB)

static inline const char *host_controller_dir(
	const struct host_cgroup *cg, const struct host_controller *c
)
{
	return (const char *)cg + c->dir;
}

// Of v1: the one in whose hierarchy leases are tracked, and the runtime is: it tells who is alive and does not limit where
// they run. NULL: none is mounted.
const struct host_controller *host_cgroup_tracker(const struct host_cgroup *cg);

// Version, mount and directories of the hierarchies, as host_read has them in host.cgroup; what needs the
// kernel's release is left out.
void host_cgroup_mounts(const struct hostfs *fs, struct host_cgroup *ret);

// The directory of a process in the hierarchy that is mounted at `dir` below cg->mount, and has this controller; both ""
// for version 2. New string; NULL: it is in none, or deeper than the kernel says.
char *host_cgroup_in(
	const struct hostfs *fs,
	const struct host_cgroup *cg,
	int pid,
	const char *dir,
	const char *controller
);
// In the hierarchy that tells who is alive, which is that of a lease's cgroup.
char *host_cgroup_of(const struct hostfs *fs, const struct host_cgroup *cg, int pid);
