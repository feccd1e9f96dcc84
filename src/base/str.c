// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/str.h"

#include "base/scope.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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

void str_add(char *buf, size_t room, const char *between, const char *fmt, ...)
{
	size_t n = strlen(buf);
	va_list ap;

	if (n > 0)
		n += (size_t)snprintf(buf + n, room - n, "%s", between);
	if (n >= room)
		return;
	va_start(ap, fmt);
	vsnprintf(buf + n, room - n, fmt, ap);
	va_end(ap);
}

int name_check(const char *what, const char *name, struct err *err)
{
	static const char ok[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t n = strlen(name);

	if (n == 0 || n > NAME_MAX_LEN || strspn(name, ok) != n || strchr("._-", name[0]) != NULL)
		return err_set(
			err,
			EINVAL,
			"'%.64s' is no name for %s: 1 to %d of a-z 0-9 . _ -, the first "
			"a letter or digit",
			name,
			what,
			NAME_MAX_LEN
		);
	return 0;
}

// The length of the character at s, 0: no UTF-8 (RFC 3629).
static size_t decode(const unsigned char *s, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s[0] < 0x80	     ? 1
		   : s[0] >> 5 == 6  ? 2
		   : s[0] >> 4 == 14 ? 3
		   : s[0] >> 3 == 30 ? 4
				     : 0;
	uint32_t c = n < 2 ? s[0] : s[0] & (0x7fu >> n);

	for (size_t i = 1; i < n; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	*ret = c;
	return n > 0 && c >= least[n] && c < 0x110000 && (c < 0xd800 || c > 0xdfff) ? n : 0;
}

// A terminal obeys it (C0, DEL, C1) or shows something else than is there: marks of direction, line and
// paragraph separators, characters without width.
static bool is_order(uint32_t c)
{
	static const uint32_t ranges[][2] = {
		{0x00, 0x1f},
		{0x7f, 0x9f},
		{0xad, 0xad},
		{0x061c, 0x061c},
		{0x180e, 0x180e},
		{0x200b, 0x200f},
		{0x2028, 0x202e},
		{0x2060, 0x206f},
		{0xfeff, 0xfeff},
		{0xfff9, 0xfffb},
		{0xe0000, 0xe007f},
	};

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		if (c >= ranges[i][0] && c <= ranges[i][1])
			return true;
	}
	return false;
}

void str_plain(char *s)
{
	while (*s != '\0') {
		uint32_t c = 0;
		size_t n = decode((const unsigned char *)s, &c);

		if (n == 0)
			*s = '?';
		else if (is_order(c))
			memset(s, ' ', n);
		s += n > 0 ? n : 1;
	}
}

char *str_quote(const char *s)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_+="
		".,:/%@";
	size_t n = strlen(s), quotes = 0;
	char *ret, *to;

	if (n > 0 && strspn(s, plain) == n)
		return strdup(s);
	for (const char *c = s; *c != '\0'; c++)
		quotes += *c == '\'';
	to = ret = malloc(n + 3 * quotes + 3);
	if (ret == NULL)
		return NULL;
	*to++ = '\'';
	for (; *s != '\0'; s++) {
		if (*s == '\'')
			to = stpcpy(to, "'\\''");
		else
			*to++ = *s;
	}
	strcpy(to, "'");
	return ret;
}

bool str_eq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

uint64_t str_hash(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (const char *c = text != NULL ? text : ""; *c != '\0'; c++)
		hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
	return hash;
}
