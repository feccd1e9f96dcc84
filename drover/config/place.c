// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "config/place.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int error_at(const char *file, unsigned line, struct err *err, const char *fmt, ...)
{
	char msg[sizeof(err->msg)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	err_set(err, EINVAL, "%s", msg);
	return wrap_at(file, line, err);
}

int wrap_at(const char *file, unsigned line, struct err *err)
{
	return line == 0 ? err_wrap(err, "%s", file) : err_wrap(err, "%s:%u", file, line);
}
