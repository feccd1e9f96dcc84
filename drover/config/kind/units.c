// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Amounts with a unit: rates and times.

#include "config/key.h"

#include <ctype.h>
#include <strings.h>

#define TIME_MAX \
	(UINT64_C(3650) * 24 * 3600 * 1000000000) // its cycles, and a TSC with them, have 64 bits

struct unit {
	const char *name;
	uint64_t size;
};

// A decimal fraction of units, whole + part / scale with up to nine digits behind the point.
struct amount {
	uint64_t whole, part, scale, unit;
};

// units: what may follow, and what one of it is; ends with a NULL name. False: not that.
static bool parse_units(const char *value, const struct unit *units, struct amount *ret)
{
	uint64_t whole = 0, part = 0, scale = 1;
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
	if (units->name == NULL)
		return false;
	*ret = (struct amount){whole, part, scale, units->size};
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
	struct amount a;
	double v;

	if (!parse_units(value, rate_units, &a))
		return KEY_WRONG;
	v = (double)a.whole * (double)a.unit + (double)(a.part * a.unit) / (double)a.scale;
	// what is too slow must not become a zero, which means something else
	if ((v < PPS_MIN && (a.whole != 0 || a.part != 0)) || v > PPS_MAX)
		return KEY_WRONG;
	((struct key_rate *)to)->pps = v;
	return 0;
}

static int parse_time(const struct key *, const char *value, void *to, struct err *)
{
	struct amount a;
	uint64_t v;

	// part < 10^9 and no unit is larger than 10^9; a fraction of a nanosecond cannot be kept
	if (!parse_units(value, time_units, &a) || a.part * a.unit % a.scale != 0
	    || __builtin_mul_overflow(a.whole, a.unit, &v)
	    || __builtin_add_overflow(v, a.part * a.unit / a.scale, &v) || v > TIME_MAX)
		return KEY_WRONG;
	*(uint64_t *)to = v;
	return 0;
}

const struct key_kind kind_rate = {
	.type = "rate",
	.text = "packets a second from 0.1 to 1000Gpps, as 10Mpps or 500kpps; 0: as fast as it "
		"goes",
	.parse = parse_rate,
};
const struct key_kind kind_time = {
	.type = "time",
	.text = "time, as 10s, 1.5s, 5ms, 20us or 100ns, up to ten years; 3: seconds",
	.parse = parse_time,
};
