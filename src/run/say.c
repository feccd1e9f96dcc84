// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "run/say.h"

#include "base/scope.h"
#include "run/log_times.h"

#include <fcntl.h>
#include <poll.h>

void say_of(const struct lease *lease, const char *line)
{
	const struct grant *g = &lease->grant;
	_cleanup_free_ char *log = str_printf(LOG_DIR "/%s.log", g->name);
	_cleanup_close_ int fd = -1, times = -1;
	struct pollfd room = {.events = POLLOUT};

	if (lease->detached || !site_has(&lease->site, SITE_SUPERVISOR))
		fd = log != NULL ? open(log, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW) : -1;
	else
		fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	// nobody may read there any more, or for a while: the workload matters more than the word
	room.fd = fd;
	if (fd >= 0 && poll(&room, 1, 0) == 1 && room.revents == POLLOUT) {
		if (log != NULL)
			times = times_open(AT_FDCWD, log, fd, O_RDWR);
		times_stamp(times, fd, times_now());
		dprintf(fd, "pinfold: '%s': %s\n", g->name, line);
	}
}
