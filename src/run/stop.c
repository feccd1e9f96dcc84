// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "apply/apply.h"
#include "base/scope.h"
#include "run/run.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

#define TICK_MILLISECONDS 5
#define UNDO_SECONDS 10 // for the supervisor to take everything back

// The workload's own first process: of a container its init, which hands the signal to the program;
// on the bare host every process.
static void terminate(int pid, void *arg)
{
	const struct lease *lease = arg;
	char path[64], line[256];
	_cleanup_fclose_ FILE *f = NULL;
	bool init = false;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		unsigned outer, inner;

		// "NSpid: 4711 1": pid 1 in its own namespace
		if (sscanf(line, "NSpid: %u %u", &outer, &inner) == 2 && inner == 1)
			init = true;
	}
	if (lease->place == LEASE_HOST || init)
		kill(pid, SIGTERM);
}

static bool gone(const struct ledger *l, const char *name)
{
	return !lease_exists(l, name);
}

static void nap(void)
{
	const struct timespec t = {.tv_nsec = TICK_MILLISECONDS * 1000000L};

	nanosleep(&t, NULL);
}

static void count(int pid, void *arg)
{
	unsigned *n = arg;

	(void)pid;
	(*n)++;
}

static bool empty(const struct ledger *l, const struct lease *lease)
{
	unsigned n = 0;

	cgroup_each_pid(&l->fs, lease->cgroup, true, count, &n);
	return n == 0;
}

// The supervisor is still there, to take everything back. A pid may have become another program's.
static bool supervised(const struct lease *lease)
{
	char path[64], comm[32] = "";
	_cleanup_fclose_ FILE *f = NULL;

	snprintf(path, sizeof(path), "/proc/%d/comm", lease->supervisor);
	f = fopen(path, "re");
	return f != NULL && fgets(comm, sizeof(comm), f) != NULL && str_eq(comm, "pinfold\n");
}

// Not another one that was started under the same name meanwhile.
static bool same_run(const struct lease *a, const struct lease *b)
{
	return a->supervisor == b->supervisor && a->started == b->started;
}

int stop_workload(struct ledger *l, const char *name, unsigned seconds, struct err *err)
{
	struct lease lease, now;
	int r = lease_read(l, name, &lease, err);

	if (r == -ENOENT)
		return err_set(err, ENOENT, "'%s' does not run; see pinfold ps", name);
	if (r < 0)
		return r;
	cgroup_each_pid(&l->fs, lease.cgroup, true, terminate, &lease);
	for (unsigned waited = 0; waited < seconds * 1000 && !gone(l, name) && !empty(l, &lease);
	     waited += TICK_MILLISECONDS)
		nap();
	if (gone(l, name))
		return 0;
	if (cgroup_kill(&l->fs, &lease, false, 5000, err) < 0)
		return -err->code;
	// its supervisor takes everything back; if that is dead, we do, with a runtime it left behind
	for (unsigned waited = 0; waited < UNDO_SECONDS * 1000 && !gone(l, name);
	     waited += TICK_MILLISECONDS) {
		struct err ignored;

		if (!supervised(&lease))
			break;
		// it may have been about to start the container when we looked
		cgroup_kill(&l->fs, &lease, false, 0, &ignored);
		nap();
	}
	if (gone(l, name))
		return 0;
	if (ledger_lock(l, err) < 0)
		return -err->code;
	r = lease_read(l, name, &now, err);
	if (r == -ENOENT || (r == 0 && !same_run(&lease, &now)))
		r = 0;
	else if (r == 0) {
		// its supervisor is dead or does not get on (stopped, traced): it goes as well
		r = undo_lease(l, &now, err);
		if (r == 0)
			r = lease_remove(l, name, err);
	}
	ledger_unlock(l);
	return r;
}
