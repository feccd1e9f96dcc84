// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Tables on a terminal. Each character is counted as one column.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define COLUMNS_GAP 2 // between two columns of a table

// How many columns UTF-8 text takes.
size_t columns_of(const char *s);

// How many columns a line of standard output has; SIZE_MAX where it is no terminal.
size_t columns_here(void);

// Makes the columns of a table narrower until a line has no more than room: always the widest, and none narrower than
// its least. Returns how many a line has then, which may still be more.
size_t columns_fit(size_t *width, const size_t *least, size_t n, size_t room);

// Prints text to standard output. What is longer than width is cut, at its end or in its middle, and "…" says so.
// pad: what is shorter is followed by spaces.
void columns_print(const char *s, size_t width, bool in_middle, bool pad);
