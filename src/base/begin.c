// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/begin.h"

#include "base/scope.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>

#define STACK ((rlim_t)8 << 20) // as the system has it

static const struct {
	int resource;
	rlim_t need;
} limits[] = {
	{RLIMIT_AS, RLIM_INFINITY},
	{RLIMIT_CPU, RLIM_INFINITY}, // a supervisor lives for months
	{RLIMIT_DATA, RLIM_INFINITY},
	{RLIMIT_FSIZE, RLIM_INFINITY},
	{RLIMIT_STACK, STACK},
};

static struct rlimit limits_then[ARRAY_LEN(limits)];
static struct sigaction child_then, size_then;
static bool begun;

static void only_errno(int)
{
}

void begin_signals(void)
{
	const struct sigaction child = {.sa_handler = SIG_DFL};

	// ignored it comes to no signalfd(2), and leaves nothing to wait for
	sigaction(SIGCHLD, &child, &child_then);
}

// One that may not be raised is a soft limit as high as the hard one.
static void raise_limit(int resource, rlim_t need)
{
	struct rlimit l;

	if (getrlimit((__rlimit_resource_t)resource, &l) < 0 || l.rlim_cur >= need)
		return;
	l.rlim_cur = need;
	if (l.rlim_max < need) {
		const struct rlimit more = {need, need};

		if (setrlimit((__rlimit_resource_t)resource, &more) == 0)
			return;
		l.rlim_cur = l.rlim_max;
	}
	setrlimit((__rlimit_resource_t)resource, &l);
}

void begin_process(void)
{
	// write(2) says EFBIG; what is executed does not inherit a handler
	const struct sigaction size = {.sa_handler = only_errno, .sa_flags = SA_RESTART};

	begin_signals();
	sigaction(SIGXFSZ, &size, &size_then);
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		getrlimit((__rlimit_resource_t)limits[i].resource, &limits_then[i]);
		raise_limit(limits[i].resource, limits[i].need);
	}
	begun = true;
}

void begin_undo(void)
{
	if (!begun)
		return;
	sigaction(SIGCHLD, &child_then, NULL);
	sigaction(SIGXFSZ, &size_then, NULL);
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		setrlimit((__rlimit_resource_t)limits[i].resource, &limits_then[i]);
	begun = false;
}
