// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Options that several commands share: those of a request, and those of a launch.
#pragma once

#include "base/err.h"
#include "grant/grant.h"
#include "run/run.h"

#include <getopt.h>
#include <stdbool.h>

// The fence options of `run` and `plan`, and what they fill.
struct cli_start {
	struct request request;
	bool any_request_flag;
	const char *definition; // --grant
	const char *format;	// --format (plan)
	const char *output;	// --output (seccomp record)
	struct launch launch;
};

enum cli_start_kind {
	CLI_START_RUN,
	CLI_START_PLAN,	  // has --format
	CLI_START_RECORD, // has --output
};

// Parses the options of run, plan and seccomp record; stops at the program, whose words are launch.argv.
int cli_parse_start(
	int argc,
	char **argv,
	enum cli_start_kind kind,
	struct cli_start *ret,
	bool *ret_help,
	struct err *err
);

// Completes what was parsed: tools, user, the program. *ret_status: the exit status when it fails. run.c
int cli_complete(
	struct cli_start *cs,
	const struct hostfs *fs,
	bool need_program,
	int *ret_status,
	struct err *err
);

// Runs what was parsed, until it ends; returns the exit status. ready: as run_workload has it. run.c
int cli_supervise(struct cli_start *cs, int ready);

// Sets a request flag by its index (request_flag); files named from the working directory are made
// absolute.
int cli_set_flag(struct request *req, int index, const char *value, struct err *err);

// Reads a request file (--from). any: there were flags before it, which it would undo.
int cli_read_request(const char *path, bool any, struct request *ret, struct err *err);

// The request flags as getopt entries: fills longs (room for n) and returns how many. Their value is
// CLI_REQUEST_FLAG + the index of request_flag.
#define CLI_REQUEST_FLAG 1000
size_t cli_request_options(struct option *longs, size_t n);

// Prints what --help says of a grant, between two texts of the command's own. named: it takes --grant too.
void cli_print_grant_help(const char *before, bool named, const char *after);

// ---- keeper.c: what users who are not root do with a grant of theirs. Exit status.
int cli_keeper_run(const struct cli_start *cs);
int cli_keeper_exec(const char *name, const struct launch *launch);
// What the keeper of a grant says about its workload: a row of ps; NULL when it does not answer, and why.
json_t *cli_keeper_row(const char *name, struct err *err);
// "NAME", "UID", "NAME:GID", "UID:GID": the owner of a grant. Nothing of root's.
int cli_parse_owner(const char *s, uint32_t *ret_uid, uint32_t *ret_gid, struct err *err);

// The machine or the tree of --host-tree.
int cli_open_host(struct hostfs *ret, struct err *err);
