// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The only code that changes the host: the steps of a plan, and their undo.
#pragma once

#include "base/err.h"
#include "ledger/ledger.h"
#include "plan/plan.h"

// Carries out the steps on the host, in order, under the ledger's lock and after the lease was written:
// those that make cgroups and their limits, or the others, which come first.
int apply_host(const struct plan *p, bool limits, struct err *err);

// The steps of the process that becomes the workload, in order. STEP_FENCE: after apply_unshare, while
// the limits are made. STEP_ENTER: after both, under the lock still.
int apply_steps(const struct plan *p, enum step_where where, struct err *err);

// A mount namespace of its own that still follows unmounts of the host.
int apply_unshare(struct err *err);

// For a process that becomes a runtime outside of a workload's fence: crun makes a file and mounts itself
// on it for a moment, here where the kernel drops both if it is killed just then.
int apply_scratch(struct err *err);

// ---- undo.c

// Takes back everything the lease notes, in reverse order. What is gone already is fine. The ledger
// is locked; the lease file is removed by the caller afterwards.
int undo_lease(const struct ledger *l, const struct lease *lease, struct err *err);

// Undoes and removes every lease that nobody uses, also when one of them fails: that one stays in the
// ledger with all it holds, so a caller that only wants room may go on. Returns how many in *ret_count (may be NULL). The
// ledger is locked.
int gc_leases(struct ledger *l, unsigned *ret_count, struct err *err);

// ---- cgroup.c

// Kills every process of the lease but those in its "super" cgroup unless all is set, until none is
// left or the time is over.
int cgroup_kill(
	const struct hostfs *fs,
	const struct lease *lease,
	bool all,
	unsigned milliseconds,
	struct err *err
);

// Removes the cgroup `path` ("pinfold/NAME" or "pinfold-NAME") and all below it in every hierarchy,
// waiting a moment for processes that are ending.
int cgroup_remove(const struct hostfs *fs, const char *path, struct err *err);

// True if a process is in the cgroup `path` or below it, in any hierarchy.
bool cgroup_populated(const struct hostfs *fs, const char *path);

// Moves this process into the directory `dir`, an absolute path.
int cgroup_join(const struct hostfs *fs, const char *dir, struct err *err);

// For a process that works for a workload beside it: into the lease's "super" cgroup and, on v1, to the CPUs
// of its box.
int cgroup_join_beside(const struct hostfs *fs, const struct lease *lease, struct err *err);

// devices.c: limits the cgroup of v2 to character devices, a list of "MAJOR:MINOR" and "MAJOR:*".
int cgroup_allow_devices(const char *dir, const char *list, struct err *err);

// partition.c: makes the cgroup a partition ("isolated"). What the kernel cannot do it says in a word of
// its own, which is in the error.
int cgroup_partition(const char *dir, const char *kind, struct err *err);
// Gives the CPUs of the lease's cgroup `name`, and of its box, back. Its removal would do so too, but at
// some time: the next that wants them would find them taken.
void cgroup_partition_end(int dir, const char *name);

// grace.c: begins, in the background, what makes the next move of a process between cgroups quick. For
// those who will move one within some ten milliseconds; changes nothing.
void cgroup_begin_grace(void);

// Calls fn for every process in the directory and below (not "super" directories if skip_super).
typedef void (*cgroup_pid_fn)(int pid, void *arg);
void cgroup_each_pid(
	const struct hostfs *fs, const char *dir, bool skip_super, cgroup_pid_fn fn, void *arg
);
