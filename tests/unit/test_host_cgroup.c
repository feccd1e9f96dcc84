// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Cgroups that whoever is in one made below it: deeper than there are descriptors, with a path longer than the kernel
// takes, and many. In the machine's own hierarchies.

#include "unit.h"

#include "base/str.h"
#include "host/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEVELS 300 // of 200 letters each: fifteen times PATH_MAX
#define WIDE 500
#define DESCRIPTORS 64

static const char *const hierarchies[] = {
	"/sys/fs/cgroup",
	"/sys/fs/cgroup/pids",
	"/sys/fs/cgroup/unified",
	"/sys/fs/cgroup/freezer"};

static const char *hierarchy;
static char name[64];
static pid_t deep;

// Where the test may make one.
static int open_hierarchy(void)
{
	int fd = open(hierarchy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && host_is_cgroup(fd) && mkdirat(fd, name, 0755) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static pid_t sleeper_in(int dir)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		int fd = openat(dir, "cgroup.procs", O_WRONLY);

		alarm(60);
		if (fd < 0 || write(fd, "0", 1) != 1 || write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

// The directory on top, with a process in the deepest below it.
static int make_tree(int parent)
{
	int top = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), here = dup(top);
	char level[201];

	memset(level, 'x', sizeof(level) - 1);
	level[sizeof(level) - 1] = '\0';
	for (unsigned i = 0; i < LEVELS; i++) {
		int below;

		assert_int_equal(mkdirat(here, level, 0755), 0);
		below = openat(here, level, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(below >= 0);
		close(here);
		here = below;
	}
	for (unsigned i = 0; i < WIDE; i++) {
		char wide[32];

		snprintf(wide, sizeof(wide), "%u", i);
		assert_int_equal(mkdirat(top, wide, 0755), 0);
	}
	deep = sleeper_in(here);
	close(here);
	return top;
}

static int note(int dir, const int *pids, size_t n, void *arg)
{
	(void)dir;
	assert_int_equal(n, 1);
	*(int *)arg += pids[0];
	return 0;
}

static void end_of(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

static int remove_left(int parent, const char *left, void *arg)
{
	++*(unsigned *)arg;
	return unlinkat(parent, left, AT_REMOVEDIR) == 0 ? 0 : -errno;
}

// Everything is found and taken with few descriptors, from the leaves up.
static void visit(void)
{
	int parent = open_hierarchy();
	struct rlimit usual, few;
	unsigned removed = 0;
	struct host_cgroup_visit all = {
		.leave = remove_left, .arg = &removed, .milliseconds = 20000};
	int seen = 0, found, top, r;

	if (parent < 0)
		return;
	top = make_tree(parent);
	getrlimit(RLIMIT_NOFILE, &usual);
	few = (struct rlimit){.rlim_cur = DESCRIPTORS, .rlim_max = usual.rlim_max};
	setrlimit(RLIMIT_NOFILE, &few);
	found = host_cgroup_walk(top, false, HOST_CGROUP_WALK, note, &seen);
	r = host_cgroup_walk(top, false, 0, note, &(int){0});
	end_of(deep);
	// its process is gone a moment later
	for (unsigned i = 0; i < 1000 && host_cgroup_visit(top, &all) == -EBUSY; i++)
		usleep(1000);
	setrlimit(RLIMIT_NOFILE, &usual);
	close(top);
	assert_int_equal(unlinkat(parent, name, AT_REMOVEDIR), 0);
	close(parent);
	assert_int_equal(found, 0);
	assert_int_equal(seen, deep);
	assert_int_equal(r, -ETIME);
	assert_in_range(removed, LEVELS + WIDE, LEVELS + WIDE + 1000);
}

static void all_that_are_nested(void **)
{
	bool any = false;

	for (size_t i = 0; i < ARRAY_LEN(hierarchies); i++) {
		hierarchy = hierarchies[i];
		any = any || access(hierarchy, W_OK) == 0;
		visit();
	}
	if (!any || geteuid() != 0)
		skip_because("makes cgroups: needs root");
}

// The runtime's own is passed over where a lease has it, and no other that is called so.
static void only_the_runtimes_own(void **)
{
	_cleanup_free_ char *inner = NULL, *below = NULL;
	int parent = -1, top, seen = 0;
	pid_t there;

	for (size_t i = 0; parent < 0 && i < ARRAY_LEN(hierarchies); i++) {
		hierarchy = hierarchies[i];
		parent = open_hierarchy();
	}
	if (parent < 0)
		skip_because("makes cgroups: needs root");
	inner = str_printf("%s/" CGROUP_RUNTIME, name);
	below = str_printf("%s/c", name);
	assert_int_equal(mkdirat(parent, inner, 0755), 0);
	assert_int_equal(mkdirat(parent, below, 0755), 0);
	top = openat(parent, below, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(top, CGROUP_RUNTIME, 0755), 0);
	deep = openat(top, CGROUP_RUNTIME, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(top);
	there = sleeper_in(deep);
	close(deep);
	top = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	host_cgroup_walk(top, true, HOST_CGROUP_WALK, note, &seen);
	close(top);
	end_of(there);
	for (unsigned i = 0; i < 1000; i++) {
		_cleanup_free_ char *leaf = str_printf("%s/" CGROUP_RUNTIME, below);

		if (unlinkat(parent, leaf, AT_REMOVEDIR) == 0)
			break;
		usleep(1000);
	}
	unlinkat(parent, below, AT_REMOVEDIR);
	unlinkat(parent, inner, AT_REMOVEDIR);
	assert_int_equal(unlinkat(parent, name, AT_REMOVEDIR), 0);
	close(parent);
	assert_int_equal(seen, there);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_are_nested),
		cmocka_unit_test(only_the_runtimes_own),
	};

	snprintf(name, sizeof(name), "pinfold-unit-%d", (int)getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
