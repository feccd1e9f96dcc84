// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The process that becomes the runtime, or the program itself on the bare host, and what it has in
// common with its supervisor.
#pragma once

#include "plan/plan.h"
#include "run/log.h"

#include <sys/types.h>

// The two ends of what the child tells before it becomes the runtime, and of what the container's
// init tells before it starts the program.
struct channels {
	int go[2];	// one byte: the limits are in place; nothing: they will not be
	int setup[2];	// CHILD_ENTERED, CHILD_FAILED and a struct err; closed by exec
	int status[2];	// "started PID" or "failed ERRNO"
	int errors;	// memfd: the runtime's standard error
	struct log log; // output of a detached workload; none: inherited
};

#define NO_CHANNELS                                        \
	{                                                  \
		{-1, -1}, {-1, -1}, {-1, -1}, -1, LOG_NONE \
	}

// What the child says over channels.setup.
enum {
	CHILD_ENTERED = 'e', // it is in its cgroup: the lease counts as in use
	CHILD_FAILED = 'f',  // a struct err follows
};

// With the log, when the launch is detached.
int channels_open(
	struct channels *ret, const struct plan *p, const struct launch *launch, struct err *err
);
void channels_done(struct channels *c);

// An empty file that is the caller's own, or -1. Not /dev/null: the runtime gives its standard
// descriptors to the container's user, and that would be the host's device.
int empty_input(void);

// Forks. The child takes the steps of the fence and executes; what goes wrong there it writes to
// setup. It executes with no signal blocked. lock: the ledger's, which the child keeps too, until its
// lease is in use. -1: errno.
pid_t start_child(
	const struct plan *p, const struct launch *launch, const struct channels *c, int lock
);
