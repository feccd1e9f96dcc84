// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Bytes of a packet.

#include "config/key.h"
#include "config/kind/digits.h"

#include <errno.h>
#include <stdio.h>

static int parse_hex(const struct key *key, const char *value, void *to, struct err *err)
{
	struct key_bytes *ret = to;
	unsigned n = 0;

	for (const char *p = value; *p != '\0'; p++) {
		if (*p == ' ')
			continue;
		if (key_nibble(p[0]) < 0 || key_nibble(p[1]) < 0)
			return err_set(
				err,
				EINVAL,
				"%s=: '%.8s' in it is not two hexadecimal digits",
				key->name,
				p
			);
		n++;
		p++;
	}
	if (n == 0 || n > KEY_BYTES_MAX)
		return err_set(
			err, EINVAL, "%s=: %u bytes, wants 1..%d", key->name, n, KEY_BYTES_MAX
		);
	ret->len = 0;
	for (const char *p = value; *p != '\0'; p++) {
		if (*p == ' ')
			continue;
		ret->data[ret->len++] = (uint8_t)(key_nibble(p[0]) << 4 | key_nibble(p[1]));
		p++;
	}
	return 0;
}

static void bytes_text(const struct key *, char *buf, size_t len)
{
	snprintf(buf, len, "1..%d bytes in hexadecimal, as 00 01 0203", KEY_BYTES_MAX);
}

const struct key_kind kind_bytes = {.type = "hex", .describe = bytes_text, .parse = parse_hex};
