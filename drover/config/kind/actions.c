// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What becomes of packets, by their colours.

#include "config/key.h"

#include <string.h>
#include <strings.h>

// The colour that the text begins with; *end is what follows. Of the first n.
static bool parse_colour(const char *s, unsigned n, const char **end, uint8_t *ret)
{
	static const char *const names[] = {"green", "yellow", "red", "drop"};

	for (unsigned i = 0; i < n; i++) {
		size_t len = strlen(names[i]);

		if (strncasecmp(s, names[i], len) == 0) {
			*end = s + len;
			*ret = (uint8_t)i;
			return true;
		}
	}
	return false;
}

static int parse_action(const struct key *, const char *value, void *to, struct err *)
{
	struct key_actions *ret = to;
	uint8_t become, in, out;
	const char *p = value;

	if (!parse_colour(p, COLOURS + 1, &p, &become) || *p != ' ')
		return KEY_WRONG;
	p += strspn(p, " ");
	if (strncasecmp(p, "io=", 3) != 0 || !parse_colour(p + 3, COLOURS, &p, &in) || *p != ',')
		return KEY_WRONG;
	p += 1 + strspn(p + 1, " ");
	if (!parse_colour(p, COLOURS, &p, &out) || *p != '\0')
		return KEY_WRONG;
	ret->said[in] |= (uint8_t)(1u << out);
	ret->become[in][out] = become;
	return 0;
}

const struct key_kind kind_actions = {
	.type = "action",
	.text = "green|yellow|red|drop io=IN,OUT with two of the first three; may be repeated",
	.parse = parse_action,
	.repeats = true,
};
