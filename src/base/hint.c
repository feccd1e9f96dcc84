// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/hint.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define WORD_MAX 48

static bool differ(char a, char b)
{
	return tolower((unsigned char)a) != tolower((unsigned char)b);
}

// Edit distance (Levenshtein), or UINT_MAX for words that are too long to be a typo.
static unsigned distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	unsigned row[WORD_MAX + 1];

	if (la > WORD_MAX || lb > WORD_MAX)
		return UINT_MAX;
	for (unsigned j = 0; j <= lb; j++)
		row[j] = j;
	for (unsigned i = 1; i <= la; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			unsigned above = row[j], best = diagonal + differ(a[i - 1], b[j - 1]);

			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diagonal = above;
		}
	}
	return row[lb];
}

const char *hint_row(
	char buf[static HINT_MAX],
	const char *prefix,
	const char *word,
	const void *first,
	size_t n,
	size_t size
)
{
	unsigned best = (unsigned)strlen(word) / 2 + 1;
	const char *nearest = NULL;

	for (const char *at = first; n > 0; n--, at += size) {
		const char *name = *(const char *const *)(const void *)at;
		unsigned d = name != NULL ? distance(word, name) : 0;

		if (name == NULL)
			break;
		if (d < best) {
			best = d;
			nearest = name;
		}
	}
	buf[0] = '\0';
	if (nearest != NULL)
		snprintf(buf, HINT_MAX, "; did you mean '%s%s'?", prefix, nearest);
	return buf;
}

const char *hint(char buf[static HINT_MAX], const char *word, const char *const *words)
{
	return hint_row(buf, "", word, words, SIZE_MAX, sizeof(*words));
}
