// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Lines of text, and tables that become such lines: the same for a terminal view, a plain printout and
// the report at the end of a run. Out of memory is remembered, not reported line by line.
#pragma once

#include "base/err.h"

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

struct column {
	const char *title;
	bool left;     // aligned to the left
	unsigned rank; // columns of the highest rank go first when it gets narrow; 0: never
};

struct table {
	const struct column *columns;
	size_t ncolumns, ncells, room;
	char **cells;
	int *tags;
	size_t nrows, rows_room;
	bool failed;
};

#define TABLE(c)                                        \
	((struct table){                                \
		.columns = (c),                         \
		.ncolumns = sizeof(c) / sizeof((c)[0]), \
	})

// Begins a row; its cells follow, as many as there are columns.
void table_row(struct table *t, int tag);
void table_cell(struct table *t, const char *fmt, ...) printf_like(2, 3);

// Appends head and rows to l, at most width characters wide (0: as wide as it gets), and frees the
// table's cells. Without rows nothing is appended.
void table_lines(struct table *t, size_t width, struct lines *l);
