// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold bench run.

#include "base/options.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/report/report.h"
#include "bench/report/terminal.h"
#include "bench/run.h"
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// One line of what an experiment gave.
static void said(const struct result *r)
{
	unsigned claims[CLAIM_END] = {0}, missing = 0;

	for (unsigned i = 0; i < r->n; i++) {
		claims[r->rows[i]->claim]++;
		missing += r->rows[i]->kind == ROW_MISSING || r->rows[i]->invalid;
	}
	printf("%-11s %3u rows in %.0f s", r->experiment, r->n, r->seconds);
	for (unsigned c = CLAIM_HOLDS; c < CLAIM_END; c++) {
		if (claims[c] > 0)
			printf(", %u %s", claims[c], claim_name(c));
	}
	if (claims[CLAIM_CANNOT] == 0 && missing > 0)
		printf(", %u without a figure", missing);
	puts(r->complete ? "" : r->failed != NULL ? ": not complete" : ": stopped before its end");
	if (r->failed != NULL)
		printf("%-11s %s\n", "", r->failed);
	fflush(stdout);
}

int cli_bench_report(const struct results *all, const char *dir, struct err *err)
{
	struct report_drawn drawn = {0};

	if (report_write(all, dir, &drawn, err) < 0)
		return -err->code;
	printf("Report:  %s/report.html and report.md, %u figures%s\n",
	       dir,
	       drawn.figures,
	       drawn.figures + drawn.failed == 0 ? " (drawn where gnuplot is installed)" : "");
	if (drawn.failed > 0)
		printf("%u figures could not be drawn: %s\n", drawn.failed, drawn.why);
	return 0;
}

// "NAME=DEVICE", with one of two names.
static int take_port(const struct option_row *o, const char *text, struct err *err)
{
	static const char *const own[] = {"in", "out"}, *const theirs[] = {"out", "back"};
	bool remote = str_eq(o->name, "remote-port");
	const char *const *names = remote ? theirs : own;
	struct remote *m = o->to;
	const char **ret = remote ? m->port : m->own;

	for (unsigned i = 0; i < 2; i++) {
		size_t n = strlen(names[i]);

		if (str_starts(text, names[i]) && text[n] == '=' && text[n + 1] != '\0') {
			ret[i] = text + n + 1;
			return 0;
		}
	}
	return err_set(
		err,
		EINVAL,
		"--%s '%s': say %s=DEVICE or %s=DEVICE",
		o->name,
		text,
		names[0],
		names[1]
	);
}

static int take_dir(const struct option_row *o, const char *value, struct err *err)
{
	struct run_how *how = o->to;

	if (how->dir != NULL)
		return err_set(err, EINVAL, "bench run: one directory: -o or --resume");
	how->dir = value;
	how->resume = str_eq(o->name, "resume");
	return 0;
}

static int remote_check(const struct remote *m, struct err *err)
{
	unsigned ports = 0;

	for (unsigned i = 0; i < 2; i++)
		ports += (m->own[i] != NULL ? 1u : 0) + (m->port[i] != NULL ? 1u : 0);
	// it would be an option of ssh
	if (m->host != NULL && (m->host[0] == '-' || m->host[0] == '\0'))
		return err_set(err, EINVAL, "--remote '%s': that is no host", m->host);
	if (ports != (m->host != NULL ? 4 : 0))
		return err_set(
			err,
			EINVAL,
			"a second machine is --remote HOST, with --port in=, --port out=, "
			"--remote-port "
			"out= and --remote-port back="
		);
	return 0;
}

static void add_word(FILE *f, const char *before, const char *text)
{
	_cleanup_free_ char *word = str_quote(text);

	fprintf(f, " %s%s", before, word != NULL ? word : "");
}

// What goes on where it was stopped.
static void say_stopped(const struct run_how *how)
{
	const struct remote *m = how->remote;

	fprintf(stderr,
		"pinfold: stopped; what was found is in '%s': go on with pinfold bench run",
		how->dir);
	add_word(stderr, "--resume ", how->dir);
	if (m != NULL) {
		add_word(stderr, "--remote ", m->host);
		add_word(stderr, "--remote-cpu ", m->cpu);
		add_word(stderr, "--remote-drover ", m->drover);
		add_word(stderr, "--port in=", m->own[0]);
		add_word(stderr, "--port out=", m->own[1]);
		add_word(stderr, "--remote-port out=", m->port[0]);
		add_word(stderr, "--remote-port back=", m->port[1]);
	}
	for (const char *const *name = how->names; *name != NULL; name++)
		add_word(stderr, "", *name);
	fputc('\n', stderr);
}

int cli_bench_run(int argc, char **argv)
{
	scope_cleanup(results_done) struct results all = {0};
	struct run_how how = {.size = BENCH_QUICK, .said = said};
	struct remote remote = {.drover = "drover", .cpu = "1"};
	bool brief = false, full = false, quick = false;
	const struct option_row rows[] = {
		{"brief", .flag = &brief},
		{"full", .flag = &full},
		{"output", 'o', .take = take_dir, .to = &how},
		{"port", .take = take_port, .to = &remote},
		{"quick", .flag = &quick},
		{"remote", .text = &remote.host},
		{"remote-cpu", .text = &remote.cpu},
		{"remote-drover", .text = &remote.drover},
		{"remote-port", .take = take_port, .to = &remote},
		{"resume", .take = take_dir, .to = &how},
		{0},
	};
	char dir[64];
	struct err err;
	int r;

	if (cli_options(argc, argv, rows, NULL, &err) < 0)
		return cli_fail(&err);
	how.size = brief ? BENCH_BRIEF : full ? BENCH_FULL : BENCH_QUICK;
	if (brief + full + quick > 1)
		return cli_refuse("bench run: one of --brief, --quick, --full");
	if (how.resume && (brief || full || quick))
		return cli_refuse(
			"bench run: --resume goes on as the run was begun: leave --%s out",
			bench_size_name(how.size)
		);
	if (remote_check(&remote, &err) < 0)
		return cli_fail(&err);
	how.remote = remote.host != NULL ? &remote : NULL;
	if (optind >= argc)
		return cli_refuse("bench run: name experiments, or all; see pinfold bench list");
	if (geteuid() != 0)
		return cli_refuse("bench run needs root: it starts containers; use sudo");
	if (how.dir == NULL) {
		time_t now = time(NULL);
		struct tm tm;

		strftime(dir, sizeof(dir), "pinfold-bench-%Y%m%d-%H%M%S", gmtime_r(&now, &tm));
		how.dir = dir;
	}
	how.names = (const char *const *)argv + optind;
	r = bench_run(&how, &all, &err);
	if (r == -ECANCELED) {
		say_stopped(&how);
		return 128 + SIGINT;
	}
	if (r < 0)
		return cli_fail(&err);
	terminal_headlines(stdout, &all, terminal_width(stdout));
	printf("Results: %s/" RESULTS_FILE "; pinfold bench show has them as tables\n", how.dir);
	return cli_bench_report(&all, how.dir, &err) < 0 ? cli_fail(&err) : STATUS_OK;
}
