// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "vm/vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append(struct cpio *c, const char *data, size_t len)
{
	size_t padded = (len + 3) & ~(size_t)3;

	if (c->failed || c->len + padded > c->room) {
		size_t room = 2 * (c->len + padded);
		char *more = c->failed ? NULL : realloc(c->data, room);

		if (more == NULL) {
			c->failed = true;
			return;
		}
		c->data = more;
		c->room = room;
	}
	if (len > 0)
		memcpy(c->data + c->len, data, len);
	memset(c->data + c->len + len, 0, padded - len);
	c->len += padded;
}

void cpio_add(
	struct cpio *c, const char *name, unsigned mode, const char *data, size_t len, unsigned rdev
)
{
	char head[128 + 256];
	// ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check; the
	// name follows at once, and is padded with the head
	int n = snprintf(
		head,
		sizeof(head),
		"070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X%.200s",
		++c->entries,
		mode,
		0u,
		0u,
		1u,
		0u,
		len,
		0u,
		0u,
		rdev >> 8,
		rdev & 0xff,
		strlen(name) + 1,
		0u,
		name
	);

	append(c, head, (size_t)n + 1);
	append(c, data, len);
}

void cpio_end(struct cpio *c)
{
	cpio_add(c, "TRAILER!!!", 0, NULL, 0, 0);
}
