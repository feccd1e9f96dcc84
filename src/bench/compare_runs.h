// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Two runs, row by row: what changed.
#pragma once

#include "bench/results.h"

enum change {
	CHANGE_SAME, // no difference: the interval of B/A lies within ±3 %; counts or words are the same
	CHANGE_BETTER,	     // different, towards what is better
	CHANGE_WORSE,	     // different, away from it
	CHANGE_WORDS,	     // other words, or another figure, of which neither is better
	CHANGE_INCONCLUSIVE, // too few trials, or they lie too far apart, or it is of one run alone
	CHANGE_ONLY_A,	     // measured in A alone
	CHANGE_ONLY_B,
	CHANGE_END
};

// "same", "better", "worse", "changed", "inconclusive", "only in A", "only in B".
const char *change_name(enum change c);

struct compared {
	const char *experiment;
	const struct row *a, *b;    // NULL: it has none
	struct interval ratio;	    // B to A; NAN where there is none, as of 0
	struct interval difference; // B less A, in their unit
	enum change change;
	bool told; // both have an interval, a count or words that another run would have, too
	bool agree; // told: they differ by no more than the root of the squares of the two intervals; counts and
		// words: they are the same
};

// All rows that have something in either. Emulated ones are compared with each other only. *ret: an array to be freed,
// that points into the results. Returns how many.
unsigned results_compare(const struct results *a, const struct results *b, struct compared **ret);

// What makes two runs not of the same kind: their sizes, and what the set-ups say of the machine. Sentences, to be freed.
#define COMPARE_REMARKS 16
unsigned results_remarks(
	const struct results *a, const struct results *b, char *ret[COMPARE_REMARKS]
);

// What is to count as a failure, several with commas: "worse" (ratios of environments, and counts), "values" (of one
// environment, which vary more from run to run), either with "=PERCENT" (worse by more than that, with 95 %), "changed",
// "missing".
struct fail_on {
	bool worse, values, changed, missing;
	double percent, values_percent;
};
// Adds to *ret.
int fail_on_parse(const char *text, struct fail_on *ret, struct err *err);
bool fail_on_matches(const struct fail_on *f, const struct compared *c);

// {"agree": 57, "of": 60, "notes": […], "rows": […]}
json_t *compared_to_json(
	const struct results *a, const struct results *b, const struct compared *c, unsigned n
);
// Rows that agree, of *ret_of that can.
unsigned compared_agree(const struct compared *c, unsigned n, unsigned *ret_of);
