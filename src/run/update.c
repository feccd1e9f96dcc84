// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Other limits for a grant that is in use, and for its definition.

#include "apply/apply.h"
#include "base/scope.h"
#include "run/run.h"

#include <string.h>

static int check(const struct grant *g, const struct update *u, struct err *err)
{
	for (unsigned i = 0; i < u->noptions; i++) {
		if (change_check_option(g, u->options[i].name, u->options[i].value, err) < 0)
			return -err->code;
	}
	return 0;
}

static bool has_runtime(const struct lease *lease)
{
	return site_has(&lease->site, SITE_CONTAINER) && lease->again != LEASE_WAITING;
}

// What of those that could change does not where it runs.
static int check_lease(
	const struct ledger *l,
	const struct lease *lease,
	const struct grant_change *c,
	struct err *err
)
{
	const char *name = lease->grant.name;

	if (lease_drains(l, lease, err) < 0)
		return -err->code;
	if (lease->site.place == PLACE_KEEPER)
		return err_set(
			err,
			EBUSY,
			"update '%s': its keeper has read the grant, and starts all in it; pinfold "
			"grant stop %s, update it, and pinfold grant start %s",
			name,
			name,
			name
		);
	if (!site_has(&lease->site, SITE_LEASE))
		return err_set(
			err,
			EBUSY,
			"update '%s': its limits are its engine's, not a grant's; ask that one, as "
			"with docker update",
			name
		);
	if (c->memory != 0 && c->memory != lease->grant.memory
	    && site_has(&lease->site, SITE_GUEST))
		return err_set(
			err,
			EBUSY,
			"update '%s': --memory stays while it runs: it is what its guest was "
			"booted "
			"with; stop it and start it with another",
			name
		);
	if (!lease_of_this_boot(l, lease))
		return err_set(
			err,
			EBUSY,
			"update '%s': it ended with the machine's boot; pinfold gc",
			name
		);
	// what starts it has the former ones in hand
	if (has_runtime(lease) && !exec_wait_for_runtime(lease, 0))
		return err_set(
			err, EAGAIN, "update '%s': it starts or ends just now; try again", name
		);
	return 0;
}

// An earlier one that this one says nothing of, and that could not be taken back: the lease would say what is not so.
static bool leaves_earlier(const struct lease *lease, const struct grant_change *c)
{
	const struct grant *g = &lease->grant;
	const struct grant has = change_of(g, &lease->updating);

	return (has.memory != g->memory && c->memory == 0) || (has.pids != g->pids && c->pids == 0);
}

// What it was is on disk before it is anything else.
static int change_lease(
	const struct ledger *l,
	const struct lease *lease,
	const struct grant_change *c,
	const struct host *host,
	struct err *err
)
{
	const struct grant to = change_of(&lease->grant, c);
	struct lease now = *lease;
	struct err unused;
	int r;

	if (leaves_earlier(lease, c) && change_take_back(l, lease, err) < 0)
		return err_wrap(
			err,
			"update '%s': an earlier update is to be taken back first",
			lease->grant.name
		);
	if (change_check_use(&l->fs, lease, c, err) < 0)
		return -err->code;
	now.updating = (struct grant_change){to.memory, to.pids};
	r = lease_write(l, &now, err);
	if (r < 0)
		return r;
	r = change_carry_out(l, &now, host, err);
	if (r == 0) {
		struct lease then = *lease;

		then.grant = to;
		then.updating = (struct grant_change){0};
		r = lease_write(l, &then, err);
	}
	if (r < 0) {
		err_wrap(err, "update '%s'", lease->grant.name);
		change_take_back(l, &now, &unused); // what is left of it pinfold gc says
	}
	return r;
}

static int change_definition(
	const struct ledger *l,
	const struct grant *g,
	const struct grant_change *c,
	const struct host *host,
	struct err *err
)
{
	const struct grant to = change_of(g, c);

	return change_check(g, c, host, err) < 0 ? -err->code : definition_write(l, &to, err);
}

static int change_live(
	const struct ledger *l,
	const struct lease *lease,
	const struct update *u,
	const struct host *host,
	bool *ret_stale,
	struct err *err
)
{
	int r;

	if (check(&lease->grant, u, err) < 0 || check_lease(l, lease, &u->change, err) < 0
	    || change_check(&lease->grant, &u->change, host, err) < 0
	    || plan_change_enforceable(&lease->grant, &u->change, host, err) < 0)
		return -err->code;
	r = change_lease(l, lease, &u->change, host, err);
	*ret_stale = r == 0 && site_has(&lease->site, SITE_SPEC);
	return r;
}

static int update_locked(
	const struct ledger *l,
	const char *name,
	const struct update *u,
	bool *ret_stale,
	struct err *err
)
{
	struct host host = {0};
	struct lease lease;
	struct grant g;
	bool live = true;
	int r = lease_read(l, name, &lease, err);

	if (r == -ENOENT) {
		live = false;
		r = definition_read(l, name, &g, err);
	}
	if (r == -ENOENT)
		return err_set(
			err,
			ENOENT,
			"update '%s': there is no such workload or grant; see pinfold ps and "
			"pinfold "
			"grant list",
			name
		);
	if (r == 0 && live)
		g = lease.grant;
	if (r == 0)
		r = host_read(&l->fs, g.nnics > 0 || g.nnetdevs > 0 ? HOST_PCI : 0, &host, err);
	if (r == 0 && live)
		r = change_live(l, &lease, u, &host, ret_stale, err);
	else if (r == 0)
		r = check(&g, u, err) < 0 ? -err->code
					  : change_definition(l, &g, &u->change, &host, err);
	host_done(&host);
	return r;
}

int update_grant(
	struct ledger *l, const char *name, const struct update *u, bool *ret_stale, struct err *err
)
{
	struct lease lease;
	struct err unused;
	int r;

	// without the lock, which the start may want
	if (lease_read(l, name, &lease, &unused) == 0 && has_runtime(&lease))
		exec_wait_for_runtime(&lease, RUNTIME_MILLISECONDS);
	r = ledger_lock(l, err);
	if (r < 0)
		return r;
	// one that was killed half way is taken back first
	gc_leases(l, NULL, &unused);
	*ret_stale = false;
	r = update_locked(l, name, u, ret_stale, err);
	ledger_unlock(l);
	return r;
}
