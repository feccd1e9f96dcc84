// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/moment.h"

#include "base/scope.h"
#include "base/str.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DIGITS "0123456789"
#define SPAN_MAX 1000000000 // of a unit

static bool parse_span(const char *s, int64_t *ret)
{
	static const struct {
		char letter;
		int64_t ms;
	} units[] = {{'d', 86400000}, {'h', 3600000}, {'m', 60000}, {'s', 1000}};
	int64_t sum = 0;
	size_t from = 0;

	if (*s == '\0')
		return false;
	while (*s != '\0') {
		size_t n = strspn(s, DIGITS), i = from;
		long number = strtol(s, NULL, 10);

		// the larger first, and each once
		while (i < ARRAY_LEN(units) && units[i].letter != s[n])
			i++;
		if (n == 0 || number > SPAN_MAX || i == ARRAY_LEN(units))
			return false;
		sum += number * units[i].ms;
		from = i + 1;
		s += n + 1;
	}
	*ret = sum;
	return true;
}

// strptime(3) takes blanks and signs, and days that a month has not.
static bool parse_time(const char *s, int64_t *ret)
{
	struct tm tm = {0}, same;
	const char *end;
	long zone;
	time_t t;
	int ms = 0;

	if (strspn(s, DIGITS) != 4 || strpbrk(s, " \t\n") != NULL)
		return false;
	end = strptime(s, "%Y-%m-%d", &tm);
	if (end != NULL && *end == 'T') {
		const char *minutes = strptime(end + 1, "%H:%M", &tm);

		end = minutes != NULL && *minutes == ':' ? strptime(minutes + 1, "%S", &tm)
							 : minutes;
		if (end != NULL && minutes != end && *end == '.') {
			size_t n = strspn(end + 1, DIGITS);
			int unit = 100;

			if (n == 0)
				return false;
			for (size_t i = 1; i <= n && unit > 0; i++, unit /= 10)
				ms += (end[i] - '0') * unit;
			end += 1 + n;
		}
		if (end != NULL && *end != '\0')
			end = strptime(end, "%z", &tm);
	}
	if (end == NULL || *end != '\0')
		return false;
	zone = tm.tm_gmtoff;
	same = tm;
	t = timegm(&same);
	if (same.tm_mday != tm.tm_mday)
		return false;
	*ret = ((int64_t)t - zone) * 1000 + ms;
	return true;
}

int moment_parse(const char *text, int64_t now, int64_t *ret, struct err *err)
{
	int64_t ms;

	if (parse_span(text, &ms))
		ms = now - ms;
	else if (!parse_time(text, &ms))
		return err_set(
			err,
			EINVAL,
			"time '%s': how long ago (10m, 2h30m, 1d), or 2026-11-29T10:00, in UTC "
			"unless "
			"Z or +01:00 follows it",
			text
		);
	*ret = ms;
	return 0;
}
