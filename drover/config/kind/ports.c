// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Lists of ports, by their names.

#include "config/key.h"

#include <errno.h>
#include <string.h>

static int parse_names(const struct key *key, const char *value, void *to, struct err *err)
{
	struct key_names names = {0};
	const char *p = value;

	for (bool more = true; more;) {
		size_t len = strcspn(p, ","), n = len;

		more = p[len] == ',';
		while (n > 0 && *p == ' ') {
			p++;
			n--;
			len--;
		}
		while (n > 0 && p[n - 1] == ' ')
			n--;
		if (n == 0)
			return err_set(err, EINVAL, "%s=: an empty name in the list", key->name);
		if (n >= KEY_NAME_MAX)
			return err_set(
				err,
				EINVAL,
				"%s=: the name '%.40s…' has more than %d characters",
				key->name,
				p,
				KEY_NAME_MAX - 1
			);
		if (names.n == KEY_NAMES_MAX)
			return err_set(
				err, EINVAL, "%s=: more than %d names", key->name, KEY_NAMES_MAX
			);
		memcpy(names.name[names.n], p, n);
		for (unsigned i = 0; i < names.n; i++) {
			if (strcmp(names.name[i], names.name[names.n]) == 0)
				return err_set(
					err,
					EINVAL,
					"%s=: '%s' is there twice",
					key->name,
					names.name[i]
				);
		}
		names.n++;
		p += len + 1;
	}
	*(struct key_names *)to = names;
	return 0;
}

const struct key_kind kind_ports = {
	.type = "ports",
	.text = "names of ports, comma separated",
	.parse = parse_names,
};
