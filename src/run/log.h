// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The log of a detached workload: /var/log/pinfold/NAME.log, of limited size.
#pragma once

#include "base/err.h"
#include "ledger/ledger.h"

#include <stdio.h>
#include <sys/types.h>

struct log {
	int to;	      // what the workload writes to, -1: there is no log
	int from;     // the other end of that pipe
	int file;     // NAME.log
	int dir;      // where it is
	char *name;   // "NAME.log"
	pid_t writer; // 0: not started
	bool former;  // what it replaces is put aside
};

#define LOG_NONE                                            \
	{                                                   \
		.to = -1, .from = -1, .file = -1, .dir = -1 \
	}

// Begins a new log; that of a former workload of the name is put aside until it is known whether this one
// starts.
int log_open(const char *name, struct log *ret, struct err *err);

// Starts the writer, in the lease's cgroup for the runtime, which must be there.
int log_start(struct log *log, const struct hostfs *fs, const struct lease *lease, struct err *err);

// After the workload has ended, before its lease is taken back: waits until all it said is written, but
// not for long. Kills what is left of the workload.
void log_end(struct log *log, const struct hostfs *fs, const struct lease *lease);

// The workload has started: the log is its own, and the former one goes. May be said again.
void log_keep(struct log *log);

// Of a workload that could not be started, and before log_keep: the log goes when there is nothing in it,
// and the former one is back.
void log_discard(struct log *log);

void log_close(struct log *log);

// The same limit for a writer that may not rename, as a keeper: NAME.log, open for appending, and
// NAME.log.1. What fills the one is copied to the other.
void log_append(int now, int before, const char *data, size_t len);

// Copies what there is to out. fd: the log, closed here, or -1: it is opened. alive: goes on until that
// says the workload is gone; NULL: does not.
typedef bool (*log_alive_fn)(const struct ledger *l, const char *name);
int log_copy(
	const struct ledger *l,
	const char *name,
	int fd,
	log_alive_fn alive,
	FILE *out,
	struct err *err
);
