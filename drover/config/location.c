// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "config/location.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int error_at(struct location at, struct err *err, const char *fmt, ...)
{
	char msg[sizeof(err->msg)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	err_set(err, EINVAL, "%s", msg);
	return wrap_at(at, err);
}

int wrap_at(struct location at, struct err *err)
{
	return at.line == 0 ? err_wrap(err, "%s", at.file)
			    : err_wrap(err, "%s:%u", at.file, at.line);
}
