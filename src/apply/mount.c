// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The steps that mount.

#include "apply/apply.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "host/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int apply_tmpfs(const struct step *s, struct err *err)
{
	int fd = fs_mkdirs(s->path, 0711, err);

	if (fd < 0)
		return fd;
	close(fd);
	if (mount("pinfold", s->path, "tmpfs", MS_NOSUID, s->value) < 0)
		return err_sys(err, errno, "mount tmpfs on '%s'", s->path);
	return 0;
}

int apply_hugetlbfs(const struct step *s, struct err *err)
{
	// more than ever used: it is to be known again
	_cleanup_free_ char *options = str_printf(
		"%s,nr_inodes=%llu", s->value, (unsigned long long)pinned_inodes(s->mark)
	);

	if (options == NULL)
		return err_oom(err);
	if (mount("pinfold", s->path, "hugetlbfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) == 0)
		return 0;
	if (errno == ENOMEM)
		return err_set(
			err,
			ENOMEM,
			"reserve hugepages (%s): another program has taken them meanwhile; free "
			"some or "
			"reserve more, see pinfold host inventory",
			s->value
		);
	return err_sys(err, errno, "mount hugetlbfs on '%s' (%s)", s->path, s->value);
}

int apply_overlay(const struct step *s, struct err *err)
{
	if (mount("pinfold", s->path, "overlay", MS_RDONLY | MS_NOSUID | MS_NODEV, s->value) < 0)
		return err_sys(err, errno, "mount overlay on '%s' (%s)", s->path, s->value);
	return 0;
}

// What others can lead somewhere is no magic link, behind which there may be a mount of theirs that does not answer: the
// ledger is locked.
int apply_open_source(const struct step *s, struct err *err)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = fs_open_in(root, s->value, O_PATH, 0);
	struct stat st;

	if (fd < 0 && (s->ino == 0 || errno != ELOOP))
		return err_sys(err, errno, "bind '%s' over '%s'", s->value, s->path);
	if (s->ino == 0
	    || (fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino))
		return steal_fd(&fd);
	return err_set(
		err,
		ESTALE,
		"bind '%s': another file is there than when the plan was made; see who may rename "
		"in the directories above it",
		s->value
	);
}

// What is bound into a workload is no place for setuid programs, nor for device nodes but ours. A runtime keeps
// these attributes when it binds on, also where it would forget to set them.
int apply_bind(const struct step *s, struct err *err)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_NOSUID | (s->rdev != 0 ? 0 : MOUNT_ATTR_NODEV)
			    | (s->readonly ? MOUNT_ATTR_RDONLY : 0),
	};
	unsigned long flags =
		MS_NOSUID | (s->rdev != 0 ? 0 : MS_NODEV) | (s->readonly ? MS_RDONLY : 0);
	unsigned below = s->recursive ? AT_RECURSIVE : 0;
	_cleanup_close_ int source = -1;
	const char *from = s->value;
	char self[32];

	if (s->idmapped)
		return apply_idmapped(s, err);
	if (s->ino != 0) {
		source = apply_open_source(s, err);
		if (source < 0)
			return source;
		snprintf(self, sizeof(self), "/proc/self/fd/%d", source);
		from = self;
	}
	if (mount(from, s->path, NULL, MS_BIND | (s->recursive ? MS_REC : 0), NULL) < 0)
		return err_sys(err, errno, "bind '%s' over '%s'", s->value, s->path);
	if (syscall(SYS_mount_setattr, AT_FDCWD, s->path, below, &attr, sizeof(attr)) == 0)
		return 0;
	// Linux before 5.12; the top mount only
	if (errno != ENOSYS || mount(NULL, s->path, NULL, MS_BIND | MS_REMOUNT | flags, NULL) < 0)
		return err_sys(err, errno, "confine what is bound over '%s'", s->path);
	return 0;
}

// The first hugetlbfs that is not below `keep`; NULL: none. A new string.
static int find_hugetlbfs(const char *keep, char **ret, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t n = strlen(keep);
	struct mount_line m;
	int r = fs_read_file("/proc/self/mounts", MOUNTS_MAX, &text, NULL);

	*ret = NULL;
	if (r < 0)
		return err_sys(err, -r, "read '/proc/self/mounts'");
	str_foreach (line, text, "\n") {
		if (!mount_parse(line, &m) || !str_eq(m.type, "hugetlbfs")
		    || (str_starts(m.where, keep) && (m.where[n] == '/' || m.where[n] == '\0')))
			continue;
		*ret = strdup(m.where);
		return *ret != NULL ? 0 : err_oom(err);
	}
	return 0;
}

// EAL takes the first hugetlbfs of a size that /proc/mounts names: only the grant's may be there. Each
// unmount takes at least one off, so this ends.
int apply_detach_hugetlbfs(const struct step *s, struct err *err)
{
	for (;;) {
		_cleanup_free_ char *point = NULL;

		if (find_hugetlbfs(s->path, &point, err) < 0)
			return -err->code;
		if (point == NULL)
			return 0;
		if (umount2(point, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			return err_sys(
				err,
				errno,
				"hide the hugetlbfs on '%s' from the program; unmount it",
				point
			);
	}
}
