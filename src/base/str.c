// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/str.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

char *str_printf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	return s;
}

int name_check(const char *what, const char *name, struct err *err)
{
	static const char ok[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t n = strlen(name);

	if (n == 0 || n > NAME_MAX_LEN || strspn(name, ok) != n || strchr("._-", name[0]) != NULL)
		return err_set(
			err,
			EINVAL,
			"name %s '%.64s': 1 to %d of a-z 0-9 . _ -, the first a letter or digit",
			what,
			name,
			NAME_MAX_LEN
		);
	return 0;
}

#define WORD_MAX 48

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
			unsigned above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);

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

const char *str_nearest(const char *s, const char *const *words)
{
	unsigned best = (unsigned)strlen(s) / 2 + 1;
	const char *nearest = NULL;

	for (; *words != NULL; words++) {
		unsigned d = distance(s, *words);

		if (d < best) {
			best = d;
			nearest = *words;
		}
	}
	return nearest;
}

bool str_eq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

void str_one_line(char *s)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s, next = (unsigned char)s[1];

		if (c < 0x20 || c == 0x7f)
			*s = ' ';
		// U+0080 to U+009F: a terminal takes some for the start of an escape sequence
		if (c == 0xc2 && next >= 0x80 && next < 0xa0)
			s[0] = s[1] = ' ';
	}
}
