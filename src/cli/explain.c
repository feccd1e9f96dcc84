// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold explain: what messages of DPDK programs, QEMU and engines mean.

#include "explain/explain.h"

#include "base/jread.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/str.h"
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STATUS_UNKNOWN 1

static const char usage[] =
	"Usage: pinfold explain [--json] [FILE]\n"
	"\n"
	"Reads what a program printed (a file, or standard input, as of pinfold logs NAME) and "
	"says what\n"
	"messages of EAL, testpmd, VFIO, QEMU and container engines in it mean, and what cures "
	"what they\n"
	"tell of. Exits with 0 when there is such a message, with 1 when none is known.";

// What was said already is not said again.
static bool is_new(const json_t *found, const struct known_message *m)
{
	const json_t *o;
	size_t i;

	json_array_foreach (found, i, o) {
		if (str_eq(json_string_value(json_object_get(o, "cause")), m->cause))
			return false;
	}
	return true;
}

static void print_text(const json_t *found)
{
	const json_t *o;
	size_t i;

	json_array_foreach (found, i, o)
		printf("%s%s\n  cause  %s\n  cure   %s\n",
		       i > 0 ? "\n" : "",
		       json_string_value(json_object_get(o, "line")),
		       json_string_value(json_object_get(o, "cause")),
		       json_string_value(json_object_get(o, "cure")));
}

static json_t *read_all(FILE *f)
{
	_cleanup_free_ char *line = NULL;
	json_t *found = json_array();
	size_t room = 0;
	ssize_t n;

	while ((n = getline(&line, &room, f)) >= 0) {
		const struct known_message *m;

		line[strcspn(line, "\r\n")] = '\0';
		m = explain_line(line);
		if (m == NULL || !is_new(found, m))
			continue;
		str_plain(line);
		json_array_append_new(
			found,
			json_pack(
				"{s:s, s:s, s:s, s:s, s:s}",
				"line",
				line + strspn(line, " "),
				"of",
				m->of,
				"cause",
				m->cause,
				"cure",
				m->cure,
				"source",
				m->source
			)
		);
	}
	return found;
}

int cmd_explain(int argc, char **argv)
{
	_cleanup_fclose_ FILE *f = NULL;
	json_t *found _cleanup_json_ = NULL;
	bool json = false;
	const struct option_row rows[] = {{"help", 'h'}, {"json", .flag = &json}, {0}};
	struct err err;
	int r = cli_options(argc, argv, rows, usage, &err);

	if (r != 0)
		return r < 0 ? cli_fail(&err) : STATUS_OK;
	if (argc - optind > 1)
		return cli_refuse("explain: name one file, or none for standard input");
	if (optind < argc && (f = fopen(argv[optind], "re")) == NULL) {
		err_sys(&err, errno, "read '%s'", argv[optind]);
		return cli_fail(&err);
	}
	if (f == NULL && isatty(STDIN_FILENO))
		fputs("pinfold: explain reads what is typed or pasted here; its end is ctrl-D\n",
		      stderr);
	found = read_all(f != NULL ? f : stdin);
	if (ferror(f != NULL ? f : stdin))
		return cli_refuse("explain: the input cannot be read");
	if (json)
		cli_print_json(found);
	else if (json_array_size(found) == 0)
		puts("no message that is known here");
	else
		print_text(found);
	return json_array_size(found) > 0 ? STATUS_OK : STATUS_UNKNOWN;
}
