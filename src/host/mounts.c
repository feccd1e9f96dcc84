// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "host/mounts.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

// Undoes the \040 of a path in place.
static void unescape(char *s)
{
	char *to = s;

	while (*s != '\0') {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7'
		    && s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

bool mount_parse(char *line, struct mount_line *ret)
{
	char *right = strstr(line, " - "), *save = NULL, *where;

	*ret = (struct mount_line){0};
	strtok_r(line, " ", &save);
	// of mountinfo: number, parent, device, root, place, … - type, source, …
	if (right != NULL) {
		*right = '\0';
		strtok_r(NULL, " ", &save);
		ret->device = strtok_r(NULL, " ", &save);
		strtok_r(NULL, " ", &save);
	}
	where = strtok_r(NULL, " ", &save);
	ret->type = strtok_r(right != NULL ? right + 3 : NULL, " ", &save);
	ret->options = right != NULL ? NULL : strtok_r(NULL, " ", &save);
	if (where == NULL || ret->type == NULL || (right == NULL && ret->options == NULL))
		return false;
	unescape(where);
	ret->where = where;
	return true;
}

void mounts_each(const struct hostfs *fs, mount_fn fn, void *arg)
{
	_cleanup_free_ char *text = NULL;
	struct mount_line m;

	if (fs_read_system(fs->root, "proc/mounts", MOUNTS_MAX, &text, NULL) < 0)
		return;
	str_foreach (line, text, "\n") {
		if (mount_parse(line, &m))
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
