// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "text/lines.h"

#include "base/columns.h"
#include "base/scope.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRAP_INDENT "    "

void lines_add(struct lines *l, enum line_kind kind, int tag, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (r >= 0 && l->n == l->room) {
		size_t more = l->room > 0 ? l->room * 2 : 32;
		struct line *bigger = reallocarray(l->line, more, sizeof(*bigger));

		l->line = bigger ?: l->line;
		l->room = bigger != NULL ? more : l->room;
	}
	if (r < 0 || l->n == l->room) {
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

static char *row_text(const struct table *t, size_t row)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return NULL;
	table_print(t, row, f);
	fclose(f);
	return text;
}

void lines_table(struct lines *l, struct table *t, size_t width, bool tagged)
{
	width = width > 0 ? width : SIZE_MAX;
	table_drop(t, width);
	for (size_t r = 0; table_rows(t) > 0 && r <= table_rows(t); r++) {
		_cleanup_free_ char *text = row_text(t, r);
		const char *end = text != NULL ? columns_at(text, width) : NULL;

		while (end > text && (end[-1] == ' ' || end[-1] == '\n'))
			end--;
		lines_add(
			l,
			r == 0 ? LINE_HEAD : LINE_ROW,
			tagged ? (int)r - 1 : -1,
			"%.*s",
			(int)(end - text),
			text ?: ""
		);
		l->failed |= text == NULL;
	}
	l->failed |= t->failed;
	table_done(t);
}
