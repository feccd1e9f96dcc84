// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/debug.h"

#include "base/clock.h"
#include "base/scope.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

#define DEBUG_FD_MIN 200 // above those that a workload is handed

static int debug_fd = -1;
static bool debug_log;
static int64_t debug_start;

void debug_begin(void)
{
	if (debug_fd >= 0)
		return;
	debug_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, DEBUG_FD_MIN);
	debug_start = clock_ns();
}

void debug_end(void)
{
	if (debug_fd >= 0)
		close(debug_fd);
	debug_fd = -1;
	debug_log = false;
}

void debug_detach(void)
{
	bool wanted = debug_fd >= 0;

	debug_end();
	if (!wanted)
		return;
	openlog("pinfold", LOG_PID, LOG_DAEMON);
	debug_log = true;
}

int64_t debug_time(void)
{
	return debug_fd >= 0 || debug_log ? clock_ns() : 0;
}

void debug_step(
	int64_t begun,
	const char *verb,
	const char *kind,
	const char *path,
	int r,
	const struct err *err
)
{
	int64_t now = debug_time();
	int saved = errno;
	_cleanup_free_ char *line = NULL;

	if (now == 0)
		return;
	line = str_printf(
		"%.3f ms %s %s '%s', took %.3f ms%s%s",
		(double)(now - debug_start) / 1e6,
		verb,
		kind,
		path,
		(double)(now - begun) / 1e6,
		r < 0 ? ", failed: " : "",
		r < 0 ? err->msg : ""
	);
	if (line != NULL && debug_log)
		syslog(LOG_DEBUG, "%s", line);
	else if (line != NULL) // one write: lines of two processes are not mixed
		dprintf(debug_fd, "pinfold: debug: %s\n", line);
	errno = saved;
}
