// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What else may run on a set of CPUs: a polling program loses time to all of it.
#pragma once

#include "base/err.h"
#include "base/idset.h"
#include "host/host.h"

// How many there are, and the first of them by name: "24 eth0-rx-1, 25 eth0-tx-1, …".
struct host_noise_kind {
	unsigned n;
	bool more; // than fit into names
	char names[160];
};

struct host_noise {
	struct host_noise_kind irqs; // interrupts in use that the CPUs may get
	struct host_noise_kind
		kthreads;	       // kernel threads that may run there and could run elsewhere
	struct host_noise_kind pinned; // processes of no workload that may run there only
};

// Calls fn for each interrupt that is in use: its number, the first of its handlers, and the CPUs that it may go to.
typedef void (*host_irq_fn
)(const char *number, const char *handler, const struct idset *may, void *arg);
void host_irqs_each(const struct hostfs *fs, host_irq_fn fn, void *arg);

struct host_task {
	const char *pid, *name; // the name without what is not printable
	bool kernel;		// a thread of the kernel …
	bool bound;		// … that cannot be moved
	bool leased;		// a process of a workload's
	struct idset may;	// where it may run
};

// Calls fn for each thread of a process, until fn says true of one, and for each thread of the kernel. pid: of the
// process.
typedef bool (*host_task_fn)(const struct host_task *t, void *arg);
void host_tasks_each(const struct hostfs *fs, host_task_fn fn, void *arg);

// Looks at /proc/irq and at every process: for people who ask, not for every start. What cannot be read
// is not counted; a process that ends meanwhile neither.
void host_noise(const struct hostfs *fs, const struct idset *cpus, struct host_noise *ret);
