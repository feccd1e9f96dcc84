// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold bench: the figures and tables of the paper, on this machine.

#include "base/jread.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/compare_runs.h"
#include "bench/need.h"
#include "bench/open.h"
#include "bench/reasons.h"
#include "bench/report/terminal.h"
#include "bench/report/words.h"
#include "cli/cli.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
	"Usage: pinfold bench list [--json]\n"
	"       pinfold bench run [--brief|--quick|--full] [-o DIR | --resume DIR] NAME...|all\n"
	"       pinfold bench show DIR\n"
	"       pinfold bench report DIR\n"
	"       pinfold bench compare [--json] [--all] [--fail-on WHAT[,WHAT]] DIR-A DIR-B\n\n"
	"Measures on this machine what the paper measured in 2015, and compares host, container\n"
	"and virtual machine.\n\n"
	"list  the experiments: what each measures, how long it takes, what this machine lacks\n"
	"run   runs them, the machine's own judgement first, into a directory. Ctrl-C keeps what\n"
	"      is done\n"
	"  --brief         a first look in some four minutes: startup, view, throughput, latency\n"
	"  --quick         all of it in some 20 minutes on two CPUs (default)\n"
	"  --full          more repeats, and what a quick run leaves out\n"
	"  -o, --output DIR  default: pinfold-bench-DATE-TIME\n"
	"  --resume DIR    goes on where a run was stopped: what is complete stays\n"
	"  --remote HOST   the tester of throughput, latency and cost is on a second machine, by "
	"ssh\n"
	"                  (docs/experiments.md), with --port in=DEVICE, --port out=DEVICE here,\n"
	"                  --remote-port out=DEVICE, --remote-port back=DEVICE there, and\n"
	"                  --remote-cpu CPU (1), --remote-drover PATH (drover)\n"
	"show  what was found, for a terminal: the paper's statements, and what was compared\n"
	"report  writes report.html, which needs no other file, and report.md into the directory;\n"
	"        run does that too\n"
	"compare  says which rows of B differ from A, how many agree within their intervals, and\n"
	"         exits with 1 where --fail-on matches:\n"
	"  --fail-on WHAT  worse (ratios of environments, counts), values (of one environment),\n"
	"                  either with =PERCENT (by more than that), changed, missing\n"
	"  --all           also the rows that are the same\n";

static json_t *row_of(const struct bench *b, const struct experiment *e)
{
	bool possible;
	json_t *lacked = experiment_lacks(b, e, &possible);

	return json_pack(
		"{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:b, s:o, s:s?}",
		"name",
		e->name,
		"figure",
		e->figure,
		"title",
		e->title,
		"about",
		e->about,
		"brief-seconds",
		(int)e->seconds[BENCH_BRIEF],
		"quick-seconds",
		(int)e->seconds[BENCH_QUICK],
		"full-seconds",
		(int)e->seconds[BENCH_FULL],
		"possible",
		possible,
		"lacks",
		lacked,
		"quick-drops",
		e->dropped[BENCH_QUICK]
	);
}

static void print_one(json_t *row)
{
	const char *figure = json_string_value(json_object_get(row, "figure"));
	const char *drops = json_string_value(json_object_get(row, "quick-drops"));
	int brief = (int)json_integer_value(json_object_get(row, "brief-seconds"));
	json_t *lacked = json_object_get(row, "lacks"), *reason;
	unsigned width = terminal_width(stdout);
	size_t i;

	printf("%-11s %s%s%s\n%12s(about ",
	       json_string_value(json_object_get(row, "name")),
	       json_string_value(json_object_get(row, "title")),
	       *figure != '\0' ? ", " : "",
	       figure,
	       "");
	if (brief > 0)
		printf("%d s brief, ", brief);
	printf("%d s quick, %d s full)\n",
	       (int)json_integer_value(json_object_get(row, "quick-seconds")),
	       (int)json_integer_value(json_object_get(row, "full-seconds")));
	terminal_wrap(stdout, json_string_value(json_object_get(row, "about")), 12, width);
	if (drops != NULL) {
		_cleanup_free_ char *line = need(str_printf("--quick leaves out: %s", drops));

		terminal_wrap(stdout, line, 12, width);
	}
	json_array_foreach (lacked, i, reason) {
		_cleanup_free_ char *line =
			need(str_printf("! this machine: %s", json_string_value(reason)));

		terminal_wrap(stdout, line, 12, width);
	}
}

static int list(int argc, char **argv)
{
	_cleanup_json_ json_t *rows = json_array();
	scope_cleanup(bench_close) struct bench b = {0};
	const struct experiment *const *all;
	unsigned n = experiment_list(&all);
	bool json = false;
	struct err err;
	int r = cli_simple_options(argc, argv, help, &json, &err);

	if (r != 0)
		return r < 0 ? cli_fail(&err) : STATUS_OK;
	if (bench_open(&b, BENCH_QUICK, &err) < 0)
		return cli_fail(&err);
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(rows, row_of(&b, all[i]));
	if (json) {
		cli_print_json(rows);
		return STATUS_OK;
	}
	json_plain(rows);
	for (unsigned i = 0; i < n; i++)
		print_one(json_array_get(rows, i));
	return STATUS_OK;
}

