// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/scope.h"
#include "base/str.h"
#include "vm/vm.h"

#include <string.h>

// "kernel/fs/9p/9p.ko.xz" is "9p", and '-' is the same as '_'.
static bool is_module(const char *path, size_t len, const char *name)
{
	const char *end = path + len, *p = end;

	while (p > path && p[-1] != '/')
		p--;
	for (; p < end && *p != '.' && *name != '\0'; p++, name++) {
		char a = *p == '-' ? '_' : *p, b = *name == '-' ? '_' : *name;

		if (a != b)
			return false;
	}
	return *name == '\0' && p < end && *p == '.';
}

static int add(struct vm_modules *m, const char *path, size_t len, struct err *err)
{
	for (unsigned i = 0; i < m->n; i++) {
		if (strlen(m->path[i]) == len && strncmp(m->path[i], path, len) == 0)
			return 0;
	}
	if (m->n == ARRAY_LEN(m->path))
		return err_set(err, E2BIG, "more than %zu modules", ARRAY_LEN(m->path));
	m->path[m->n] = strndup(path, len);
	return m->path[m->n++] != NULL ? 0 : err_oom(err);
}

// "PATH: NEAREST … FARTHEST": from the end of the line to its begin.
static int add_line(struct vm_modules *m, const char *line, size_t len, struct err *err)
{
	const char *end = line + len;

	while (end > line) {
		const char *p = end;

		while (p > line && p[-1] != ' ')
			p--;
		if (end > p && add(m, p, (size_t)(end - p) - (end[-1] == ':' ? 1 : 0), err) < 0)
			return -err->code;
		end = p > line ? p - 1 : line;
	}
	return 0;
}

int vm_modules_in_order(
	const char *dep, const char *const *wanted, struct vm_modules *ret, struct err *err
)
{
	struct vm_modules m = {0};

	for (; *wanted != NULL; wanted++) {
		for (const char *line = dep; *line != '\0';) {
			size_t len = strcspn(line, "\n"), path = strcspn(line, ":\n");

			if (path < len && is_module(line, path, *wanted)
			    && add_line(&m, line, len, err) < 0) {
				vm_modules_done(&m);
				return -err->code;
			}
			line += len + (line[len] == '\n');
		}
	}
	*ret = m;
	return 0;
}

void vm_modules_done(struct vm_modules *m)
{
	for (unsigned i = 0; i < m->n; i++)
		free(m->path[i]);
	m->n = 0;
}
