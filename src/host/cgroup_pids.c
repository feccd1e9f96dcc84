// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The processes of a cgroup directory. What cannot be read is an error and never "none": a lease that
// is taken for dead is given to others.

#include "host/cgroup.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#define PROCS_MAX (64u << 20) // of one directory: more than four million processes

bool host_cgroup_gone(int r)
{
	return r == -ENOENT || r == -ENODEV; // the kernel's word for a file of a removed cgroup
}

int host_cgroup_pids(int dir, int **ret, size_t *ret_n)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ int *pids = NULL;
	size_t n = 0, lines = 0;
	int r = fs_read_system(dir, "cgroup.procs", PROCS_MAX, &text, NULL);

	// EOPNOTSUPP: of a threaded cgroup, whose processes the one above names
	if (r < 0 && !host_cgroup_gone(r) && r != -EOPNOTSUPP)
		return r;
	for (const char *c = text; c != NULL && (c = strchr(c, '\n')) != NULL; c++)
		lines++;
	pids = calloc(lines + 1, sizeof(*pids));
	if (pids == NULL)
		return -ENOMEM;
	str_foreach (line, text, "\n")
		pids[n++] = atoi(line);
	*ret = steal_ptr(pids);
	*ret_n = n;
	return 0;
}

int host_cgroup_populated(int dir)
{
	_cleanup_free_ char *text = NULL;
	int r = fs_read_system(dir, "cgroup.events", 4096, &text, NULL);

	if (r == -ENODEV)
		return 0; // removed since it was opened
	return r < 0 ? r : strstr(text, "populated 1") != NULL;
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
