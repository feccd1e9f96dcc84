// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Sizes of packets that are mixed.

#include "config/key.h"
#include "config/kind/digits.h"

#include <errno.h>
#include <stdio.h>

static int parse_imix(const struct key *key, const char *value, void *to, struct err *err)
{
	unsigned weights = 0, n = 0;
	struct key_imix imix = {0};
	const char *s = value;

	do {
		uint64_t size, weight = 1;

		s = skip_blanks(s + (n > 0));
		if (!key_digits(s, &s, &size) || size < key->min || size > key->max)
			return KEY_WRONG;
		s = skip_blanks(s);
		if (*s == ':') {
			s = skip_blanks(s + 1);
			if (!key_digits(s, &s, &weight))
				return KEY_WRONG;
			s = skip_blanks(s);
		}
		if (n == KEY_IMIX_MAX)
			return err_set(
				err, EINVAL, "%s=: more than %d sizes", key->name, KEY_IMIX_MAX
			);
		if (weight == 0 || weight > KEY_IMIX_WEIGHTS
		    || (weights += (unsigned)weight) > KEY_IMIX_WEIGHTS)
			return err_set(
				err,
				EINVAL,
				"%s=: weights are from 1 and add up to %d at most",
				key->name,
				KEY_IMIX_WEIGHTS
			);
		imix.of[n].size = (uint16_t)size;
		imix.of[n++].weight = (uint16_t)weight;
	} while (*s == ',');
	if (*s != '\0')
		return KEY_WRONG;
	imix.n = n;
	*(struct key_imix *)to = imix;
	return 0;
}

static void imix_text(const struct key *key, char *buf, size_t len)
{
	snprintf(
		buf,
		len,
		"sizes %u..%u with weights, as 60:7,590:4,1514:1, or without, as 60,60,590",
		(unsigned)key->min,
		(unsigned)key->max
	);
}

const struct key_kind kind_imix = {.type = "sizes", .describe = imix_text, .parse = parse_imix};
