// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold grant create: one definition or several equal ones, all or none.

#include "cli/grant.h"

#include "apply/apply.h"
#include "base/jread.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/size.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/host.h"
#include "cli/request.h"
#include "engine/engine.h"
#include "grant/choose.h"
#include "keeper/keeper.h"

#include <stdio.h>
#include <string.h>

struct wanted {
	struct cli_wanted;
	unsigned count;
	bool max, dry, json;
	struct grant reserve; // CPUs and memory that are left to the host
	uint32_t owner[2];
	unsigned claim_by;
};

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

// What others hold, and what is left to the host.
static int read_others(
	const struct ledger *l,
	const struct host *host,
	const struct wanted *w,
	struct holdings *ret,
	struct err *err
)
{
	struct grant reserve = w->reserve;
	int r = ledger_holdings(l, NULL, ret, err);

	strcpy(reserve.name, "--reserve");
	reserve.mems = host->nodes_with_memory;
	if (r == 0 && (!idset_empty(&reserve.cpus) || reserve.memory > 0))
		r = holdings_add(ret, &reserve, false, err);
	return r;
}

// As many as fit, each on one node.
static int count_all(
	const struct ledger *l, const struct host *host, struct wanted *w, struct err *err
)
{
	struct holdings others = {0};
	struct slots s = {0};
	int r = read_others(l, host, w, &others, err);

	if (r == 0)
		r = slots_fill(&w->request, host, &others, SLOTS_MAX, true, &s, err);
	holdings_done(&others);
	if (r == 0 && s.n == 0)
		r = err_set(err, s.why.code, "%s", s.why.msg);
	w->count = s.n;
	return r;
}

