// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/columns.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

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

size_t columns_here(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return SIZE_MAX;
	return size.ws_col;
}

size_t columns_fit(size_t *width, const size_t *least, size_t n, size_t room)
{
	size_t all = n > 0 ? COLUMNS_GAP * (n - 1) : 0;

	for (size_t i = 0; i < n; i++)
		all += width[i];
	for (; all > room; all--) {
		size_t widest = n;

		for (size_t i = 0; i < n; i++) {
			if (width[i] > least[i] && (widest == n || width[i] >= width[widest]))
				widest = i;
		}
		if (widest == n)
			break;
		width[widest]--;
	}
	return all;
}

// Where the character with that number begins.
static const char *at(const char *s, size_t number)
{
	for (; *s != '\0'; s++) {
		if (begins_character(*s) && number-- == 0)
			break;
	}
	return s;
}

void columns_print(const char *s, size_t width, bool in_middle, bool pad)
{
	size_t n = columns_of(s), tail = in_middle && width > 0 ? (width - 1) / 2 : 0;

	if (n > width && width > 0) {
		printf("%.*s" CUT "%s", (int)(at(s, width - 1 - tail) - s), s, at(s, n - tail));
		return;
	}
	fputs(s, stdout);
	if (pad && n < width)
		printf("%*s", (int)(width - n), "");
}
