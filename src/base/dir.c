// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/dir.h"

#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>

DIR *dir_take(int fd)
{
	_cleanup_close_ int own = fd;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (d != NULL)
		steal_fd(&own);
	return d;
}

DIR *dir_open(int dirfd, const char *name, int flags)
{
	return dir_take(openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags));
}

struct dirent *dir_next(DIR *d)
{
	struct dirent *e;

	do {
		errno = 0;
		e = d != NULL ? readdir(d) : NULL;
	} while (e != NULL && (str_eq(e->d_name, ".") || str_eq(e->d_name, "..")));
	return e;
}
