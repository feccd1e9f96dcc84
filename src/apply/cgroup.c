// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "apply/apply.h"

#include "base/fs.h"
#include "base/scope.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>

#define CGROUP_ROOT "/sys/fs/cgroup"
#define TOP "pinfold" // all leases but those with a partition, pinfold-NAME, are below it
#define REMOVE_MILLISECONDS 3000
#define DEPTH 16

static void nap(long milliseconds)
{
	const struct timespec t = {
		.tv_sec = milliseconds / 1000,
		.tv_nsec = milliseconds % 1000 * 1000000,
	};

	nanosleep(&t, NULL);
}

static void each_pid(int dir, bool skip_super, unsigned depth, cgroup_pid_fn fn, void *arg)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *e;
	char *save = NULL;
	int fd;

	if (fs_read(dir, "cgroup.procs", 4u << 20, &text, NULL) == 0) {
		for (char *line = strtok_r(text, "\n", &save); line != NULL;
		     line = strtok_r(NULL, "\n", &save))
			fn(atoi(line), arg);
	}
	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd >= 0 ? fdopendir(fd) : NULL;
	while (d != NULL && depth > 0 && (e = readdir(d)) != NULL) {
		_cleanup_close_ int sub = -1;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		if (skip_super && str_eq(e->d_name, "super"))
			continue;
		sub = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			each_pid(sub, skip_super, depth - 1, fn, arg);
	}
}

void cgroup_each_pid(
	const struct hostfs *fs, const char *dir, bool skip_super, cgroup_pid_fn fn, void *arg
)
{
	_cleanup_close_ int fd = fs_open_in(fs->root, dir, O_RDONLY | O_DIRECTORY, 0);

	if (fd >= 0)
		each_pid(fd, skip_super, DEPTH, fn, arg);
}

static void kill_one(int pid, void *arg)
{
	unsigned *n = arg;

	if (pid > 1 && pid != getpid()) {
		kill(pid, SIGKILL);
		(*n)++;
	}
}

int cgroup_kill(
	const struct hostfs *fs,
	const struct lease *lease,
	bool all,
	unsigned milliseconds,
	struct err *err
)
{
	for (unsigned waited = 0; waited <= milliseconds; waited += 5) {
		unsigned n = 0;

		cgroup_each_pid(fs, lease->cgroup, !all, kill_one, &n);
		if (n == 0)
			return 0;
		nap(5);
	}
	return err_set(
		err,
		EBUSY,
		"kill '%s': processes are still there after %u ms; see %s",
		lease->grant.name,
		milliseconds,
		lease->cgroup
	);
}

// rmdir from the leaves up. A cgroup whose last process is just ending says EBUSY for a moment.
static int remove_tree(int parent, const char *name, unsigned depth)
{
	_cleanup_close_ int fd =
		openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *e;
	int sub;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	sub = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = sub >= 0 ? fdopendir(sub) : NULL;
	while (d != NULL && depth > 0 && (e = readdir(d)) != NULL) {
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			remove_tree(fd, e->d_name, depth - 1);
	}
	for (unsigned waited = 0; unlinkat(parent, name, AT_REMOVEDIR) < 0; waited++) {
		if (errno == ENOENT)
			return 0;
		if (errno != EBUSY || waited >= REMOVE_MILLISECONDS)
			return -errno;
		nap(1);
	}
	return 0;
}

