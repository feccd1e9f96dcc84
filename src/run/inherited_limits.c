// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Nothing of the limits and priorities of whoever calls pinfold reaches a container.

#include "base/fs.h"
#include "base/scope.h"
#include "run/run.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#endif

// Nanoseconds that a program not asking for better may be woken late; 0 would be those of who calls.
#define TIMER_SLACK 50000

// Those that plan_rlimits does not name. config.json could not say it: its numbers end below that.
static const int unlimited[] = {
	RLIMIT_AS, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_LOCKS, RLIMIT_RSS, RLIMIT_RTTIME};

// What the filter of a keeper does not let through, its keeper has done.
static bool failed(long r)
{
	return r < 0 && errno != ENOSYS;
}

// What prctl(2) and /proc/self hand on to children besides, each as the system has it. What a kernel does not
// have it does not hand on.
static void give_up_habits(void)
{
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	prctl(PR_SET_MEMORY_MERGE, 0, 0, 0, 0);
	prctl(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0);
	fs_write_value("/proc/self/coredump_filter", "0x33");
	// root's daemons are often spared when memory runs out
	fs_write_value("/proc/self/oom_score_adj", "0");
}

int run_give_up_priorities(struct err *err)
{
	const struct sched_param none = {0};

	// an owner of a grant may not raise what he has lowered
	if (failed(sched_setscheduler(0, SCHED_OTHER, &none))
	    || (getpriority(PRIO_PROCESS, 0) != 0 && failed(setpriority(PRIO_PROCESS, 0, 0)))
	    || failed(personality(PER_LINUX))
	    || failed(prctl(PR_SET_TIMERSLACK, TIMER_SLACK, 0, 0, 0))
	    || failed(syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0))
	    || failed(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, 0)))
		return err_sys(err, errno, "give up priorities");
	give_up_habits();
	return 0;
}

int run_limit(const struct right_limit *limits, unsigned n, struct err *err)
{
	if (run_give_up_priorities(err) < 0)
		return -err->code;
	for (size_t i = 0; i < ARRAY_LEN(unlimited); i++) {
		struct rlimit l = {RLIM_INFINITY, RLIM_INFINITY};

		if (setrlimit((__rlimit_resource_t)unlimited[i], &l) == 0
		    || getrlimit((__rlimit_resource_t)unlimited[i], &l) < 0)
			continue;
		// a hard one stays where nobody here may raise it
		l.rlim_cur = l.rlim_max;
		setrlimit((__rlimit_resource_t)unlimited[i], &l);
	}
	for (unsigned i = 0; i < n; i++) {
		const struct rlimit l = {limits[i].soft, limits[i].hard};

		if (setrlimit((__rlimit_resource_t)limits[i].resource, &l) < 0)
			return err_sys(err, errno, "set %s", limits[i].name);
	}
	return 0;
}
