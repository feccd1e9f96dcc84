// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold grant start and stop, and what the owner of a grant who is not root does with it.

#include "keeper/keeper.h"
#include "apply/apply.h"
#include "base/options.h"
#include "base/scope.h"
#include "cli/cli.h"
#include "cli/grant.h"
#include "cli/request.h"

#include <ctype.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#define STOP_SECONDS 10
#define PS_SECONDS 2 // until a keeper answers

static int parse_number(const char *s, uint32_t *ret)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(s, &end, 10);
	if (!isdigit((unsigned char)s[0]) || *end != '\0' || errno != 0 || v >= UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)v;
	return 0;
}

// By name, or by number where one is given. Of /etc/passwd alone: pinfold is linked static, and what
// else may know users (NSS) is not.
static const struct passwd *find_user(const char *name, const uint32_t *uid)
{
	_cleanup_fclose_ FILE *f = fopen("/etc/passwd", "re");
	const struct passwd *pw = NULL;

	while (f != NULL && (pw = fgetpwent(f)) != NULL) {
		if (uid != NULL ? pw->pw_uid == *uid : str_eq(pw->pw_name, name))
			return pw;
	}
	return NULL;
}

int cli_parse_owner(const char *s, uint32_t *ret_uid, uint32_t *ret_gid, struct err *err)
{
	_cleanup_free_ char *copy = strdup(s);
	uint32_t uid = 0, gid = 0;
	const struct passwd *pw;
	char *group;

	if (copy == NULL)
		return err_oom(err);
	group = strchr(copy, ':');
	if (group != NULL)
		*group++ = '\0';
	pw = find_user(copy, parse_number(copy, &uid) == 0 ? &uid : NULL);
	if (pw == NULL && !isdigit((unsigned char)copy[0]))
		return err_set(
			err,
			ENOENT,
			"--owner '%s': there is no such user in /etc/passwd; say UID:GID",
			s
		);
	if (pw != NULL) {
		uid = pw->pw_uid;
		gid = pw->pw_gid;
	} else if (group == NULL) {
		return err_set(err, ENOENT, "--owner '%s': no such user is known; say UID:GID", s);
	}
	if (group != NULL && parse_number(group, &gid) < 0)
		return err_set(err, EINVAL, "--owner '%s': the group must be a number", s);
	if (uid == 0 || gid == 0)
		return err_set(
			err,
			EINVAL,
			"--owner '%s': root and its group need no keeper; name another user",
			s
		);
	*ret_uid = uid;
	*ret_gid = gid;
	return 0;
}

// ---- run, exec

int cli_keeper_run(const struct cli_start *cs)
{
	const struct launch *l = &cs->launch;
	char *volumes[LAUNCH_LISTS] = {NULL};
	struct keeper_request req = {
		.op = KEEPER_RUN,
		.argv = (char **)l->argv,
		.nenv = l->nenv,
		.nvolumes = l->nvolumes,
		.image = l->image,
		.user = l->user,
		.hostname = l->hostname,
		.interactive = l->interactive,
		.terminal = l->terminal,
		.detached = l->detached,
	};
	int status = STATUS_FAILED, r = 0;
	struct err err;

	memcpy(req.env, l->env, sizeof(req.env));
	for (unsigned i = 0; i < l->nvolumes; i++) {
		const struct launch_volume *v = &l->volumes[i];

		req.volumes[i] = volumes[i] =
			str_printf("%s:%s:%s", v->source, v->target, v->readonly ? "ro" : "rw");
		if (volumes[i] == NULL)
			r = err_oom(&err);
	}
	if (l->argv[0] == NULL)
		r = err_set(&err, EINVAL, "no program given; see pinfold run --help");
	if (r == 0)
		r = keeper_run(cs->definition, &req, &status, &err);
	for (unsigned i = 0; i < l->nvolumes; i++)
		free(volumes[i]);
	if (r < 0)
		cli_fail(&err);
	else if (l->detached && status == 0)
		puts(cs->definition);
	return status;
}

int cli_keeper_exec(const char *name, const struct launch *launch)
{
	struct keeper_request req = {
		.op = KEEPER_EXEC,
		.argv = (char **)launch->argv,
		.nenv = launch->nenv,
		.user = launch->user,
		.interactive = launch->interactive,
		.terminal = launch->terminal,
	};
	int status;
	struct err err;

	memcpy(req.env, launch->env, sizeof(req.env));
	if (keeper_run(name, &req, &status, &err) < 0)
		cli_fail(&err);
	return status;
}

