// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What repeated measurements allow to be said. A value that is NAN was not measured and is left out; of pairs
// both are.
#pragma once

#include <stdbool.h>

// Nothing is called a difference, or none, from fewer, and no interval is given.
#define STATS_PAIRS_MIN 3
// A ratio whose whole interval lies within 1 ± STATS_SAME is no difference.
#define STATS_SAME 0.03

// A value and where it lies with 95 %. low and high are NAN where that cannot be said.
struct interval {
	double mid, low, high;
	unsigned n; // values it is of
};

enum verdict {
	VERDICT_NONE, // nothing was compared
	VERDICT_SAME,
	VERDICT_DIFFERENT,
	VERDICT_INCONCLUSIVE,
	VERDICT_END
};

// "no difference", "different", "inconclusive"; "" of VERDICT_NONE.
const char *verdict_name(enum verdict v);

// The two-sided 95 % quantile of Student's t.
double stats_t95(double degrees);

// Linear between the nearest two; part from 0 to 1. NAN of no value.
double stats_percentile(const double *v, unsigned n, double part);

// The median and its 95 % interval: from 6 values on from the order of the values, which asks nothing of their
// distribution (binomial); of 3 to 5 from Student's t about their mean, stretched to hold the median.
struct interval stats_median(const double *v, unsigned n);

// a against b.
struct comparison {
	struct interval ratio; // of a to b: Student's t of the logarithms of the pairs' ratios
	struct interval
		difference; // the same interval in b's unit, so that the two cannot contradict
	enum verdict verdict;
};
// From n pairs that were measured one beside the other. A value of 0 in one of them has no ratio, and to leave out its
// pair would make another of the rest: then the ratio is NAN.
struct comparison stats_pairs(const double *a, const double *b, unsigned n);

// Of values that were not measured in pairs: Welch's t of the logarithms. Where one is 0 or less there is no ratio, and
// the difference is Welch's of the values. between: how far two runs of the same lie from what they are runs of, as a share
// with 95 %; no sample of one run knows it.
struct comparison stats_apart(
	const double *a, unsigned na, const double *b, unsigned nb, double between
);

// The interval of a value of one run, widened by what runs lie apart (`between` as above).
struct interval stats_widen(struct interval v, double between);

enum verdict stats_verdict(const struct interval *ratio);
