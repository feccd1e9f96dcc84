// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "config/kind/core_names.h"

#include "config/kind/digits.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

static bool number(const char **s, unsigned max, unsigned *ret)
{
	const char *p = *s;
	unsigned v = 0;

	for (; isdigit((unsigned char)*p); p++) {
		v = v * 10 + (unsigned)(*p - '0');
		if (v > max)
			return false;
	}
	if (p == *s)
		return false;
	*s = p;
	*ret = v;
	return true;
}

bool core_name_parse(const char **s, struct core_name *ret)
{
	struct core_name c = {.socket = -1};
	unsigned socket;

	if (!number(s, CORE_ID_MAX, &c.id))
		return false;
	if (**s == 's') {
		(*s)++;
		if (!number(s, CORE_SOCKET_MAX, &socket))
			return false;
		c.socket = (int)socket;
	}
	if (**s == 'h') {
		(*s)++;
		c.hyperthread = true;
	}
	*ret = c;
	return true;
}

// A name, or two with '-' between them.
static int range(const char **s, struct core_name *first, unsigned *count, struct err *err)
{
	const char *start = *s;
	struct core_name last;

	*s = skip_blanks(*s);
	if (!core_name_parse(s, first))
		goto bad;
	*s = skip_blanks(*s);
	last = *first;
	if (**s == '-') {
		(*s)++;
		*s = skip_blanks(*s);
		if (!core_name_parse(s, &last))
			goto bad;
		*s = skip_blanks(*s);
	}
	if (**s != ',' && **s != '\0')
		goto bad;
	if (last.socket != first->socket || last.hyperthread != first->hyperthread)
		return err_set(
			err,
			EINVAL,
			"cores '%.64s': a range stays on one socket, as 1s0-4s0 or 1s0h-4s0h",
			start
		);
	if (last.id < first->id)
		return err_set(err, EINVAL, "cores '%.64s': the range runs backwards", start);
	*count = last.id - first->id + 1;
	return 0;
bad:
	return err_set(
		err,
		EINVAL,
		"cores '%.64s': names are 3, 3s0 (socket 0) or 3s0h (its hyper-thread), lists "
		"1s0,4s0, ranges 1s0-4s0",
		start
	);
}

int cores_parse(
	const char *s, unsigned max, struct core_name *ret, unsigned *ret_n, struct err *err
)
{
	unsigned n = 0;

	for (;; s++) {
		struct core_name core;
		unsigned count = 0;
		int r = range(&s, &core, &count, err);

		if (r < 0)
			return r;
		if (count > max - n)
			return err_set(err, EINVAL, "more than %u cores in the file", max);
		for (; count > 0; count--, core.id++) {
			for (unsigned i = 0; i < n; i++) {
				char buf[CORE_NAME_STR];

				if (core_name_same(&ret[i], &core))
					return err_set(
						err,
						EINVAL,
						"core %s is in the list twice",
						core_name_format(&core, buf)
					);
			}
			ret[n++] = core;
		}
		if (*s == '\0')
			break;
	}
	*ret_n = n;
	return 0;
}

bool core_name_same(const struct core_name *a, const struct core_name *b)
{
	return a->id == b->id && a->hyperthread == b->hyperthread
	       && (a->socket == b->socket || a->socket < 0 || b->socket < 0);
}

const char *core_name_format(const struct core_name *c, char buf[static CORE_NAME_STR])
{
	const char *h = c->hyperthread ? "h" : "";

	if (c->socket < 0)
		snprintf(buf, CORE_NAME_STR, "%u%s", c->id, h);
	else
		snprintf(buf, CORE_NAME_STR, "%us%d%s", c->id, c->socket, h);
	return buf;
}
