// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold grant: definitions that outlive a reboot.

#include "apply/apply.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/size.h"
#include "cli/cli.h"
#include "cli/request.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
	"Usage: pinfold grant create --name NAME [--pool] [--count N] [GRANT FLAG...]\n"
	"       pinfold grant list [--json]\n"
	"       pinfold grant show [--json] NAME\n"
	"       pinfold grant remove NAME...\n\n"
	"Named grants are kept in " ETC_DIR
	"/grants.d and hold what they name until they are removed.\n"
	"  --pool                  CPUs that several grants may share (--shared-cpus)\n"
	"  --count N               N equal grants, NAME-1 to NAME-N; all of them or none\n\n";

// The name of the n-th of several equal grants. False: it does not fit.
static bool slot_name(char to[NAME_MAX_LEN + 1], const char *base, unsigned n)
{
	return snprintf(to, NAME_MAX_LEN + 1, "%s-%u", base, n) <= NAME_MAX_LEN;
}

// A definition made with --count is all or none: what was written is taken back on failure.
static int create_all(
	struct ledger *l,
	const struct host *host,
	const struct request *req,
	unsigned count,
	struct err *err
)
{
	struct request one = *req;
	unsigned done = 0;
	struct err e;
	int r = 0;

	for (; r == 0 && done < count; done++) {
		struct holdings others = {0};
		struct grant g;

		if (count > 1 && !slot_name(one.name, req->name, done + 1)) {
			r = err_set(err, EINVAL, "name '%s' is too long for --count", req->name);
			break;
		}
		r = ledger_holdings(l, NULL, &others, err);
		if (r == 0)
			r = grant_resolve(&one, host, &others, &g, err);
		if (r == 0)
			r = definition_write(l, &g, err);
		holdings_done(&others);
		if (r < 0) {
			if (count > 1)
				err_wrap(err, "grant %u of %u", done + 1, count);
			break;
		}
		if (count == 1)
			puts(g.name);
	}
	for (unsigned i = 0; r < 0 && i < done; i++) {
		if (slot_name(one.name, req->name, i + 1))
			definition_remove(l, one.name, &e);
	}
	for (unsigned i = 0; r == 0 && count > 1 && i < count; i++)
		printf("%s-%u\n", req->name, i + 1);
	return r;
}

static int parse_create(
	int argc, char **argv, struct request *req, unsigned *count, struct err *err
)
{
	struct option longs[32] = {
		{"pool", no_argument, NULL, 'p'},
		{"count", required_argument, NULL, 'n'},
		{"from", required_argument, NULL, 'f'},
	};
	bool any = false;
	int c;

	cli_request_options(longs + 3, ARRAY_LEN(longs) - 4);
	optind = 0;
	while ((c = cli_getopt(argc, argv, "", longs, err)) != -1) {
		if (c == '?')
			return -err->code;
		if (c == 'p') {
			req->kind = GRANT_POOL;
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
	if (*count > 1 && !idset_empty(&req->cpus))
		return err_set(err, EINVAL, "grant create --count: say --cpu-count N, not --cpus");
	return 0;
}

static int create(int argc, char **argv)
{
	struct request req = {0};
	struct host host = {0};
	struct ledger l;
	struct hostfs fs;
	unsigned count = 1;
	struct err err;
	int r;

	if (parse_create(argc, argv, &req, &count, &err) < 0 || cli_open_host(&fs, &err) < 0)
		return cli_fail(&err);
	r = host_read(&fs, HOST_PCI, &host, &err);
	if (r == 0)
		r = ledger_open(&fs, true, &l, &err);
	if (r == 0) {
		r = ledger_lock(&l, &err);
		if (r == 0) // what cannot be collected keeps what it holds
			gc_leases(&l, NULL, &err);
		if (r == 0)
			r = create_all(&l, &host, &req, count, &err);
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
		if (r == 0)
			cli_print_rows(ls.rows, keys, ls.json);
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

static int remove_one(struct ledger *l, const char *name, struct err *err)
{
	struct pool_user p = {.pool = name};
	struct grant g;

	if (definition_read(l, name, &g, err) < 0)
		return err->code == ENOENT ? err_set(
			       err,
			       ENOENT,
			       "grant '%s' does not exist; see pinfold grant list",
			       name
		       )
					   : -err->code;
	if (lease_exists(l, name))
		return err_set(
			err,
			EBUSY,
			"grant '%s' is in use; stop it first: pinfold stop %s",
			name,
			name
		);
	if (definition_each(l, uses_pool, &p, err) < 0
	    || lease_each(l, lease_uses_pool, &p, err) < 0)
		return -err->code;
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
	static const char *const names[] = {"create", "list", "show", "remove", NULL};
	static int (*const fns[])(int, char **) = {create, list, show, remove_grants};
	const char *near;
	struct err err;

	if (argc < 2) {
		err_set(&err, EINVAL, "grant: say create, list, show or remove");
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
		near != NULL ? "did you mean " : "say create, list, show or remove",
		near != NULL ? near : "");
	return cli_fail(&err);
}
