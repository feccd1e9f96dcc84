// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "inside/child.h"

#include "base/scope.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define GRACE_SECONDS 2 // beyond its own alarm, for a child that cannot take it

static _Noreturn void child(
	void (*fn)(const void *arg, void *result),
	const void *arg,
	size_t len,
	unsigned seconds,
	int fd
)
{
	_Alignas(16) unsigned char result[PIPE_BUF] = {0};
	sigset_t none;

	// A call that kills is an answer, not a crash to be kept.
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGALRM, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	alarm(seconds);
	fn(arg, result);
	// one write of at most PIPE_BUF bytes: all of it or nothing
	_exit(write(fd, result, len) == (ssize_t)len ? 0 : 1);
}

int child_run(
	void (*fn)(const void *arg, void *result),
	const void *arg,
	void *ret,
	size_t len,
	unsigned seconds
)
{
	_cleanup_close_ int r = -1;
	unsigned char result[PIPE_BUF];
	struct pollfd p;
	int fds[2], status = 0;
	ssize_t n = -1;
	pid_t pid;

	if (len > sizeof(result))
		return -EMSGSIZE;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	r = fds[0];
	pid = fork();
	if (pid == 0)
		child(fn, arg, len, seconds, fds[1]);
	close(fds[1]);
	if (pid < 0)
		return -errno;
	// Readable, or closed by its end. A grandchild may hold the pipe for longer than the child.
	p = (struct pollfd){.fd = r, .events = POLLIN};
	if (poll(&p, 1, (int)(seconds + GRACE_SECONDS) * 1000) > 0)
		n = read(r, result, len);
	else
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		return WTERMSIG(status);
	if (n != (ssize_t)len)
		return -EIO;
	memcpy(ret, result, len);
	return 0;
}
