// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Other limits for a workload that runs: those of its cgroup, those that its processes have themselves, what it
// is shown of them, and the definition that its next start has. Whoever is killed on the way leaves a lease that
// says what they were, and the next collection brings them back.

#include "apply/apply.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/size.h"
#include "base/status.h"
#include "base/wait.h"
#include "host/cgroup.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define RECLAIM_TRIES 3
#define SHOW_MILLISECONDS 3000
#define END_MILLISECONDS 1000
#define ENTER_TRIES 40 // of 5 ms, while a runtime starts another program in the workload

// ---- what is used

static const struct cgroup_control memory_used = {"memory.current", "memory.usage_in_bytes"};
static const struct cgroup_control pids_used = {"pids.current", "pids.current"};

static bool read_number(int box, const char *file, const char *key, uint64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	uint64_t v;

	if (fs_read_system(box, file, 1u << 20, &text, NULL) < 0)
		return false;
	v = host_cgroup_number(text, key);
	*ret = v;
	return v != HOST_CGROUP_NONE_SAID;
}

// The cache of files, which the kernel takes back first; a tmpfs has nothing behind it.
static uint64_t cache_in(int box)
{
	static const char *const keys[][2] = {{"file", "shmem"}, {"total_cache", "total_shmem"}};
	uint64_t files, shmem;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (read_number(box, "memory.stat", keys[i][0], &files)
		    && read_number(box, "memory.stat", keys[i][1], &shmem))
			return files > shmem ? files - shmem : 0;
	}
	return 0;
}

// On cgroup v2 a limit below what is used has the kernel kill: it is to free what it can before (Linux 5.19). On v1 it
// does so itself, and refuses then.
static uint64_t used_after_reclaim(int box, const char *file, uint64_t limit)
{
	uint64_t used = 0, cache;
	char amount[32];
	struct err unused;

	if (!read_number(box, file, NULL, &used) || used <= limit)
		return used;
	if (faccessat(box, "memory.reclaim", F_OK, 0) < 0) {
		cache = cache_in(box);
		return used > cache ? used - cache : 0;
	}
	for (int i = 0; used > limit && i < RECLAIM_TRIES; i++) {
		snprintf(amount, sizeof(amount), "%llu", (unsigned long long)(used - limit));
		fs_write_control(box, "memory.reclaim", amount, &unused);
		read_number(box, file, NULL, &used);
	}
	return used;
}

static int check_memory_use(
	const struct hostfs *fs,
	const char *group,
	const struct lease *lease,
	uint64_t limit,
	struct err *err
)
{
	const char *file;
	_cleanup_close_ int box = cgroup_open_box(fs, group, &memory_used, &file);
	uint64_t used = box >= 0 ? used_after_reclaim(box, file, limit) : 0;
	const uint64_t m = UINT64_C(1) << 20;
	char a[SIZE_STR], b[SIZE_STR];

	if (used <= limit)
		return 0;
	return err_set(
		err,
		EBUSY,
		"update '%s': it has %s of memory in use, which is more than %s; free some in it, "
		"or stop it first",
		lease->grant.name,
		size_format((used + m - 1) / m * m, a),
		size_format(limit, b)
	);
}

static int check_pids_use(
	const struct hostfs *fs,
	const char *group,
	const struct lease *lease,
	uint64_t limit,
	struct err *err
)
{
	// those that the grant does not count (plan/cgroup.c)
	uint64_t ours = lease->site.pids + (site_has(&lease->site, SITE_HOST_FILES) ? 0 : 1);
	const char *file;
	_cleanup_close_ int box = cgroup_open_box(fs, group, &pids_used, &file);
	uint64_t used = 0;

	if (box < 0 || !read_number(box, file, NULL, &used) || used <= limit + ours)
		return 0;
	return err_set(
		err,
		EBUSY,
		"update '%s': it has %llu processes and threads, which are more than %llu; end "
		"some of them, or stop it first",
		lease->grant.name,
		(unsigned long long)(used - ours),
		(unsigned long long)limit
	);
}

int change_check_use(
	const struct hostfs *fs,
	const struct lease *lease,
	const struct grant_change *c,
	struct err *err
)
{
	_cleanup_free_ char *group = plan_lease_cgroup(&lease->grant);

	if (group == NULL)
		return err_oom(err);
	if (c->memory != 0 && c->memory < lease->grant.memory
	    && check_memory_use(fs, group, lease, c->memory, err) < 0)
		return -err->code;
	if (c->pids != 0 && c->pids < lease->grant.pids
	    && check_pids_use(fs, group, lease, c->pids, err) < 0)
		return -err->code;
	return 0;
}

// ---- what it is shown

static bool has_fence_steps(const struct plan *p)
{
	for (unsigned i = 0; i < p->nsteps; i++) {
		if (p->steps[i].where == STEP_FENCE)
			return true;
	}
	return false;
}

static _Noreturn void show_in_fence(const struct plan *p, int mounts, int report)
{
	struct err err = {0};

	if (enter_fence(&p->lease, mounts, &err) < 0 || apply_steps(p, STEP_FENCE, &err) < 0) {
		if (write(report, &err, sizeof(err)) != (ssize_t)sizeof(err))
			_exit(STATUS_FAILED);
		_exit(STATUS_FAILED);
	}
	_exit(STATUS_OK);
}

