// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// "did you mean" of a configuration: what is said of a key or a name that there is not.
#pragma once

#include "base/hint.h"
#include "config/key.h"

// hint() among the keys of up to two tables (NULL: none) and further words (NULL: none).
const char *hint_key(
	char buf[static HINT_MAX],
	const char *word,
	const struct key *a,
	const struct key *b,
	const char *const *more
);
// When none of them is near, as many as there is room for.
const char *hint_or_list(char buf[static HINT_MAX], const char *word, const char *const *words);
