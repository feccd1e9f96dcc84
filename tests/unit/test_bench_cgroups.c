// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A benchmark takes away the cgroups that it had made, and no engine's.

#include "unit.h"

#include "base/scope.h"
#include "base/str.h"
#include "bench/stale_cgroups.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOP "/sys/fs/cgroup"

static bool make(const char *top, const char *group, bool *made)
{
	_cleanup_free_ char *path = str_printf("%s%s", top, group);

	*made = mkdir(path, 0755) == 0;
	return *made || errno == EEXIST;
}

static bool gone(const char *top, const char *group)
{
	_cleanup_free_ char *path = str_printf("%s%s", top, group);

	return rmdir(path) < 0 && errno == ENOENT;
}

static void removes_its_own(void **)
{
	const char *top = access(TOP "/cgroup.controllers", F_OK) == 0 ? TOP : TOP "/memory";
	_cleanup_free_ char *own = groups_parent(), *below = str_printf("%s/libpod-x", own);
	bool others, made;

	if (geteuid() != 0 || !make(top, own, &made))
		skip_because("no cgroup can be made here");
	assert_true(make(top, below, &made));
	assert_true(make(top, "/libpod_parent", &others));
	groups_remove();
	assert_true(gone(top, own));
	// of a podman that has just begun
	assert_true(!others || !gone(top, "/libpod_parent"));
}

// One that was killed has left its groups; one that runs has its own.
static void removes_of_those_that_are_gone(void **)
{
	const char *top = access(TOP "/cgroup.controllers", F_OK) == 0 ? TOP : TOP "/memory";
	_cleanup_free_ char *stale = NULL, *below = NULL;
	bool made, others;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	stale = str_printf("/pinfold-bench-%d", (int)pid);
	below = str_printf("%s/libpod-x", stale);
	if (geteuid() != 0 || !make(top, stale, &made))
		skip_because("no cgroup can be made here");
	assert_true(make(top, below, &made));
	assert_true(make(top, "/pinfold-bench-1", &others));
	groups_remove();
	assert_true(gone(top, stale));
	assert_false(gone(top, "/pinfold-bench-1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(removes_its_own),
		cmocka_unit_test(removes_of_those_that_are_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
