// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold stats: what the workloads that run use of their grants.

#include "stats/stats.h"

#include "base/clock.h"
#include "base/jread.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/str.h"
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>

static const char usage[] =
	"Usage: pinfold stats [--seconds N] [--json|--prometheus] [NAME]\n"
	"\n"
	"What the workloads that run, or the one called NAME, use of their grants, counted for a\n"
	"second or N: CPU is their own processes', in percent of one CPU; the columns after it "
	"are\n"
	"of the CPUs that they have alone, whoever is on them.\n"
	"\n"
	"  --seconds N   count so long\n"
	"  --json        each CPU by itself; memory in bytes\n"
	"  --prometheus  what has been counted so far, as Prometheus reads it from a file";

struct args {
	bool json, prometheus;
	unsigned seconds;
	const char *name;
};

static int parse(int argc, char **argv, struct args *a, struct err *err)
{
	const struct option_row rows[] = {
		{"help", 'h'},
		{"json", .flag = &a->json},
		{"prometheus", .flag = &a->prometheus},
		{"seconds", .number = &a->seconds, .min = 1, .max = STATS_SECONDS},
		{0},
	};
	int r = cli_options(argc, argv, rows, usage, err);

	if (r != 0)
		return r;
	if (a->prometheus && (a->json || a->seconds > 0))
		return err_set(
			err,
			EINVAL,
			"stats: --prometheus prints what has been counted so far: without %s",
			a->json ? "--json" : "--seconds"
		);
	if (a->seconds == 0)
		a->seconds = 1;
	if (argc - optind > 1)
		return err_set(err, EINVAL, "stats: '%s': name one workload", argv[optind + 1]);
	a->name = argv[optind];
	return a->name != NULL ? name_check("a workload", a->name, err) : 0;
}

static int print(const struct ledger *l, const struct args *a, struct err *err)
{
	struct stats from scope_cleanup(stats_done) = {0}, to scope_cleanup(stats_done) = {0};
	_cleanup_json_ json_t *rows = NULL, *table = NULL;
	const char *const *keys;
	int r = stats_take(l, a->name, &from, err);

	if (from.ticks == NULL)
		return r;
	if (a->name != NULL && from.n == 0)
		return r < 0 ? r
			     : err_set(err, ENOENT, "'%s' does not run; see pinfold ps", a->name);
	if (a->prometheus) {
		stats_expose(l, &from, stdout);
		return r;
	}
	nap_ms(a->seconds * 1000);
	r = stats_take(l, a->name, &to, err);
	rows = stats_rows(&from, &to);
	table = stats_table(rows, &keys);
	// the readable ones in any case
	cli_print_figures(a->json ? rows : table, keys, stats_dropped, a->json);
	return r;
}

int cmd_stats(int argc, char **argv)
{
	struct args a = {0};
	struct hostfs fs;
	struct ledger l;
	struct err err;
	int r = parse(argc, argv, &a, &err);

	if (r != 0)
		return r < 0 ? cli_fail(&err) : STATUS_OK;
	if (cli_host_tree != NULL)
		return cli_refuse("stats: only a machine that runs has any; leave --host-tree out");
	if (geteuid() != 0)
		return cli_refuse("stats: what runs is root's to see; use sudo");
	if (cli_open_real(false, &fs, &l, &err) < 0)
		return cli_fail(&err);
	r = print(&l, &a, &err);
	cli_close_real(&fs, &l);
	return r < 0 ? cli_fail(&err) : STATUS_OK;
}
