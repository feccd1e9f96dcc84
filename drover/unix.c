// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "unix.h"

#include "base/clock.h"
#include "base/scope.h"
#include "base/socket.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#define NAMES 100
#define BACKLOG 128
#define LOCK_MILLISECONDS 1000

int unix_connect(const char *path, int type, unsigned milliseconds)
{
	const struct timeval limit = {
		.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
	_cleanup_close_ int file = open(path, O_PATH | O_CLOEXEC);
	_cleanup_close_ int fd = file < 0 ? -1 : socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct stat st;

	if (fd < 0 || fstat(file, &st) < 0)
		return -1;
	// the kernel would say ECONNREFUSED
	if (!S_ISSOCK(st.st_mode)) {
		errno = ENOTSOCK;
		return -1;
	}
	socket_refuse_fds(fd);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d", file);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -1;
	return steal_fd(&fd);
}

// One name. EADDRINUSE: somebody listens there. The caller holds the directory's lock, as between bind and
// listen a socket looks like one that was left.
static int try_name(int fd, int dir, const char *name)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	_cleanup_close_ int other = -1;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/%s", dir, name);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return listen(fd, BACKLOG);
	if (errno != EADDRINUSE)
		return -1;
	other = unix_connect(addr.sun_path, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (other < 0 && errno == ECONNREFUSED && unlinkat(dir, name, 0) == 0
	    && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return listen(fd, BACKLOG);
	errno = EADDRINUSE;
	return -1;
}

// Who can read the directory can hold its lock too, as the group of a published one can: it is not waited for without
// end. Without it, two that begin at the same time may take each other's socket for one that was left.
static void lock_names(int dir)
{
	for (unsigned i = 0; flock(dir, LOCK_EX | LOCK_NB) < 0 && i < LOCK_MILLISECONDS; i++)
		nap_ms(1);
}

int unix_listen(int dir, const char *name, char ret[static UNIX_NAME], struct err *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = -1;

	// the mode that the file gets
	if (fd < 0 || fchmod(fd, 0600) < 0)
		return err_sys(err, errno, "make a socket");
	lock_names(dir);
	for (unsigned i = 0; i < NAMES && r < 0; i++) {
		snprintf(ret, UNIX_NAME, i > 0 ? "%s:%u" : "%s", name, i);
		r = try_name(fd, dir, ret);
		if (r < 0 && errno != EADDRINUSE)
			break;
	}
	if (r < 0)
		err_sys(err, errno, "listen on '%s'", ret);
	flock(dir, LOCK_UN);
	return r < 0 ? -err->code : steal_fd(&fd);
}
