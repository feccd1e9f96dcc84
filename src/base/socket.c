// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/socket.h"

#include <errno.h>
#include <unistd.h>

pid_t socket_fork(int *ret, struct err *err)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(err, errno, "make a socket");
	pid = fork();
	if (pid < 0) {
		err_sys(err, errno, "start a process");
		close(ends[0]);
		close(ends[1]);
		return -err->code;
	}
	// each sees the end of the other one
	close(ends[pid != 0]);
	*ret = ends[pid == 0];
	return pid;
}
