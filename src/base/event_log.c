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
static int open_file(int dir, const char *file, struct stat *st)
{
	int fd = openat(
		dir, file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600
	);

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

int event_log_in(int dir, const char *file, const char *text)
{
	char line[LINE + 64], when[32], former[64];
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
	snprintf(former, sizeof(former), "%s" EVENT_LOG_FORMER, file);
	// again, when another process has put aside what was opened
	for (int i = 0; i < 3; i++) {
		struct stat st, there;
		_cleanup_close_ int fd = open_file(dir, file, &st);

		if (fd < 0 || lock_file(fd) < 0)
			return -1;
		if (fstatat(dir, file, &there, AT_SYMLINK_NOFOLLOW) < 0 || there.st_ino != st.st_ino
		    || fstat(fd, &st) < 0)
			continue;
		if (st.st_size + n <= EVENT_LOG_BYTES)
			return write(fd, line, (size_t)n) == n ? 0 : -1;
		if (renameat(dir, file, dir, former) < 0)
			return -1;
	}
	return -1;
}

static void tell(const char *file, const char *fmt, va_list ap)
{
	_cleanup_close_ int dir = -1;
	int saved = errno;
	char text[LINE];

	vsnprintf(text, sizeof(text), fmt, ap);
	str_plain(text);
	tell_system(text);
	dir = open(EVENT_LOG_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir >= 0)
		event_log_in(dir, file, text);
	errno = saved;
}

void event_log(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell(EVENT_LOG_NAME, fmt, ap);
	va_end(ap);
}

void event_log_of(uid_t user, const char *fmt, ...)
{
	char file[32];
	va_list ap;

	snprintf(file, sizeof(file), EVENT_LOG_NAME "-%u", user);
	va_start(ap, fmt);
	tell(file, fmt, ap);
	va_end(ap);
}
