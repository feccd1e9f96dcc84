// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/net/instruments.h"

#include "bench/net/rig.h"

#include <errno.h>

#define WINDOWS 5
#define SECONDS 0.2

int instruments_loopback(struct bench *b, struct result *r, struct err *err)
{
	const struct rig_how how = {
		.function = &function_none, .size = &function_none.sizes[0], .number = 0};
	struct row *rate = result_measured(r, "generator and meter alone, 64 B", NULL, "Mpps");
	struct row *error = result_measured(r, "the meter's own error", NULL, "ns");
	_cleanup_rig_ struct rig rig = RIG_INIT;

	bench_say(b, "%s: the tester alone", r->experiment);
	error->less = true;
	if (rig_start(b, &how, &rig, err) < 0)
		return -err->code;
	for (unsigned i = 0; i < WINDOWS; i++) {
		struct window w;

		if (rig_offer_valid(&rig, 0, SECONDS, &w, err) < 0) {
			row_invalid(rate, "%s", err->msg);
			row_invalid(error, "%s", err->msg);
			return err->code == ECANCELED ? -ECANCELED : 0;
		}
		row_sample(rate, window_received(&w) / 1e6);
		row_sample(error, w.meter_ns);
	}
	row_text(rate, "over a ring in its own process: no function can be shown to do more");
	row_text(error, "the median latency that it sees over a ring between its own two tasks");
	return 0;
}
