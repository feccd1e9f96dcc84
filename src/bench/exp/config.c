// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// §3.7: from a configuration that was changed to a network function that runs with it.

#include "base/clock.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/exp/function.h"
#include "bench/exp/ready.h"
#include "bench/exp/run_in.h"
#include "bench/need.h"
#include "bench/reasons.h"
#include "bench/trial.h"

#include <errno.h>

struct sides {
	const struct environment *env[ENV_KINDS];
	unsigned limit_ms;
};

// The file is written, and the function started with it: what ran before has been stopped.
static int trial(struct bench *b, void *arg, struct trial *t, struct err *err)
{
	const struct sides *s = arg;
	_cleanup_free_ char *name = need(str_printf("change %u", t->number));
	int64_t began = clock_ns();
	struct ready r;

	if (function_write(b, name, err) < 0
	    || function_start(b, s->env[t->side], t->number, s->limit_ms, &r, err) < 0)
		return -err->code;
	t->value[0] = (double)(clock_ns() - began) / 1e6 - (r.end_ms - r.ready_ms);
	return 0;
}

static int series_of(
	struct bench *b,
	struct result *r,
	unsigned kinds,
	unsigned rounds,
	struct sides *s,
	struct err *err
)
{
	struct series series = {
		.what = "config",
		.rounds = rounds,
		.least = 2,
		.attempts = 2,
		.run = trial,
		.arg = s};
	struct series_report report;

	for (unsigned k = 0; k < ENV_KINDS; k++) {
		const struct environment *e = &b->env[k];
		struct row *row;

		if (!(kinds >> k & 1))
			continue;
		if (!e->present) {
			result_missing(r, "changed file to running function", e, "%s", e->why);
			continue;
		}
		row = result_measured(r, "changed file to running function", e, "ms");
		row->less = true;
		s->env[series.nsides] = e;
		series.row[series.nsides][0] = row;
		series.side[series.nsides++] = e->name;
	}
	return series_run(b, &series, &report, err);
}

static int run(struct bench *b, struct result *r, struct err *err)
{
	const char *name = "changed file to running function";
	const struct environment *guest = &b->env[ENV_VM];
	const unsigned vm = 1u << ENV_VM, pair = 1u << ENV_HOST | 1u << ENV_CONTAINER;
	// an emulated one is compared with none, and takes long
	bool apart = !guest->present || guest->emulated;
	struct sides s = {.limit_ms = apart ? 30000 : 120000};
	struct row *container, *ratio;

	if (series_of(b, r, apart ? pair : pair | vm, bench_choose(b, 6, 20), &s, err) < 0)
		return -err->code;
	s.limit_ms = 120000;
	if (apart && series_of(b, r, vm, 2, &s, err) < 0)
		return -err->code;
	container = result_find(r, name, "container");
	result_ratio(r, NULL, container, result_find(r, name, "host"));
	ratio = result_ratio(r, NULL, container, result_find(r, name, "vm"));
	row_paper(
		ratio,
		__builtin_nan(""),
		"containers are configured at their start (flexible), virtual machines by tools or "
		"images (complex)"
	);
	row_claim(ratio, CLAIM_BELOW, 1);
	return 0;
}

static bool lacking(const struct bench *b, struct reasons *r)
{
	run_in_lacks(b, 1u << ENV_CONTAINER | 1u << ENV_VM, r);
	if (b->drover == NULL)
		lacks(r, "drover is not beside this program");
	return b->drover != NULL && b->env[ENV_CONTAINER].present;
}

static const struct experiment config = {
	.name = "config",
	.figure = "§3.7",
	.title = "Configurability",
	.about = "From writing a changed configuration file until a network function that was "
		 "started with it forwards.",
	.dropped[BENCH_QUICK] = "repeats: 6 of each instead of 20",
	.seconds = {50, 180},
	.order = 35,
	.lacks = lacking,
	.run = run,
};
EXPERIMENT(config);
