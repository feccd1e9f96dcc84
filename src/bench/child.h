// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Programs that experiments start. All that still run are ended when an experiment ends, however it does, and get
// SIGTERM if the benchmark itself is killed; each has a process group of its own, so that ctrl-C reaches the
// benchmark alone, which then ends them in order.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct bench;

struct child_how {
	const char *const *argv; // ends with NULL; argv[0] is looked for in PATH
	const char *const *env;	 // "NAME=VALUE" that are added, ends with NULL; NULL: none
	const char *log;	 // file for standard output and standard error; NULL: /dev/null
	const char *dir;	 // where it starts; NULL: where this process is
	int cpu;		 // 1 + the CPU it is pinned to; 0: any
	bool bare;		 // out of all cgroups that this process is in, into the root ones
	bool always;		 // also after ctrl-C: it puts something away
	bool stdin_pipe;	 // child.in writes to its standard input
	bool stdout_pipe;	 // child.out reads its standard output, and not the log
	bool stderr_too;	 // and its standard error
	bool bounded; // a file that it writes, as its log, has no more than 16 MiB: then it ends
};

struct child {
	pid_t pid;	  // 0: none, or it has been waited for
	int pidfd;	  // readable once it has ended
	int in, out;	  // -1: no pipe
	int status;	  // as a shell has it, once it has ended
	int64_t began_ns; // clock_ns() just before the fork
	char what[64];	  // for messages
	bool always;	  // see child_how
	struct child *next;
};

int child_start(struct bench *b, const struct child_how *how, struct child *ret, struct err *err);

// Until it has ended or so many milliseconds have passed (-ETIMEDOUT) or ctrl-C was pressed (-ECANCELED).
int child_wait(struct bench *b, struct child *c, unsigned milliseconds, struct err *err);

// Whether it runs; if it does not, c->status is set.
bool child_runs(struct bench *b, struct child *c);

// Whether the process was started here, and nobody has waited for it.
bool child_known(const struct bench *b, pid_t pid);

// SIGTERM; SIGKILL to its group after so many milliseconds. Nothing where it has ended already.
void child_stop(struct bench *b, struct child *c, unsigned milliseconds);

// All that still run.
void children_stop(struct bench *b);

// Runs a program to its end. Fails unless it ends with status 0 (a negative `expect` takes any): the message has the
// last line it wrote. ENOENT: there is no such program. ret_out: what it wrote on standard output (free it), NULL: nobody wants it; ret_ns: from just
// before the fork to its end, may be NULL.
int child_run(
	struct bench *b,
	const struct child_how *how,
	unsigned milliseconds,
	int expect,
	char **ret_out,
	int64_t *ret_ns,
	struct err *err
);

// The last line of a log that says something, for messages; "" where there is none.
void child_last_line(const char *log, char *buf, size_t len);
