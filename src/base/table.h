// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Tables of text in columns.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS 32
#define TABLE_GAP 2 // between two columns

struct column {
	const char *title;
	bool left;     // aligned to the left
	unsigned rank; // table_drop: columns of the highest rank go first; 0: never
	bool whole;    // table_narrow: never cut
};

struct table {
	const struct column *columns;
	size_t ncolumns; // TABLE_COLUMNS at most
	size_t most;	 // what a column but the first may take, 0: any
	size_t ncells, room;
	struct cell *cells; // row after row
	size_t width[TABLE_COLUMNS];
	bool dropped[TABLE_COLUMNS];
	bool below;  // the last column is on a line of its own
	bool failed; // memory was out: some cells are missing
};

#define TABLE(c)                                        \
	((struct table){                                \
		.columns = (c),                         \
		.ncolumns = sizeof(c) / sizeof((c)[0]), \
	})

void table_cell(struct table *t, const char *fmt, ...) printf_like(2, 3);
// Of the last cell: what is sent before its text, and undone behind it (ISO 6429); "" is nothing. Not copied.
void table_paint(struct table *t, const char *paint);
size_t table_rows(const struct table *t);

// Either of them once the cells are there: columns get as wide as what is in them, and where a line does not fit then,
// whole columns are taken away, or the widest are made narrower and their texts are cut.
void table_drop(struct table *t, size_t room);
void table_narrow(struct table *t, size_t room);

// Row 0 has the titles, the cells follow.
void table_print(const struct table *t, size_t row, FILE *f);
void table_done(struct table *t);
