// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/report/terminal.h"

#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"
#include "bench/report/words.h"

#include <math.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS (1 + WORDS_ENVS)
#define CELL_MAX 32 // columns of a cell that is not the first
#define GAP 2

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
	struct winsize w;

	if (ioctl(fileno(f), TIOCGWINSZ, &w) < 0 || w.ws_col == 0)
		return 100;
	return w.ws_col < 60 ? 60 : w.ws_col;
}

// Columns that it takes: characters, which UTF-8 has in several bytes.
static unsigned columns(const char *text)
{
	unsigned n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
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
		unsigned n = columns(word);

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

// ---- tables

struct table {
	unsigned columns, cells;
	char **cell; // row after row
	enum paint *paint;
};

static void table_done(struct table *t)
{
	for (unsigned i = 0; i < t->cells; i++)
		free(t->cell[i]);
	free(t->cell);
	free(t->paint);
}

// Takes text.
static void put(struct table *t, enum paint p, char *text)
{
	str_plain(need(text));
	t->cell = need(reallocarray(t->cell, t->cells + 1, sizeof(*t->cell)));
	t->paint = need(reallocarray(t->paint, t->cells + 1, sizeof(*t->paint)));
	t->cell[t->cells] = text;
	t->paint[t->cells++] = p;
}

// A long one is cut at a character's end.
static void cut(char *text, unsigned width)
{
	unsigned n = 0;

	if (columns(text) <= width)
		return;
	for (char *at = text; *at != '\0'; at++) {
		if (((unsigned char)*at & 0xc0) != 0x80 && ++n == width) {
			strcpy(at, strlen(at) >= strlen("…") ? "…" : ".");
			return;
		}
	}
}

// Columns of the terminal that it takes; widest: of each of its own.
static unsigned measure(struct table *t, unsigned widest[COLUMNS])
{
	unsigned sum = 0;

	memset(widest, 0, COLUMNS * sizeof(*widest));
	for (unsigned i = 0; i < t->cells; i++) {
		unsigned c = i % t->columns, n;

		if (c > 0)
			cut(t->cell[i], CELL_MAX);
		n = columns(t->cell[i]);
		widest[c] = n > widest[c] ? n : widest[c];
	}
	for (unsigned c = 0; c < t->columns; c++)
		sum += GAP + widest[c];
	return sum;
}

static void print(FILE *f, struct table *t)
{
	unsigned widest[COLUMNS];

	measure(t, widest);
	for (unsigned i = 0; i < t->cells; i++) {
		unsigned c = i % t->columns;

		spaces(f, c == 0 ? GAP : 0);
		if (t->paint[i] != PLAIN)
			fputs(paint(f, t->paint[i]), f);
		fputs(t->cell[i], f);
		if (t->paint[i] != PLAIN)
			fputs(paint(f, PLAIN), f);
		if (c + 1 == t->columns)
			fputc('\n', f);
		else
			spaces(f, widest[c] - columns(t->cell[i]) + GAP);
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

static void compared(FILE *f, const struct result *r)
{
	static const enum paint paints[VERDICT_END] = {
		[VERDICT_SAME] = GREEN,
		[VERDICT_DIFFERENT] = ORANGE,
		[VERDICT_INCONCLUSIVE] = SOFT};
	scope_cleanup(table_done) struct table t = {.columns = 5};

	for (unsigned i = 0; i < r->n; i++) {
		const struct row *row = r->rows[i];

		if (row->kind != ROW_RATIO)
			continue;
		put(&t, PLAIN, strdup(row->name));
		put(&t, PLAIN, strdup(row->env));
		put(&t, PLAIN, words_value(row));
		put(&t, PLAIN, words_difference(row));
		put(&t, paints[row->verdict], strdup(verdict_name(row->verdict)));
	}
	print(f, &t);
}

// A column for each of n environments.
static void fill(struct table *t, const struct result *r, const char *const *envs, unsigned n)
{
	*t = (struct table){.columns = 1 + n};
	put(t, PLAIN, strdup(""));
	for (unsigned k = 0; k < n; k++)
		put(t, BOLD, strdup(envs[k]));
	for (unsigned i = 0; i < r->n; i++) {
		const char *name = r->rows[i]->name;
		bool first = r->rows[i]->kind != ROW_MISSING && r->rows[i]->env[0] != '\0';

		for (unsigned k = 0; k < i; k++)
			first &= !str_eq(r->rows[k]->name, name);
		if (!first)
			continue;
		put(t, PLAIN, strdup(name));
		for (unsigned k = 0; k < n; k++) {
			const struct row *row = result_find(r, name, envs[k]);

			put(t, PLAIN, row != NULL ? words_value(row) : strdup("–"));
		}
	}
}

// As many environments as there is room for.
static void matrix(FILE *f, const struct result *r, unsigned width)
{
	const char *envs[WORDS_ENVS];
	unsigned all = words_environments(r, envs), n = all, widest[COLUMNS];
	scope_cleanup(table_done) struct table t = {0};

	for (;; n--) {
		table_done(&t);
		fill(&t, r, envs, n);
		if (n <= 2 || measure(&t, widest) <= width)
			break;
	}
	print(f, &t);
	for (unsigned k = n; k < all; k++)
		fprintf(f,
			"%s%s%s",
			k == n ? "  (no room for " : ", ",
			envs[k],
			k + 1 == all ? ")\n" : "");
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
		if (ratios > 0 || words_matrix(r))
			heading(f, r->title);
		if (ratios > 0)
			compared(f, r);
		if (words_matrix(r))
			matrix(f, r, width);
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
