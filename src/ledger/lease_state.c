// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What is true of a lease now: its boot, its processes, its supervisor.

#include "base/fs.h"
#include "base/scope.h"
#include "host/cgroup.h"
#include "host/hostfs.h"
#include "ledger/ledger.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

bool lease_of_this_boot(const struct ledger *l, const struct lease *lease)
{
	char boot[HOST_BOOT_ID];

	hostfs_boot_id(l->fs.root, boot);
	// a kernel that does not tell: better too careful than too fast
	return boot[0] == '\0' || str_eq(boot, lease->boot_id);
}

// 1: the directory or one below it has a process, 0: none has, or -errno.
static int populated(int dir)
{
	int r = host_cgroup_populated(dir);

	return r == -ENOENT ? host_cgroup_walk(dir, false, HOST_CGROUP_WALK, NULL, NULL) : r;
}

int lease_hierarchy(const struct lease *lease, char *ret, size_t len)
{
	static const char top[] = "/pinfold"; // and "/NAME", or "-NAME" of a partition
	const char *name = lease->grant.name;
	size_t all = strlen(lease->cgroup), end = strlen(top) + 1 + strlen(name);
	const char *below;

	if (all <= end || all - end >= len)
		return -ENOENT;
	below = lease->cgroup + all - end;
	if (!str_starts(below, top) || strchr("/-", below[strlen(top)]) == NULL
	    || !str_eq(below + strlen(top) + 1, name))
		return -ENOENT;
	snprintf(ret, len, "%.*s", (int)(all - end), lease->cgroup);
	return 0;
}

// Its directory is missing: it is gone, unless what is missing is the whole hierarchy.
static int check_hierarchy(const struct ledger *l, const struct lease *lease, struct err *err)
{
	char path[sizeof(lease->cgroup)];
	_cleanup_close_ int fd = -1;

	if (!l->fs.real || lease_hierarchy(lease, path, sizeof(path)) < 0)
		return 0;
	fd = fs_open_in(l->fs.root, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd >= 0 && host_is_cgroup(fd))
		return 0;
	return err_set(
		err,
		ENODEV,
		"look for processes of '%s': no cgroups are mounted on '%s' any more; mount them "
		"there again",
		lease->grant.name,
		path
	);
}

int lease_life(const struct ledger *l, const struct lease *lease, struct err *err)
{
	_cleanup_close_ int dir = -1;
	int r;

	if (!lease_of_this_boot(l, lease))
		return 0;
	// an engine makes its container's while whoever wrote the lease waits
	if (lease->cgroup[0] == '\0' || lease->again == LEASE_WAITING)
		return lease_supervised(l, lease);
	dir = fs_open_in(l->fs.root, lease->cgroup, O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0 && errno == ENOENT)
		return check_hierarchy(l, lease, err);
	r = dir >= 0 ? populated(dir) : -errno;
	if (r >= 0)
		return r;
	return err_sys(
		err, -r, "look for processes of '%s' in '%s'", lease->grant.name, lease->cgroup
	);
}

bool lease_in_use(const struct ledger *l, const struct lease *lease)
{
	struct err unused;

	return lease_life(l, lease, &unused) != 0;
}

// Of what two leases never have alike.
uint64_t lease_mark(const struct lease *lease)
{
	char text[sizeof(lease->grant.name) + 64];

	snprintf(
		text,
		sizeof(text),
		"%s %lld %u",
		lease->grant.name,
		(long long)lease->started,
		lease->uid_base
	);
	return str_hash(text);
}

bool lease_supervised(const struct ledger *l, const struct lease *lease)
{
	return lease->supervisor_start != 0 && lease_of_this_boot(l, lease)
	       && process_start(&l->fs, lease->supervisor) == lease->supervisor_start;
}

bool lease_same_supervisor(const struct lease *a, const struct lease *b)
{
	return a->supervisor == b->supervisor && a->supervisor_start == b->supervisor_start
	       && str_eq(a->boot_id, b->boot_id);
}

bool lease_same_run(const struct lease *a, const struct lease *b)
{
	if (a->started != b->started || !str_eq(a->boot_id, b->boot_id))
		return false;
	// a keeper takes over from the process that starts it
	return a->uid_base != 0 || b->uid_base != 0 ? a->uid_base == b->uid_base
						    : lease_same_supervisor(a, b);
}

uint64_t process_start(const struct hostfs *fs, int pid)
{
	_cleanup_free_ char *path = str_printf("proc/%d/stat", pid);
	_cleanup_free_ char *text = NULL;
	unsigned long long start;
	char *field, state;

	if (path == NULL || fs_read_system(fs->root, path, 4096, &text, NULL) < 0)
		return 0;
	// after the name, which may hold brackets and spaces: state is field 3, starttime field 22
	field = strrchr(text, ')');
	if (field == NULL
	    || sscanf(field + 1,
		      " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
		      "%llu",
		      &state,
		      &start)
		       != 2)
		return 0;
	return state == 'Z' || state == 'X' ? 0 : start; // has ended, and waits to be reaped
}
