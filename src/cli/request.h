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
	const char *user;	// --user: resolved when the image is known
	const char *format;	// --format (plan)
	struct launch launch;
};

// Parses the options of run and plan; stops at the program, whose words are launch.argv.
int cli_parse_start(
	int argc, char **argv, bool plan, struct cli_start *ret, bool *ret_help, struct err *err
);

// Reads a request file (--from).
int cli_read_request(const char *path, struct request *ret, struct err *err);

// The request flags as getopt entries: fills longs (room for n) and returns how many. Their value is
// CLI_REQUEST_FLAG + index into request_flags.
#define CLI_REQUEST_FLAG 1000
size_t cli_request_options(struct option *longs, size_t n);

extern const char cli_request_help[];

// ---- keeper.c: what users who are not root do with a grant of theirs. Exit status.
int cli_keeper_run(const struct cli_start *cs);
int cli_keeper_exec(const struct exec_request *exec);
// "NAME", "UID", "NAME:GID", "UID:GID": the owner of a grant. Nothing of root's.
int cli_parse_owner(const char *s, uint32_t *ret_uid, uint32_t *ret_gid, struct err *err);

// The machine or the tree of --host-tree.
int cli_open_host(struct hostfs *ret, struct err *err);
