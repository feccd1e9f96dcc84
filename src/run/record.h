// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Which system calls a workload makes. Its filter is the default one, with every call that it lets
// through held until a listener (seccomp_unotify(2)) has noted it and said "go on": the kernel then
// does the call as if nothing had been. What the filter refuses is refused without being asked about.
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

struct recording; // shared with the listener

struct recorder {
	pid_t pid;	  // the listener
	int control;	  // closed: the workload has ended
	char socket[108]; // where the runtime hands the filter over; for launch.seccomp_listener
	struct recording *seen;
};

// Starts the listener, a process of its own: it goes on as long as the workload does, even when this
// process is killed. Call before anything is locked or started.
int recorder_start(struct recorder *ret, struct err *err);

// The workload has ended: ends the listener. *ret: the profile (OCI linux.seccomp) of exactly the calls
// that were made; *ret_calls: how many different ones, 0 when none was seen (then *ret is NULL).
int recorder_end(struct recorder *r, json_t **ret, unsigned *ret_calls, struct err *err);
