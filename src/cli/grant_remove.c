// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold grant remove: what is in use stays, but for the keeper of an owner.

#include "cli/grant.h"

#include "apply/apply.h"
#include "cli/cli.h"
#include "engine/engine.h"

#include <errno.h>
#include <string.h>

struct pool_user {
	const char *pool;
	char user[NAME_MAX_LEN + 1];
};

static int uses_pool(const struct grant *g, void *arg, struct err *err)
{
	struct pool_user *p = arg;

	(void)err;
	if (str_eq(g->shared_pool, p->pool))
		strcpy(p->user, g->name);
	return 0;
}

static int lease_uses_pool(const struct lease *lease, void *arg, struct err *err)
{
	return uses_pool(&lease->grant, arg, err);
}

// True if the lease of that name is a keeper's.
static bool kept(const struct ledger *l, const char *name)
{
	struct lease lease;
	struct err unused;

	return lease_read(l, name, &lease, &unused) == 0 && lease.site.place == PLACE_KEEPER;
}

// The lock is held, as for any undo; nothing that the owner does can make this wait longer.
static int stop_keeper(struct ledger *l, const char *name, struct err *err)
{
	struct lease lease;
	int r = lease_read(l, name, &lease, err);

	if (r == 0)
		r = lease_end(l, &lease, NULL, err);
	return r > 0 ? -err->code : r;
}

int grant_remove_one(struct ledger *l, const char *name, struct err *err)
{
	struct pool_user p = {.pool = name};
	struct lease lease;
	bool readable;
	struct grant g;

	if (name_check("a grant", name, err) < 0)
		return -err->code;
	if (!definition_exists(l, name))
		return err_set(
			err, ENOENT, "grant '%s' does not exist; see pinfold grant list", name
		);
	readable = definition_read(l, name, &g, err) == 0;
	// its owner's keeper, and all that it started, ends with the grant
	if (kept(l, name) && stop_keeper(l, name, err) < 0)
		return -err->code;
	if (lease_read(l, name, &lease, err) == 0 && lease_drains(l, &lease, err) < 0)
		return -err->code;
	if (lease_exists(l, name))
		return err_set(
			err,
			EBUSY,
			"grant '%s' is in use; stop it first: pinfold stop %s",
			name,
			name
		);
	// what cannot be read may use a pool; itself it may always be removed
	if (readable && g.kind == GRANT_POOL) {
		if (definition_each(l, uses_pool, &p, err) < 0
		    || lease_each(l, lease_uses_pool, &p, err) < 0)
			return -err->code;
	}
	if (p.user[0] != '\0')
		return err_set(
			err,
			EBUSY,
			"pool '%s' is used by '%s'; remove or stop that first",
			name,
			p.user
		);
	return definition_remove(l, name, err);
}

int cmd_grant_remove(int argc, char **argv)
{
	struct hostfs fs;
	struct ledger l;
	struct err err;
	int r;

	if (cli_names(argc, argv, &err) < 0)
		return cli_fail(&err);
	if (optind >= argc)
		return cli_refuse("grant remove: name at least one grant");
	r = cli_open_real(true, &fs, &l, &err);
	if (r < 0)
		return cli_fail(&err);
	r = ledger_lock(&l, &err);
	if (r == 0)
		gc_leases(&l, NULL, &err);
	for (int i = optind; r == 0 && i < argc; i++)
		r = grant_remove_one(&l, argv[i], &err);
	if (r == 0)
		r = cdi_refresh(&l, &err);
	cli_close_real(&fs, &l);
	return r < 0 ? cli_fail(&err) : STATUS_OK;
}
