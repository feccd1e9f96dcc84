// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "cli/cli.h"

#include "base/columns.h"
#include "base/hint.h"
#include "base/jread.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/wrap.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS_MAX 16
// of a terminal: what is cut has so many at least, and the last, which is the longest, so many beside the others
#define LEAST 8
#define LEAST_LAST 24

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
	static const struct option longs[] = {{"help", no_argument, NULL, 'h'}, {0}};
	struct err err;
	int c;

	optind = 0;
	c = cli_getopt(argc, argv, "h", longs, &err);
	if (c == '?')
		return cli_fail(&err);
	if (c == 'h' || wants_help(g, argc, argv)) {
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

// A cell as text, in buf where it is not a string already.
static const char *cell(const json_t *row, const char *key, char *buf, size_t len)
{
	const json_t *v = json_object_get(row, key);

	if (json_is_string(v) && json_string_length(v) > 0)
		return json_string_value(v);
	if (json_is_integer(v)) {
		snprintf(buf, len, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		return buf;
	}
	if (json_is_real(v)) {
		snprintf(buf, len, "%.1f", json_real_value(v));
		return buf;
	}
	if (json_is_boolean(v))
		return json_is_true(v) ? "yes" : "no";
	return "-";
}

// A column of numbers is shown whole or not at all: a part of one would be another number.
static bool all_numbers(const json_t *rows, const char *key)
{
	const json_t *row;
	size_t i;

	json_array_foreach ((json_t *)rows, i, row) {
		if (json_is_string(json_object_get(row, key)))
			return false;
	}
	return true;
}

// Of a table that is too wide for its terminal.
struct layout {
	size_t n, width[COLUMNS_MAX];
	bool below; // the last column is on a line of its own
};

static struct layout measure(const json_t *rows, const char *const *keys)
{
	size_t least[COLUMNS_MAX], room = columns_here(), others = 0, *last, i;
	struct layout l = {0};
	char buf[64];
	json_t *row;

	for (; l.n < COLUMNS_MAX && keys[l.n] != NULL; l.n++) {
		size_t *width = &l.width[l.n], title = *width = strlen(keys[l.n]);

		json_array_foreach ((json_t *)rows, i, row) {
			size_t w = columns_of(cell(row, keys[l.n], buf, sizeof(buf)));

			if (w > *width)
				*width = w;
		}
		least[l.n] = all_numbers(rows, keys[l.n]) ? *width : title > LEAST ? title : LEAST;
	}
	last = &l.width[l.n - 1];
	for (size_t k = 0; k + 1 < l.n; k++)
		others += l.width[k] + COLUMNS_GAP;
	if (l.n == 1 || *last <= LEAST_LAST || others + LEAST_LAST <= room) {
		least[l.n - 1] = *last < LEAST_LAST ? *last : LEAST_LAST;
		columns_fit(l.width, least, l.n, room);
		return l;
	}
	l.below = true;
	columns_fit(l.width, least, l.n - 1, room);
	if (*last > room - COLUMNS_GAP)
		*last = room - COLUMNS_GAP;
	return l;
}

static void print_cell(const struct layout *l, size_t k, const char *text)
{
	bool last = k + 1 == l->n, ends = last || (l->below && k + 2 == l->n);

	if (last && l->below)
		printf("%*s", COLUMNS_GAP, "");
	// of names the end tells apart as often as the beginning
	columns_print(text, l->width[k], k == 0, !ends);
	if (last || ends)
		putchar('\n');
	else
		printf("%*s", COLUMNS_GAP, "");
}

void cli_print_rows(const json_t *rows, const char *const *keys, bool json)
{
	struct layout l;
	char buf[64];
	json_t *row;
	size_t i;

	if (json) {
		cli_print_json(rows);
		return;
	}
	json_plain((json_t *)rows);
	l = measure(rows, keys);
	for (size_t k = 0; k < l.n; k++) {
		char title[64];
		size_t n = 0;

		for (const char *c = keys[k]; *c != '\0' && n + 1 < sizeof(title); c++)
			title[n++] = *c == '_' ? ' ' : (char)toupper((unsigned char)*c);
		title[n] = '\0';
		print_cell(&l, k, title);
	}
	json_array_foreach ((json_t *)rows, i, row) {
		for (size_t k = 0; k < l.n; k++)
			print_cell(&l, k, cell(row, keys[k], buf, sizeof(buf)));
	}
}

int cli_getopt(
	int argc, char **argv, const char *shorts, const struct option *longs, struct err *err
)
{
	char first[64];

	snprintf(first, sizeof(first), "+%s", shorts);
	return options_next(argc, argv, first, longs, "--help", err);
}

int cli_simple_options(
	int argc, char **argv, const char *usage, bool *json, bool *ret_help, struct err *err
)
{
	static const struct option longs[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	*ret_help = false;
	optind = 0;
	while ((c = cli_getopt(argc, argv, "h", longs, err)) != -1) {
		if (c == '?')
			return -err->code;
		if (c == 'h') {
			wrap_print(usage);
			*ret_help = true;
			return 0;
		}
		if (json == NULL)
			return err_set(err, EINVAL, "%s has no --json", argv[0]);
		*json = true;
	}
	if (optind < argc)
		return err_set(err, EINVAL, "%s: '%s' is no option", argv[0], argv[optind]);
	return 0;
}

int cli_seconds(const char *text, unsigned max, unsigned *ret, struct err *err)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*end != '\0' || *text < '0' || *text > '9' || v < 1 || v > max)
		return err_set(err, EINVAL, "--seconds '%s': a number from 1 to %u", text, max);
	*ret = (unsigned)v;
	return 0;
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