// Definitions made with --count are all or none, also when this process is killed.
static int create_all(
	struct ledger *l, const struct host *host, const struct wanted *w, struct err *err
)
{
	const struct request *req = &w->request;
	struct request one = *req;
	unsigned count = w->count;
	struct err unused;
	int r = count > 1 ? note_names(l, req, count, err) : 0;

	for (unsigned i = 0; r == 0 && i < count; i++) {
		struct holdings others = {0};
		struct grant g;

		name_of(one.name, req, count, i);
		r = read_others(l, host, w, &others, err);
		if (r == 0)
			r = grant_resolve(&one, host, &others, &g, err);
		if (r == 0 && (count > 1 || w->reserve.memory > 0))
			r = check_memory_beside(&g, host, &others, err);
		if (r == 0) {
			g.owner_uid = w->owner[0];
			g.owner_gid = w->owner[1];
			g.claim_by = w->claim_by;
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

// "annotation,env"
static int take_claims(const struct option_row *o, const char *list, struct err *err)
{
	_cleanup_free_ char *copy = strdup(list);
	unsigned *ret = o->to;

	if (copy == NULL)
		return err_oom(err);
	str_foreach (w, copy, ",") {
		if (grant_parse_claim(w, ret, err) < 0)
			return err_wrap(err, "--claim-by");
	}
	return *ret != 0 ? 0 : err_set(err, EINVAL, "--claim-by: the list is empty");
}

// "0,24" or "memory=4G"
static int take_reserve(const struct option_row *o, const char *text, struct err *err)
{
	struct grant *reserve = o->to;
	int r = str_starts(text, "memory=")
			? size_parse(text + strlen("memory="), &reserve->memory, err)
			: idset_parse(text, &reserve->cpus, err);

	return r < 0 ? err_wrap(err, "--reserve") : 0;
}

static int take_owner(const struct option_row *o, const char *text, struct err *err)
{
	uint32_t *owner = o->to;

	return cli_parse_owner(text, &owner[0], &owner[1], err);
}

static int take_count(const struct option_row *o, const char *text, struct err *err)
{
	struct wanted *w = o->to;
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	w->max = str_eq(text, "max");
	if (!w->max && (*end != '\0' || n == 0 || n > SLOTS_MAX))
		return err_set(
			err, EINVAL, "--count '%s': a number from 1 to %d, or max", text, SLOTS_MAX
		);
	w->count = w->max ? SLOTS_MAX : (unsigned)n;
	return 0;
}

static int check_wanted(int argc, char **argv, const struct wanted *w, struct err *err)
{
	const struct request *req = &w->request;

	if (optind < argc)
		return err_set(
			err,
			EINVAL,
			"grant create: '%s' is no option; what it is called is said with --name",
			argv[optind]
		);
	if (req->name[0] == '\0')
		return err_set(err, EINVAL, "grant create: say --name NAME");
	if (w->json && !w->dry)
		return err_set(err, EINVAL, "grant create: --json goes with --dry-run");
	if (cli_captured && !w->dry)
		return err_set(
			err, EINVAL, "grant create: in a capture nothing is made; say --dry-run"
		);
	if (w->owner[0] != 0 && req->kind == GRANT_POOL)
		return err_set(err, EINVAL, "grant create: a pool runs nothing, it has no owner");
	if (w->claim_by != 0 && (w->owner[0] != 0 || req->kind == GRANT_POOL))
		return err_set(
			err,
			EINVAL,
			"grant create: containers of engines claim neither a pool nor a user's "
			"grant"
		);
	for (unsigned i = 0; i < req->nnics; i++) {
		if (req->nics[i].uio && (w->owner[0] != 0 || w->claim_by != 0))
			return err_set(
				err,
				EINVAL,
				"grant create: NIC %s with unsafe-uio makes whoever has it root: "
				"neither --owner nor --claim-by goes with it",
				req->nics[i].bdf
			);
	}
	if ((w->claim_by & CLAIM_BY_CDI) != 0 && w->count <= 1 && !cdi_can_name(req->name))
		return err_set(
			err,
			EINVAL,
			"grant create --claim-by cdi: '%s': the name of a device of CDI ends with "
			"a letter or a digit",
			req->name
		);
	if (w->count > 1 && !idset_empty(&req->cpus))
		return err_set(err, EINVAL, "grant create --count: say --cpu-count N, not --cpus");
	return 0;
}

static int parse_create(int argc, char **argv, struct wanted *w, struct err *err)
{
	bool pool = false;
	struct option_row rows[OPTIONS_MAX + 1] = {
		{"pool", .flag = &pool},
		{"count", .take = take_count, .to = w},
		{"owner", .take = take_owner, .to = w->owner},
		{"claim-by", .take = take_claims, .to = &w->claim_by},
		{"dry-run", .flag = &w->dry},
		{"json", .flag = &w->json},
		{"reserve", .take = take_reserve, .to = &w->reserve},
	};

	cli_wanted_rows(rows, (struct cli_wanted *)w);
	if (cli_options(argc, argv, rows, NULL, err) < 0)
		return -err->code;
	if (pool)
		w->request.kind = GRANT_POOL;
	return check_wanted(argc, argv, w, err);
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
			grant_remove_one(l, name, &unused);
		}
		ledger_unlock(l);
	}
	for (unsigned i = 0; r == 0 && i < count; i++) {
		name_of(name, req, count, i);
		puts(name);
	}
	return r;
}

// Nothing is locked: it may look different a moment later.
static int show(struct hostfs *fs, struct host *host, const struct wanted *w, struct err *err)
{
	struct holdings others = {0};
	struct ledger l;
	int r = ledger_open(fs, false, &l, err);

	if (r < 0)
		return r;
	r = read_others(&l, host, w, &others, err);
	if (r == 0)
		r = netdevs_mark(&l, host, err);
	ledger_close(&l);
	if (r == 0)
		r = grant_slots_show(&w->request, host, &others, w->count, w->max, w->json, err);
	holdings_done(&others);
	return r;
}

static int make(struct hostfs *fs, struct host *host, struct wanted *w, struct err *err)
{
	struct ledger l;
	int r = ledger_open(fs, true, &l, err);

	if (r < 0)
		return r;
	r = ledger_lock(&l, err);
	// what cannot be collected keeps what it holds; in a copy of another machine nothing is ours to end
	if (r == 0 && cli_host_tree == NULL)
		gc_leases(&l, NULL, err);
	if (r == 0)
		r = netdevs_mark(&l, host, err);
	if (r == 0 && w->max)
		r = count_all(&l, host, w, err);
	if (r == 0)
		r = create_all(&l, host, w, err);
	if (r == 0 && (w->claim_by & CDI_CLAIMS) != 0 && cli_host_tree == NULL)
		r = cdi_refresh(&l, err);
	ledger_unlock(&l);
	if (r == 0)
		r = start_all(&l, &w->request, w->count, w->owner[0] != 0, err);
	ledger_close(&l);
	return r;
}

int cmd_grant_create(int argc, char **argv)
{
	struct wanted w = {.count = 1};
	struct host host = {0};
	struct hostfs fs;
	struct err err;
	int r;

	if (parse_create(argc, argv, &w, &err) < 0 || cli_open_host(&fs, &err) < 0)
		return cli_fail(&err);
	r = host_read(&fs, HOST_PCI | HOST_SHARING, &host, &err);
	if (r == 0)
		r = w.dry ? show(&fs, &host, &w, &err) : make(&fs, &host, &w, &err);
	host_done(&host);
	hostfs_close(&fs);
	return r < 0 ? cli_fail(&err) : r;
}
