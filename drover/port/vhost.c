// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "port/vhost.h"

#include "base/scope.h"
#include "unix.h"

#include <stdint.h>
#include <sys/socket.h>

#define CONNECT_MILLISECONDS 100

int vhost_ask(const char *path)
{
	// VHOST_USER_GET_FEATURES, the version of the protocol, a length: in the machine's byte order
	static const uint32_t request[] = {1, 1, 0};
	_cleanup_close_ int fd = unix_connect(path, SOCK_STREAM, CONNECT_MILLISECONDS);

	if (fd < 0 || send(fd, request, sizeof(request), 0) != sizeof(request))
		return -1;
	return steal_fd(&fd);
}
