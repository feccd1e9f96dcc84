// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/stale_cgroups.h"

#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"

#include <glob.h>
#include <unistd.h>

#define TOP "/sys/fs/cgroup"

char *groups_parent(void)
{
	return need(str_printf("/pinfold-bench-%d", (int)getpid()));
}

// Of v2, and of each hierarchy of v1, if nothing is in it. below: "" or "/*".
static void gone(const char *group, const char *below)
{
	static const char *const tops[] = {TOP, TOP "/*"};

	for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
		_cleanup_free_ char *pattern = need(str_printf("%s%s%s", tops[i], group, below));
		glob_t found = {0};

		glob(pattern, 0, NULL, &found);
		for (size_t k = 0; k < found.gl_pathc; k++)
			rmdir(found.gl_pathv[k]);
		globfree(&found);
	}
}

void groups_remove(void)
{
	_cleanup_free_ char *own = groups_parent();

	gone(own, "/*");
	gone(own, "");
}
