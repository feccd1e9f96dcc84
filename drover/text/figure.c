// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "text/figure.h"

#include "base/scope.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// Three or four digits that count.
static char *scaled(double v, const char *unit, char *buf)
{
	int digits = v >= 99.95 ? 1 : 2;

	snprintf(buf, FIGURE_STR, "%.*f%s", digits, v, unit);
	return buf;
}

char *figure_pps(double pps, char buf[static FIGURE_STR])
{
	if (pps >= 999950)
		return scaled(pps / 1e6, " Mpps", buf);
	if (pps >= 1000)
		return scaled(pps / 1e3, " kpps", buf);
	snprintf(buf, FIGURE_STR, pps < 10 ? "%.2g pps" : "%.0f pps", pps);
	return buf;
}

// Of bits a second: "9.52 Gbit/s", "64.00 kbit/s"
static char *figure_bits(double bits, char buf[static FIGURE_STR])
{
	if (bits >= 999.95e6)
		return scaled(bits / 1e9, " Gbit/s", buf);
	if (bits >= 999.95e3)
		return scaled(bits / 1e6, " Mbit/s", buf);
	return scaled(bits / 1e3, " kbit/s", buf);
}

char *figure_time(double ns, char buf[static FIGURE_STR])
{
	if (fabs(ns) < 999.5)
		snprintf(buf, FIGURE_STR, "%.0f ns", ns);
	else if (fabs(ns) < 999.5e3)
		snprintf(buf, FIGURE_STR, "%.3g us", ns / 1e3);
	else if (fabs(ns) < 999.5e6)
		snprintf(buf, FIGURE_STR, "%.3g ms", ns / 1e6);
	else
		snprintf(buf, FIGURE_STR, "%.4g s", ns / 1e9);
	return buf;
}

char *figure_count(double n, char buf[static FIGURE_STR])
{
	static const char *const units[] = {"k", "M", "G", "T", "P"};
	size_t i = 0;

	if (n < 9999.5) {
		snprintf(buf, FIGURE_STR, "%.0f", n);
		return buf;
	}
	for (n /= 1000; n >= 999.5 && i + 1 < ARRAY_LEN(units); i++)
		n /= 1000;
	snprintf(buf, FIGURE_STR, "%.3g%s", n, units[i]);
	return buf;
}

char *figure_clock(double seconds, char buf[static FIGURE_STR])
{
	// also what is no time at all: from where it does not fit it has no value
	unsigned long s = seconds > 0 && seconds < 1e15 ? (unsigned long)seconds : 0;

	snprintf(buf, FIGURE_STR, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
	return buf;
}

static bool ends(const char *s, const char *end)
{
	size_t n = strlen(s), e = strlen(end);

	return n >= e && strcmp(s + n - e, end) == 0;
}

json_t *figure_number(double v)
{
	return v == floor(v) && fabs(v) < 1e15 ? json_integer((json_int_t)v) : json_real(v);
}

char *figure_by_key(const char *key, const json_t *value, char buf[static FIGURE_STR])
{
	double v = json_number_value(value);

	if (json_is_string(value))
		snprintf(buf, FIGURE_STR, "%s", json_string_value(value));
	else if (json_is_boolean(value))
		snprintf(buf, FIGURE_STR, "%s", json_is_true(value) ? "yes" : "no");
	else if (!json_is_number(value))
		snprintf(buf, FIGURE_STR, "-");
	else if (ends(key, "_ns") || strcmp(key, "ns") == 0)
		figure_time(v, buf);
	else if (ends(key, "_pps"))
		figure_pps(v, buf);
	else if (ends(key, "_bits_per_second"))
		figure_bits(v, buf);
	else if (ends(key, "_share"))
		snprintf(buf, FIGURE_STR, "%.4g %%", 100 * v);
	else if (ends(key, "seconds"))
		snprintf(buf, FIGURE_STR, "%.4g s", v);
	else if (json_is_integer(value))
		snprintf(buf, FIGURE_STR, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else
		snprintf(buf, FIGURE_STR, "%.4g", v);
	return buf;
}
