// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The processes below a cgroup directory. What cannot be read is an error and never "none": a lease that
// is taken for dead is given to others.

#include "host/cgroup.h"

#include "base/dir.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#define PROCS_MAX (64u << 20) // of one directory: more than four million processes
#define DEPTH_MAX 256	      // each level keeps a directory open

static bool is_gone(int r)
{
	return r == -ENOENT || r == -ENODEV; // the kernel's word for a file of a removed cgroup
}

int host_cgroup_pids(int dir, int **ret, size_t *ret_n)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ int *pids = NULL;
	size_t n = 0, lines = 0;
	char *save = NULL;
	int r = fs_read_system(dir, "cgroup.procs", PROCS_MAX, &text, NULL);

	// EOPNOTSUPP: of a threaded cgroup, whose processes the one above names
	if (r < 0 && !is_gone(r) && r != -EOPNOTSUPP)
		return r;
	for (const char *c = text; c != NULL && (c = strchr(c, '\n')) != NULL; c++)
		lines++;
	pids = calloc(lines + 1, sizeof(*pids));
	if (pids == NULL)
		return -ENOMEM;
	for (char *line = text != NULL ? strtok_r(text, "\n", &save) : NULL; line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		pids[n++] = atoi(line);
	*ret = steal_ptr(pids);
	*ret_n = n;
	return 0;
}

static int walk(int dir, bool skip_runtime, unsigned depth, host_cgroup_fn fn, void *arg)
{
	_cleanup_free_ int *pids = NULL;
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *e;
	size_t n;
	int r = host_cgroup_pids(dir, &pids, &n);

	if (r == 0 && n > 0)
		r = fn(dir, pids, n, arg);
	if (r != 0)
		return r;
	if (depth == DEPTH_MAX)
		return -ELOOP;
	d = dir_open(dir, ".", 0);
	if (d == NULL)
		return is_gone(-errno) ? 0 : -errno;
	while ((e = dir_next(d)) != NULL) {
		_cleanup_close_ int sub = -1;

		if (e->d_type != DT_DIR)
			continue;
		if (skip_runtime && depth == 0 && str_eq(e->d_name, CGROUP_RUNTIME))
			continue;
		sub = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0 && !is_gone(-errno))
			return -errno;
		r = sub >= 0 ? walk(sub, skip_runtime, depth + 1, fn, arg) : 0;
		if (r != 0)
			return r;
	}
	return is_gone(-errno) ? 0 : -errno;
}

int host_cgroup_walk(int dir, bool skip_runtime, host_cgroup_fn fn, void *arg)
{
	return walk(dir, skip_runtime, 0, fn, arg);
}

bool host_is_cgroup2(int fd)
{
	struct statfs st;

	return fstatfs(fd, &st) == 0 && st.f_type == CGROUP2_SUPER_MAGIC;
}

bool host_is_cgroup(int fd)
{
	struct statfs st;

	return fstatfs(fd, &st) == 0
	       && (st.f_type == CGROUP_SUPER_MAGIC || st.f_type == CGROUP2_SUPER_MAGIC);
}
