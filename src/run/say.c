// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "run/say.h"

#include "base/scope.h"
#include "run/log.h"
#include "run/log_times.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

void say_in_log(int dir, const char *name, const char *line)
{
	_cleanup_free_ char *log = str_printf("%s.log", name);
	_cleanup_free_ char *text = str_printf("pinfold: '%s': %s\n", name, line);
	_cleanup_close_ int fd = -1, times = -1;
	struct stat st;

	if (log == NULL || text == NULL)
		return;
	fd = openat(dir, log, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size + (off_t)strlen(text) > LOG_BYTES)
		return;
	times = times_open(dir, log, fd, O_RDWR);
	times_stamp(times, fd, times_now());
	dprintf(fd, "%s", text);
}

void say_of(const struct lease *lease, const char *line)
{
	// nobody may read there any more, or for a while: the workload matters more than the word
	struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
	_cleanup_close_ int dir = -1;

	if (lease->detached || !site_has(&lease->site, SITE_SUPERVISOR)) {
		dir = open(LOG_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
		say_in_log(dir, lease->grant.name, line);
	} else if (poll(&room, 1, 0) == 1 && room.revents == POLLOUT) {
		dprintf(STDERR_FILENO, "pinfold: '%s': %s\n", lease->grant.name, line);
	}
}
