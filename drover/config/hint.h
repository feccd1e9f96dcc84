// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// "did you mean": the nearest word that would have been right.
#pragma once

#include "config/key.h"

// "; did you mean 'X'?", or "" when no word is near. Words: NULL-terminated.
#define HINT_MAX 96
const char *hint(char buf[static HINT_MAX], const char *word, const char *const *words);
// The same among the keys of up to two tables (NULL: none) and further words (NULL: none).
const char *hint_key(
	char buf[static HINT_MAX],
	const char *word,
	const struct key *a,
	const struct key *b,
	const char *const *more
);
// When none of them is near, as many as there is room for.
const char *hint_or_list(char buf[static HINT_MAX], const char *word, const char *const *words);
