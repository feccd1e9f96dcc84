// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Numbers.

#include "config/key.h"
#include "config/kind/digits.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

// What K, M or G multiplies by; 0: no such unit.
static uint64_t factor(char c, uint64_t kilo)
{
	switch (toupper((unsigned char)c)) {
	case 'K':
		return kilo;
	case 'M':
		return kilo * kilo;
	case 'G':
		return kilo * kilo * kilo;
	default:
		return 0;
	}
}

static int parse_number(
	const struct key *key, const char *value, uint64_t kilo, uint64_t limit, uint64_t *ret
)
{
	uint64_t v, unit = 1, max = key->max != 0 ? key->max : limit;
	const char *p;

	if (!key_digits(value, &p, &v))
		return KEY_WRONG;
	if (*p != '\0') {
		unit = factor(*p, kilo);
		if (unit == 0 || p[1] != '\0')
			return KEY_WRONG;
	}
	if (__builtin_mul_overflow(v, unit, &v) || v < key->min || v > max)
		return KEY_WRONG;
	*ret = v;
	return 0;
}

static int parse_u32(const struct key *key, const char *value, void *to, struct err *)
{
	uint64_t v;

	if (parse_number(key, value, 1024, UINT32_MAX, &v) != 0)
		return KEY_WRONG;
	*(uint32_t *)to = (uint32_t)v;
	return 0;
}

static int parse_u64(const struct key *key, const char *value, void *to, struct err *)
{
	return parse_number(key, value, 1000, UINT64_MAX, to);
}

static int parse_pos(const struct key *key, const char *value, void *to, struct err *err)
{
	if (strcasecmp(value, "end") != 0)
		return parse_u32(key, value, to, err);
	*(uint32_t *)to = KEY_POS_END;
	return 0;
}

static void number_text(const struct key *key, char *buf, size_t len)
{
	unsigned long long min = key->min, max = key->max;

	if (max != 0)
		snprintf(buf, len, "number %llu..%llu", min, max);
	else if (min != 0)
		snprintf(buf, len, "number from %llu", min);
	else
		snprintf(buf, len, "number");
}

static void pos_text(const struct key *key, char *buf, size_t len)
{
	snprintf(buf, len, "number 0..%u, or end", (unsigned)key->max);
}

const struct key_kind kind_u32 = {
	.type = "number", .describe = number_text, .parse = parse_u32, .has_range = true};
const struct key_kind kind_u64 = {
	.type = "number", .describe = number_text, .parse = parse_u64, .has_range = true};
const struct key_kind kind_pos = {.type = "position", .describe = pos_text, .parse = parse_pos};