json_t *cli_keeper_row(const char *name, struct err *err)
{
	const struct keeper_request req = {.op = KEEPER_PS};
	struct keeper_reply reply = {0};
	int r = keeper_ask(name, &req, PS_SECONDS, &reply, err);

	if (r == 0 && reply.row != NULL)
		return reply.row;
	// not in its own words, which would be taken for pinfold's
	if (r == 0 || err->code == EIO)
		err_set(err,
			EPROTO,
			"grant '%s': its keeper does not say what runs; try again, or as root: "
			"pinfold grant stop %s",
			name,
			name);
	return NULL;
}

// ---- grant start, grant stop

// The names that were given or, with --all, those of every grant with an owner.
struct names {
	bool all;
	unsigned n;
	char **list; // words of argv
};

static int parse_names(int argc, char **argv, struct names *ret, struct err *err)
{
	const struct option_row rows[] = {{"all", .flag = &ret->all}, {0}};

	if (cli_options(argc, argv, rows, NULL, err) < 0)
		return -err->code;
	ret->list = argv + optind;
	ret->n = (unsigned)(argc - optind);
	if (ret->all == (ret->n > 0))
		return err_set(err, EINVAL, "grant %s: name grants, or say --all", argv[0]);
	if (geteuid() != 0)
		return err_set(err, EPERM, "grant %s needs root; use sudo", argv[0]);
	if (cli_host_tree != NULL)
		return err_set(err, EINVAL, "grant %s works on this machine only", argv[0]);
	return 0;
}

struct owned {
	const struct ledger *l;
	bool live; // those whose keeper runs, else those without one
	unsigned n;
	char (*list)[NAME_MAX_LEN + 1];
};

static int add_owned(const struct grant *g, void *arg, struct err *err)
{
	struct owned *o = arg;
	struct lease lease;
	struct err unused;
	bool live = lease_exists(o->l, g->name);
	void *more;

	// one that is draining has no keeper any more, and why it cannot have one is to be said
	if (live && lease_read(o->l, g->name, &lease, &unused) == 0)
		live = !lease.draining;
	if (g->owner_uid == 0 || live != o->live)
		return 0;
	more = realloc(o->list, (o->n + 1) * sizeof(*o->list));
	if (more == NULL)
		return err_oom(err);
	o->list = more;
	strcpy(o->list[o->n++], g->name);
	return 0;
}

typedef int (*name_fn)(struct ledger *l, const char *name, struct err *err);

static int start_one(struct ledger *l, const char *name, struct err *err)
{
	(void)l;
	return keeper_start(name, err);
}

static int stop_one(struct ledger *l, const char *name, struct err *err)
{
	struct lease lease;
	int r = lease_read(l, name, &lease, err);

	if (r == -ENOENT || (r == 0 && lease.site.place != PLACE_KEEPER))
		return err_set(
			err,
			ENOENT,
			"grant '%s' has no keeper; pinfold ps lists those that run",
			name
		);
	return r < 0 ? r : stop_workload(l, name, STOP_SECONDS, err);
}

// For each; goes on after a failure, which it prints.
static int each(int argc, char **argv, name_fn fn, bool live)
{
	struct names names = {0};
	struct owned owned = {.live = live};
	struct hostfs fs;
	struct ledger l;
	struct err err;
	int r = 0, status = STATUS_OK;

	if (parse_names(argc, argv, &names, &err) < 0 || cli_open_real(true, &fs, &l, &err) < 0)
		return cli_fail(&err);
	owned.l = &l;
	// what died is no keeper: else start --all would pass over it
	r = ledger_lock(&l, &err);
	if (r == 0)
		gc_leases(&l, NULL, &err);
	ledger_unlock(&l);
	if (r == 0 && names.all)
		r = definition_each(&l, add_owned, &owned, &err);
	if (r < 0)
		status = cli_fail(&err);
	for (unsigned i = 0; r == 0 && i < (names.all ? owned.n : names.n); i++) {
		if (fn(&l, names.all ? owned.list[i] : names.list[i], &err) < 0)
			status = cli_fail(&err);
	}
	free(owned.list);
	cli_close_real(&fs, &l);
	return status;
}

int cmd_grant_start(int argc, char **argv)
{
	return each(argc, argv, start_one, false);
}

int cmd_grant_stop(int argc, char **argv)
{
	return each(argc, argv, stop_one, true);
}