// ---- report, show

// The directory that a command names, read.
static int read_dir(int argc, char **argv, struct results *ret, struct err *err)
{
	const char *command = argv[0];

	if (cli_names(argc, argv, err) < 0)
		return -err->code;
	if (argc - optind != 1)
		return err_set(err, EINVAL, "bench %s: name one directory of results", command);
	return results_read(argv[optind], ret, err);
}

static int report(int argc, char **argv)
{
	scope_cleanup(results_done) struct results all = {0};
	struct err err;

	if (read_dir(argc, argv, &all, &err) < 0 || cli_bench_report(&all, argv[optind], &err) < 0)
		return cli_fail(&err);
	return STATUS_OK;
}

static int show(int argc, char **argv)
{
	scope_cleanup(results_done) struct results all = {0};
	struct err err;

	if (read_dir(argc, argv, &all, &err) < 0)
		return cli_fail(&err);
	terminal_write(stdout, &all, terminal_width(stdout));
	return STATUS_OK;
}

// ---- compare

static void print_compared(const struct compared *c)
{
	const struct row *any = c->a != NULL ? c->a : c->b;
	_cleanup_free_ char *a = c->a != NULL ? words_value(c->a) : NULL;
	_cleanup_free_ char *b = c->b != NULL ? words_value(c->b) : NULL;
	_cleanup_free_ char *line = NULL;

	line = need(str_printf(
		"%-12s %s: %s%s%s: %s -> %s",
		change_name(c->change),
		c->experiment,
		any->name,
		*any->env != '\0' ? ", " : "",
		any->env,
		a != NULL && *a != '\0' ? a : "-",
		b != NULL && *b != '\0' ? b : "-"
	));
	str_plain(line);
	fputs(line, stdout);
	if (isfinite(c->ratio.low) && !any->exact)
		printf("; B/A %.3f (%.3f to %.3f)", c->ratio.mid, c->ratio.low, c->ratio.high);
	putchar('\n');
}

struct compare_how {
	bool json, all;
	struct fail_on on;
};

static void print_notes(const struct results *a, const struct results *b)
{
	char *remarks[COMPARE_REMARKS];
	unsigned n = results_remarks(a, b, remarks);

	for (unsigned i = 0; i < n; i++) {
		str_plain(remarks[i]);
		printf("note: %s\n", remarks[i]);
		free(remarks[i]);
	}
}

static void print_rows(const struct compare_how *how, const struct compared *c, unsigned n)
{
	unsigned count[CHANGE_END] = {0}, of, agree = compared_agree(c, n, &of);

	for (unsigned i = 0; i < n; i++) {
		count[c[i].change]++;
		if (how->all || (c[i].change != CHANGE_SAME && c[i].change != CHANGE_INCONCLUSIVE))
			print_compared(&c[i]);
	}
	for (unsigned k = 0; k < CHANGE_END; k++)
		printf("%s%u %s", k > 0 ? ", " : "", count[k], change_name(k));
	printf("\n%u of %u rows agree within their intervals\n", agree, of);
}

static int judge_all(const struct compare_how *how, const struct compared *c, unsigned n)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < n; i++)
		failed += fail_on_matches(&how->on, &c[i]);
	if (failed > 0)
		fprintf(stderr, "pinfold: %u rows match --fail-on\n", failed);
	return failed > 0 ? 1 : STATUS_OK;
}

static int take_fail_on(const struct option_row *o, const char *value, struct err *err)
{
	return fail_on_parse(value, o->to, err);
}

static int compare(int argc, char **argv)
{
	scope_cleanup(results_done) struct results a = {0}, b = {0};
	_cleanup_free_ struct compared *found = NULL;
	struct compare_how how = {0};
	const struct option_row rows[] = {
		{"all", .flag = &how.all},
		{"fail-on", .take = take_fail_on, .to = &how.on},
		{"json", .flag = &how.json},
		{0},
	};
	struct err err;
	unsigned n;

	if (cli_options(argc, argv, rows, help, &err) < 0)
		return cli_fail(&err);
	if (argc - optind != 2)
		return cli_refuse("bench compare: name two directories of results");
	if (results_read(argv[optind], &a, &err) < 0
	    || results_read(argv[optind + 1], &b, &err) < 0)
		return cli_fail(&err);
	n = results_compare(&a, &b, &found);
	if (how.json) {
		_cleanup_json_ json_t *doc = compared_to_json(&a, &b, found, n);

		cli_print_json(doc);
	} else {
		print_notes(&a, &b);
		print_rows(&how, found, n);
	}
	return judge_all(&how, found, n);
}

int cmd_bench(int argc, char **argv)
{
	static const struct command commands[] = {
		{"list", list},
		{"run", cli_bench_run},
		{"show", show},
		{"report", report},
		{"compare", compare},
		{0},
	};

	// of an experiment's, not for people
	if (argc > 1 && str_eq(argv[1], "filtered"))
		return cli_bench_filtered(argc - 1, argv + 1);
	return cli_group(&(struct group){"bench", help, NULL, commands}, argc, argv);
}
