// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Other limits for a workload that runs: those that its processes have themselves.

#include "apply/apply.h"

#include "base/clock.h"
#include "host/cgroup.h"

#include <errno.h>
#include <sys/resource.h>

#define LIMIT_MILLISECONDS 2000 // for all passes over its processes: the ledger is locked meanwhile

struct raising {
	struct right_limit from[HOST_RLIMITS], to[HOST_RLIMITS];
	const struct grant *grant;   // as it is to be
	unsigned n, raised, lowered; // the latter two in one pass
	bool denied;
	bool memlock_alone; // an engine has set the others itself
};

// Root may lack the right (CAP_SYS_RESOURCE), in a container for one. Then what it was may still be enough: of processes
// there are some to spare, and only who has a device locks as much memory as it may.
static bool is_needed(
	const struct raising *r, const struct right_limit *from, const struct right_limit *to
)
{
	if (to->hard <= from->hard)
		return false;
	if (from->resource == RLIMIT_NPROC)
		return r->grant->pids + 1 > from->hard;
	return from->resource == RLIMIT_MEMLOCK && r->grant->nnics > 0;
}

// A process that has set a lower limit for itself keeps it.
static bool is_meant(
	const struct rlimit *now, const struct right_limit *from, const struct right_limit *to
)
{
	return to->hard < from->hard ? now->rlim_max > to->hard : now->rlim_max == from->hard;
}

int change_limit(int pid, int process, const struct right_limit *from, const struct right_limit *to)
{
	__rlimit_resource_t which = (__rlimit_resource_t)from->resource;
	struct rlimit now, had, then = {to->soft, to->hard};

	if (prlimit(pid, which, NULL, &now) < 0)
		return -errno;
	if (cgroup_process_ended(process) || !is_meant(&now, from, to))
		return 0;
	if (now.rlim_cur != from->soft && now.rlim_cur < then.rlim_max)
		then.rlim_cur = now.rlim_cur;
	if (prlimit(pid, which, &then, &had) < 0)
		return -errno;
	if (!cgroup_process_ended(process))
		return 1;
	// it may have ended before that, and the number be another's, who has set nothing else since
	if (prlimit(pid, which, NULL, &now) == 0 && now.rlim_cur == then.rlim_cur
	    && now.rlim_max == then.rlim_max)
		prlimit(pid, which, &had, NULL);
	return 0;
}

static bool set_limits(int pid, int process, void *arg)
{
	struct raising *r = arg;

	for (unsigned i = 0; i < r->n; i++) {
		const struct right_limit *a = &r->from[i], *b = &r->to[i];
		int done;

		if (a->hard == b->hard || (r->memlock_alone && a->resource != RLIMIT_MEMLOCK))
			continue;
		done = change_limit(pid, process, a, b);
		*(b->hard < a->hard ? &r->lowered : &r->raised) += done > 0;
		r->denied = r->denied || (done == -EPERM && is_needed(r, a, b));
	}
	return false; // no signal is sent
}

// Also of those that are forked meanwhile. Who lowers its own again and again, or has it so when it is forked, wanted no more:
// a raise does not wait for it.
int change_limits(
	const struct ledger *l,
	const struct lease *lease,
	const struct grant *from,
	const struct grant *to,
	const struct host_limits *host,
	bool back,
	struct err *err
)
{
	struct raising r = {.grant = to, .memlock_alone = site_has(&lease->site, SITE_SPEC)};
	const int64_t limit = clock_ms() + LIMIT_MILLISECONDS;
	int done;

	if (site_has(&lease->site, SITE_HOST_FILES))
		return 0;
	r.n = plan_rlimits(from, host, 0, r.from);
	plan_rlimits(to, host, 0, r.to);
	do {
		r.raised = r.lowered = 0;
		done = cgroup_signal(l, lease, 0, set_limits, &r, limit, err);
		if (done < 0 && done != -ETIME)
			return done;
		if (r.denied && !back)
			return err_set(
				err,
				EPERM,
				"raise the limits that its processes have themselves: root has no "
				"CAP_SYS_RESOURCE here; stop it, and start it with the new ones"
			);
		if (done == 0 && r.raised == 0 && r.lowered == 0)
			return 0;
	} while (clock_ms() < limit);
	if (back || (done == 0 && r.lowered == 0))
		return 0;
	return err_set(
		err,
		EAGAIN,
		"it has or makes more processes than are given their limits in %d s; try again",
		LIMIT_MILLISECONDS / 1000
	);
}
