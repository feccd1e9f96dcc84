// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "unit.h"

#include "base/begin.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMALL 4096
#define NOBODY 65534

// As a caller has it that wants no zombies, and no large files.
static void as_of_a_caller(rlim_t hard)
{
	const struct rlimit size = {SMALL, hard}, stack = {256 << 10, RLIM_INFINITY};

	signal(SIGCHLD, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &size);
	setrlimit(RLIMIT_STACK, &stack);
}

// errno of a write beyond what the caller allows, or 0.
static int write_much(void)
{
	char text[2 * SMALL] = "";
	int fd = memfd_create("much", MFD_CLOEXEC);

	return write(fd, text, SMALL) != SMALL	 ? errno
	       : write(fd, text, SMALL) != SMALL ? errno
						 : 0;
}

static int status_of_child(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(4);
	return waitpid(pid, &status, 0) == pid ? WEXITSTATUS(status) : -1;
}

// More than the caller's limit has room for.
static int use_stack(void)
{
	volatile char much[2 << 20];

	for (size_t i = sizeof(much); i > 0; i -= SMALL)
		much[i - 1] = 1;
	return much[SMALL - 1];
}

static int raised(void)
{
	struct rlimit size, stack;

	as_of_a_caller(RLIM_INFINITY);
	begin_process();
	if (write_much() != 0 || status_of_child() != 4 || use_stack() != 1)
		return 1;
	begin_undo();
	getrlimit(RLIMIT_FSIZE, &size);
	getrlimit(RLIMIT_STACK, &stack);
	if (size.rlim_cur != SMALL || stack.rlim_cur != 256 << 10)
		return 2;
	return signal(SIGCHLD, SIG_DFL) == SIG_IGN && signal(SIGXFSZ, SIG_DFL) == SIG_DFL ? 0 : 3;
}

// Where nobody may raise them.
static int said(void)
{
	as_of_a_caller(SMALL);
	if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
		return 1;
	begin_process();
	return write_much() == EFBIG ? 0 : 2;
}

static void in_a_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void limits_and_signals(void **)
{
	in_a_child(raised);
}

static void a_hard_limit(void **)
{
	if (geteuid() != 0)
		skip_because("only root can become another");
	in_a_child(said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_and_signals),
		cmocka_unit_test(a_hard_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
