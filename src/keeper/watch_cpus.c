// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A keeper cannot freeze itself: its control files are root's. So a process of root's stays beside it for
// as long as it lives, and does nothing but wait for its CPUs or nodes to go offline.

#include "run/watch_cpus.h"
#include "base/debug.h"
#include "base/event_log.h"
#include "base/scope.h"
#include "keeper/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>

// Nothing of the command line that started it: above all not the ledger's lock.
static void drop_others(int *keeper)
{
	const int kept = STDERR_FILENO + 1;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	debug_end();
	*keeper = fcntl(*keeper, F_DUPFD_CLOEXEC, kept + 1);
	for (int i = 0; i < kept; i++)
		dup2(null, i);
	*keeper = dup3(*keeper, kept, O_CLOEXEC);
	close_range((unsigned)kept + 1, ~0u, 0);
	clearenv();
	setsid();
}

static _Noreturn void watch(int keeper, const struct lease *lease)
{
	struct cpu_watch w;
	struct hostfs fs;
	struct err unused;

	drop_others(&keeper);
	if (keeper < 0 || chdir("/") < 0 || hostfs_open("/", &fs, &unused) < 0)
		_exit(1);
	cpu_watch_open(&w, &fs, lease);
	for (;;) {
		struct pollfd fds[] = {
			{.fd = keeper, .events = POLLIN},
			{.fd = w.fd, .events = POLLIN},
		};

		poll(fds, ARRAY_LEN(fds), cpu_watch_timeout(&w));
		if (fds[0].revents != 0) {
			event_log("the keeper of '%s' has ended", lease->grant.name);
			_exit(0);
		}
		cpu_watch_look(&w);
	}
}

int keeper_watch(const struct hostfs *fs, const struct lease *lease, struct err *err)
{
	_cleanup_close_ int keeper = (int)syscall(SYS_pidfd_open, lease->supervisor, 0);
	pid_t pid;

	if (keeper < 0 || process_start(fs, lease->supervisor) != lease->supervisor_start)
		return err_set(err, ESRCH, "watch the keeper: it has ended");
	pid = fork();
	if (pid < 0)
		return err_sys(err, errno, "start a process");
	if (pid == 0)
		watch(keeper, lease);
	return 0;
}
