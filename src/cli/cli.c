// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "cli/cli.h"

#include "base/columns.h"
#include "base/hint.h"
#include "base/jread.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/table.h"
#include "base/wrap.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define TITLE_MAX 64

const char *cli_host_tree;

int cli_fail(const struct err *err)
{
	fprintf(stderr, "pinfold: %s\n", err->msg);
	return STATUS_FAILED;
}

int cli_refuse(const char *fmt, ...)
{
	char text[sizeof(((struct err *)NULL)->msg)];
	struct err err;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_set(&err, EINVAL, "%s", text);
	return cli_fail(&err);
}

// "say inventory or kernel; see pinfold host --help"
static void advise(const struct command *commands, const char *group, char *buf, size_t room)
{
	size_t len = 0;

	for (size_t i = 0; *group != '\0' && commands[i].name != NULL && len < room; i++)
		len += (size_t)snprintf(
			buf + len,
			room - len,
			"%s%s",
			i == 0			       ? "say "
			: commands[i + 1].name != NULL ? ", "
						       : " or ",
			commands[i].name
		);
	if (*group != '\0' && len < room)
		snprintf(buf + len, room - len, "; see pinfold %s --help", group);
	else
		snprintf(buf, room, "see pinfold --help");
}

int cli_dispatch(const struct command *commands, const char *group, int argc, char **argv)
{
	char advice[256], before[32] = "", near[HINT_MAX];

	for (size_t i = 0; argc > 0 && commands[i].name != NULL; i++) {
		if (str_eq(commands[i].name, argv[0]))
			return commands[i].main(argc, argv);
	}
	advise(commands, group, advice, sizeof(advice));
	if (*group != '\0')
		snprintf(before, sizeof(before), "%s ", group);
	if (argc < 1 && *group == '\0')
		return cli_refuse("no command given; %s", advice);
	if (argc < 1)
		return cli_refuse("%s: %s", group, advice);
	if (hint_table(near, before, argv[0], commands, SIZE_MAX)[0] != '\0')
		return cli_refuse("unknown command '%s%s'%s", before, argv[0], near);
	return cli_refuse("unknown command '%s%s'; %s", before, argv[0], advice);
}

// To a command that has no --help of its own.
static bool wants_help(const struct group *g, int argc, char **argv)
{
	for (const struct command *c = g->commands; argc > 1 && c->name != NULL; c++) {
		if (c->helps && str_eq(c->name, argv[1]))
			return false;
	}
	for (int i = 2; i < argc && !str_eq(argv[i], "--"); i++) {
		if (str_eq(argv[i], "--help") || str_eq(argv[i], "-h"))
			return true;
	}
	return false;
}

int cli_group(const struct group *g, int argc, char **argv)
{
	static const struct option_row rows[] = {{"help", 'h'}, {0}};
	struct err err;
	int r = cli_read_options(argc, argv, false, rows, &err);

	if (r < 0)
		return cli_fail(&err);
	if (r > 0 || wants_help(g, argc, argv)) {
		wrap_print(g->help);
		if (g->more != NULL)
			g->more();
		return STATUS_OK;
	}
	return cli_dispatch(g->commands, g->name, argc - 1, argv + 1);
}

void cli_print_json(const json_t *value)
{
	// a terminal may be what reads it
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
	putchar('\n');
}

