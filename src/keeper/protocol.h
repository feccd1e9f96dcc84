// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What is said over a keeper's socket: one JSON object a message (SOCK_SEQPACKET), at most
// KEEPER_MESSAGE_MAX bytes, with the standard descriptors of a program beside it (SCM_RIGHTS).
#pragma once

#include "base/err.h"
#include "launch/launch.h"

#include <jansson.h>
#include <stdbool.h>

#define KEEPER_MESSAGE_MAX 65536
#define KEEPER_FDS 3	 // standard input, output and error of the program
#define KEEPER_LOG_FDS 4 // what keeper_log gives
#define WIRE_FDS KEEPER_LOG_FDS

enum keeper_op {
	KEEPER_RUN,
	KEEPER_EXEC,
	KEEPER_PS,
	KEEPER_STOP,
	KEEPER_LOGS,
	KEEPER_SIGNAL, // for the program that this client started
	KEEPER_OPS
};

// Which fields there are depends on op; strings are borrowed: from doc after a parse.
struct keeper_request {
	enum keeper_op op;
	json_t *doc;
	char **argv; // run, exec: NULL-terminated, at least one word; the array belongs to it
	unsigned nenv, nvolumes;
	const char *env[LAUNCH_LISTS];	   // "NAME=value"
	const char *volumes[LAUNCH_LISTS]; // run: "/HOST:/TARGET:ro" or ":rw"
	const char *image;		   // run: absolute path of a directory, NULL: the host's
	const char *user, *hostname;	   // NULL: not said
	bool interactive, terminal;
	bool detached;	  // run
	unsigned seconds; // stop: until SIGKILL
	int signal;	  // signal
};

// Strict. On failure *ret is untouched; else keeper_request_done frees it.
int keeper_request_parse(const char *text, size_t len, struct keeper_request *ret, struct err *err);
void keeper_request_done(struct keeper_request *req);
// New reference; NULL when a string is not UTF-8 or memory is out.
json_t *keeper_request_to_json(const struct keeper_request *req);

// How many descriptors come with it: KEEPER_FDS or none.
unsigned keeper_request_fds(const struct keeper_request *req);

// True for a signal that may be passed on.
bool keeper_signal_allowed(int number);

// What the keeper says: that the program runs, or the end of what was asked for.
struct keeper_reply {
	bool started;	 // the others have no meaning then
	int status;	 // exit status for the caller
	char error[512]; // one line, "": none
	json_t *row;	 // ps: as a row of pinfold ps --json, borrowed or owned by the caller
};

int keeper_reply_parse(const char *text, size_t len, struct keeper_reply *ret, struct err *err);
json_t *keeper_reply_to_json(const struct keeper_reply *reply);
