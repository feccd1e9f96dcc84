// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/event_log.h"

#include "base/clock.h"
#include "base/scope.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#define LINE 800	     // longer ones are cut
#define LOCK_MILLISECONDS 20 // for others, who hold it for a write

// Not syslog(3): that waits where the system's log does not get on.
static void tell_system(const char *text)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	char line[LINE + 64];
	int n = snprintf(
		line,
		sizeof(line),
		"<%d>pinfold[%d]: %s",
		LOG_DAEMON | LOG_INFO,
		(int)getpid(),
		text
	);

	if (fd >= 0)
		sendto(fd,
		       line,
		       (size_t)n,
		       MSG_DONTWAIT | MSG_NOSIGNAL,
		       (const struct sockaddr *)&to,
		       sizeof(to));
}

// Nothing but a file of our own: no link, no pipe that would wait for a reader.
static int open_file(int dir, struct stat *st)
{
	int fd =
		openat(dir,
		       EVENT_LOG_NAME,
		       O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		       0600);

	if (fd < 0)
		return -1;
	if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode) || st->st_uid != geteuid()
	    || st->st_nlink > 1) {
		close(fd);
		return -1;
	}
	return fd;
}

static int lock_file(int fd)
{
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK || i == LOCK_MILLISECONDS)
			return -1;
		nap_ms(1);
	}
	return 0;
}

int event_log_in(int dir, const char *text)
{
	char line[LINE + 64], when[32];
	time_t now = time(NULL);
	struct tm tm;
	int n;

	if (gmtime_r(&now, &tm) == NULL || strftime(when, sizeof(when), "%FT%TZ", &tm) == 0)
		return -1;
	n = snprintf(line, sizeof(line), "%s pinfold[%d]: %s\n", when, (int)getpid(), text);
	if (n >= (int)sizeof(line)) {
		n = (int)sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	// again, when another process has put aside what was opened
	for (int i = 0; i < 3; i++) {
		struct stat st, there;
		_cleanup_close_ int fd = open_file(dir, &st);

		if (fd < 0 || lock_file(fd) < 0)
			return -1;
		if (fstatat(dir, EVENT_LOG_NAME, &there, AT_SYMLINK_NOFOLLOW) < 0
		    || there.st_ino != st.st_ino || fstat(fd, &st) < 0)
			continue;
		if (st.st_size + n <= EVENT_LOG_BYTES)
			return write(fd, line, (size_t)n) == n ? 0 : -1;
		if (renameat(dir, EVENT_LOG_NAME, dir, EVENT_LOG_FORMER) < 0)
			return -1;
	}
	return -1;
}

void event_log(const char *fmt, ...)
{
	_cleanup_close_ int dir = -1;
	int saved = errno;
	char text[LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	str_plain(text);
	tell_system(text);
	dir = open(EVENT_LOG_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir >= 0)
		event_log_in(dir, text);
	errno = saved;
}
