// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Who writes the log of what a keeper starts in the background, and has the keeper's events logged: a process of root's beside the workload. The
// files are root's, so that their owner can neither let them grow nor change what they say; he has them for
// reading.
#pragma once

#include "base/err.h"
#include "ledger/ledger.h"
#include "run/log.h"

#include <stdbool.h>

struct scribe {
	int sock;	     // the keeper's side; closed: the writer ends
	struct log_pair log; // for reading alone
};

#define NO_SCRIBE                               \
	{                                       \
		.sock = -1, .log = NO_LOG_PAIR, \
	}

// As root: makes the files and starts the writer, in the lease's cgroup, which must be there.
int scribe_start(
	const struct hostfs *fs, const struct lease *lease, struct scribe *ret, struct err *err
);
void scribe_done(struct scribe *s);

// ---- of the keeper

// A workload begins, and writes to this pipe, which is closed here. The former log stays until it has said
// something or scribe_started. -1: the writer has gone.
int scribe_begin(const struct scribe *s, int *from);
void scribe_started(const struct scribe *s);

// A line for the log of events (base/event_log.h), of so many bytes at most; of a flood most are left out.
#define SCRIBE_TELL 400
__attribute__((format(printf, 2, 3))) void scribe_tell(
	const struct scribe *s, const char *fmt, ...
);

// It has ended: waits until all it said is in the log, but not for long.
void scribe_end(const struct scribe *s);
