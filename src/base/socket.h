// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Sockets whose other end another process has.
#pragma once

#include "base/err.h"

#include <sys/socket.h>
#include <sys/types.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 // Linux 6.16
#endif

// Over a Unix socket: its peer can send no descriptors (EPERM). One that nobody takes is closed in the process that
// reads, and the last close of a file may wait as long as its owner likes (SO_LINGER). Older kernels know no such option.
static inline void socket_refuse_fds(int fd)
{
	const int off = 0;

	setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
}

// fork(2), with a socket (SOCK_SEQPACKET, O_CLOEXEC) between the two: *ret is the end of whoever returns.
pid_t socket_fork(int *ret, struct err *err);
