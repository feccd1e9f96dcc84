// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "host/mounts.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define MOUNTS_MAX (64u << 20) // a container engine's overlays make long lines

void mounts_each(const struct hostfs *fs, mount_fn fn, void *arg)
{
	_cleanup_free_ char *text = NULL;

	if (fs_read_system(fs->root, "proc/mounts", MOUNTS_MAX, &text, NULL) < 0)
		return;
	str_foreach (line, text, "\n") {
		struct mount_line m;
		char *save = NULL, *where;

		strtok_r(line, " ", &save);
		where = strtok_r(NULL, " ", &save);
		m.type = strtok_r(NULL, " ", &save);
		m.options = strtok_r(NULL, " ", &save);
		if (m.options == NULL)
			continue;
		host_mount_unescape(where);
		m.where = where;
		fn(&m, arg);
	}
}

bool mount_option(const char *options, const char *key, char *ret, size_t len)
{
	size_t n = strlen(key);

	for (const char *o = options; *o != '\0'; o += *o == ',') {
		size_t length = strcspn(o, ",");

		if (length > n && strncmp(o, key, n) == 0 && o[n] == '=') {
			snprintf(ret, len, "%.*s", (int)(length - n - 1), o + n + 1);
			return true;
		}
		o += length;
	}
	return false;
}
