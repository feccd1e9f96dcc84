// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/stale_cgroups.h"

#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"

#include <glob.h>
#include <stdbool.h>
#include <unistd.h>

#define TOP "/sys/fs/cgroup"

static bool podmans; // podman's was there

char *groups_parent(void)
{
	return need(str_printf("/pinfold-bench-%d", (int)getpid()));
}

// Of v2, and of each hierarchy of v1. below: "" or "/*".
static size_t match(const char *group, const char *below, bool remove)
{
	static const char *const tops[] = {TOP, TOP "/*"};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
		_cleanup_free_ char *pattern = need(str_printf("%s%s%s", tops[i], group, below));
		glob_t found = {0};

		if (glob(pattern, 0, NULL, &found) == 0)
			n += found.gl_pathc;
		for (size_t k = 0; remove && k < found.gl_pathc; k++)
			rmdir(found.gl_pathv[k]);
		globfree(&found);
	}
	return n;
}

static void gone(const char *group)
{
	match(group, "/*", true);
	match(group, "", true);
}

void groups_look(void)
{
	podmans = match("/libpod_parent", "", false) > 0;
}

void groups_remove(void)
{
	_cleanup_free_ char *own = groups_parent();

	gone(own);
	if (!podmans)
		gone("/libpod_parent");
}
