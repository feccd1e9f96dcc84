// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold update: other limits for what runs.

#include "base/options.h"
#include "base/scope.h"
#include "cli/cli.h"
#include "cli/request.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
	"Usage: pinfold update NAME [--memory SIZE] [--pids N]\n\n"
	"Gives a workload that runs, and the grant of that name, other limits: of ordinary memory, "
	"and "
	"of\nprocesses and threads. Less than it uses now is refused, and so is all else of a "
	"grant: "
	"stop what\nuses it and make it anew.\n"
	"  --memory SIZE           ordinary memory (not of a virtual machine that runs)\n"
	"  --pids N                processes and threads";

struct asked {
	const char *name;
	struct request request;
	struct update update;
};

static int take_option(const struct option_row *o, const char *value, struct err *err)
{
	struct asked *a = o->to;
	struct update *u = &a->update;

	// the others are refused by the grant, which may have it so already
	if (str_eq(o->name, "memory") || str_eq(o->name, "pids"))
		return cli_set_flag(&a->request, o->name, value, err);
	if (u->noptions < ARRAY_LEN(u->options))
		u->options[u->noptions++] = (struct update_option){o->name, value};
	return 0;
}

static int parse(int argc, char **argv, struct asked *ret, struct err *err)
{
	struct option_row rows[OPTIONS_MAX + 1] = {{"help", 'h'}};
	struct asked a = {0};
	int r;

	cli_flag_rows(rows, take_option, &a);
	r = cli_options(argc, argv, rows, help, err);
	if (r != 0)
		return r;
	a.name = argv[optind];
	if (argc - optind > 1)
		return err_set(
			err,
			EINVAL,
			"update: name one workload or grant, not '%s' too",
			argv[optind + 1]
		);
	a.update.change = (struct grant_change){a.request.memory, a.request.pids};
	if (a.name == NULL)
		return err_set(err, EINVAL, "update: name one workload or grant; see pinfold ps");
	if (!change_is_one(&a.update.change) && a.update.noptions == 0)
		return err_set(err, EINVAL, "update: say --memory SIZE or --pids N");
	*ret = a;
	return 0;
}

int cmd_update(int argc, char **argv)
{
	bool stale = false;
	struct hostfs fs;
	struct ledger l;
	struct asked a;
	struct err err;
	int r = parse(argc, argv, &a, &err);

	if (r != 0)
		return r < 0 ? cli_fail(&err) : STATUS_OK;
	if (name_check("a grant", a.name, &err) < 0 || cli_open_real(true, &fs, &l, &err) < 0)
		return cli_fail(&err);
	r = update_grant(&l, a.name, &a.update, &stale, &err);
	cli_close_real(&fs, &l);
	if (r < 0)
		return cli_fail(&err);
	if (stale)
		fprintf(stderr,
			"pinfold: '%s': the limits are other ones now; its container goes on to "
			"show "
			"those that it was made with\n",
			a.name);
	return STATUS_OK;
}
