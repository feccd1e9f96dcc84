// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "apply/apply.h"
#include "base/clock.h"
#include "base/scope.h"
#include "run/run.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define TICK_MILLISECONDS 5
#define STOP_TRIES 4
#define KILL_MILLISECONDS 5000
// For the kernel to take apart what they had: seconds for each GiB of small things, on the one CPU of a grant.
#define DIE_MILLISECONDS 25000
#define UNDO_SECONDS 10 // for the supervisor to take everything back
// For peers to see that it has ended, and to give back what they have of it.
#define DRAIN_MILLISECONDS 500

struct told {
	bool first; // only the first process, an init, is told
	bool ours;  // and that is pinfold's own, which hands it to the program
	unsigned n;
};

// Whether it is one that is to be told. The workload's own first process: of a container its init, which keeps signals for
// its program; as long as that is the runtime still, the kernel throws away what would end it. On the bare host every process.
static bool is_meant(int pid, int process, void *arg)
{
	struct told *told = arg;
	unsigned outer, inner = 0;
	char path[64], line[256], name[32] = "";
	_cleanup_fclose_ FILE *f = NULL;

	(void)process; // another's answer is no harm: the signal goes to the descriptor
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		sscanf(line, "Name: %31s", name);
		// "NSpid: 4711 1": pid 1 in its own namespace
		sscanf(line, "NSpid: %u %u", &outer, &inner);
	}
	if (told->first && inner != 1)
		return false;
	if (told->ours && !str_eq(name, INSIDE_NAME))
		return false;
	told->n++;
	return true;
}

// Another one may have its name by now.
static bool gone(const struct ledger *l, const struct lease *lease)
{
	struct lease now;
	struct err unused;
	int r = lease_read(l, lease->grant.name, &now, &unused);

	return r == -ENOENT || (r == 0 && !lease_same_run(lease, &now));
}

// What cannot be counted is not empty: it is killed when the time is over, which says why it cannot.
static bool empty(const struct ledger *l, const struct lease *lease)
{
	struct err unused;
	unsigned n;

	return cgroup_count(&l->fs, lease, true, &n, &unused) == 0 && n == 0;
}

// Asks the workload to end, kills it, and leaves the rest to its supervisor, if it has one.
static int end_workload(
	const struct ledger *l, const struct lease *lease, unsigned seconds, struct err *err
)
{
	struct told told = {
		.first = !site_has(&lease->site, SITE_HOST_FILES),
		.ours = site_has(&lease->site, SITE_CONTAINER),
	};
	struct offline o;
	int64_t limit, start = clock_ms() + UNDO_SECONDS * 1000;
	int r;

	// frozen it cannot do what SIGTERM asks for, and would do it elsewhere than it may if it were thawed
	offline_look(&l->fs, lease, &o);
	limit = clock_ms() + (o.frozen ? 0 : seconds * 1000L);
	do {
		// it may be about to start
		if (told.n == 0
		    && cgroup_signal(l, lease, SIGTERM, is_meant, &told, INT64_MAX, err) < 0)
			return -err->code;
		if (gone(l, lease))
			return 0;
		nap_ms(TICK_MILLISECONDS);
	} while (clock_ms() < limit
		 && (!empty(l, lease)
		     || (told.n == 0 && clock_ms() < start && lease_supervised(l, lease))));
	if (gone(l, lease))
		return 0;
	r = cgroup_kill(l, lease, false, KILL_MILLISECONDS, err);
	if (r == -EBUSY)
		r = cgroup_kill(l, lease, false, DIE_MILLISECONDS, err);
	if (r < 0)
		return r;
	limit = clock_ms() + UNDO_SECONDS * 1000;
	while (clock_ms() < limit && !gone(l, lease) && lease_supervised(l, lease)) {
		struct err ignored;

		// it may have been about to start the container when we looked
		cgroup_kill(l, lease, false, 0, &ignored);
		nap_ms(TICK_MILLISECONDS);
	}
	return 0;
}

// Its supervisor is dead, does not get on (stopped, traced), or left it draining.
static int end_now(struct ledger *l, const struct lease *lease, bool *waits, struct err *err)
{
	int r = ledger_lock(l, err);

	if (r < 0) {
		*waits = false;
		return r;
	}
	r = lease_end(l, lease, waits, err);
	ledger_unlock(l);
	return r;
}

int lease_end_soon(struct ledger *l, const struct lease *lease, bool *waits, struct err *err)
{
	int64_t limit = clock_ms() + DRAIN_MILLISECONDS;
	bool wanted = waits != NULL && *waits, left;
	int r;

	while (left = wanted, (r = end_now(l, lease, &left, err)) > 0 && clock_ms() < limit)
		nap_ms(TICK_MILLISECONDS);
	if (waits != NULL)
		*waits = left;
	return r;
}

// Its supervisor does not start it again. It may be waiting to do so by now, or have done it, which *lease then says.
static int mark_stopped(struct ledger *l, struct lease *lease, struct err *err)
{
	struct lease now;
	int r = ledger_lock(l, err);

	if (r < 0)
		return r;
	r = lease_read(l, lease->grant.name, &now, err);
	if (r == 0 && lease_same_supervisor(lease, &now)) {
		if (now.again == LEASE_AGAIN) {
			struct lease marked = now;

			marked.again = LEASE_STOPPED;
			r = lease_write(l, &marked, err);
			// without room for that its supervisor is told itself
			if (r == 0)
				now = marked;
			else if (restart_tell(l, &now))
				r = 0;
		}
		*lease = now;
	}
	ledger_unlock(l);
	return r == -ENOENT ? 0 : r;
}

// One run, or one pause.
static int stop_once(struct ledger *l, const struct lease *which, unsigned seconds, struct err *err)
{
	struct lease lease = *which;
	int r;

	if (lease.again == LEASE_AGAIN && mark_stopped(l, &lease, err) < 0)
		return -err->code;
	if (lease.again == LEASE_WAITING || (lease.again != LEASE_ONCE && lease.draining))
		return restart_stop(l, &lease, err);
	// of another boot nothing runs any more
	if (lease_of_this_boot(l, &lease) && end_workload(l, &lease, seconds, err) < 0)
		return -err->code;
	if (gone(l, &lease))
		return 0;
	if (lease.again != LEASE_ONCE && lease_supervised(l, &lease))
		return restart_stop(l, &lease, err);
	if (!lease_supervised(l, &lease))
		lease_note_unseen(l, &lease, "it was stopped, its supervisor being gone");
	r = lease_end_soon(l, &lease, NULL, err);
	return r > 0 ? -err->code : r;
}

int stop_workload(struct ledger *l, const char *name, unsigned seconds, struct err *err)
{
	struct lease lease, now;
	int r = lease_read(l, name, &lease, err);

	if (r == -ENOENT)
		return err_set(err, ENOENT, "'%s' does not run; see pinfold ps", name);
	// a supervisor that begins the next run meanwhile is told again
	for (unsigned tries = 0; r == 0 && tries < STOP_TRIES; tries++) {
		r = stop_once(l, &lease, seconds, err);
		if (r < 0 || lease.again == LEASE_ONCE)
			return r;
		r = lease_read(l, name, &now, err);
		if (r == -ENOENT || (r == 0 && !lease_same_supervisor(&lease, &now)))
			return 0;
		lease = now;
	}
	if (r < 0)
		return r;
	return err_set(err, EBUSY, "'%s' is started again and again; stop it once more", name);
}
