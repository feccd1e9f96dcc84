// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A device that a workload had and is to have no more, in a cgroup of the kernel's, of whichever version.

#include "unit.h"

#include "apply/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define ZERO makedev(1, 5)

static struct hostfs fs;
static struct lease lease;
static char parts[3][256]; // of a lease's cgroup, from the top

static int setup(void **)
{
	struct err err;
	bool v1 = access("/sys/fs/cgroup/devices/cgroup.procs", F_OK) == 0;
	const char *root = v1 ? "/sys/fs/cgroup/devices" : "/sys/fs/cgroup";

	lease.grant = (struct grant){.nnics = 0};
	snprintf(lease.grant.name, sizeof(lease.grant.name), "unit-%d", getpid());
	snprintf(parts[0], sizeof(parts[0]), "%s/pinfold", root);
	snprintf(parts[1], sizeof(parts[1]), "%.200s/%s", parts[0], lease.grant.name);
	snprintf(parts[2], sizeof(parts[2]), "%.240s/box", parts[1]);
	return hostfs_open("/", &fs, &err);
}

// The topmost one may be in use, and stays then.
static int teardown(void **)
{
	for (int i = 2; i >= 0; i--)
		rmdir(parts[i]);
	hostfs_close(&fs);
	return 0;
}

// What open says of the device, in the cgroup.
static int opened(const char *path)
{
	char procs[300];
	int status = 0;
	pid_t pid;

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", parts[2]);
	pid = fork();
	if (pid == 0) {
		int fd = open(procs, O_WRONLY | O_CLOEXEC);

		if (fd < 0 || write(fd, "0", 1) != 1)
			_exit(255);
		_exit(open(path, O_RDWR | O_CLOEXEC) < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void refused(void **)
{
	struct err err;

	for (int i = 0; i < 3; i++) {
		if (mkdir(parts[i], 0755) < 0 && errno != EEXIST)
			skip_because("no cgroup can be made here");
	}
	assert_int_equal(opened("/dev/zero"), 0);
	assert_ok(cgroup_refuse_device(&fs, &lease, ZERO, &err), &err);
	assert_int_equal(opened("/dev/zero"), EPERM);
	assert_int_equal(opened("/dev/null"), 0);
	// once more
	assert_ok(cgroup_refuse_device(&fs, &lease, ZERO, &err), &err);
	assert_int_equal(opened("/dev/zero"), EPERM);
}

static void no_cgroup(void **)
{
	struct err err;

	strcpy(lease.grant.name, "unit-none");
	assert_fails(
		cgroup_refuse_device(&fs, &lease, ZERO, &err), &err, "device 1:5: it has no cgroup"
	);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),
		cmocka_unit_test(no_cgroup),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
