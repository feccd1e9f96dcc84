// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Text on a terminal. Each character is counted as one column.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

// How many columns UTF-8 text takes.
size_t columns_of(const char *s);

// Where the column with that number begins, counted from 0; the end of a shorter text.
const char *columns_at(const char *s, size_t number);

// How many columns a line of f has; SIZE_MAX where it is no terminal.
size_t columns_here(FILE *f);

// Prints text that is cut to width, at its end or in its middle, where it is longer, and "…" says so.
void columns_print(FILE *f, const char *s, size_t width, bool in_middle);
