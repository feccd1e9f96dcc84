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

int image_leftovers(const char *parent, int (*fn)(const char *name, void *arg), void *arg)
{
	_cleanup_closedir_ DIR *d = opendir(parent);
	char name[NAME_MAX + 1];
	struct dirent *e;
	int r = 0;

	if (d == NULL || flock(dirfd(d), LOCK_SH | LOCK_NB) < 0)
		return 0;
	while (r == 0 && (e = dir_next(d)) != NULL) {
		if (place_is_work(e->d_name, name))
			r = fn(name, arg);
	}
	return r;
}
