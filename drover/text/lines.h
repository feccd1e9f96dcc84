// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Lines of text, some of them of tables: the same for a terminal view, a plain printout and the report at the end of a
// run. Out of memory is remembered, not reported line by line.
#pragma once

#include "base/err.h"
#include "base/table.h"

#include <stdbool.h>
#include <stddef.h>

enum line_kind {
	LINE_TEXT,
	LINE_TITLE, // of the page
	LINE_HEAD,  // titles of columns
	LINE_ROW,   // of a table
	LINE_MARK,  // to be seen: a verdict, an error
};

struct line {
	enum line_kind kind;
	int tag; // what the line is about, of the caller's choosing; -1: nothing
	char *text;
};

struct lines {
	size_t n, room;
	struct line *line;
	bool failed; // memory was out: some are missing
};

void lines_add(struct lines *l, enum line_kind kind, int tag, const char *fmt, ...)
	printf_like(4, 5);
// One text as lines of at most width characters, cut at spaces; 0: as it is.
void lines_wrap(struct lines *l, enum line_kind kind, size_t width, const char *text);
void lines_done(struct lines *l);

// Appends the titles and rows of a table, at most width characters wide (0: as wide as it gets), and frees its cells.
// Without rows nothing is appended. tagged: the tag of a row is its number, from 0.
void lines_table(struct lines *l, struct table *t, size_t width, bool tagged);
