// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/dir.h"
#include "base/scope.h"
#include "image/image.h"
#include "image/place.h"

#include <fcntl.h>
#include <sys/file.h>

int image_remove(const char *dir, const struct image_guard *guard, struct err *err)
{
	scope_cleanup(place_done) struct place p = PLACE_NEW;

	if (geteuid() != 0)
		return err_set(
			err, EPERM, "remove image '%s': its files belong to root; run as root", dir
		);
	if (place_find_old(dir, &p, err) < 0)
		return -err->code;
	return place_remove(&p, guard, err);
}

// Whether nobody works there. Only root can tell.
static bool is_left(int parent, const char *work)
{
	_cleanup_close_ int fd =
		openat(parent, work, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0;
}

int image_leftovers(const char *parent, int (*fn)(const char *name, void *arg), void *arg)
{
	_cleanup_closedir_ DIR *d = geteuid() == 0 ? opendir(parent) : NULL;
	char name[NAME_MAX + 1];
	struct dirent *e;
	int r = 0;

	while (r == 0 && (e = dir_next(d)) != NULL) {
		if (place_is_work(e->d_name, name) && is_left(dirfd(d), e->d_name))
			r = fn(name, arg);
	}
	return r;
}
