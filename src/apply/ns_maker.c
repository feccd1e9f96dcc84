// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "apply/ns_maker.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define MAKE_MILLISECONDS 10000

// Says how it went, and stays until it is killed.
static _Noreturn void hold(maker_fn make, const void *arg, pid_t parent, int fd)
{
	struct err err = {0};

	make(arg, &err);
	// to make or enter a user namespace takes it back
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	if (send(fd, &err, sizeof(err), MSG_NOSIGNAL) == (ssize_t)sizeof(err))
		recv(fd, &err, sizeof(err), 0);
	_exit(0);
}

int maker_begin(struct maker *ret, maker_fn make, const void *arg, struct err *err)
{
	pid_t parent = getpid(), pid;
	int fd;

	pid = socket_fork(&fd, err);
	if (pid < 0)
		return pid;
	if (pid == 0) {
		// above all not the ends of pipes that others wait to see closed
		if (fd > STDERR_FILENO + 1)
			close_range(STDERR_FILENO + 1, (unsigned)fd - 1, 0);
		close_range((unsigned)fd + 1, ~0u, 0);
		hold(make, arg, parent, fd);
	}
	*ret = (struct maker){pid, fd};
	return 0;
}

int maker_wait(const struct maker *m, const char *what, struct err *err)
{
	struct pollfd p = {.fd = m->fd, .events = POLLIN};
	struct err told;
	int n;

	do {
		n = poll(&p, 1, MAKE_MILLISECONDS);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return err_set(
			err, ETIMEDOUT, "%s: no word for %d s", what, MAKE_MILLISECONDS / 1000
		);
	if (recv(m->fd, &told, sizeof(told), 0) != (ssize_t)sizeof(told))
		return err_set(err, EPIPE, "%s: its maker died", what);
	if (told.code != 0)
		*err = told;
	return -told.code;
}

int maker_map(
	const struct maker *m, const char *what, const char *file, const char *map, struct err *err
)
{
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)m->pid, file);
	r = fs_write_value(path, map);
	return r < 0 ? err_sys(err, -r, "%s: write its %s", what, file) : 0;
}

int maker_keep(
	const struct maker *m, const char *kind, const char *word, const char *path, struct err *err
)
{
	_cleanup_close_ int fd =
		open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
	char ns[64];

	snprintf(ns, sizeof(ns), "/proc/%d/ns/%s", (int)m->pid, kind);
	if (fd < 0 || mount(ns, path, NULL, MS_BIND, NULL) < 0)
		return err_sys(err, errno, "keep the %s namespace at '%s'", word, path);
	return 0;
}

void maker_end(struct maker *m)
{
	if (m->pid == 0)
		return;
	kill(m->pid, SIGKILL);
	waitpid(m->pid, NULL, 0);
	close(m->fd);
	m->pid = 0;
}
