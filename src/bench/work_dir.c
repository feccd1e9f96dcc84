// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/work_dir.h"

#include "base/dir.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "pinfold-bench."
#define TRIES 16

const char *work_dir_parent(void)
{
	const char *tmp = getenv("TMPDIR");

	return tmp != NULL && *tmp != '\0' ? tmp : "/tmp";
}

// A descriptor of the directory that holds its lock; -1: it is another's, used, or not there any more.
static int lock(int parent, const char *name)
{
	_cleanup_close_ int fd =
		openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st, there;

	// who removed it meanwhile had the lock before
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid()
	    || flock(fd, LOCK_EX | LOCK_NB) < 0
	    || fstatat(parent, name, &there, AT_SYMLINK_NOFOLLOW) < 0 || there.st_dev != st.st_dev
	    || there.st_ino != st.st_ino)
		return -1;
	return steal_fd(&fd);
}

// What commands that were killed have left. What is still mounted there stays.
static void remove_stale(const char *parent)
{
	_cleanup_closedir_ DIR *d = dir_open(AT_FDCWD, parent, 0);
	struct dirent *e;

	while (d != NULL && (e = dir_next(d)) != NULL) {
		_cleanup_close_ int fd =
			str_starts(e->d_name, PREFIX) ? lock(dirfd(d), e->d_name) : -1;
		struct err ignored;

		if (fd >= 0)
			fs_remove_tree(dirfd(d), e->d_name, &ignored);
	}
}

int work_dir_make(struct work_dir *ret, struct err *err)
{
	const char *parent = work_dir_parent();
	_cleanup_close_ int at = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (at < 0)
		return err_sys(err, errno, "open directory '%s'", parent);
	remove_stale(parent);
	// another that begins may find it before it is locked, and remove it
	for (int i = 0; i < TRIES; i++) {
		_cleanup_free_ char *path = need(str_printf("%s/" PREFIX "XXXXXX", parent));

		if (mkdtemp(path) == NULL)
			return err_sys(err, errno, "make a directory '%s'", path);
		ret->lock = lock(at, strrchr(path, '/') + 1);
		if (ret->lock >= 0) {
			ret->path = steal_ptr(path);
			return 0;
		}
	}
	return err_set(err, EBUSY, "make a directory in '%s': others remove it", parent);
}

void work_dir_remove(struct work_dir *w)
{
	_cleanup_close_ int at = -1;
	struct err ignored;
	char *name;

	if (w->path == NULL)
		return;
	name = strrchr(w->path, '/');
	*name++ = '\0';
	at = open(w->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fs_remove_tree(at, name, &ignored);
	close(w->lock);
	free(w->path);
	*w = (struct work_dir){0};
}
