// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold grant: definitions that outlive a reboot.

#include "apply/apply.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/size.h"
#include "cli/cli.h"
#include "cli/request.h"
#include "keeper/keeper.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
	"Usage: pinfold grant create --name NAME [--pool] [--count N] [GRANT FLAG...]\n"
	"       pinfold grant start NAME...|--all\n"
	"       pinfold grant stop NAME...|--all\n"
	"       pinfold grant list [--json]\n"
	"       pinfold grant show [--json] NAME\n"
	"       pinfold grant remove NAME...\n\n"
	"Named grants are kept in " ETC_DIR
	"/grants.d and hold what they name until they are removed.\n"
	"  --pool                  CPUs that several grants may share (--shared-cpus)\n"
	"  --count N               N equal grants, NAME-1 to NAME-N; all of them or none\n"
	"  --owner USER[:GID]      that user may run programs in it, without root, through a\n"
	"                          keeper: create starts it, and after a reboot start does\n\n";

// The name of the n-th of several equal grants. False: it does not fit.
static bool slot_name(char to[NAME_MAX_LEN + 1], const char *base, unsigned n)
{
	char name[NAME_MAX_LEN + 16];
	int len = snprintf(name, sizeof(name), "%.*s-%u", NAME_MAX_LEN, base, n);

	if (len > NAME_MAX_LEN)
		return false;
	memcpy(to, name, (size_t)len + 1);
	return true;
}

// The name of the i-th grant of those that the request makes; it fits, or create_all has said so.
static void name_of(
	char to[NAME_MAX_LEN + 1], const struct request *req, unsigned count, unsigned i
)
{
	if (count == 1 || !slot_name(to, req->name, i + 1))
		strcpy(to, req->name);
}

// Notes the names of all on disk, but for those that are there already: they stay, and are refused.
static int note_names(
	const struct ledger *l, const struct request *req, unsigned count, struct err *err
)
{
	_cleanup_json_ json_t *names = json_array();
	char name[NAME_MAX_LEN + 1];

	for (unsigned i = 1; i <= count; i++) {
		if (!slot_name(name, req->name, i))
			return err_set(err, EINVAL, "name '%s' is too long for --count", req->name);
		if (!definition_exists(l, name))
			json_array_append_new(names, json_string(name));
	}
	return definitions_begin(l, names, err);
}

// Definitions made with --count are all or none, also when this process is killed.
static int create_all(
	struct ledger *l,
	const struct host *host,
	const struct request *req,
	unsigned count,
	const uint32_t owner[2],
	struct err *err
)
{
	struct request one = *req;
	struct err unused;
	int r = count > 1 ? note_names(l, req, count, err) : 0;

	for (unsigned i = 0; r == 0 && i < count; i++) {
		struct holdings others = {0};
		struct grant g;

		name_of(one.name, req, count, i);
		r = ledger_holdings(l, NULL, &others, err);
		if (r == 0)
			r = grant_resolve(&one, host, &others, &g, err);
		if (r == 0) {
			g.owner_uid = owner[0];
			g.owner_gid = owner[1];
			r = definition_write(l, &g, err);
		}
		holdings_done(&others);
		if (r < 0 && count > 1)
			err_wrap(err, "grant %u of %u", i + 1, count);
	}
	if (r == 0 && count > 1)
		r = definitions_commit(l, err);
	if (r < 0)
		definitions_cancel(l, &unused);
	return r;
}

static int parse_create(
	int argc,
	char **argv,
	struct request *req,
	unsigned *count,
	uint32_t owner[2],
	struct err *err
)
{
	struct option longs[32] = {
		{"pool", no_argument, NULL, 'p'},
		{"count", required_argument, NULL, 'n'},
		{"from", required_argument, NULL, 'f'},
		{"owner", required_argument, NULL, 'o'},
	};
	bool any = false;
	int c;

	cli_request_options(longs + 4, ARRAY_LEN(longs) - 5);
	optind = 0;
	while ((c = cli_getopt(argc, argv, "", longs, err)) != -1) {
		if (c == '?')
			return -err->code;
		if (c == 'p') {
			req->kind = GRANT_POOL;
		} else if (c == 'o') {
			if (cli_parse_owner(optarg, &owner[0], &owner[1], err) < 0)
				return -err->code;
			continue; // no flag of the request
		} else if (c == 'n') {
			char *end;
			unsigned long n = strtoul(optarg, &end, 10);

			if (*end != '\0' || n == 0 || n > 4096)
				return err_set(
					err, EINVAL, "--count '%s': a number from 1 to 4096", optarg
				);
			*count = (unsigned)n;
		} else if (c == 'f') {
			if (any)
				return err_set(
					err,
					EINVAL,
					"--from must come before the flags that add to it"
				);
			if (cli_read_request(optarg, req, err) < 0)
				return -err->code;
		} else if (cli_set_flag(req, c - CLI_REQUEST_FLAG, optarg, err) < 0) {
			return -err->code;
		}
		any = true;
	}
	if (optind < argc)
		return err_set(err, EINVAL, "grant create: '%s' is no option", argv[optind]);
	if (req->name[0] == '\0')
		return err_set(err, EINVAL, "grant create: say --name NAME");
	if (owner[0] != 0 && req->kind == GRANT_POOL)
		return err_set(err, EINVAL, "grant create: a pool runs nothing, it has no owner");
	if (*count > 1 && !idset_empty(&req->cpus))
		return err_set(err, EINVAL, "grant create --count: say --cpu-count N, not --cpus");
	return 0;
}

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

	return lease_read(l, name, &lease, &unused) == 0 && lease.place == LEASE_KEEPER;
}

