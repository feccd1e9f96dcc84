// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "apply/maker.h"

#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mount.h>

#define MAKE_MILLISECONDS 10000

int maker_wait(int fd, const char *what, struct err *err)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int n;

	do {
		n = poll(&p, 1, MAKE_MILLISECONDS);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return err_set(
			err, ETIMEDOUT, "%s: no word for %d s", what, MAKE_MILLISECONDS / 1000
		);
	return 0;
}

int maker_keep(pid_t pid, const char *kind, const char *word, const char *path, struct err *err)
{
	_cleanup_close_ int fd =
		open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
	char ns[64];

	snprintf(ns, sizeof(ns), "/proc/%d/ns/%s", (int)pid, kind);
	if (fd < 0 || mount(ns, path, NULL, MS_BIND, NULL) < 0)
		return err_sys(err, errno, "keep the %s namespace at '%s'", word, path);
	return 0;
}
