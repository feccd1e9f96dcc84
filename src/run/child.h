// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The process that becomes the runtime, or the program itself on the bare host, and what it has in
// common with its supervisor.
#pragma once

#include "plan/plan.h"
#include "run/log.h"
#include "run/terminal.h"

#include <sys/types.h>

// The two ends of what the child tells before it becomes the runtime, and of what the container's
// init tells before it starts the program.
struct channels {
	int go[2];    // one byte: the limits are in place; nothing: they will not be
	int setup[2]; // CHILD_ENTERED, CHILD_FAILED and a struct err; closed by exec
	int status
		[2]; // "started PID" or "failed ERRNO"; of a container a socket that first gives it its streams
	int errors;		// memfd: the runtime's standard error
	struct log log;		// output of a detached workload
	struct streams streams; // of a container's program
	struct terminal terminal;
};

#define NO_CHANNELS                                                                  \
	{                                                                            \
		.go = {-1, -1}, .setup = {-1, -1}, .status = {-1, -1}, .errors = -1, \
		.log = LOG_NONE, .streams = NO_STREAMS, .terminal = NO_TERMINAL      \
	}

// What the child says over channels.setup.
enum {
	CHILD_ENTERED = 'e', // it is in its cgroup: the lease counts as in use
	CHILD_FAILED = 'f',  // a struct err follows
};

// With the log, when the launch is detached, and with streams, unless somebody else has made them (given).
int channels_open(
	struct channels *ret,
	const struct lease *lease,
	const struct launch *launch,
	struct streams *given,
	struct err *err
);
void channels_done(struct channels *c);

// In a child that becomes a runtime: descriptors 0 to 2 are its own, then those of the container's init.
// -1: errno.
int place_runtime(const struct site *site, const struct streams *s, int errors, int status_fd);

// Forks. The child takes the steps of the fence and executes; what goes wrong there it writes to
// setup. It executes with no signal blocked. lock: the ledger's, which the child keeps too, until its
// lease is in use. -1: errno.
pid_t start_child(
	const struct plan *p, const struct launch *launch, const struct channels *c, int lock
);
