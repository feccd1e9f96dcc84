// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Options that several commands share: those of a request, and those of a launch.
#pragma once

#include "base/err.h"
#include "base/options.h"
#include "grant/grant.h"
#include "run/run.h"

#include <stdbool.h>

// A request, as flags say it.
struct cli_wanted {
	struct request request;
	bool any;	   // there was one
	bool not_for_name; // --name is none of them
};

// The fence options of `run` and `plan`, and what they fill.
struct cli_start {
	struct cli_wanted;
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

// Parses the options of run, plan and seccomp record; stops at the program, whose words are launch.argv. 1: help is asked
// for.
int cli_parse_start(
	int argc, char **argv, enum cli_start_kind kind, struct cli_start *ret, struct err *err
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

// Sets a flag of a request; files named from the working directory are made absolute.
int cli_set_flag(struct request *req, const char *flag, const char *value, struct err *err);

// Adds --from FILE, a request document, and the flags of requests to a table (options_add).
void cli_wanted_rows(struct option_row *rows, struct cli_wanted *w);
// The flags alone, each with `take` and `to` as in its row.
void cli_flag_rows(struct option_row *rows, option_take *take, void *to);
// A `take` that sets the flag of this name of the request `to`.
int cli_take_flag(const struct option_row *o, const char *value, struct err *err);

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
