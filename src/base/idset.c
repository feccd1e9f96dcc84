// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/idset.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WORDS (IDSET_MAX / 64)

// Reads one number at *p and moves past it. IDSET_MAX stands for every larger one.
static bool number(const char **p, unsigned *ret)
{
	unsigned v = 0;

	if (!isdigit((unsigned char)**p))
		return false;
	for (; isdigit((unsigned char)**p); (*p)++) {
		v = v * 10 + (unsigned)(**p - '0');
		if (v > IDSET_MAX)
			v = IDSET_MAX;
	}
	*ret = v;
	return true;
}

int idset_parse_below(const char *s, unsigned limit, struct idset *ret)
{
	struct idset set = {0};
	const char *p = s;
	bool more = false;
	unsigned a, b;

	while (isspace((unsigned char)*p))
		p++;
	while (*p != '\0') {
		if (!number(&p, &a))
			return -EINVAL;
		b = a;
		if (*p == '-') {
			p++;
			if (!number(&p, &b) || b < a)
				return -EINVAL;
		}
		for (unsigned i = a; i <= b && i < limit; i++)
			idset_add(&set, i);
		more |= b >= limit;
		if (*p == ',') {
			p++;
			if (!isdigit((unsigned char)*p))
				return -EINVAL;
			continue;
		}
		while (isspace((unsigned char)*p))
			p++;
		if (*p != '\0')
			return -EINVAL;
	}
	*ret = set;
	return more;
}

int idset_parse(const char *s, struct idset *ret, struct err *err)
{
	struct idset set;

	if (idset_parse_below(s, IDSET_MAX, &set) != 0)
		return err_set(
			err,
			EINVAL,
			"read list '%.64s': not a list of numbers below %d, as in 0-3,8",
			s,
			IDSET_MAX
		);
	*ret = set;
	return 0;
}

char *idset_format(const struct idset *s, char *buf, size_t len)
{
	size_t n = 0;
	int a, b;

	if (len > 0)
		buf[0] = '\0';
	for (a = idset_first(s); a >= 0 && n < len; a = idset_next(s, (unsigned)b + 1)) {
		b = a;
		while (idset_has(s, (unsigned)b + 1))
			b++;
		if (a == b)
			n += (size_t)snprintf(buf + n, len - n, "%s%d", n > 0 ? "," : "", a);
		else
			n += (size_t)snprintf(buf + n, len - n, "%s%d-%d", n > 0 ? "," : "", a, b);
	}
	return buf;
}

char *idset_format_mask(const struct idset *s, unsigned nbits, char *buf, size_t len)
{
	unsigned words = nbits > 0 ? (nbits + 31) / 32 : 1;
	size_t n = 0;

	if (len > 0)
		buf[0] = '\0';
	for (unsigned i = words; i-- > 0 && n < len;) {
		uint32_t w = i / 2 < WORDS ? (uint32_t)(s->word[i / 2] >> (i % 2 * 32)) : 0;

		n += (size_t)snprintf(buf + n, len - n, "%08x%s", w, i > 0 ? "," : "");
	}
	return buf;
}

unsigned idset_count(const struct idset *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WORDS; i++)
		n += (unsigned)__builtin_popcountll(s->word[i]);
	return n;
}

bool idset_empty(const struct idset *s)
{
	return idset_first(s) < 0;
}

bool idset_equal(const struct idset *a, const struct idset *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

bool idset_subset(const struct idset *a, const struct idset *of)
{
	for (unsigned i = 0; i < WORDS; i++) {
		if ((a->word[i] & ~of->word[i]) != 0)
			return false;
	}
	return true;
}

bool idset_intersects(const struct idset *a, const struct idset *b)
{
	for (unsigned i = 0; i < WORDS; i++) {
		if ((a->word[i] & b->word[i]) != 0)
			return true;
	}
	return false;
}

void idset_or(struct idset *a, const struct idset *b)
{
	for (unsigned i = 0; i < WORDS; i++)
		a->word[i] |= b->word[i];
}

void idset_and(struct idset *a, const struct idset *b)
{
	for (unsigned i = 0; i < WORDS; i++)
		a->word[i] &= b->word[i];
}

void idset_andnot(struct idset *a, const struct idset *b)
{
	for (unsigned i = 0; i < WORDS; i++)
		a->word[i] &= ~b->word[i];
}

int idset_next(const struct idset *s, unsigned from)
{
	for (unsigned i = from / 64; i < WORDS; i++) {
		uint64_t w = s->word[i];

		if (i == from / 64)
			w &= ~UINT64_C(0) << (from % 64);
		if (w != 0)
			return (int)(i * 64 + (unsigned)__builtin_ctzll(w));
	}
	return -1;
}
