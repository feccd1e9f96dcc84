// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/jread.h"
#include "cli/cli.h"
#include "cli/request.h"
#include "keeper/keeper.h"
#include "run/log.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

static bool still_runs(const struct ledger *l, const char *name)
{
	_cleanup_json_ json_t *row = NULL;
	struct lease lease;
	struct err err;

	if (!keeper_serves(name))
		return lease_exists(l, name)
		       && !(lease_read(l, name, &lease, &err) == 0 && lease.draining);
	row = cli_keeper_row(name, &err);
	if (row == NULL)
		cli_fail(&err);
	return row != NULL && str_eq(json_string_value(json_object_get(row, "state")), "running");
}

// For the owner of a grant: the ledger and the log's directory are root's, its keeper has the file.
static int copy_kept_log(const char *name, const unsigned long *tail, bool follow, struct err *err)
{
	const struct ledger none = {.defs = -1, .leases = -1, .lock = -1};
	int fds[2], r;

	if (keeper_log(name, fds, err) < 0)
		return -err->code;
	r = log_copy(&none, name, fds, tail, follow ? still_runs : NULL, stdout, err);
	for (int i = 0; i < 2; i++)
		close(fds[i]);
	return r;
}

int cmd_logs(int argc, char **argv)
{
	static const struct option longs[] = {
		{"follow", no_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{"tail", required_argument, NULL, 'n'},
		{0},
	};
	unsigned long tail, *last = NULL;
	bool follow = false;
	char *end;
	struct hostfs fs;
	struct ledger l;
	struct err err;
	int c, r;

	optind = 0;
	while ((c = cli_getopt(argc, argv, "fhn:", longs, &err)) != -1) {
		if (c == '?')
			return cli_fail(&err);
		if (c == 'h') {
			puts("Usage: pinfold logs [-f] [-n|--tail N] NAME");
			return STATUS_OK;
		}
		if (c == 'f') {
			follow = true;
			continue;
		}
		tail = strtoul(optarg, &end, 10);
		last = &tail;
		if (*end != '\0' || *optarg < '0' || *optarg > '9' || tail > INT32_MAX)
			return cli_refuse("logs --tail '%s': a number of lines", optarg);
	}
	if (argc - optind != 1)
		return cli_refuse("logs: name one workload");
	if (geteuid() != 0 && keeper_serves(argv[optind]))
		return copy_kept_log(argv[optind], last, follow, &err) < 0 ? cli_fail(&err)
									   : STATUS_OK;
	if (name_check("a workload", argv[optind], &err) < 0
	    || cli_open_real(false, &fs, &l, &err) < 0)
		return cli_fail(&err);
	r = log_copy(&l, argv[optind], NULL, last, follow ? still_runs : NULL, stdout, &err);
	cli_close_real(&fs, &l);
	return r < 0 ? cli_fail(&err) : STATUS_OK;
}
