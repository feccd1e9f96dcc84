// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A number that was in cgroup.procs is no process of the cgroup any more: it gets no signal.

#include "unit.h"

#include "apply/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char top[64];

static int setup(void **)
{
	snprintf(top, sizeof(top), "/tmp/pinfold-unit-XXXXXX");
	return mkdtemp(top) != NULL ? 0 : -1;
}

static int teardown(void **)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/cgroup.procs", top);
	unlink(path);
	return rmdir(top);
}

static int dir_with(const int *pids, size_t n)
{
	int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd =
		openat(dir, "cgroup.procs", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	for (size_t i = 0; i < n; i++)
		dprintf(fd, "%d\n", pids[i]);
	return dir;
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		alarm(60);
		pause();
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static int end_of(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void only_members(void **)
{
	pid_t in = sleeper(), out = sleeper();
	const int seen[] = {in, out, 1 << 30}, now[] = {7777777, in};
	_cleanup_close_ int dir = dir_with(now, ARRAY_LEN(now));

	// `out` was seen there before, and is somebody else's now
	assert_int_equal(
		cgroup_signal_members(dir, seen, ARRAY_LEN(seen), SIGTERM, NULL, NULL, INT64_MAX), 0
	);
	assert_int_equal(end_of(in), SIGTERM);
	assert_int_equal(waitpid(out, NULL, WNOHANG), 0);
	kill(out, SIGKILL);
	assert_int_equal(end_of(out), SIGKILL);
}

static bool is_not(int pid, int process, void *arg)
{
	assert_false(cgroup_process_ended(process));
	return pid != *(pid_t *)arg;
}

static void only_those_meant(void **)
{
	pid_t a = sleeper(), b = sleeper();
	const int seen[] = {a, b};
	_cleanup_close_ int dir = dir_with(seen, ARRAY_LEN(seen));

	assert_int_equal(cgroup_signal_members(dir, seen, 2, SIGTERM, is_not, &a, INT64_MAX), 0);
	assert_int_equal(end_of(b), SIGTERM);
	assert_int_equal(waitpid(a, NULL, WNOHANG), 0);
	kill(a, SIGKILL);
	end_of(a);
}

// Who is in it now cannot be told: nobody gets anything.
static void nobody_when_unreadable(void **)
{
	pid_t a = sleeper();
	const int seen[] = {a};
	_cleanup_close_ int dir = dir_with(seen, 1);

	unlinkat(dir, "cgroup.procs", 0);
	mkdirat(dir, "cgroup.procs", 0755);
	assert_int_equal(
		cgroup_signal_members(dir, seen, 1, SIGTERM, NULL, NULL, INT64_MAX), -EISDIR
	);
	unlinkat(dir, "cgroup.procs", AT_REMOVEDIR);
	assert_int_equal(waitpid(a, NULL, WNOHANG), 0);
	kill(a, SIGKILL);
	end_of(a);
}

static rlim_t limit_of(pid_t pid)
{
	struct rlimit now;

	assert_int_equal(prlimit(pid, RLIMIT_NPROC, NULL, &now), 0);
	return now.rlim_max;
}

// What a process has set for itself it keeps, as long as that is no more than it may have.
static void limit_of_a_process(void **)
{
	const struct right_limit hundred = {RLIMIT_NPROC, "RLIMIT_NPROC", 100, 100},
				 fifty = {RLIMIT_NPROC, "RLIMIT_NPROC", 50, 50};
	const struct rlimit had[] = {{100, 100}, {80, 80}, {30, 30}};
	const rlim_t has[] = {50, 50, 30};

	for (size_t i = 0; i < ARRAY_LEN(had); i++) {
		pid_t a = sleeper();
		_cleanup_close_ int process = (int)syscall(SYS_pidfd_open, a, 0);

		assert_int_equal(prlimit(a, RLIMIT_NPROC, &had[i], NULL), 0);
		assert_int_equal(
			change_limit(a, process, &hundred, &fifty), has[i] != had[i].rlim_max
		);
		assert_int_equal(limit_of(a), has[i]);
		// one that has set a lower one is not raised
		if (i == 2)
			assert_int_equal(change_limit(a, process, &fifty, &hundred), 0);
		kill(a, SIGKILL);
		end_of(a);
	}
}

// Whose number it was has ended: who has it now keeps its own.
static void no_limit_of_another(void **)
{
	const struct right_limit hundred = {RLIMIT_NPROC, "RLIMIT_NPROC", 100, 100},
				 fifty = {RLIMIT_NPROC, "RLIMIT_NPROC", 50, 50};
	const struct rlimit had = {100, 100};
	pid_t ended = sleeper(), other = sleeper();
	_cleanup_close_ int process = (int)syscall(SYS_pidfd_open, ended, 0);

	kill(ended, SIGKILL);
	end_of(ended);
	assert_int_equal(prlimit(other, RLIMIT_NPROC, &had, NULL), 0);
	assert_int_equal(change_limit(other, process, &hundred, &fifty), 0);
	assert_int_equal(limit_of(other), 100);
	kill(other, SIGKILL);
	end_of(other);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(only_members),
		EACH(only_those_meant),
		EACH(nobody_when_unreadable),
		EACH(limit_of_a_process),
		EACH(no_limit_of_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
