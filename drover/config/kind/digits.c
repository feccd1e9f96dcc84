// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "config/kind/digits.h"

#include <ctype.h>

bool key_digits(const char *s, const char **end, uint64_t *ret)
{
	unsigned base = s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? 16 : 10;
	uint64_t v = 0;
	const char *p = base == 16 ? s + 2 : s;
	const char *first = p;

	for (; base == 16 ? isxdigit((unsigned char)*p) : isdigit((unsigned char)*p); p++) {
		unsigned char c = (unsigned char)*p;
		unsigned d = (unsigned)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);

		if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v))
			return false;
	}
	*end = p;
	*ret = v;
	return p != first;
}

int key_nibble(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	return isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}