static void put(struct table *t, const json_t *v)
{
	if (json_is_string(v) && json_string_length(v) > 0)
		table_cell(t, "%s", json_string_value(v));
	else if (json_is_integer(v))
		table_cell(t, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else if (json_is_real(v))
		table_cell(t, "%.1f", json_real_value(v));
	else
		table_cell(t, json_is_true(v) ? "yes" : json_is_false(v) ? "no" : "-");
}

// A column of numbers is shown whole or not at all: a part of one would be another number. So is a moment.
static bool is_whole(const json_t *rows, const char *key)
{
	const json_t *row;
	size_t i;

	if (str_eq(key, "ended"))
		return true;
	json_array_foreach ((json_t *)rows, i, row) {
		if (json_is_string(json_object_get(row, key)))
			return false;
	}
	return true;
}

static void title_of(const char *key, char title[static TITLE_MAX])
{
	snprintf(title, TITLE_MAX, "%s", key);
	for (char *c = title; *c != '\0'; c++)
		*c = *c == '_' ? ' ' : (char)toupper((unsigned char)*c);
}

// The place in a list that ends with NULL, from 1 on, of the last the highest; 0: it is not there.
static unsigned rank_of(const char *key, const char *const *first)
{
	unsigned rank = 0, left = 0;

	for (; *first != NULL; first++, left++)
		rank = str_eq(key, *first) ? left + 1 : rank;
	return rank;
}

void cli_print_figures(
	const json_t *rows, const char *const *keys, const char *const *dropped, bool json
)
{
	char titles[TABLE_COLUMNS][TITLE_MAX];
	struct column columns[TABLE_COLUMNS];
	scope_cleanup(table_done) struct table t = {.columns = columns};
	json_t *row;
	size_t i;

	if (json) {
		cli_print_json(rows);
		return;
	}
	json_plain((json_t *)rows);
	for (; t.ncolumns < TABLE_COLUMNS && keys[t.ncolumns] != NULL; t.ncolumns++) {
		title_of(keys[t.ncolumns], titles[t.ncolumns]);
		columns[t.ncolumns] = (struct column){
			titles[t.ncolumns],
			.left = true,
			.whole = is_whole(rows, keys[t.ncolumns]),
			.rank = dropped != NULL ? rank_of(keys[t.ncolumns], dropped) : 0,
		};
	}
	json_array_foreach ((json_t *)rows, i, row) {
		for (size_t c = 0; c < t.ncolumns; c++)
			put(&t, json_object_get(row, keys[c]));
	}
	if (dropped != NULL)
		table_drop(&t, columns_here(stdout));
	else
		table_narrow(&t, columns_here(stdout));
	for (i = 0; i <= table_rows(&t); i++)
		table_print(&t, i, stdout);
	if (t.failed)
		fputs("pinfold: out of memory: rows are missing\n", stderr);
}

void cli_print_rows(const json_t *rows, const char *const *keys, bool json)
{
	cli_print_figures(rows, keys, NULL, json);
}

// Those of pinfold itself, which a command does not know.
static void explain_global(struct err *err)
{
	static const char *const words[] = {"--debug", "--host-tree", "--version"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		char unknown[64];

		snprintf(unknown, sizeof(unknown), "unknown option '%s'", words[i]);
		if (str_starts(err->msg, unknown))
			err_set(err,
				EINVAL,
				"'%s' is of all commands, and comes before them: pinfold %s …",
				words[i],
				words[i]);
	}
}

int cli_read_options(
	int argc, char **argv, bool anywhere, const struct option_row *rows, struct err *err
)
{
	int r = options_read(argc, argv, anywhere, rows, "--help", err);

	if (r < 0)
		explain_global(err);
	return r;
}

int cli_options(
	int argc, char **argv, const struct option_row *rows, const char *usage, struct err *err
)
{
	int r = cli_read_options(argc, argv, true, rows, err);

	if (r > 0)
		wrap_print(usage);
	return r;
}

int cli_names(int argc, char **argv, struct err *err)
{
	static const struct option_row none[] = {{0}};

	return cli_read_options(argc, argv, true, none, err);
}

int cli_simple_options(int argc, char **argv, const char *usage, bool *json, struct err *err)
{
	bool refused = false;
	const struct option_row rows[] = {
		{"json", .flag = json != NULL ? json : &refused},
		{"help", 'h'},
		{0},
	};
	int r = cli_options(argc, argv, rows, usage, err);

	if (r == 0 && refused)
		return err_set(err, EINVAL, "%s has no --json", argv[0]);
	if (r == 0 && optind < argc)
		return err_set(err, EINVAL, "%s: '%s' is no option", argv[0], argv[optind]);
	return r;
}

int cli_open_real(bool write, struct hostfs *fs, struct ledger *l, struct err *err)
{
	if (cli_host_tree != NULL)
		return err_set(
			err, EINVAL, "this command works on this machine only, without --host-tree"
		);
	if (write && geteuid() != 0)
		return err_set(err, EPERM, "this needs root; use sudo");
	if (hostfs_open("/", fs, err) < 0)
		return -err->code;
	if (ledger_open(fs, write, l, err) < 0) {
		hostfs_close(fs);
		return -err->code;
	}
	return 0;
}

void cli_close_real(struct hostfs *fs, struct ledger *l)
{
	ledger_close(l);
	hostfs_close(fs);
}
