// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/net/argv.h"

#include "base/scope.h"
#include "bench/need.h"

#include <stdarg.h>
#include <stdio.h>

void argv_done(struct argv *a)
{
	for (unsigned i = 0; i < a->n; i++)
		free(a->v[i]);
}

void argv_add(struct argv *a, const char *fmt, ...)
{
	va_list ap;

	if (a->n + 1 == ARRAY_LEN(a->v))
		abort();
	va_start(ap, fmt);
	if (vasprintf(&a->v[a->n], fmt, ap) < 0)
		need(NULL);
	va_end(ap);
	a->v[++a->n] = NULL;
}
