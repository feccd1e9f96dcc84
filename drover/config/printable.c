// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "config/printable.h"

#include <stddef.h>

// The length of the UTF-8 character at s; 0: none, or a control character.
static size_t text_char(const unsigned char *s)
{
	unsigned long v;
	size_t n;

	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f;
	n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	v = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (s[i] & 0x3f);
	}
	// written longer than it needs; surrogates; beyond Unicode; C1 controls
	if ((n == 3 && v < 0x800) || (n == 4 && v < 0x10000) || (v >= 0xd800 && v < 0xe000)
	    || v > 0x10ffff || v < 0xa0)
		return 0;
	return n;
}

bool printable(const char *s)
{
	while (*s != '\0') {
		size_t n = text_char((const unsigned char *)s);

		if (n == 0)
			return false;
		s += n;
	}
	return true;
}
