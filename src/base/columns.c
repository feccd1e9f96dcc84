// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/columns.h"

#include <stdint.h>
#include <sys/ioctl.h>

#define CUT "…" // of one column

static bool begins_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

size_t columns_of(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += begins_character(*s);
	return n;
}

const char *columns_at(const char *s, size_t number)
{
	for (; *s != '\0'; s++) {
		if (begins_character(*s) && number-- == 0)
			break;
	}
	return s;
}

size_t columns_here(FILE *f)
{
	struct winsize size;

	if (ioctl(fileno(f), TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return SIZE_MAX;
	return size.ws_col;
}

void columns_print(FILE *f, const char *s, size_t width, bool in_middle)
{
	size_t n = columns_of(s), tail = in_middle && width > 0 ? (width - 1) / 2 : 0;

	if (n <= width || width == 0)
		fputs(s, f);
	else
		fprintf(f,
			"%.*s" CUT "%s",
			(int)(columns_at(s, width - 1 - tail) - s),
			s,
			columns_at(s, n - tail));
}
