// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Results for a terminal: sentences, and tables in columns.
#pragma once

#include "bench/results.h"

#include <stdio.h>

// Columns to write in: of the terminal, or 100 where f is none.
unsigned terminal_width(FILE *f);

// Words, broken into lines behind so many spaces.
void terminal_wrap(FILE *f, const char *text, unsigned indent, unsigned width);

// What words_headlines says.
void terminal_headlines(FILE *f, const struct results *all, unsigned width);

// All of it. Texts come from a file that others may have written: nothing in them moves the cursor.
void terminal_write(FILE *f, const struct results *all, unsigned width);