// The lock is held, as for any undo; nothing that the owner does can make this wait longer.
static int stop_keeper(struct ledger *l, const char *name, struct err *err)
{
	struct lease lease;

	if (lease_read(l, name, &lease, err) < 0 || undo_lease(l, &lease, err) < 0)
		return -err->code;
	return lease_remove(l, name, err);
}

static int remove_one(struct ledger *l, const char *name, struct err *err)
{
	struct pool_user p = {.pool = name};
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

// The keepers, and the names for the caller. All or none: the ledger is not locked, each keeper locks it
// for itself.
static int start_all(
	struct ledger *l, const struct request *req, unsigned count, bool owned, struct err *err
)
{
	char name[NAME_MAX_LEN + 1];
	struct err unused;
	unsigned done;
	int r = 0;

	for (done = 0; owned && r == 0 && done < count; done++) {
		name_of(name, req, count, done);
		r = keeper_start(name, err);
	}
	if (r < 0 && ledger_lock(l, &unused) == 0) {
		for (unsigned i = 0; i < count; i++) {
			name_of(name, req, count, i);
			remove_one(l, name, &unused);
		}
		ledger_unlock(l);
	}
	for (unsigned i = 0; r == 0 && i < count; i++) {
		name_of(name, req, count, i);
		puts(name);
	}
	return r;
}

static int create(int argc, char **argv)
{
	struct request req = {0};
	struct host host = {0};
	struct ledger l;
	struct hostfs fs;
	uint32_t owner[2] = {0};
	unsigned count = 1;
	struct err err;
	int r;

	if (parse_create(argc, argv, &req, &count, owner, &err) < 0 || cli_open_host(&fs, &err) < 0)
		return cli_fail(&err);
	r = host_read(&fs, HOST_PCI, &host, &err);
	if (r == 0)
		r = ledger_open(&fs, true, &l, &err);
	if (r == 0) {
		r = ledger_lock(&l, &err);
		if (r == 0) // what cannot be collected keeps what it holds
			gc_leases(&l, NULL, &err);
		if (r == 0)
			r = create_all(&l, &host, &req, count, owner, &err);
		ledger_unlock(&l);
		if (r == 0)
			r = start_all(&l, &req, count, owner[0] != 0, &err);
		ledger_close(&l);
	}
	host_done(&host);
	hostfs_close(&fs);
	return r < 0 ? cli_fail(&err) : CLI_OK;
}

// A row for people; the same data as the document, flattened.
static json_t *row_of(const struct grant *g, bool live)
{
	json_t *row = grant_to_json(g);
	char text[512] = "", size[SIZE_STR];
	size_t n = 0;

	for (unsigned i = 0; i < g->nhugepages && n < sizeof(text); i++)
		n += (size_t)snprintf(
			text + n,
			sizeof(text) - n,
			"%s%s=%llu@%d%s",
			i > 0 ? " " : "",
			size_format(g->hugepages[i].size, size),
			(unsigned long long)g->hugepages[i].count,
			g->hugepages[i].node,
			g->hugepages[i].anon ? ",anon" : ""
		);
	json_object_set_new(row, "pages", json_string(text));
	json_object_set_new(row, "nic_count", json_integer(g->nnics));
	json_object_set_new(row, "in_use", json_boolean(live));
	return row;
}

struct listing {
	const struct ledger *l;
	json_t *rows;
	bool json;
};

static int list_one(const struct grant *g, void *arg, struct err *err)
{
	struct listing *ls = arg;
	json_t *row = ls->json ? grant_to_json(g) : row_of(g, lease_exists(ls->l, g->name));

	(void)err;
	if (ls->json)
		json_object_set_new(row, "in-use", json_boolean(lease_exists(ls->l, g->name)));
	json_array_append_new(ls->rows, row);
	return 0;
}

static int want_json(int argc, char **argv, bool *json, struct err *err)
{
	static const struct option longs[] = {{"json", no_argument, NULL, 'j'}, {0}};
	int c;

	optind = 0;
	while ((c = cli_getopt(argc, argv, "", longs, err)) != -1) {
		if (c != 'j')
			return -err->code;
		*json = true;
	}
	return 0;
}

static int open_ledger(struct hostfs *fs, bool write, struct ledger *l, struct err *err)
{
	if (cli_open_host(fs, err) < 0)
		return -err->code;
	if (ledger_open(fs, write, l, err) < 0) {
		hostfs_close(fs);
		return -err->code;
	}
	return 0;
}

static int list(int argc, char **argv)
{
	static const char *const keys[] = {
		"name",
		"kind",
		"cpus",
		"shared-pool",
		"mems",
		"pages",
		"memory",
		"nic_count",
		"in_use",
		NULL,
	};
	struct listing ls = {.rows = json_array()};
	struct hostfs fs;
	struct ledger l;
	struct err err;
	int r = want_json(argc, argv, &ls.json, &err);

	if (r == 0 && optind < argc)
		r = err_set(&err, EINVAL, "grant list: '%s' is no option", argv[optind]);
	if (r == 0)
		r = open_ledger(&fs, false, &l, &err);
	if (r == 0) {
		ls.l = &l;
		r = definition_each(&l, list_one, &ls, &err);
		cli_print_rows(ls.rows, keys, ls.json); // the readable ones in any case
		ledger_close(&l);
		hostfs_close(&fs);
	}
	json_decref(ls.rows);
	return r < 0 ? cli_fail(&err) : CLI_OK;
}

static int show(int argc, char **argv)
{
	_cleanup_json_ json_t *doc = NULL;
	struct hostfs fs;
	struct ledger l;
	struct grant g;
	bool json = false; // the document is the text: one form for both
	struct err err;
	int r = want_json(argc, argv, &json, &err);

	if (r == 0 && argc - optind != 1)
		r = err_set(&err, EINVAL, "grant show: name one grant");
	if (r == 0)
		r = open_ledger(&fs, false, &l, &err);
	if (r == 0) {
		r = definition_read(&l, argv[optind], &g, &err);
		if (r == 0) {
			doc = grant_to_json(&g);
			cli_print_json(doc);
		}
		ledger_close(&l);
		hostfs_close(&fs);
	}
	return r < 0 ? cli_fail(&err) : CLI_OK;
}

static int remove_grants(int argc, char **argv)
{
	struct hostfs fs;
	struct ledger l;
	struct err err;
	int r;

	if (argc < 2) {
		err_set(&err, EINVAL, "grant remove: name at least one grant");
		return cli_fail(&err);
	}
	r = open_ledger(&fs, true, &l, &err);
	if (r < 0)
		return cli_fail(&err);
	r = ledger_lock(&l, &err);
	if (r == 0)
		gc_leases(&l, NULL, &err);
	for (int i = 1; r == 0 && i < argc; i++)
		r = remove_one(&l, argv[i], &err);
	ledger_close(&l);
	hostfs_close(&fs);
	return r < 0 ? cli_fail(&err) : CLI_OK;
}

int cmd_grant(int argc, char **argv)
{
	static const char *const names[] = {
		"create", "start", "stop", "list", "show", "remove", NULL};
	static int (*const fns[])(int, char **) = {
		create, cmd_grant_start, cmd_grant_stop, list, show, remove_grants};
	const char *near;
	struct err err;

	if (argc < 2) {
		err_set(&err, EINVAL, "grant: say create, start, stop, list, show or remove");
		return cli_fail(&err);
	}
	for (int i = 1; i < argc; i++) {
		if (str_eq(argv[i], "--help") || str_eq(argv[i], "-h")) {
			printf("%s%s", help, cli_request_help);
			return CLI_OK;
		}
	}
	for (size_t i = 0; names[i] != NULL; i++) {
		if (str_eq(names[i], argv[1]))
			return fns[i](argc - 1, argv + 1);
	}
	near = str_nearest(argv[1], names);
	err_set(&err,
		EINVAL,
		"grant: unknown command '%s'; %s%s",
		argv[1],
		near != NULL ? "did you mean " : "say create, start, stop, list, show or remove",
		near != NULL ? near : "");
	return cli_fail(&err);
}
