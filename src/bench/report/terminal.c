// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/report/terminal.h"

#include "base/columns.h"
#include "base/scope.h"
#include "base/str.h"
#include "base/table.h"
#include "bench/need.h"
#include "bench/report/words.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define CELL_MAX 32 // columns of a cell that is not the first
#define GAP TABLE_GAP

// Of a terminal (ISO 6429); nothing elsewhere.
enum paint {
	PLAIN,
	BOLD,
	SOFT,
	GREEN,
	ORANGE
};

static const char *paint(FILE *f, enum paint p)
{
	static const char *const codes[] = {"\033[m", "\033[1m", "\033[2m", "\033[32m", "\033[33m"};
	const char *term = getenv("TERM");
	bool colours = isatty(fileno(f)) == 1 && getenv("NO_COLOR") == NULL && term != NULL
		       && !str_eq(term, "dumb");

	return colours ? codes[p] : "";
}

unsigned terminal_width(FILE *f)
{
	size_t n = columns_here(f);

	return n == SIZE_MAX ? 100 : n < 60 ? 60 : (unsigned)n;
}

static void spaces(FILE *f, unsigned n)
{
	fprintf(f, "%*s", (int)n, "");
}

void terminal_wrap(FILE *f, const char *text, unsigned indent, unsigned width)
{
	_cleanup_free_ char *copy = need(strdup(text));
	unsigned at = 0;

	str_plain(copy);
	str_foreach (word, copy, " ") {
		unsigned n = (unsigned)columns_of(word);

		if (at > 0 && at + 1 + n > width) {
			fputc('\n', f);
			at = 0;
		}
		spaces(f, at == 0 ? indent : 1);
		at = (at == 0 ? indent : at + 1) + n;
		fputs(word, f);
	}
	fputc('\n', f);
}

static void heading(FILE *f, const char *text)
{
	_cleanup_free_ char *copy = need(strdup(text));

	str_plain(copy);
	fprintf(f, "\n%s%s%s\n", paint(f, BOLD), copy, paint(f, PLAIN));
}

// Takes text.
static void put(struct table *t, const char *paint, char *text)
{
	str_plain(need(text));
	table_cell(t, "%s", text);
	table_paint(t, paint);
	free(text);
}

// Without titles.
static void print(FILE *f, const struct table *t)
{
	need(t->failed ? NULL : f);
	for (size_t i = 1; i <= table_rows(t); i++) {
		spaces(f, GAP);
		table_print(t, i, f);
	}
}

// ---- what is said

void terminal_headlines(FILE *f, const struct results *all, unsigned width)
{
	char *sentence[WORDS_HEADLINES];
	unsigned n = words_headlines(all, sentence);

	for (unsigned i = 0; i < n; i++) {
		terminal_wrap(f, sentence[i], GAP, width);
		free(sentence[i]);
	}
}

static void machine(FILE *f, const struct results *all, unsigned width)
{
	const struct result *r = results_find(all, "machine");

	for (unsigned i = 0; r != NULL && i < r->n; i++) {
		_cleanup_free_ char *line = NULL;

		if (r->rows[i]->kind != ROW_FACT)
			continue;
		line = need(str_printf("%s: %s", r->rows[i]->name, r->rows[i]->text ?: ""));
		terminal_wrap(f, line, GAP, width);
	}
}

static void statement(FILE *f, const struct row *row, unsigned width)
{
	static const enum paint paints[CLAIM_END] = {
		[CLAIM_HOLDS] = GREEN,
		[CLAIM_FAILS] = ORANGE,
		[CLAIM_INCONCLUSIVE] = SOFT,
		[CLAIM_CANNOT] = SOFT,
	};
	_cleanup_free_ char *value = words_value(row), *paper = words_paper(row);
	_cleanup_free_ char *line = need(str_printf(
		"%s%s%s%s%s: %s",
		row->figure,
		*row->figure != '\0' ? ", " : "",
		row->name,
		*row->env != '\0' ? ", " : "",
		row->env,
		row->claim == CLAIM_CANNOT ? row->reason ?: "" : value
	));
	_cleanup_free_ char *then = need(str_printf("2015: %s", paper));

	fprintf(f,
		"  %s%s %s%s\n",
		paint(f, paints[row->claim]),
		words_mark(row),
		claim_name(row->claim),
		paint(f, PLAIN));
	terminal_wrap(f, line, 4, width);
	if (*paper != '\0')
		terminal_wrap(f, then, 4, width);
}

static void statements(FILE *f, const struct results *all, unsigned width)
{
	bool any = false;

	for (unsigned e = 0; e < all->n; e++) {
		for (unsigned i = 0; i < all->of[e].n; i++) {
			const struct row *row = all->of[e].rows[i];

			if (row->claim == CLAIM_NONE)
				continue;
			if (!any)
				heading(f, "What the paper says, and what is so here, today");
			any = true;
			statement(f, row, width);
		}
	}
}

