// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Amounts with a unit: rates and times.

#include "config/key.h"

#include <ctype.h>
#include <strings.h>

// A decimal fraction of units with up to nine digits behind the point: "1.5" of 1000 is 1500.
// units: what may follow, and what one of it is; ends with a NULL name. False: not that.
struct unit {
	const char *name;
	uint64_t size;
};

static bool parse_units(const char *value, const struct unit *units, uint64_t *ret)
{
	uint64_t whole = 0, part = 0, scale = 1, v;
	const char *p = value;

	if (!isdigit((unsigned char)*p))
		return false;
	for (; isdigit((unsigned char)*p); p++) {
		if (__builtin_mul_overflow(whole, 10, &whole)
		    || __builtin_add_overflow(whole, (uint64_t)(*p - '0'), &whole))
			return false;
	}
	if (*p == '.') {
		if (!isdigit((unsigned char)*++p))
			return false;
		for (; isdigit((unsigned char)*p); p++) {
			if (scale == 1000000000)
				return false;
			part = part * 10 + (uint64_t)(*p - '0');
			scale *= 10;
		}
	}
	while (*p == ' ')
		p++;
	for (; units->name != NULL; units++) {
		if (strcasecmp(p, units->name) == 0)
			break;
	}
	// part < 10^9 and no unit is larger than 10^9
	if (units->name == NULL || __builtin_mul_overflow(whole, units->size, &v)
	    || __builtin_add_overflow(v, part * units->size / scale, &v))
		return false;
	// a fraction of the smallest unit must not become a zero, which means something else
	if (v == 0 && (whole != 0 || part != 0))
		return false;
	*ret = v;
	return true;
}

static const struct unit rate_units[] = {
	{"", 1},
	{"pps", 1},
	{"k", 1000},
	{"kpps", 1000},
	{"M", 1000000},
	{"Mpps", 1000000},
	{"G", 1000000000},
	{"Gpps", 1000000000},
	{NULL},
};

static const struct unit time_units[] = {
	{"", 1000000000},
	{"s", 1000000000},
	{"ms", 1000000},
	{"us", 1000},
	{"ns", 1},
	{NULL},
};

static int parse_rate(const struct key *, const char *value, void *to, struct err *)
{
	return parse_units(value, rate_units, &((struct key_rate *)to)->pps) ? 0 : KEY_WRONG;
}

static int parse_time(const struct key *, const char *value, void *to, struct err *)
{
	return parse_units(value, time_units, to) ? 0 : KEY_WRONG;
}

const struct key_kind kind_rate = {
	.type = "rate",
	.text = "packets a second, as 10Mpps or 500kpps; 0: as fast as it goes",
	.parse = parse_rate,
};
const struct key_kind kind_time = {
	.type = "time",
	.text = "time, as 10s, 1.5s, 5ms, 20us or 100ns; 3: seconds",
	.parse = parse_time,
};
