// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The parts of a keeper's loop: its clients and the workload.
#pragma once

#include "base/status.h"
#include "keeper/keeper.h"
#include "run/start_news.h"

#include <stdbool.h>
#include <stdint.h>

// Of its clients some always only ask, so that root can: whoever waits for the end of something is one of a few.
#define CLIENTS 16
#define EXECS 10
#define STOPS 2

enum stage {
	STAGE_FREE,
	STAGE_ASK,  // has not asked yet
	STAGE_RUN,  // waits for the end of the workload it started
	STAGE_EXEC, // waits for the end of a program
	STAGE_STOP, // waits for the end of the workload
};

struct client {
	enum stage stage;
	int fd;
	pid_t pid;     // exec
	int64_t until; // milliseconds: ask, or an exec whose client has gone; 0: no limit
};

// The one workload that a grant has at a time.
struct workload {
	pid_t pid;  // 0: none
	int report; // what the process says
	bool running, detached;
	int64_t started, kill_at; // seconds since the epoch; milliseconds, 0: not to be killed
	int status;		  // of the process, as waitpid gives it
	struct news end;	  // as it told it, if it did
	char command[256];
	char image[sizeof(((struct lease *)NULL)->image)]; // as of a lease
	uint64_t image_dev, image_ino;			   // 0: not known yet
};

struct loop {
	struct keeper *k;
	struct client clients[CLIENTS];
	struct workload run;
	int sfd;
	bool leaving;
};

// Milliseconds of a clock that is never set.

// The last word to a client, whose slot is free then. error: NULL or one line.
void answer(struct client *c, int status, const char *error);
void drop_client(struct client *c);

// ---- workload.c

// SIGTERM, and SIGKILL when the time is over.
void end_run(struct loop *l, int64_t milliseconds);
// SIGKILL for all in the process namespace but this process and programs whose clients wait. How many.
unsigned kill_rest(const struct loop *l);
// Reads what the process of the workload has to say.
void read_report(struct loop *l);
// Takes up every child that has ended, and tells its client.
void reap(struct loop *l);