static void compared(FILE *f, const struct result *r, unsigned width)
{
	static const enum paint paints[VERDICT_END] = {
		[VERDICT_SAME] = GREEN,
		[VERDICT_DIFFERENT] = ORANGE,
		[VERDICT_INCONCLUSIVE] = SOFT};
	static const struct column columns[] = {
		{"", .left = true},
		{"", .left = true},
		{"", .left = true, .rank = 1}, // the verdict is of the difference, too
		{"", .left = true, .rank = 2},
		{"", .left = true},
	};
	scope_cleanup(table_done) struct table t = TABLE(columns);

	t.most = CELL_MAX;
	for (unsigned i = 0; i < r->n; i++) {
		const struct row *row = r->rows[i];

		if (row->kind != ROW_RATIO)
			continue;
		put(&t, "", strdup(row->name));
		put(&t, "", strdup(row->env));
		put(&t, "", words_value(row));
		put(&t, "", words_difference(row));
		put(&t, paint(f, paints[row->verdict]), strdup(verdict_name(row->verdict)));
	}
	table_drop(&t, width - GAP);
	print(f, &t);
}

// A column for each of n environments.
static void fill(
	struct table *t,
	const struct result *r,
	const char *const *envs,
	unsigned n,
	const char *bold
)
{
	put(t, "", strdup(""));
	for (unsigned k = 0; k < n; k++) {
		bool emulated = false;

		for (unsigned i = 0; i < r->n; i++)
			emulated |= r->rows[i]->emulated && str_eq(r->rows[i]->env, envs[k]);
		put(t, bold, str_printf("%s%s", envs[k], emulated ? " (emulated CPU)" : ""));
	}
	for (unsigned i = 0; i < r->n; i++) {
		const char *name = r->rows[i]->name;
		bool first = r->rows[i]->kind != ROW_MISSING && r->rows[i]->env[0] != '\0';

		for (unsigned k = 0; k < i; k++)
			first &= !str_eq(r->rows[k]->name, name);
		if (!first)
			continue;
		put(t, "", strdup(name));
		for (unsigned k = 0; k < n; k++) {
			const struct row *row = result_find(r, name, envs[k]);

			put(t, "", row != NULL ? words_value(row) : strdup("–"));
		}
	}
}

// As many environments as there is room for, two at least.
static void matrix(FILE *f, const struct result *r, unsigned width)
{
	const char *envs[WORDS_ENVS];
	unsigned n = words_environments(r, envs), gone = 0;
	struct column columns[1 + WORDS_ENVS] = {{"", .left = true}};
	scope_cleanup(table_done) struct table t = {
		.columns = columns,
		.ncolumns = 1 + n,
		.most = CELL_MAX,
	};

	for (unsigned k = 0; k < n; k++)
		columns[1 + k] = (struct column){"", .left = true, .rank = k < 2 ? 0 : k};
	fill(&t, r, envs, n, paint(f, BOLD));
	table_drop(&t, width - GAP);
	print(f, &t);
	for (unsigned k = 0; k < n; k++) {
		_cleanup_free_ char *name = need(strdup(envs[k]));

		str_plain(name);
		if (t.dropped[1 + k])
			fprintf(f, "%s%s", gone++ == 0 ? "  (no room for " : ", ", name);
	}
	fputs(gone > 0 ? ")\n" : "", f);
}

// What there is less of than there could be.
static void lacking(FILE *f, const struct result *r, unsigned width)
{
	_cleanup_free_ char *line = NULL;

	if (r->complete && r->failed == NULL)
		return;
	line = need(
		str_printf("%s is not complete: %s", r->experiment, r->failed ?: "it was stopped")
	);
	terminal_wrap(f, line, GAP, width);
}

void terminal_write(FILE *f, const struct results *all, unsigned width)
{
	struct words_count c = words_claims(all);
	unsigned missing = 0;

	heading(f, "In short");
	terminal_headlines(f, all, width);
	machine(f, all, width);
	for (unsigned e = 0; e < all->n; e++) {
		const struct result *r = &all->of[e];
		unsigned ratios = 0;

		for (unsigned i = 0; i < r->n; i++) {
			ratios += r->rows[i]->kind == ROW_RATIO;
			missing += r->rows[i]->kind == ROW_MISSING || r->rows[i]->invalid;
		}
		if (ratios > 0 || words_matrix(r) || !r->complete)
			heading(f, r->title);
		if (ratios > 0)
			compared(f, r, width);
		if (words_matrix(r))
			matrix(f, r, width);
		lacking(f, r, width);
	}
	statements(f, all, width);
	fprintf(f,
		"\n  Of the paper's statements %u hold today, %u do not, %u are inconclusive, %u "
		"cannot "
		"be measured here.\n",
		c.of[CLAIM_HOLDS],
		c.of[CLAIM_FAILS],
		c.of[CLAIM_INCONCLUSIVE],
		c.of[CLAIM_CANNOT]);
	if (missing > 0)
		fprintf(f, "  %u rows have no figure here: the report says why of each.\n", missing
		);
}
