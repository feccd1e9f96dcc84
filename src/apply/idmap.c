// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A bind in which the files of the owner of what is bound belong to a workload's program, and what it makes belongs to
// that owner (mount_setattr(2), "idmapped mounts"). Files of others belong to nobody there. Nothing on the disk changes.

#include "apply/apply.h"
#include "apply/ns_maker.h"

#include "base/scope.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int enter(const void *arg, struct err *err)
{
	(void)arg;
	return unshare(CLONE_NEWUSER) < 0 ? err_sys(err, errno, "make a user namespace") : 0;
}

// One id of the disk and what it is in the mount.
static int map(
	const struct maker *m, const char *file, uint32_t disk, uint32_t seen, struct err *err
)
{
	char line[48];

	snprintf(line, sizeof(line), "%u %u 1\n", disk, seen);
	return maker_map(m, "map ids", file, line, err);
}

// The kernel takes the map from a user namespace; nobody is ever in it.
static int map_of(const struct stat *owner, const struct step *s, struct err *err)
{
	struct maker m = {0};
	char path[64];
	int fd = -1, r;

	if (maker_begin(&m, enter, NULL, err) < 0)
		return -err->code;
	r = maker_wait(&m, "map ids", err);
	if (r == 0)
		r = map(&m, "uid_map", owner->st_uid, s->uid, err);
	if (r == 0)
		r = map(&m, "gid_map", owner->st_gid, s->gid, err);
	if (r == 0) {
		snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)m.pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			r = err_sys(err, errno, "open '%s'", path);
	}
	maker_end(&m);
	return r < 0 ? r : fd;
}

int apply_idmapped(const struct step *s, struct err *err)
{
	_cleanup_close_ int source = apply_open_source(s, err), tree = -1, ns = -1;
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV
			    | (s->readonly ? MOUNT_ATTR_RDONLY : 0),
	};
	struct stat st;

	if (source < 0)
		return source;
	tree = (int
	)syscall(SYS_open_tree, source, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 || fstat(tree, &st) < 0)
		return err_sys(err, errno, "bind '%s'", s->value);
	ns = map_of(&st, s, err);
	if (ns < 0)
		return ns;
	attr.userns_fd = (unsigned)ns;
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return err_sys(
			err,
			errno,
			"volume '%s': map the ids of its owner; where the kernel (5.12) or the "
			"file system cannot, say owner instead of idmap",
			s->value
		);
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, s->path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, errno, "bind '%s' over '%s'", s->value, s->path);
	return 0;
}
