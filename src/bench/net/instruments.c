// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/net/instruments.h"

#include "bench/need.h"
#include "bench/net/sides.h"

#include <errno.h>
#include <string.h>

#define STARTS 5
#define SECONDS 0.2

enum {
	RATE,
	ERROR
};

struct alone {
	bool started; // it was there at least once
	int code;     // of the last start that failed
	char why[256];
};

// A program of its own each time: its meter measures its error as it starts, and keeps it.
static int trial(struct bench *b, void *arg, struct trial *t, struct err *err)
{
	const struct rig_how how = {
		.function = &function_none, .size = &function_none.sizes[0], .number = t->number};
	_cleanup_rig_ struct rig rig = RIG_INIT;
	struct alone *a = arg;
	struct window w;

	if (rig_start(b, &how, &rig, err) < 0) {
		a->code = err->code;
		snprintf(a->why, sizeof(a->why), "%.250s", err->msg);
		return -err->code;
	}
	a->started = true;
	if (rig_offer_valid(&rig, 0, SECONDS, &w, err) < 0)
		return -err->code;
	t->value[RATE] = window_received(&w) / 1e6;
	t->value[ERROR] = w.meter_ns;
	return 0;
}

int instruments_loopback(struct bench *b, struct result *r, struct err *err)
{
	struct row *rate = result_measured(r, "generator and meter alone, 64 B", NULL, "Mpps");
	struct row *error = result_measured(r, "the meter's own error", NULL, "ns");
	struct alone a = {0};
	struct series s = {
		.what = r->experiment,
		.side = {"the tester alone"},
		.nsides = 1,
		.rounds = compare_rounds(b, STARTS, 2 * STARTS),
		.least = STATS_PAIRS_MIN,
		.polls = true,
		.steal = TRIAL_STEAL,
		.run = trial,
		.arg = &a,
		.row = {{rate, error}},
	};
	struct series_report report;

	error->less = true;
	if (series_run(b, &s, &report, err) < 0)
		return -err->code;
	// without it nothing else can be measured
	if (!a.started)
		return err_set(err, a.code, "%s", a.why);
	if (!rate->invalid)
		row_text(
			rate, "over a ring in its own process: no function can be shown to do more"
		);
	if (!error->invalid)
		row_text(
			error,
			"the median latency that the meter sees over a ring of its own as it "
			"starts, of a program each"
		);
	return 0;
}
