// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/stale_cgroups.h"

#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"

#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOP "/sys/fs/cgroup"

#define PREFIX "/pinfold-bench-"

static char *parent_of(int pid)
{
	return need(str_printf(PREFIX "%d", pid));
}

char *groups_parent(void)
{
	return parent_of(getpid());
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

static void remove_of(int pid)
{
	_cleanup_free_ char *group = parent_of(pid);

	gone(group, "/*");
	gone(group, "");
}

// Of benchmarks that were killed.
static void remove_stale(const char *pattern)
{
	glob_t found = {0};

	glob(pattern, 0, NULL, &found);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		int pid = atoi(strstr(found.gl_pathv[i], PREFIX) + strlen(PREFIX));

		if (kill(pid, 0) < 0 && errno == ESRCH)
			remove_of(pid);
	}
	globfree(&found);
}

void groups_remove(void)
{
	remove_of(getpid());
	remove_stale(TOP PREFIX "[1-9]*");
	remove_stale(TOP "/*" PREFIX "[1-9]*");
}
