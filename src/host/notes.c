// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What is said of files that a kernel writes otherwise than is known here.

#include "host/hostfs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void host_note(struct host *h, const char *fmt, ...)
{
	va_list ap;

	if (h->nnotes == HOST_NOTES)
		return;
	if (h->nnotes == HOST_NOTES - 1)
		fmt = "and more that is not known here";
	va_start(ap, fmt);
	// a note that finds no memory is not worth the inventory
	if (vasprintf(&h->notes[h->nnotes], fmt, ap) >= 0)
		h->nnotes++;
	va_end(ap);
}

void host_note_unknown(struct host *h, const char *where, const char *name, int r)
{
	const char *why = r == -EINVAL ? "it says what is not known here" : strerror(-r);

	if (r != -ENOENT && r != -ENOTDIR)
		host_note(h, "%s%s: taken as unknown: %s", where, name, why);
}

int host_list(
	struct host *h,
	int at,
	const char *where,
	const char *name,
	unsigned limit,
	struct idset *ret
)
{
	int r = hostfs_idset(at, name, limit, ret);

	if (r < 0) {
		*ret = (struct idset){0};
		host_note_unknown(h, where, name, r);
	} else if (r > 0) {
		host_note(h, "%s%s: what is numbered %u or above is left out", where, name, limit);
	}
	return r;
}
