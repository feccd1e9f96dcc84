// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the kernel counts for each user or for the whole machine, and no cgroup: a container that could take
// all of it would leave none to others.

#include "inside/audit/audit.h"

#include "base/scope.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#define SHARE 20000u // of each: more than a program needs, less than a kernel gives root

// Each takes one more, which goes with this process: negative when there is none.
static int timer(unsigned n)
{
	struct sigevent none = {.sigev_notify = SIGEV_NONE};
	timer_t id;

	(void)n;
	return timer_create(CLOCK_MONOTONIC, &none, &id);
}

static int watcher(unsigned n)
{
	(void)n;
	return inotify_init1(IN_CLOEXEC);
}

static int queue(unsigned n)
{
	struct mq_attr attr = {.mq_maxmsg = 10, .mq_msgsize = 8192};
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "/audit-%u-%u", (unsigned)getpid(), n);
	fd = (int)mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attr);
	// open, it still counts
	if (fd >= 0)
		mq_unlink(name);
	return fd;
}

static void accounts(const struct audit *, struct finding *f)
{
	static const struct {
		const char *name;
		int (*take)(unsigned n);
	} things[] = {{"timers", timer}, {"inotify instances", watcher}, {"message queues", queue}};

	for (size_t i = 0; i < ARRAY_LEN(things); i++) {
		unsigned n = 0;

		while (n < SHARE && things[i].take(n) >= 0)
			n++;
		if (n == SHARE)
			fail(f, "%u %s and more", n, things[i].name);
		else
			pass(f, "%u %s", n, things[i].name);
	}
}

static void async_io(const struct audit *a, struct finding *f)
{
	aio_context_t context = 0;
	long r = syscall(SYS_io_setup, 1, &context);

	if (r < 0)
		pass(f, "%s", strerror(errno));
	else if (a->given.aio)
		pass(f, "granted");
	else
		fail(f, "there is a context, of those that the machine has for all");
}

// With 0 nothing is written to a file, but a program that core_pattern names is run all the same
// (do_coredump in fs/coredump.c).
static void core_program(const struct audit *, struct finding *f)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_CORE, &l) < 0)
		fail(f, "%s", strerror(errno));
	else if (l.rlim_max != 1 || l.rlim_cur != 1)
		fail(f, "RLIMIT_CORE is not 1");
	else
		pass(f, "RLIMIT_CORE is 1, for good");
}

const struct property audit_accounts[] = {
	{"accounts", "take timers, inotify instances and queues without end", accounts},
	{"async-io", "take asynchronous I/O events of the machine", async_io},
	{"core-program", "leave a core to a program of the host (core_pattern)", core_program},
	{0},
};
