// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The table of system calls for people: text, JSON, and the part of docs/seccomp.md.

#include "plan/seccomp.h"

#include "base/scope.h"
#include "base/str.h"
#include "grant/caps.h"

#include <string.h>

// Ranges of one argument that a person reads as one line.
static bool repeats(const struct seccomp_condition *c)
{
	for (const struct seccomp_condition *e = seccomp_conditions; e < c; e++) {
		if (str_eq(e->call, c->call) && str_eq(e->when, c->when) && str_eq(e->why, c->why))
			return true;
	}
	return false;
}

static json_t *rows_to_json(const struct seccomp_row *rows)
{
	json_t *list = json_array();

	for (const struct seccomp_row *r = rows; r->calls != NULL; r++) {
		_cleanup_free_ char *copy = strdup(r->calls);
		json_t *calls = json_array();

		str_foreach (c, copy, " ")
			json_array_append_new(calls, json_string(c));
		json_array_append_new(list, json_pack("{s:o, s:s}", "calls", calls, "why", r->why));
	}
	return list;
}

json_t *seccomp_table_to_json(uint64_t caps)
{
	json_t *groups = json_array(), *conditions = json_array();

	for (const struct seccomp_group *g = seccomp_groups; g->name != NULL; g++) {
		if ((g->needs & caps) != g->needs)
			continue;
		json_array_append_new(
			groups,
			json_pack(
				"{s:s, s:s, s:o}",
				"name",
				g->name,
				"why",
				g->why,
				"rows",
				rows_to_json(g->rows)
			)
		);
	}
	for (const struct seccomp_condition *c = seccomp_conditions; c->call != NULL; c++) {
		if (seccomp_applies(c, caps) && !repeats(c))
			json_array_append_new(
				conditions,
				json_pack(
					"{s:s, s:s, s:s}",
					"call",
					c->call,
					"when",
					c->when,
					"why",
					c->why
				)
			);
	}
	return json_pack(
		"{s:o, s:o, s:o, s:o}",
		"groups",
		groups,
		"conditions",
		conditions,
		"refused",
		rows_to_json(seccomp_refused),
		"profile",
		seccomp_default(caps)
	);
}

// Words within a width, each line after an indent; what follows the last word is the caller's.
static void wrap(const char *words, unsigned indent, FILE *out)
{
	unsigned column = indent;

	fprintf(out, "%*s", (int)indent, "");
	while (*words != '\0') {
		size_t n = strcspn(words, " ");

		if (column > indent && column + n + 1 > 92) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		}
		fprintf(out, "%s%.*s", column > indent ? " " : "", (int)n, words);
		column += (unsigned)n + (column > indent);
		words += n + (words[n] == ' ');
	}
	fputc('\n', out);
}

static void print_rows(const struct seccomp_row *rows, FILE *out)
{
	for (const struct seccomp_row *r = rows; r->calls != NULL; r++) {
		wrap(r->calls, 2, out);
		wrap(r->why, 6, out);
	}
}

void seccomp_print_text(uint64_t caps, FILE *out)
{
	json_t *filter = seccomp_default(caps);

	fprintf(out,
		"%u system calls of the 64-bit table; any other fails with EPERM, and calls of the "
		"32-bit\nand x32 tables kill the caller.\n",
		seccomp_count(filter));
	json_decref(filter);
	for (const struct seccomp_group *g = seccomp_groups; g->name != NULL; g++) {
		if ((g->needs & caps) != g->needs)
			continue;
		fprintf(out, "\n%s\n", g->name);
		wrap(g->why, 0, out);
		print_rows(g->rows, out);
	}
	fputs("\nwith certain arguments\n", out);
	for (const struct seccomp_condition *c = seccomp_conditions; c->call != NULL; c++) {
		if (seccomp_applies(c, caps) && !repeats(c))
			fprintf(out, "  %s: %s\n      %s\n", c->call, c->when, c->why);
	}
	fputs("\nrefused, among others\n", out);
	print_rows(seccomp_refused, out);
}

static void markdown_rows(const char *title, const struct seccomp_row *rows, FILE *out)
{
	fprintf(out, "| %s | why |\n|---|---|\n", title);
	for (const struct seccomp_row *r = rows; r->calls != NULL; r++)
		fprintf(out, "| `%s` | %s |\n", r->calls, r->why);
}

void seccomp_print_markdown(FILE *out)
{
	for (const struct seccomp_group *g = seccomp_groups; g->name != NULL; g++) {
		fprintf(out, "### %s\n\n%s\n\n", g->name, g->why);
		markdown_rows("calls", g->rows, out);
		fputc('\n', out);
	}
	fputs("### With certain arguments\n\n| call | when | why |\n|---|---|---|\n", out);
	for (const struct seccomp_condition *c = seccomp_conditions; c->call != NULL; c++) {
		if (repeats(c))
			continue;
		fprintf(out,
			"| `%s` | %s%s%s | %s |\n",
			c->call,
			c->when,
			c->cap < 0 ? "" : ", with --cap ",
			c->cap < 0 ? "" : cap_name((unsigned)c->cap),
			c->why);
	}
	fputs("| `clone3` | never: fails with ENOSYS | its flags lie in memory, where no filter "
	      "sees them; the C library then uses clone |\n"
	      "| `openat2` | never: fails with ENOSYS | its mode lies in memory; callers then use "
	      "openat |\n\n### Refused, among others\n\n",
	      out);
	markdown_rows("calls", seccomp_refused, out);
}
