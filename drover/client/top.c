// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// drover top: a live view of a running drover, over its socket.

#include "client/top.h"

#include "base/jread.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/str.h"
#include "base/wrap.h"
#include "client/commands.h"

#include <getopt.h>
#include <math.h>
#include <string.h>
#include <time.h>

enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

#define INTERVAL_MIN 0.1
#define INTERVAL_MAX 3600.0

static const char help[] =
	"Usage: drover top [OPTION...]\n\n"
	"  --file-prefix NAME  of the drover to look at; default: the only one there is\n"
	"  --socket PATH       its own, drover.sock, for one in a container\n"
	"  --interval SECONDS  between two looks, 0.1 to 3600; default 1\n"
	"  --once              print the figures of one interval and exit\n"
	"  --json              print a line of JSON an interval instead\n\n"
	"Keys: arrows select a task, s starts or stops it, + and - change the rate of a generator "
	"by a\n"
	"tenth, c begins the figures anew, h helps, q quits.\n";

static int take_interval(const struct option_row *o, const char *text, struct err *err)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end != '\0' || !isfinite(v) || v < INTERVAL_MIN || v > INTERVAL_MAX)
		return err_set(
			err,
			EINVAL,
			"--interval '%.40s': seconds from %g to %g",
			text,
			INTERVAL_MIN,
			INTERVAL_MAX
		);
	*(double *)o->to = v;
	return 0;
}

// 1: help was asked for.
static int parse_options(int argc, char **argv, struct top_options *o, struct err *err)
{
	const struct option_row rows[] = {
		{"file-prefix", .text = &o->target.prefix},
		{"help", 'h'},
		{"interval", 'i', .take = take_interval, .to = &o->interval},
		{"json", .flag = &o->json},
		{"once", .flag = &o->once},
		{"socket", .text = &o->target.path},
		{0},
	};
	int r = options_read(argc, argv, true, rows, "drover top --help", err);

	if (r != 0)
		return r;
	if (optind < argc)
		return err_set(err, EINVAL, "top takes no '%.60s'; see --help", argv[optind]);
	return client_target_check(&o->target, err);
}

static void sleep_seconds(double s)
{
	struct timespec t = {.tv_sec = (time_t)s, .tv_nsec = (long)((s - floor(s)) * 1e9)};

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

static int print_sample(const json_t *sample, bool json)
{
	struct lines l = {0};

	if (json) {
		json_dumpf(
			sample, stdout, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12)
		);
		putchar('\n');
	} else {
		page_lines(sample, 0, &l);
		for (size_t i = 0; i < l.n; i++)
			puts(l.line[i].text);
		lines_done(&l);
	}
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : -1;
}

// Without a screen: the figures of one interval, or of all there will be.
static int print_samples(const struct top_options *o, struct err *err)
{
	__attribute__((cleanup(client_close))) struct client c = CLIENT_INIT;
	_cleanup_json_ json_t *prev = NULL;
	int r = client_open(&o->target, &c, err);

	if (r == 0)
		r = sample_take(&c, NULL, &prev, err);
	while (r == 0) {
		json_t *now = NULL;

		sleep_seconds(o->interval);
		r = sample_take(&c, prev, &now, err);
		if (r < 0)
			break;
		json_decref(prev);
		prev = now;
		if (print_sample(now, o->json) < 0)
			return err_sys(err, errno, "write to standard output");
		if (o->once)
			break;
	}
	return r;
}

int top_main(int argc, char **argv)
{
	struct top_options o = {.interval = 1};
	struct err err = {0};
	int r = parse_options(argc, argv, &o, &err);

	if (r > 0) {
		wrap_print(help);
		return EXIT_OK;
	}
	if (r < 0) {
		fprintf(stderr, "drover: %s\n", err.msg);
		return EXIT_USAGE;
	}
	if (!o.json && (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)))
		o.once = true;
	r = o.once || o.json ? print_samples(&o, &err) : screen_run(&o, &err);
	if (r == 0)
		return EXIT_OK;
	fprintf(stderr, "drover: %s\n", err.msg);
	return EXIT_FAILED;
}
