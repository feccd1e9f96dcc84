// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold host ticks: what interrupts the CPUs that programs poll on.

#include "host/ticks.h"

#include "base/clock.h"
#include "base/jread.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/host.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define SECONDS_MAX 60

static const char usage[] = "Usage: pinfold host ticks [--json] [--cpus LIST] [--seconds N]\n"
			    "\n"
			    "Counts for a second, or N, what interrupts CPUs: those that are "
			    "granted or, where none is, those\n"
			    "that are isolated, or those of LIST. A polling program loses time to "
			    "each interrupt; on a CPU\n"
			    "without ticks (nohz_full) that is busy with one program, the timer "
			    "comes about once a second.";

struct args {
	bool json;
	struct idset cpus;
	unsigned seconds;
};

static int parse(int argc, char **argv, struct args *a, struct err *err)
{
	const char *cpus = NULL;
	const struct option_row rows[] = {
		{"cpus", .text = &cpus},
		{"help", 'h'},
		{"json", .flag = &a->json},
		{"seconds", .number = &a->seconds, .min = 1, .max = SECONDS_MAX},
		{0},
	};
	int r = cli_options(argc, argv, rows, usage, err);

	if (r == 0 && cpus != NULL && idset_parse(cpus, &a->cpus, err) < 0)
		return err_wrap(err, "--cpus");
	if (r == 0 && optind < argc)
		return err_set(
			err,
			EINVAL,
			"host ticks: '%s' is no option; CPUs are named with --cpus",
			argv[optind]
		);
	return r;
}

// Those that are granted, else those that are isolated.
static int usual_cpus(
	const struct hostfs *fs, const struct host *h, struct idset *ret, struct err *err
)
{
	struct holdings others = {0};
	struct ledger l;
	int r;

	// definitions and leases are root's to read
	if (geteuid() == 0) {
		r = ledger_open(fs, false, &l, err);
		if (r < 0)
			return r;
		r = ledger_holdings(&l, NULL, &others, err);
		ledger_close(&l);
		if (r < 0)
			return r;
	}
	for (unsigned i = 0; i < others.n; i++)
		idset_or(ret, &others.held[i].grant.cpus);
	holdings_done(&others);
	if (idset_empty(ret))
		*ret = h->isolated;
	idset_and(ret, &h->online);
	return idset_empty(ret) ? err_set(
		       err, ENOENT, "no CPU is granted or isolated; name some with --cpus LIST"
	       )
				: 0;
}

static int count_ticks(const struct args *a, json_t *rows, struct err *err)
{
	struct host_tick *from scope_cleanup(scope_free) = NULL,
			       *to scope_cleanup(scope_free) = NULL;
	struct idset cpus = a->cpus;
	struct host_count c;
	struct hostfs fs;
	struct host h;
	int64_t begun;
	int r = hostfs_open("/", &fs, err);

	if (r < 0)
		return r;
	r = host_read(&fs, 0, &h, err);
	if (r == 0) {
		if (idset_empty(&cpus))
			r = usual_cpus(&fs, &h, &cpus, err);
		else
			r = host_check_online(&h, "--cpus", &cpus, err);
		begun = clock_ns();
		if (r == 0)
			r = host_ticks(&fs, &from, &c.nfrom, err);
		if (r == 0) {
			nap_ms(a->seconds * 1000);
			r = host_ticks(&fs, &to, &c.nto, err);
		}
		c.seconds = (double)(clock_ns() - begun) / 1e9;
		c.from = from;
		c.to = to;
		idset_foreach (cpu, &cpus) {
			json_t *row = r == 0 ? host_count_row(&c, &h, (unsigned)cpu) : NULL;

			if (row != NULL)
				json_array_append_new(rows, row);
		}
		host_done(&h);
	}
	hostfs_close(&fs);
	return r;
}

int cmd_host_ticks(int argc, char **argv)
{
	static const char *const keys[] = {
		"cpu",
		"isolated",
		"tickless",
		"ticks",
		"interrupts",
		"busy",
		"stolen",
		"sibling",
		NULL};
	_cleanup_json_ json_t *rows = json_array();
	struct args a = {.seconds = 1};
	struct err err;
	int r = parse(argc, argv, &a, &err);

	if (r != 0)
		return r < 0 ? cli_fail(&err) : STATUS_OK;
	if (cli_host_tree != NULL)
		return cli_refuse(
			"host ticks: only a machine that runs has any; leave --host-tree out"
		);
	if (count_ticks(&a, rows, &err) < 0)
		return cli_fail(&err);
	cli_print_rows(rows, keys, a.json);
	return STATUS_OK;
}