// What it says until it ends: the ledger is locked meanwhile, and waits no longer than that.
static int hear(pid_t child, int from, struct err *err)
{
	struct pollfd p = {.fd = from, .events = POLLIN};
	int status = 0;
	struct err theirs;
	bool heard = poll(&p, 1, SHOW_MILLISECONDS) > 0;

	if (!heard)
		kill(child, SIGKILL);
	else if (read(from, &theirs, sizeof(theirs)) != (ssize_t)sizeof(theirs))
		err_set(&theirs, EIO, "show it in the workload: it ended without a word");
	if (!wait_for_end(child, &status, END_MILLISECONDS) || !heard)
		return err_set(
			err,
			ETIMEDOUT,
			"show it in the workload: it takes more than %d s; stop it, and start it "
			"with the new ones",
			SHOW_MILLISECONDS / 1000
		);
	if (status_of_wait(status) == STATUS_OK)
		return 0;
	*err = theirs;
	return -err->code;
}

// By a process that goes into its mount namespace. -EAGAIN: it found another there.
static int show_once(const struct hostfs *fs, const struct plan *p, struct err *err)
{
	_cleanup_close_ int mounts = enter_open(fs, &p->lease), from = -1, to = -1;
	int pair[2];
	pid_t child;

	// nobody is left who would see it
	if (mounts == -ESRCH)
		return 0;
	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_sys(err, errno, "make a pipe");
	from = pair[0];
	to = pair[1];
	child = fork();
	if (child < 0)
		return err_sys(err, errno, "start a process");
	if (child == 0)
		show_in_fence(p, mounts, to);
	scope_close(&to);
	to = -1;
	return hear(child, from, err);
}

static int show(const struct hostfs *fs, const struct plan *p, struct err *err)
{
	int r = 0;

	if (!has_fence_steps(p))
		return 0;
	for (int i = 0; i < ENTER_TRIES && (r = show_once(fs, p, err)) == -EAGAIN; i++)
		nap_ms(5);
	return r;
}

// ---- all of it

static int set_cgroup(const struct hostfs *fs, const struct plan *p, struct err *err)
{
	(void)fs;
	return apply_host(p, true, err);
}

// Plans the way from one to the other, and does this with the plan.
static int change(
	const struct ledger *l,
	const struct lease *lease,
	const struct grant *from,
	const struct grant *to,
	const struct host *host,
	int (*with)(const struct hostfs *, const struct plan *, struct err *),
	struct err *err
)
{
	struct lease now = *lease;
	struct plan p;
	int r;

	if (from->memory == to->memory && from->pids == to->pids)
		return 0;
	now.grant = *from;
	if (plan_change(&now, to, host, &l->fs, &p, err) < 0)
		return -err->code;
	r = with(&l->fs, &p, err);
	plan_done(&p);
	return r;
}

// One that was removed by hand, or never was, is none of this. back: one that cannot be read was not written either.
static int write_definition(
	const struct ledger *l,
	const struct lease *lease,
	const struct grant *values,
	bool back,
	struct err *err
)
{
	struct grant g;
	int r = lease->defined ? definition_read(l, values->name, &g, err) : -ENOENT;

	if (r == -ENOENT || (r == 0 && g.memory == values->memory && g.pids == values->pids))
		return 0;
	if (r < 0)
		return back ? 0 : r;
	g.memory = values->memory;
	g.pids = values->pids;
	return definition_write(l, &g, err);
}

// Less is the cgroup's first, more is its last, when nothing else can fail any more: the workload would use at once what
// was to be taken back.
static int carry_out(
	const struct ledger *l,
	const struct lease *lease,
	const struct grant *from,
	const struct grant *to,
	const struct host *host,
	bool back,
	struct err *err
)
{
	struct grant less = *to;
	struct err unused;
	int r, set;

	less.memory = from->memory < to->memory ? from->memory : to->memory;
	less.pids = from->pids < to->pids ? from->pids : to->pids;
	r = change(l, lease, from, &less, host, set_cgroup, err);
	if (r == 0 && lease->again != LEASE_WAITING)
		r = change_limits(l, lease, from, to, &host->limits, back, err);
	if (r == 0)
		r = change(l, lease, from, to, host, show, err);
	if (r == 0)
		r = write_definition(l, lease, to, back, err);
	if (r < 0 && !back)
		return r;
	// what was is the limit again, whatever else could not be taken back
	set = change(l, lease, &less, to, host, set_cgroup, r < 0 ? &unused : err);
	return r < 0 ? r : set;
}

int change_carry_out(
	const struct ledger *l, const struct lease *lease, const struct host *host, struct err *err
)
{
	const struct grant to = change_of(&lease->grant, &lease->updating);

	return carry_out(l, lease, &lease->grant, &to, host, false, err);
}

int change_take_back_definition(const struct ledger *l, const struct lease *lease, struct err *err)
{
	return change_is_one(&lease->updating)
		       ? write_definition(l, lease, &lease->grant, true, err)
		       : 0;
}

// Also where more than that is in use by now: to end that is what a limit is for.
int change_take_back(const struct ledger *l, const struct lease *lease, struct err *err)
{
	const struct grant from = change_of(&lease->grant, &lease->updating);
	const bool pci = from.nnics > 0 || from.nnetdevs > 0;
	struct lease former = *lease;
	struct host host = {0};
	int r;

	r = host_read(&l->fs, pci ? HOST_PCI : 0, &host, err);
	if (r == 0)
		r = carry_out(l, lease, &from, &lease->grant, &host, true, err);
	host_done(&host);
	if (r < 0)
		return r;
	former.updating = (struct grant_change){0};
	return lease_write(l, &former, err);
}
