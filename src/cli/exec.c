// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/wrap.h"
#include "cli/cli.h"
#include "cli/request.h"
#include "keeper/keeper.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

static const char usage[] =
	"Usage: pinfold exec [-i|--interactive] [-t|--tty] [-e|--env NAME=VALUE] "
	"[-u|--user UID[:GID]] [-w|--workdir DIR] NAME [--] PROGRAM [ARG...]\n"
	"It runs on the shared CPUs of the grant when it has some.";

int cmd_exec(int argc, char **argv)
{
	static const char *const names[] = {"env", "interactive", "tty", "user", "workdir", NULL};
	struct option_row rows[OPTIONS_MAX + 1] = {{"help", 'h'}};
	struct launch launch = {0};
	const char *name = NULL;
	struct outcome out = {.status = STATUS_FAILED};
	struct hostfs fs;
	struct ledger l;
	struct err err;
	int r;

	launch_rows(rows, &launch, names);
	r = cli_read_options(argc, argv, false, rows, &err);
	// they may also stand behind the name, before the program
	if (r == 0 && optind < argc) {
		name = argv[optind];
		argc -= optind;
		argv += optind;
		r = cli_read_options(argc, argv, false, rows, &err);
	}
	if (r > 0)
		wrap_print(usage);
	if (r != 0)
		return r < 0 ? cli_fail(&err) : STATUS_OK;
	if (optind >= argc)
		return cli_refuse("exec: say NAME and PROGRAM; see pinfold exec --help");
	launch.argv = argv + optind;
	if (geteuid() != 0 && keeper_serves(name) && launch.workdir != NULL)
		return cli_refuse("exec in '%s': a keeper knows no --workdir", name);
	if (geteuid() != 0 && keeper_serves(name))
		return cli_keeper_exec(name, &launch);
	if (cli_open_real(true, &fs, &l, &err) < 0)
		return cli_fail(&err);
	r = exec_in_workload(&l, name, &launch, &out, &err);
	cli_close_real(&fs, &l);
	if (r < 0)
		cli_fail(&err);
	else if (out.note[0] != '\0')
		fprintf(stderr, "pinfold: '%s': %s\n", name, out.note);
	return out.status;
}
