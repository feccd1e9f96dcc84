// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/size.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char units[] = "KMGT";

int size_parse(const char *s, uint64_t *ret, struct err *err)
{
	const char *p = s, *unit;
	uint64_t v = 0;
	unsigned shift = 0;
	bool large = false;

	if (!isdigit((unsigned char)*p))
		goto bad;
	for (; isdigit((unsigned char)*p); p++) {
		if (__builtin_mul_overflow(v, 10, &v)
		    || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			large = true;
	}
	if (*p != '\0' && strcasecmp(p, "B") != 0) {
		unit = strchr(units, toupper((unsigned char)*p));
		if (unit == NULL)
			goto bad;
		shift = 10 * (unsigned)(unit - units + 1);
		p++;
		if (*p != '\0' && strcasecmp(p, "B") != 0 && strcasecmp(p, "iB") != 0)
			goto bad;
	}
	if (large || (shift > 0 && v >> (64 - shift) != 0))
		return err_set(err, ERANGE, "read size '%.64s': it is too large", s);
	*ret = v << shift;
	return 0;
bad:
	return err_set(
		err, EINVAL, "read size '%.64s': not a number with K, M, G or T, as in 2M", s
	);
}

static char *format(uint64_t bytes, char buf[static SIZE_STR], const char *suffix)
{
	unsigned u = 0;

	while (bytes != 0 && bytes % 1024 == 0 && u < sizeof(units) - 1) {
		bytes /= 1024;
		u++;
	}
	if (u == 0)
		snprintf(buf, SIZE_STR, "%llu%s", (unsigned long long)bytes, suffix);
	else
		snprintf(
			buf, SIZE_STR, "%llu%c%s", (unsigned long long)bytes, units[u - 1], suffix
		);
	return buf;
}

char *size_format(uint64_t bytes, char buf[static SIZE_STR])
{
	return format(bytes, buf, "");
}

char *size_format_hugetlb(uint64_t bytes, char buf[static SIZE_STR])
{
	return format(bytes, buf, "B");
}
