// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/wait.h"

#include "base/clock.h"
#include "base/scope.h"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

bool wait_for_end(pid_t pid, int *status, int ms)
{
	const int64_t limit = clock_ms() + ms;
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd end = {.fd = fd, .events = POLLIN};
	int64_t left;

	// a signal ends a poll early
	while (fd >= 0 && (left = limit - clock_ms()) > 0 && poll(&end, 1, (int)left) < 0)
		;
	return waitpid(pid, status, WNOHANG) != 0;
}
