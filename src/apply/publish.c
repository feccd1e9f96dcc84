// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The file system of what a workload publishes. A program of the host that goes there meets what the container
// made: it must not be led elsewhere by it, so the mount follows no symbolic links (Linux 5.10). Devices and
// set-user-id programs are none there, as on the file system of a link.

#include "apply/apply.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

// linux/mount.h and linux/statfs.h
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#define NOSYMFOLLOW 0x2000

#define FLAGS (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOSYMFOLLOW)

// Only below our own directory, whatever a lease file says.
static const char *name_of(const char *path)
{
	const char *name = str_starts(path, PUBLISH_DIR "/") ? path + strlen(PUBLISH_DIR "/") : "";

	return name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL ? NULL : name;
}

int publish_end(const char *path, struct err *err)
{
	_cleanup_close_ int parent = open(PUBLISH_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *name = name_of(path);

	if (name == NULL)
		return err_set(err, EINVAL, "undo '%s': not below " PUBLISH_DIR, path);
	if (parent < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "undo '%s'", path);
	// EINVAL, ENOENT: it is none, or gone
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
		return err_sys(err, errno, "unmount '%s'", path);
	return fs_remove_tree(parent, name, err);
}

int apply_publish(const struct step *s, struct err *err)
{
	_cleanup_close_ int parent = fs_mkdirs(PUBLISH_DIR, 0711, err);
	_cleanup_close_ int fd = -1;
	struct statfs st;

	if (parent < 0)
		return parent;
	// what another of that name had there, before a crash
	if (publish_end(s->path, err) < 0)
		return -err->code;
	if (mkdirat(parent, name_of(s->path), 0700) < 0)
		return err_sys(err, errno, "make directory '%s'", s->path);
	if (mount("pinfold", s->path, "tmpfs", FLAGS, s->value) < 0)
		return err_sys(err, errno, "mount tmpfs on '%s'", s->path);
	fd = openat(parent, name_of(s->path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstatfs(fd, &st) < 0)
		return err_sys(err, errno, "open directory '%s'", s->path);
	if ((st.f_flags & NOSYMFOLLOW) == 0)
		return err_set(
			err,
			EOPNOTSUPP,
			"--publish: this kernel would follow links that the container makes in "
			"'%s'; Linux 5.10 does not",
			s->path
		);
	if (fchown(fd, s->uid, s->gid) < 0 || fchmod(fd, s->mode) < 0)
		return err_sys(err, errno, "make directory '%s'", s->path);
	return apply_seen(s->path, err);
}
