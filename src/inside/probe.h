// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Trying what can be reached, each attempt in a child of its own with a time limit, and none with
// an effect that outlives it: also as root on a host nothing changes.
#pragma once

#include "base/idset.h"

#include <stdint.h>
#include <sys/types.h>

// Runs fn(arg) in a child that is killed after a few seconds; its result is one number. Returns 0
// with *ret, the signal that ended the child (> 0), or -errno when there was no child.
int probe_in_child(int64_t (*fn)(const void *arg), const void *arg, int64_t *ret);

// How many anonymous hugepages of a size (bytes) can be reserved now, at most limit, or -1. They
// are mapped, never touched, and unmapped at once.
int64_t probe_hugepages(uint64_t size, uint64_t limit);

// The CPUs of 0..IDSET_MAX-1 a process may be moved to, whatever its affinity is. A sleeping child is
// moved, so that no CPU has to run anything. Returns 0 or -errno.
int probe_cpus(struct idset *ret);

// What became of a system call that was called so that it has no effect when it is permitted.
struct probe_call {
	const char *name;
	const char *reach; // "refused", "absent" (this kernel has no such thing), "reachable",
			   // "unknown" (could not be tried)
	char error[24];	   // name of the errno or of the signal that ended it, "" on success
};

// The word for an errno, or 0.
const char *probe_reach(int64_t code);

// Number of calls in the table, and the i-th of them tried.
size_t probe_ncalls(void);
const char *probe_call_name(size_t i);
struct probe_call probe_call(size_t i);
