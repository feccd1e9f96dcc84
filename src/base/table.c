// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/table.h"

#include "base/columns.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

// what is cut has so many columns at least, and the last, which is the longest, so many beside the others
#define LEAST 8
#define LEAST_LAST 24

struct cell {
	char *text;
	const char *paint;
};

void table_cell(struct table *t, const char *fmt, ...)
{
	va_list ap;
	int r;

	if (!t->failed && t->ncells == t->room) {
		size_t more = t->room > 0 ? t->room * 2 : 32;
		struct cell *bigger = reallocarray(t->cells, more, sizeof(*bigger));

		t->failed = bigger == NULL;
		t->cells = bigger != NULL ? bigger : t->cells;
		t->room = bigger != NULL ? more : t->room;
	}
	if (t->failed)
		return;
	va_start(ap, fmt);
	r = vasprintf(&t->cells[t->ncells].text, fmt, ap);
	va_end(ap);
	t->failed = r < 0;
	if (!t->failed)
		t->cells[t->ncells++].paint = "";
}

void table_paint(struct table *t, const char *paint)
{
	if (!t->failed)
		t->cells[t->ncells - 1].paint = paint;
}

size_t table_rows(const struct table *t)
{
	return t->ncells / t->ncolumns;
}

static struct cell cell(const struct table *t, size_t row, size_t column)
{
	if (row > 0)
		return t->cells[(row - 1) * t->ncolumns + column];
	return (struct cell){(char *)t->columns[column].title, ""};
}

static void measure(struct table *t)
{
	for (size_t c = 0; c < t->ncolumns; c++) {
		t->width[c] = 0;
		for (size_t r = 0; r <= table_rows(t); r++) {
			size_t n = columns_of(cell(t, r, c).text);

			if (c > 0 && t->most > 0 && n > t->most)
				n = t->most;
			t->width[c] = n > t->width[c] ? n : t->width[c];
		}
	}
}

void table_drop(struct table *t, size_t room)
{
	measure(t);
	for (;;) {
		size_t sum = 0;
		unsigned worst = 0;

		for (size_t c = 0; c < t->ncolumns; c++) {
			if (t->dropped[c])
				continue;
			sum += t->width[c] + TABLE_GAP;
			worst = t->columns[c].rank > worst ? t->columns[c].rank : worst;
		}
		if (sum - TABLE_GAP <= room || worst == 0)
			return;
		for (size_t c = 0; c < t->ncolumns; c++)
			t->dropped[c] |= t->columns[c].rank == worst;
	}
}

// Until n columns take no more than room: always the widest, and none narrower than its least.
static void narrow(size_t *width, const size_t *least, size_t n, size_t room)
{
	size_t all = n > 0 ? TABLE_GAP * (n - 1) : 0;

	for (size_t i = 0; i < n; i++)
		all += width[i];
	for (; all > room; all--) {
		size_t widest = n;

		for (size_t i = 0; i < n; i++) {
			if (width[i] > least[i] && (widest == n || width[i] >= width[widest]))
				widest = i;
		}
		if (widest == n)
			break;
		width[widest]--;
	}
}

void table_narrow(struct table *t, size_t room)
{
	size_t least[TABLE_COLUMNS], others = 0, end = t->ncolumns - 1, *last = &t->width[end];

	measure(t);
	for (size_t c = 0; c < end; c++) {
		size_t title = columns_of(t->columns[c].title);

		least[c] = t->columns[c].whole ? t->width[c] : title > LEAST ? title : LEAST;
		others += t->width[c] + TABLE_GAP;
	}
	least[end] = *last < LEAST_LAST ? *last : LEAST_LAST;
	t->below = end > 0 && *last > LEAST_LAST && others + LEAST_LAST > room;
	narrow(t->width, least, t->below ? end : end + 1, room);
	if (t->below && *last > room - TABLE_GAP)
		*last = room - TABLE_GAP;
}

void table_print(const struct table *t, size_t row, FILE *f)
{
	size_t last = t->ncolumns - 1;

	while (last > 0 && t->dropped[last])
		last--;
	for (size_t c = 0; c <= last; c++) {
		struct cell it = cell(t, row, c);
		bool ends = c == last || (t->below && c + 1 == last);
		bool paint = it.paint[0] != '\0' && it.text[0] != '\0';
		size_t n = columns_of(it.text), pad = n < t->width[c] ? t->width[c] - n : 0;

		if (t->dropped[c])
			continue;
		fprintf(f,
			"%*s",
			(int)(t->below && c == last ? TABLE_GAP
			      : t->columns[c].left  ? 0
						    : pad),
			"");
		fputs(paint ? it.paint : "", f);
		// of names the end tells apart as often as the beginning
		columns_print(f, it.text, t->width[c], c == 0);
		fputs(paint ? "\033[m" : "", f);
		if (ends)
			fputc('\n', f);
		else
			fprintf(f, "%*s", (int)((t->columns[c].left ? pad : 0) + TABLE_GAP), "");
	}
}

void table_done(struct table *t)
{
	for (size_t i = 0; i < t->ncells; i++)
		free(t->cells[i].text);
	free(t->cells);
	t->cells = NULL;
	t->ncells = t->room = 0;
}
