// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/err.h"

#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void vset(struct err *err, int code, const char *fmt, va_list ap)
{
	err->code = code != 0 ? code : EIO;
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	// one line whatever was quoted in it: what comes from file names and from hostile input must not
	// reach a terminal
	str_plain(err->msg);
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vset(err, code, fmt, ap);
	va_end(ap);
	return -err->code;
}

int err_sys(struct err *err, int errnum, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vset(err, errnum, fmt, ap);
	va_end(ap);
	n = strlen(err->msg);
	snprintf(err->msg + n, sizeof(err->msg) - n, ": %s", strerror(err->code));
	return -err->code;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char old[sizeof(err->msg)];
	va_list ap;
	size_t n;

	memcpy(old, err->msg, sizeof(old));
	va_start(ap, fmt);
	vset(err, err->code, fmt, ap);
	va_end(ap);
	n = strlen(err->msg);
	snprintf(err->msg + n, sizeof(err->msg) - n, ": %s", old);
	return -err->code;
}

void err_keep(struct err *first, const struct err *err)
{
	if (first->code == 0)
		*first = *err;
}

int err_first(const struct err *first, struct err *err)
{
	if (first->code != 0)
		*err = *first;
	return -first->code;
}

int err_oom(struct err *err)
{
	return err_set(err, ENOMEM, "out of memory");
}
