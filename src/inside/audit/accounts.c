// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the kernel counts for each user or for the whole machine, and no cgroup: a container that could take
// all of it would leave none to others.

#include "inside/audit/audit.h"

#include "base/scope.h"
#include "grant/caps.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/seccomp.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

// Of each: more than a program needs, less than the kernel of a small machine gives root.
#define SHARE 5000u

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
	const struct rlimit none = {0, 0};
	struct rlimit l;

	if (getrlimit(RLIMIT_CORE, &l) < 0)
		fail(f, "%s", strerror(errno));
	else if (l.rlim_max != 1 || l.rlim_cur != 1)
		fail(f, "RLIMIT_CORE is not 1");
	else if (prlimit(0, RLIMIT_CORE, &none, NULL) == 0
		 || syscall(SYS_setrlimit, RLIMIT_CORE, &none) == 0
		 // the kernel looks at the lower half of the number
		 || syscall(SYS_setrlimit, RLIMIT_CORE | 1L << 32, &none) == 0)
		fail(f, "RLIMIT_CORE can be lowered to 0");
	else
		pass(f, "RLIMIT_CORE is 1, for good");
}

// Each filter is compiled into memory of which the machine has a certain amount (net.core.bpf_jit_limit): who
// has all of it keeps others from starting what has a system call filter.
static void filters(const struct audit *a, struct finding *f)
{
	struct sock_filter pass_all = {BPF_RET | BPF_K, 0, 0, ~0u};
	const struct sock_fprog program = {1, &pass_all};
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && !cap_has(a->given.caps, CAP_NET_RAW)
	    && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0)
		fail(f, "a socket has a filter");
	if (fd >= 0
	    && setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) == 0)
		fail(f, "a group of sockets has a filter");
	// asked of what is no tap and no packet socket: the answer is the filter's, or that of who was reached
	if (fd >= 0 && (ioctl(fd, TUNATTACHFILTER, &program) == 0 || errno != EPERM))
		fail(f, "a tap takes a filter");
	if (fd >= 0 && (ioctl(fd, TUNSETSTEERINGEBPF, &program) == 0 || errno != EPERM))
		fail(f, "a tap takes a program");
	if (fd >= 0
	    && (setsockopt(fd, SOL_PACKET, PACKET_FANOUT_DATA, &program, sizeof(program)) == 0
		|| errno != EPERM))
		fail(f, "a group of packet sockets takes a filter");
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) == 0 || errno == EFAULT)
		fail(f, "prctl takes a filter of system calls");
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL) == 0 || errno == EFAULT)
		fail(f, "seccomp takes a filter of system calls");
	if (f->verdict == AUDIT_NONE)
		pass(f, "%s", strerror(errno));
}

const struct property audit_accounts[] = {
	{"accounts", "take timers, inotify instances and queues without end", accounts},
	{"async-io", "take asynchronous I/O events of the machine", async_io},
	{"filters", "attach filters, for which the machine has so much memory", filters},
	{"core-program", "leave a core to a program of the host (core_pattern)", core_program},
	{0},
};
