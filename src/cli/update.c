// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold update: other limits for what runs.

#include "base/scope.h"
#include "base/wrap.h"
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
	bool help;
};

static int take_option(struct asked *a, int index, const char *value, struct err *err)
{
	struct update *u = &a->update;
	const char *flag = request_flag((size_t)index);

	// the others are refused by the grant, which may have it so already
	if (str_eq(flag, "memory") || str_eq(flag, "pids"))
		return cli_set_flag(&a->request, index, value, err);
	if (u->noptions < ARRAY_LEN(u->options))
		u->options[u->noptions++] = (struct update_option){flag, value};
	return 0;
}

static int parse(int argc, char **argv, struct asked *ret, struct err *err)
{
	struct option longs[40] = {{"help", no_argument, NULL, 'h'}};
	struct asked a = {0};
	int c;

	cli_request_options(longs + 1, ARRAY_LEN(longs) - 2);
	optind = 0;
	while ((c = cli_getopt(argc, argv, "h", longs, err)) != -1) {
		if (c == '?')
			return -err->code;
		if (c == 'h')
			a.help = true;
		else if (take_option(&a, c - CLI_REQUEST_FLAG, optarg, err) < 0)
			return -err->code;
	}
	a.name = argv[optind];
	if (argc - optind > 1)
		return err_set(
			err,
			EINVAL,
			"update: name one workload or grant, not '%s' too",
			argv[optind + 1]
		);
	a.update.change = (struct grant_change){a.request.memory, a.request.pids};
	if (!a.help && a.name == NULL)
		return err_set(err, EINVAL, "update: name one workload or grant; see pinfold ps");
	if (!a.help && !change_is_one(&a.update.change) && a.update.noptions == 0)
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
	int r;

	if (parse(argc, argv, &a, &err) < 0)
		return cli_fail(&err);
	if (a.help) {
		wrap_print(help);
		return STATUS_OK;
	}
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
