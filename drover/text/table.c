// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "text/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 32
#define GAP 2
#define WIDTH_MAX 512
#define WRAP_INDENT "    "

// Makes room for one more of n items. False: memory is out.
static bool grow(void *array, size_t size, size_t n, size_t *room)
{
	size_t more = *room > 0 ? *room * 2 : 32;
	void *bigger;

	if (n < *room)
		return true;
	bigger = reallocarray(*(void **)array, more, size);
	if (bigger == NULL)
		return false;
	*(void **)array = bigger;
	*room = more;
	return true;
}

void lines_add(struct lines *l, enum line_kind kind, int tag, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (r < 0 || !grow(&l->line, sizeof(*l->line), l->n, &l->room)) {
		if (r >= 0)
			free(text);
		l->failed = true;
		return;
	}
	l->line[l->n++] = (struct line){kind, tag, text};
}

void lines_wrap(struct lines *l, enum line_kind kind, size_t width, const char *text)
{
	const char *indent = "";

	while (width > 2 * strlen(WRAP_INDENT) && strlen(indent) + strlen(text) > width) {
		size_t room = width - strlen(indent), cut = room;

		while (cut > 0 && text[cut] != ' ')
			cut--;
		cut = cut > 0 ? cut : room; // a word longer than the line
		lines_add(l, kind, -1, "%s%.*s", indent, (int)cut, text);
		text += cut;
		text += strspn(text, " ");
		indent = WRAP_INDENT;
	}
	if (*text != '\0')
		lines_add(l, kind, -1, "%s%s", indent, text);
}

void lines_done(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->line[i].text);
	free(l->line);
	*l = (struct lines){0};
}

void table_row(struct table *t, int tag)
{
	// a row that got too few cells is filled up
	while (!t->failed && t->ncells < t->nrows * t->ncolumns)
		table_cell(t, "-");
	if (!grow(&t->tags, sizeof(*t->tags), t->nrows, &t->rows_room)) {
		t->failed = true;
		return;
	}
	t->tags[t->nrows++] = tag;
}

void table_cell(struct table *t, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int r;

	if (t->failed || t->ncells >= t->nrows * t->ncolumns)
		return;
	va_start(ap, fmt);
	r = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (r < 0 || !grow(&t->cells, sizeof(*t->cells), t->ncells, &t->room)) {
		if (r >= 0)
			free(text);
		t->failed = true;
		return;
	}
	t->cells[t->ncells++] = text;
}

static const char *cell(const struct table *t, size_t row, size_t column)
{
	size_t at = row * t->ncolumns + column;

	return at < t->ncells ? t->cells[at] : "-";
}

static void measure(const struct table *t, size_t *widths)
{
	for (size_t c = 0; c < t->ncolumns; c++) {
		widths[c] = strlen(t->columns[c].title);
		for (size_t r = 0; r < t->nrows; r++) {
			size_t len = strlen(cell(t, r, c));

			widths[c] = len > widths[c] ? len : widths[c];
		}
	}
}

// Takes columns away, those of the highest rank first and together, until the line fits. Width 0 is a
// column taken away.
static void fit(const struct table *t, size_t width, size_t *widths)
{
	for (;;) {
		size_t sum = 0;
		unsigned worst = 0;

		for (size_t c = 0; c < t->ncolumns; c++) {
			if (widths[c] == 0)
				continue;
			sum += widths[c] + GAP;
			worst = t->columns[c].rank > worst ? t->columns[c].rank : worst;
		}
		if (sum <= width + GAP || worst == 0)
			return;
		for (size_t c = 0; c < t->ncolumns; c++)
			widths[c] = t->columns[c].rank == worst ? 0 : widths[c];
	}
}

static void put_line(
	const struct table *t, const size_t *widths, int row, size_t width, struct lines *l
)
{
	char text[WIDTH_MAX] = "";
	size_t at = 0;

	for (size_t c = 0; c < t->ncolumns && at < sizeof(text) - 1; c++) {
		const char *s = row < 0 ? t->columns[c].title : cell(t, (size_t)row, c);
		int w = (int)widths[c];
		int n;

		if (w == 0)
			continue;
		n = snprintf(
			text + at,
			sizeof(text) - at,
			"%s%*s",
			at > 0 ? "  " : "",
			t->columns[c].left ? -w : w,
			s
		);
		at += n > 0 ? (size_t)n : 0;
	}
	at = at < sizeof(text) ? at : sizeof(text) - 1;
	at = width > 0 && at > width ? width : at;
	while (at > 0 && text[at - 1] == ' ')
		at--;
	text[at] = '\0';
	lines_add(l, row < 0 ? LINE_HEAD : LINE_ROW, row < 0 ? -1 : t->tags[row], "%s", text);
}

void table_lines(struct table *t, size_t width, struct lines *l)
{
	size_t widths[COLUMNS_MAX] = {0};

	if (t->ncolumns <= COLUMNS_MAX && t->nrows > 0) {
		measure(t, widths);
		if (width > 0)
			fit(t, width, widths);
		for (int r = -1; r < (int)t->nrows; r++)
			put_line(t, widths, r, width, l);
	}
	l->failed |= t->failed;
	for (size_t i = 0; i < t->ncells; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t->tags);
	*t = (struct table){.columns = t->columns, .ncolumns = t->ncolumns};
}
