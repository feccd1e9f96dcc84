// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Two runs, row by row: what changed.
#pragma once

#include "bench/results.h"

enum change {
	CHANGE_SAME, // no difference: the interval of B/A lies within ±3 %, or the words are the same
	CHANGE_BETTER,	     // different, towards what is better
	CHANGE_WORSE,	     // different, away from it
	CHANGE_WORDS,	     // other words
	CHANGE_INCONCLUSIVE, // too few trials, or they lie too far apart
	CHANGE_ONLY_A,	     // measured in A alone
	CHANGE_ONLY_B,
	CHANGE_END
};

// "same", "better", "worse", "changed", "inconclusive", "only in A", "only in B".
const char *change_name(enum change c);

struct compared {
	const char *experiment;
	const struct row *a, *b; // NULL: it has none
	struct interval ratio;	 // B to A; NAN where there is none
	enum change change;
};

// All rows that have something in either. Emulated ones are compared with each other only. *ret: an array to be freed,
// that points into the results. Returns how many.
unsigned results_compare(const struct results *a, const struct results *b, struct compared **ret);

// What is to count as a failure: "worse", "worse=PERCENT" (by more than that, with 95 %), "changed", "missing", several
// with commas.
struct fail_on {
	bool worse, changed, missing;
	double percent;
};
int fail_on_parse(const char *text, struct fail_on *ret, struct err *err);
bool fail_on_matches(const struct fail_on *f, const struct compared *c);

json_t *compared_to_json(const struct compared *c);
