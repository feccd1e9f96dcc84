// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/options.h"
#include "base/scope.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/request.h"
#include "keeper/keeper.h"
#include "run/run.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define STOP_SECONDS 10 // for a keeper to put away what it killed

static const char usage[] =
	"Usage: pinfold stop [-t|--time SECONDS] [--orphaned] NAME...\n"
	"SIGTERM, and after SECONDS (10) SIGKILL. --orphaned: only those whose supervisor\n"
	"is gone; others, and what does not run, are left alone.";

// True for a workload whose supervisor is gone.
static bool is_orphan(const struct ledger *l, const char *name)
{
	struct lease lease;
	struct err unused;

	return lease_read(l, name, &lease, &unused) == 0 && site_has(&lease.site, SITE_SUPERVISOR)
	       && !lease_supervised(l, &lease);
}

// What a keeper started ends by its keeper, which goes on.
static int stop_one(const char *name, unsigned seconds, bool orphaned, struct err *err)
{
	const struct keeper_request req = {.op = KEEPER_STOP, .seconds = seconds};
	struct keeper_reply reply;
	struct hostfs fs;
	struct ledger l;
	int r = 0;

	if (!orphaned && keeper_serves(name))
		return keeper_ask(name, &req, seconds + STOP_SECONDS, &reply, err);
	if (cli_open_real(true, &fs, &l, err) < 0)
		return -err->code;
	if (!orphaned || is_orphan(&l, name))
		r = stop_workload(&l, name, seconds, err);
	cli_close_real(&fs, &l);
	return r;
}

// Whether it runs, or its keeper cannot say that it does not.
static bool runs(const char *name)
{
	struct lease lease;
	struct hostfs fs;
	struct ledger l;
	struct err unused;
	bool found;

	if (keeper_serves(name)) {
		json_t *row = cli_keeper_row(name, &unused);
		const char *state = json_string_value(json_object_get(row, "state"));

		found = state == NULL || str_eq(state, "running");
		json_decref(row);
		return found;
	}
	if (cli_open_real(false, &fs, &l, &unused) < 0)
		return true;
	found = lease_read(&l, name, &lease, &unused) != -ENOENT;
	cli_close_real(&fs, &l);
	return found;
}

static int take_seconds(const struct option_row *o, const char *value, struct err *err)
{
	char *end;
	unsigned long v = strtoul(value, &end, 10);

	if (*end != '\0' || end == value || v > 3600)
		return err_set(err, EINVAL, "-t '%s': seconds from 0 to 3600", value);
	*(unsigned *)o->to = (unsigned)v;
	return 0;
}

int cmd_stop(int argc, char **argv)
{
	unsigned seconds = 10;
	_cleanup_free_ bool *ran = NULL;
	bool orphaned = false;
	const struct option_row rows[] = {
		{"orphaned", .flag = &orphaned},
		{"time", 't', .take = take_seconds, .to = &seconds},
		{"help", 'h'},
		{0},
	};
	struct err err;
	int r = cli_options(argc, argv, rows, usage, &err);

	if (r != 0)
		return r < 0 ? cli_fail(&err) : STATUS_OK;
	if (optind >= argc)
		return cli_refuse("stop: name at least one workload; see pinfold ps");
	// who ends by himself while another is stopped, as one does whose link goes, has stopped
	ran = calloc((size_t)argc, sizeof(*ran));
	if (ran == NULL) {
		err_oom(&err);
		return cli_fail(&err);
	}
	for (int i = optind + 1; i < argc; i++)
		ran[i] = runs(argv[i]);
	for (int i = optind; i < argc; i++) {
		if (stop_one(argv[i], seconds, orphaned, &err) < 0 && !(ran[i] && !runs(argv[i])))
			r = cli_fail(&err);
	}
	return r;
}
