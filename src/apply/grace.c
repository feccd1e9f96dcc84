// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The kernel's price for moving a process between cgroups, paid while there is other work to do.
//
// A write to cgroup.procs takes cgroup_threadgroup_rwsem for writing, and the first writer after a
// pause waits for a grace period of RCU (rcu_sync_enter in kernel/rcu/sync.c): some 10 ms, more than all
// else that a start costs. Writers that come soon afterwards do not wait. So a thread that moves itself
// to where it is already, which changes nothing, begins the grace period while the runtime starts and
// reads its configuration; when that moves the container, it finds it over. Not earlier: who waits holds
// up whoever makes a cgroup, as a start does. The thread does so several times: what it has bought lasts
// for one more grace period, and the runtime often came later than that and paid again.
//
// Itself alone: somebody may move this process between the look and the write, and must not find it moved
// back. On v2 a single thread is refused then; on v1 it is moved, and ends with this.

#include "apply/apply.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define AGAIN_MS 3 // well within a grace period
#define TIMES 5

// Where a thread of this process is moved to the cgroup it is in, in the first hierarchy that
// /proc/self/cgroup names with a controller (v1), or in the only one (v2):
// "HIERARCHY:CONTROLLERS:PATH". An open descriptor, or -1.
static int own_threads(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/cgroup", "re");
	char line[4096];
	int fd = -1;

	while (fd < 0 && f != NULL && fgets(line, sizeof(line), f) != NULL) {
		char *names = strchr(line, ':'),
		     *path = names != NULL ? strchr(names + 1, ':') : NULL;
		_cleanup_free_ char *file = NULL;

		if (path == NULL)
			continue;
		*path++ = '\0';
		names++;
		path[strcspn(path, "\n")] = '\0';
		file = str_printf(
			"/sys/fs/cgroup/%s%s/%s",
			names,
			path,
			names[0] != '\0' ? "tasks" : "cgroup.threads"
		);
		if (file != NULL)
			fd = open(file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	}
	return fd;
}

static void *stay(void *arg)
{
	// by its number: "0" of one thread waits for nothing. It is only about time: a start works without it
	for (int i = 0; i < TIMES; i++) {
		_cleanup_close_ int fd =
			own_threads(); // anew: somebody may have moved this process

		if (fd < 0 || dprintf(fd, "%d", (int)gettid()) < 0)
			break;
		nap_ms(AGAIN_MS);
	}
	return arg;
}

void cgroup_begin_grace(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;

	if (pthread_attr_init(&attr) != 0)
		return;
	// a signal that the supervisor waits for with signalfd(2) must not find a thread that lets it
	// through: SIGCHLD would be lost, and SIGTERM end the process before it has cleaned up
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_create(&thread, &attr, stay, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
}
