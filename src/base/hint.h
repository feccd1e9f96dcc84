// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// "did you mean": the nearest of the words that would have been right.
#pragma once

#include <stddef.h>

#define HINT_MAX 96

// "; did you mean 'X'?", X being the nearest of the NULL-terminated words by edit distance, whatever the case of
// letters; "" where none is near: more than half of its letters are others.
const char *hint(char buf[static HINT_MAX], const char *word, const char *const *words);

// The same among the names of a table's rows, n at most: it ends where one is NULL. prefix: what stands before them where
// they are typed, as "--".
#define hint_table(buf, prefix, word, table, n) \
	hint_row(buf, prefix, word, &(table)->name, n, sizeof(*(table)))
const char *hint_row(
	char buf[static HINT_MAX],
	const char *prefix,
	const char *word,
	const void *first,
	size_t n,
	size_t size
);
