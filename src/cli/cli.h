// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The command line: one file a command, each with one entry point.
#pragma once

#include "base/err.h"
#include "base/status.h"
#include "ledger/ledger.h"

#include <jansson.h>
#include <stdbool.h>

// To standard output.
void cli_print_version(void);

// A command gets its own argc and argv, argv[0] being its name, and returns the exit status.
struct command {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *summary; // of pinfold's own
	bool helps;	     // of a group's: has a --help of its own
};

// A command that has others: pinfold NAME COMMAND.
struct group {
	const char *name, *help;
	void (*more)(void);		// prints what follows the help; NULL: nothing
	const struct command *commands; // the last has no name
};

int cmd_audit(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cli_bench_filtered(int argc, char **argv); // a step of one of its experiments
int cli_bench_run(int argc, char **argv);
struct results;
int cli_bench_report(const struct results *all, const char *dir, struct err *err);
int cmd_cdi(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_exec(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_gc(int argc, char **argv);
int cmd_grant(int argc, char **argv);
int cmd_host(int argc, char **argv);
int cmd_image(int argc, char **argv);
int cmd_logs(int argc, char **argv);
int cmd_nic(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_runtime(int argc, char **argv);
int cmd_seccomp(int argc, char **argv);
int cmd_stats(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_update(int argc, char **argv);

// Prints "pinfold: MESSAGE" on standard error and returns STATUS_FAILED.
int cli_fail(const struct err *err);
int cli_refuse(const char *fmt, ...) printf_like(1, 2);

// Runs the command that argv[0] names; says which there are where there is no such. group: what they belong to, ""
// for pinfold itself.
int cli_dispatch(const struct command *commands, const char *group, int argc, char **argv);
// The same of a group's, argv[0] being its name; with --help, also of a command that has none, prints what it is for.
int cli_group(const struct group *g, int argc, char **argv);

// Global options, set before the command: --host-tree DIR lets the commands that only read (host,
// plan, grant list) look at a copy of another machine's /sys and /proc.
extern const char *cli_host_tree; // NULL: this machine

// A table for people from the same array of objects that --json prints. keys: object keys, the column
// titles being their upper case; values may be strings, integers, booleans or null ("-"). On a terminal the longest cells
// are cut, so that a row is a line.
void cli_print_rows(const json_t *rows, const char *const *keys, bool json);
// The same of figures, of which a part would say something else: columns of dropped are left out there, the last first.
void cli_print_figures(
	const json_t *rows, const char *const *keys, const char *const *dropped, bool json
);

// Pretty-prints any value as JSON with a newline.
void cli_print_json(const json_t *value);

struct option_row;

// options_read, which explains options that come before a command. anywhere: false where a program and its own options
// follow.
int cli_read_options(
	int argc, char **argv, bool anywhere, const struct option_row *rows, struct err *err
);
// Options, also behind names. 1: help was asked for, and usage printed.
int cli_options(
	int argc, char **argv, const struct option_row *rows, const char *usage, struct err *err
);
// No options at all: from optind on are names.
int cli_names(int argc, char **argv, struct err *err);
// Options that are only --json (unless json is NULL) and --help. 1 as above.
int cli_simple_options(int argc, char **argv, const char *usage, bool *json, struct err *err);

// Opens this machine and its ledger, for commands that work on what runs here. write: root is needed.
int cli_open_real(bool write, struct hostfs *fs, struct ledger *l, struct err *err);
void cli_close_real(struct hostfs *fs, struct ledger *l);
