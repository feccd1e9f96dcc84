// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Watches which limits a workload runs into, for whoever polls for something else too.
#pragma once

#include "apply/apply.h"

#include <poll.h>

#define LIMIT_FDS 2

struct limit_watch {
	const struct hostfs *fs; // NULL: nothing is watched
	const struct lease *lease;
	struct hits_event on[LIMIT_FDS];
	struct hits now, said, first; // first: before it began
	int64_t due,
		said_at; // when to say it, and last, in milliseconds of CLOCK_MONOTONIC; 0: not
	bool ends;	 // its end is waited for, which says it
};

// The limits are there, the program is not yet. Both are borrowed.
void limit_watch_open(struct limit_watch *w, const struct hostfs *fs, const struct lease *lease);
// The program runs.
void limit_watch_started(struct limit_watch *w);
void limit_watch_close(struct limit_watch *w);

void limit_watch_poll(const struct limit_watch *w, struct pollfd fds[static LIMIT_FDS]);
// How long poll may wait: milliseconds, -1: for ever.
int limit_watch_timeout(const struct limit_watch *w);

// To be called whenever poll returns. Says what the workload ran into and goes on after, in its log or on
// standard error (say_of).
void limit_watch_look(struct limit_watch *w, const struct pollfd fds[static LIMIT_FDS]);

// Its init says that it ends: for what nobody is told of (pids.events of v1).
void limit_watch_ask(struct limit_watch *w);

// It has ended with that status, and its box is there still: what there is to say, or "". Returns
// what hits_text does.
const char *limit_watch_end(struct limit_watch *w, int status, char line[static HITS_LINE]);
