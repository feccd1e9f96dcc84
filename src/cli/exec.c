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

// Before the name, or behind it, to the program. 1: help is asked for.
static int options(int argc, char **argv, struct launch *launch, struct err *err)
{
	static const struct option longs[] = {
		{"env", required_argument, NULL, 'e'},
		{"help", no_argument, NULL, 'h'},
		{"interactive", no_argument, NULL, 'i'},
		{"tty", no_argument, NULL, 't'},
		{"user", required_argument, NULL, 'u'},
		{"workdir", required_argument, NULL, 'w'},
		{0},
	};
	int c;

	optind = 0;
	while ((c = cli_getopt(argc, argv, "+e:hitu:w:", longs, err)) != -1) {
		if (c == 'h')
			return 1;
		if (c == '?' || launch_option(launch, c, optarg, err) < 0)
			return -err->code;
	}
	return 0;
}

int cmd_exec(int argc, char **argv)
{
	struct launch launch = {0};
	const char *name = NULL;
	struct outcome out = {.status = STATUS_FAILED};
	struct hostfs fs;
	struct ledger l;
	struct err err;
	int r = options(argc, argv, &launch, &err);

	if (r == 0 && optind < argc) {
		name = argv[optind];
		argc -= optind;
		argv += optind;
		r = options(argc, argv, &launch, &err);
	}
	if (r < 0)
		return cli_fail(&err);
	if (r > 0) {
		wrap_print("Usage: pinfold exec [-i|--interactive] [-t|--tty] "
			   "[-e|--env NAME=VALUE] [-u|--user UID[:GID]] "
			   "[-w|--workdir DIR] NAME [--] PROGRAM [ARG...]\n"
			   "It runs on the shared CPUs of the grant when it has some.");
		return STATUS_OK;
	}
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