// What pinfold makes has fixed names: no search, unless a workload or its runtime left more.
static int remove_usual(int parent, const char *name)
{
	static const char *const below[] = {"/super", "/box/c", "/box", ""};
	char path[NAME_MAX + 16];

	for (size_t i = 0; i < ARRAY_LEN(below); i++) {
		snprintf(path, sizeof(path), "%s%s", name, below[i]);
		if (unlinkat(parent, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

static bool is_cgroup(int fd)
{
	struct statfs st;

	return fstatfs(fd, &st) == 0
	       && (st.f_type == CGROUP_SUPER_MAGIC || st.f_type == CGROUP2_SUPER_MAGIC);
}

static int remove_in(int hierarchy, const char *path, struct err *err)
{
	bool below_top = str_starts(path, TOP "/");
	const char *name = below_top ? path + strlen(TOP "/") : path;
	_cleanup_close_ int fd =
		fs_open_in(hierarchy, below_top ? TOP : ".", O_PATH | O_DIRECTORY, 0);
	int r;

	if ((!below_top && !str_starts(path, TOP "-")) || strchr(name, '/') != NULL)
		return err_set(err, EINVAL, "remove cgroup '%s': it is none of pinfold's", path);
	if (fd < 0)
		return 0;
	// where no controller is mounted runc makes plain directories and files
	if (!is_cgroup(fd)) {
		if (fs_remove_tree(fd, name, err) < 0)
			return -err->code;
	} else {
		if (!below_top)
			cgroup_partition_end(fd, name);
		r = remove_usual(fd, name);
		if (r < 0)
			r = remove_tree(fd, name, DEPTH);
		if (r < 0)
			return err_sys(err, -r, "remove cgroup '%s'", path);
	}
	// the common parent goes with the last lease; others may still be in it
	if (below_top)
		unlinkat(hierarchy, TOP, AT_REMOVEDIR);
	return 0;
}

typedef int (*hierarchy_fn)(int hierarchy, const char *path, struct err *err);

// Calls fn for every hierarchy; goes on after a failure, and returns the last one.
static int each_hierarchy(
	const struct hostfs *fs, hierarchy_fn fn, const char *path, struct err *err
)
{
	_cleanup_closedir_ DIR *d = NULL;
	_cleanup_close_ int top = fs_open_in(fs->root, CGROUP_ROOT, O_RDONLY | O_DIRECTORY, 0);
	struct dirent *e;
	struct statfs st;
	int fd, r = 0;

	if (top < 0)
		return 0;
	// not by the name of a file: v1 has a tmpfs here, where anybody may have made one
	if (fstatfs(top, &st) == 0 && st.f_type == CGROUP2_SUPER_MAGIC)
		return fn(top, path, err);
	// v1: each hierarchy is a directory; "cpu" may be a link to "cpu,cpuacct"
	fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd >= 0 ? fdopendir(fd) : NULL;
	while (d != NULL && (e = readdir(d)) != NULL) {
		_cleanup_close_ int h = -1;

		if (e->d_name[0] == '.' || e->d_type == DT_LNK)
			continue;
		h = openat(top, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (h >= 0 && fn(h, path, err) < 0)
			r = -err->code;
	}
	return r;
}

int cgroup_remove(const struct hostfs *fs, const char *path, struct err *err)
{
	return each_hierarchy(fs, remove_in, path, err);
}

static void any_pid(int pid, void *arg)
{
	(void)pid;
	*(bool *)arg = true;
}

static int refuse_populated(int hierarchy, const char *path, struct err *err)
{
	_cleanup_close_ int fd = fs_open_in(hierarchy, path, O_RDONLY | O_DIRECTORY, 0);
	bool any = false;

	if (fd >= 0 && is_cgroup(fd)) // the numbers in plain files mean nothing
		each_pid(fd, false, DEPTH, any_pid, &any);
	return any ? err_set(err, EBUSY, "cgroup '%s' has processes", path) : 0;
}

bool cgroup_populated(const struct hostfs *fs, const char *path)
{
	struct err err;

	return each_hierarchy(fs, refuse_populated, path, &err) < 0;
}

// Writing "0" to cgroup.procs of v1 waits for a grace period of RCU, often 10 ms: the kernel stops all
// forks and exits of the machine, as it would for a process of many threads. A single thread that moves
// itself through "tasks" needs none of that, and here the process has one. v2 has no such file.
int cgroup_join(const struct hostfs *fs, const char *dir, struct err *err)
{
	_cleanup_close_ int fd = fs_open_in(fs->root, dir, O_PATH | O_DIRECTORY, 0);
	const char *file = "tasks";

	if (fd < 0)
		return err_sys(err, errno, "open cgroup '%s'", dir);
	if (faccessat(fd, file, F_OK, 0) < 0)
		file = "cgroup.procs";
	if (fs_write_control(fd, file, "0", err) < 0)
		return err_wrap(err, "join cgroup '%s'", dir);
	return 0;
}

// On v1 the CPUs are in a hierarchy of their own. The one that tells what belongs to a lease has its "super".
static int join_cpus(int hierarchy, const char *path, struct err *err)
{
	_cleanup_free_ char *box = str_printf("%s/box", path);
	_cleanup_free_ char *super = str_printf("%s/super", path);
	_cleanup_close_ int fd = -1, other = -1;

	if (box == NULL || super == NULL)
		return err_oom(err);
	fd = fs_open_in(hierarchy, box, O_PATH | O_DIRECTORY, 0);
	other = fs_open_in(hierarchy, super, O_PATH | O_DIRECTORY, 0);
	if (fd < 0 || other >= 0 || faccessat(fd, "cpuset.cpus", F_OK, 0) < 0)
		return 0;
	return fs_write_control(fd, "tasks", "0", err);
}

int cgroup_join_beside(const struct hostfs *fs, const struct lease *lease, struct err *err)
{
	_cleanup_free_ char *super = str_printf("%s/super", lease->cgroup);
	_cleanup_free_ char *path = str_printf(TOP "/%s", lease->grant.name);

	if (super == NULL || path == NULL)
		return err_oom(err);
	if (cgroup_join(fs, super, err) < 0)
		return -err->code;
	return each_hierarchy(fs, join_cpus, path, err);
}
