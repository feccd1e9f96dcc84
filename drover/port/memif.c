// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The socket of a memif server.
//
// Its driver frees what its listener is known by when its port is closed, and leaves the descriptor open and the
// handler registered (memif_socket_remove_device of DPDK 22.11 to 26.07): a client that came a moment before makes
// the interrupt thread accept it from freed memory, as one does that was accepted and has not said yet what it wants. So
// the descriptor becomes one of nothing first. It is not closed: EAL, which waits for it, ends the process where that
// fails.

#include "port/memif.h"

#include "base/dir.h"
#include "base/scope.h"
#include "port/intr_thread.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// One of the server's sockets: that which listens, or those of who came.
static bool is_of(int fd, const char *path, bool listening)
{
	struct sockaddr_un addr = {0};
	socklen_t size = sizeof(addr), word = sizeof(int);
	int listens = 0;

	return getsockname(fd, (struct sockaddr *)&addr, &size) == 0 && addr.sun_family == AF_UNIX
	       && strncmp(addr.sun_path, path, sizeof(addr.sun_path)) == 0
	       && getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &word) == 0
	       && (listens != 0) == listening;
}

struct sockets {
	const char *path;
	bool listening;
};

static int make_nothing(void *arg)
{
	const struct sockets *s = arg;
	_cleanup_closedir_ DIR *d = dir_open(AT_FDCWD, "/proc/self/fd", 0);
	_cleanup_close_ int nothing = eventfd(0, EFD_CLOEXEC);
	struct dirent *e;

	while (nothing >= 0 && (e = dir_next(d)) != NULL) {
		int fd = atoi(e->d_name);

		if (is_of(fd, s->path, s->listening))
			dup3(nothing, fd, O_CLOEXEC);
	}
	return 0;
}

void memif_deafen(const char *path)
{
	struct sockets s = {.path = path, .listening = true};

	intr_thread_call(make_nothing, &s);
}

void memif_forget(const char *path)
{
	struct sockets s = {.path = path};

	intr_thread_call(make_nothing, &s);
}
