// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/jread.h"
#include "base/moment.h"
#include "base/options.h"
#include "cli/cli.h"
#include "cli/request.h"
#include "keeper/keeper.h"
#include "run/log.h"
#include "run/log_times.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

static const char usage[] =
	"Usage: pinfold logs [-f|--follow] [-n|--tail N] [--since TIME] [-t|--timestamps]\n"
	"                    NAME";

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
static int copy_kept_log(const char *name, const struct log_wish *wish, struct err *err)
{
	const struct ledger none = {.defs = -1, .leases = -1, .lock = -1};
	struct log_pair files;
	int r;

	if (keeper_log(name, &files, err) < 0)
		return -err->code;
	r = log_copy(&none, name, &files, wish, stdout, err);
	log_pair_close(&files);
	return r;
}

static int parse_lines(const char *text, unsigned long *ret, struct err *err)
{
	char *end;

	*ret = strtoul(text, &end, 10);
	if (*end != '\0' || *text < '0' || *text > '9' || *ret > INT32_MAX)
		return err_set(err, EINVAL, "logs --tail '%s': a number of lines", text);
	return 0;
}

struct arguments {
	struct log_wish wish;
	unsigned long tail;
	int64_t since;
};

static int parse_arguments(int argc, char **argv, struct arguments *a, struct err *err)
{
	const char *since = NULL, *tail = NULL;
	bool follow = false;
	const struct option_row rows[] = {
		{"follow", 'f', .flag = &follow},
		{"help", 'h'},
		{"since", .text = &since},
		{"tail", 'n', .text = &tail},
		{"timestamps", 't', .flag = &a->wish.times},
		{0},
	};
	int r = cli_options(argc, argv, rows, usage, err);

	if (r != 0)
		return r;
	if (tail != NULL && parse_lines(tail, &a->tail, err) < 0)
		return -err->code;
	if (since != NULL && moment_parse(since, times_now(), &a->since, err) < 0)
		return err_wrap(err, "logs --since");
	if (argc - optind != 1)
		return err_set(err, EINVAL, "logs: name one workload");
	a->wish.alive = follow ? still_runs : NULL;
	a->wish.tail = tail != NULL ? &a->tail : NULL;
	a->wish.since = since != NULL ? &a->since : NULL;
	return 0;
}

int cmd_logs(int argc, char **argv)
{
	struct arguments a = {0};
	struct hostfs fs;
	struct ledger l;
	struct err err;
	int r = parse_arguments(argc, argv, &a, &err);

	if (r != 0)
		return r < 0 ? cli_fail(&err) : STATUS_OK;
	if (geteuid() != 0 && keeper_serves(argv[optind]))
		return copy_kept_log(argv[optind], &a.wish, &err) < 0 ? cli_fail(&err) : STATUS_OK;
	if (name_check("a workload", argv[optind], &err) < 0
	    || cli_open_real(false, &fs, &l, &err) < 0)
		return cli_fail(&err);
	r = log_copy(&l, argv[optind], NULL, &a.wish, stdout, &err);
	cli_close_real(&fs, &l);
	return r < 0 ? cli_fail(&err) : STATUS_OK;
}
