// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "run/beside.h"

#include "apply/apply.h"
#include "base/debug.h"
#include "base/idset.h"
#include "base/scope.h"
#include "base/socket.h"
#include "base/str.h"
#include "base/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define ASIDE 100   // above what a process of pinfold's has open
#define ASKERS 1024 // at a time

int beside_run_on(const struct grant *g, const struct idset *cpus)
{
	int r = sched_setaffinity(0, sizeof(cpus->word), (const cpu_set_t *)cpus->word);

	return r < 0 && errno == EINVAL && g->isolated ? 0 : r;
}

int beside_stay(const struct lease *lease, struct err *err)
{
	const struct grant *g = &lease->grant;

	if (beside_run_on(g, idset_empty(&g->shared_cpus) ? &g->cpus : &g->shared_cpus) < 0)
		return err_sys(err, errno, "run on the CPUs of '%s'", g->name);
	return 0;
}

int beside_enter(const struct hostfs *fs, const struct lease *lease, struct err *err)
{
	return cgroup_join_beside(fs, lease, err) < 0 ? -err->code : beside_stay(lease, err);
}

void beside_detach(void)
{
	debug_end();
	setsid();
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		close(fd);
		open("/dev/null", O_RDWR);
	}
}

void beside_keep(int *const fds[], size_t n)
{
	struct rlimit l;

	// the caller's limit of descriptors is none of pinfold's
	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
	for (size_t i = 0; i < n; i++) {
		if (*fds[i] >= 0)
			*fds[i] = fcntl(*fds[i], F_DUPFD_CLOEXEC, ASIDE);
	}
	close_range(STDERR_FILENO + 1, ASIDE - 1, 0);
	for (size_t i = 0; i < n; i++) {
		if (*fds[i] >= 0)
			*fds[i] = fcntl(*fds[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	}
	close_range(ASIDE, ~0u, 0);
}

void beside_apart(int *const fds[], size_t n)
{
	beside_keep(fds, n);
	beside_detach();
}

int beside_end_with(pid_t parent)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent ? -1 : 0;
}

// ---- who asks

static struct asker {
	pid_t pid; // 0: none
	bool late; // was killed, and is there still
	char whom[NAME_MAX_LEN + 1];
} askers[ASKERS];

pid_t beside_ask(const char *whom, int *ret, struct err *err)
{
	struct asker *free = NULL;
	pid_t pid;

	for (struct asker *a = askers; a < askers + ASKERS; a++) {
		if (a->late && waitpid(a->pid, NULL, WNOHANG) != 0)
			*a = (struct asker){0};
		if (a->pid == 0)
			free = a;
		else if (str_eq(a->whom, whom))
			return err_set(
				err,
				EBUSY,
				"ask '%s': process %d, which did before, waits for it and cannot "
				"be killed; stop it",
				whom,
				a->pid
			);
	}
	if (free == NULL)
		return err_set(err, EBUSY, "ask '%s': %d others are being asked", whom, ASKERS);
	pid = socket_fork(ret, err);
	if (pid > 0) {
		free->pid = pid;
		snprintf(free->whom, sizeof(free->whom), "%s", whom);
	}
	return pid;
}

void beside_ask_end(pid_t pid, int ms)
{
	struct asker *a = askers;

	while (a->pid != pid)
		a++;
	kill(pid, SIGKILL);
	a->late = !wait_for_end(pid, NULL, ms);
	if (!a->late)
		a->pid = 0;
}
