// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "launch/fetch.h"

#include "base/fs.h"
#include "base/scope.h"
#include "launch/launch.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define GRACE 3 // seconds that it may take longer than it was told

static _Noreturn void become(
	const char *program, const char *url, size_t max, unsigned seconds, int out, int errors
)
{
	char bytes[32], limit[32];
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	snprintf(bytes, sizeof(bytes), "%zu", max);
	snprintf(limit, sizeof(limit), "%u", seconds);
	if (dup2(out, STDOUT_FILENO) < 0 || dup2(errors, STDERR_FILENO) < 0
	    || close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		_exit(1);
	execl(program, program, url, bytes, limit, NULL);
	dprintf(STDERR_FILENO, "run '%s': %s\n", program, strerror(errno));
	_exit(1);
}

// Its exit status, or -1: it took too long.
static int wait_for(pid_t child, unsigned seconds)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, child, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int status = 0, r;

	do {
		r = poll(&p, 1, (int)(seconds + GRACE) * 1000);
	} while (r < 0 && errno == EINTR);
	if (r <= 0)
		kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return r <= 0 ? -1 : status;
}

// The first line.
static void line_of_file(int fd, char *buf, size_t len)
{
	ssize_t n = pread(fd, buf, len - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	str_plain(buf);
}

int fetch_url(
	const char *url, size_t max, unsigned seconds, char **ret, size_t *ret_len, struct err *err
)
{
	_cleanup_free_ char *program = launch_find_beside("../fetch/", "pinfold-fetch");
	_cleanup_close_ int out = memfd_create("fetched", MFD_CLOEXEC);
	_cleanup_close_ int errors = memfd_create("errors", MFD_CLOEXEC);
	char why[256];
	int status, r;
	pid_t child;

	if (program == NULL)
		return launch_missing("pinfold-fetch", err);
	if (out < 0 || errors < 0)
		return err_sys(err, errno, "make a file in memory");
	child = fork();
	if (child < 0)
		return err_sys(err, errno, "start a process");
	if (child == 0)
		become(program, url, max, seconds, out, errors);
	status = wait_for(child, seconds);
	if (status < 0)
		return err_set(err, ETIMEDOUT, "nothing came within %u s", seconds);
	line_of_file(errors, why, sizeof(why));
	if (status != 0)
		return err_set(err, EIO, "%s", why[0] != '\0' ? why : "pinfold-fetch was killed");
	// where its end was is where this one is
	r = lseek(out, 0, SEEK_SET) < 0 ? -errno : fs_read_fd(out, max, ret, ret_len);
	return r < 0 ? err_sys(err, -r, "read what came") : 0;
}
