// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/bench.h"

#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"
#include "bench/reasons.h"

#include <stdarg.h>

static const struct experiment **all;
static unsigned count;

void experiment_register(const struct experiment *e)
{
	unsigned at = count;

	all = need(reallocarray(all, count + 1, sizeof(*all)));
	for (; at > 0 && all[at - 1]->order > e->order; at--)
		all[at] = all[at - 1];
	all[at] = e;
	count++;
}

unsigned experiment_list(const struct experiment *const **ret)
{
	*ret = all;
	return count;
}

static const char *const sizes[BENCH_SIZES] = {
	[BENCH_QUICK] = "quick",
	[BENCH_FULL] = "full",
	[BENCH_BRIEF] = "brief",
};

const char *bench_size_name(enum bench_size size)
{
	return sizes[size];
}

bool bench_size_find(const char *name, enum bench_size *ret)
{
	for (unsigned i = 0; i < BENCH_SIZES; i++) {
		if (str_eq(name, sizes[i])) {
			*ret = i;
			return true;
		}
	}
	return false;
}

const struct experiment *experiment_find(const char *name)
{
	for (unsigned i = 0; i < count; i++) {
		if (str_eq(all[i]->name, name))
			return all[i];
	}
	return NULL;
}

void lacks(struct reasons *r, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	json_array_append_new(r->list, json_string(need(text)));
}

json_t *experiment_lacks(const struct bench *b, const struct experiment *e, bool *ret_possible)
{
	struct reasons r = {.list = need(json_array())};

	*ret_possible = e->lacks == NULL || e->lacks(b, &r);
	return r.list;
}
