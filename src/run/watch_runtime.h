// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Waiting for a runtime that was started, and for what its init says.
#pragma once

#include "run/child.h"
#include "run/watch_cpus.h"
#include "run/watch_limit_hits.h"

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

enum phase {
	PHASE_STARTING,
	PHASE_RUNNING,
	PHASE_FAILED, // the program could not be executed
};

struct watch {
	pid_t child;
	int64_t limit; // of the whole start, in milliseconds of CLOCK_MONOTONIC
	enum phase phase;
	int exec_errno; // of PHASE_FAILED
	int ended;	// exit status of the program, as the init has it; -1: it did not say
	int status;	// of the child, as waitpid gives it
	int ready;	// where to say that it has started, -1: nowhere
	const char *name;
	struct log *log; // NULL: none
	struct streams
		*streams; // to be relayed once the program runs; NULL: by somebody else, or it is
	int64_t relay_at; // when at the latest, in milliseconds of CLOCK_MONOTONIC; 0: not yet known
	struct relay relay;
	const struct hostfs *fs; // for the relay
	const struct lease *lease;
	struct ledger *ledger;	    // where the lease is; NULL: nowhere
	char accel[8];		    // of a virtual machine: what runs it; "": not yet known
	struct terminal *terminal;  // of ours; NULL: none
	struct cpu_watch *cpus;	    // NULL: somebody else's business
	struct limit_watch *limits; // NULL: somebody else's business
	bool unwritten;		    // the lease is not on disk yet
	bool fell_back;		    // another accelerator is tried, with a time of its own
	bool hung_up;		    // the caller's side of it has gone
	bool told;		    // a signal said that it is to end
	int early;		    // the one that did before the program was there; 0: none
	int size;		    // of a terminal of somebody else's: where to read it; -1: none
};

// When a start that begins now has failed.
int64_t watch_limit(const struct lease *lease);
// How many milliseconds are left of a start, 0 when its time is over.
int watch_left(const struct watch *w);
// Kills it, and waits for its end for some seconds.
void watch_kill(struct watch *w);
// Then: kills it. Returns the error. One limit for the whole start, however often a signal wakes us.
int watch_give_up(struct watch *w, struct err *err);
// Says that it runs, where that is to be said.
void watch_started(const struct watch *w);

// Blocks the signals that are watched for. terminal: those about one as well. Returns a signalfd, or -1.
int watch_signals(bool terminal, sigset_t *old);

// Until the child has ended. fd: its status pipe, -1 when it has none.
int watch_child(struct watch *w, int sfd, int fd, struct err *err);

// Whether the runtime wrote anything.
bool watch_heard(const struct channels *c);
// The last line the runtime wrote, without time and level, as the reason of a failure.
void watch_reason(const struct channels *c, char *buf, size_t len);

// True for a signal that says that all is to end.
bool watch_is_end(int sig);

// A signal that came while everything was taken back has been obeyed: the status is the program's. True if one said
// that all is to end. Closes sfd.
bool watch_end(int sfd, const sigset_t *old);
