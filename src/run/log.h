// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The log of a detached workload: /var/log/pinfold/NAME.log, of limited size.
#pragma once

#include "base/err.h"
#include "ledger/ledger.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct log {
	int to;	      // what the workload writes to, -1: there is no log
	int from;     // the other end of that pipe
	int file;     // NAME.log
	int times;    // when what is in it came (log_times.h), -1: unknown
	int dir;      // where it is
	char *name;   // "NAME.log"
	pid_t writer; // 0: not started
	bool former;  // what it replaces is put aside
};

#define LOG_BYTES (8l << 20)  // of NAME.log and of NAME.log.1, of which
#define LOG_WORDS (64l << 10) // so much is for what pinfold itself says there (run/say.h)

#define LOG_NONE                                                         \
	{                                                                \
		.to = -1, .from = -1, .file = -1, .times = -1, .dir = -1 \
	}

// Begins a new log; that of a former workload of the name is put aside until it is known whether this one
// starts. again: the workload goes on, and so does its log.
int log_open(const char *name, bool again, struct log *ret, struct err *err);

// Starts the writer, beside the workload, whose cgroups must be there.
int log_start(struct log *log, const struct hostfs *fs, const struct lease *lease, struct err *err);

// After the workload has ended, before its lease is taken back: waits until all it said is written, but
// not for long. Kills what is left of the workload.
void log_end(struct log *log, const struct ledger *l, const struct lease *lease);

// The workload has started: the log is its own, and the former one goes. May be said again.
void log_keep(struct log *log);

// Of a workload that could not be started, and before log_keep: the log goes when there is nothing in it,
// and the former one is back.
void log_discard(struct log *log);

void log_close(struct log *log);

// The same limit for a writer that may not rename, as a keeper: NAME.log, open for appending, and
// NAME.log.1. What fills the one is copied to the other.
struct log_pair {
	int now, before;
	int now_times, before_times; // -1: none
	uint64_t lost;		     // bytes that could not be written since the last that could
};

#define NO_LOG_PAIR                                                          \
	{                                                                    \
		.now = -1, .before = -1, .now_times = -1, .before_times = -1 \
	}

void log_pair_close(struct log_pair *p);
// True when this is the first that cannot be written since something could: errno says why.
bool log_append(struct log_pair *files, const char *data, size_t len);

// ---- log_prune.c

#define LOGS_KEPT 32

// Removes the logs of those that have ended, but for the last LOGS_KEPT. Takes the lock for it.
void log_prune(struct ledger *l);

// ---- what a writer does, log_write.c

// Writes what comes from the pipe, until nobody has its other end any more.
void log_write(struct log *log);

int log_new_file(int dir, const char *file);

// What has come and is not yet written, and how much may be.
#define LOG_FLOW (1u << 20)
#define LOG_RATE (16l << 20) // bytes a second; four times that at once
struct log_flow {
	char data[LOG_FLOW]; // a ring
	size_t first, len;
	uint64_t left_out;
	long rate;
	int64_t room, at; // bytes; when that was so, in nanoseconds
};

typedef void (*log_put_fn)(void *arg, const char *data, size_t len);

void log_flow_begin(struct log_flow *f, long rate);
// Reads at most max bytes, once, as read(2) does.
ssize_t log_flow_read(struct log_flow *f, int from, size_t max);
// Reads what there is just now.
void log_flow_rest(struct log_flow *f, int from);
// Writes what may be written.
void log_flow_write(struct log_flow *f, log_put_fn put, void *arg);
// Writes all, as soon as it may be written: there is room for it within a moment.
void log_flow_finish(struct log_flow *f, log_put_fn put, void *arg);
// How long poll may wait before the next write.
int log_flow_wait(const struct log_flow *f);

// ---- reading, log_read.c

typedef bool (*log_alive_fn)(const struct ledger *l, const char *name);

struct log_wish {
	const unsigned long *tail; // no more than the last *tail lines
	const int64_t *since;	   // no line that was ended before that, in milliseconds since 1970
	bool times; // each line begins with when it was begun, and has no control characters
	log_alive_fn alive; // goes on until that says the workload is gone; NULL: does not
};

// Copies what there is to out. given: for who may not open them; NULL: they are opened.
int log_copy(
	const struct ledger *l,
	const char *name,
	const struct log_pair *given,
	const struct log_wish *wish,
	FILE *out,
	struct err *err
);
