// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The same function and traffic on several sides in turn, each trial with programs of its own; rows of all values, and
// ratios to the first side.
#pragma once

#include "bench/net/rig.h"
#include "bench/trial.h"

#define COMPARE_VALUES 24
#define COMPARE_LAST 5

struct compare_side {
	const struct environment *env;
	const char *const *wrap; // as in struct rig_how
	enum rig_link link;
};

struct compare_value {
	const char *name, *unit;
	bool less;  // is better
	bool ratio; // to the first side
};

struct compare {
	const char *what; // "none, 64 B": the rows' names begin with it
	const struct function *function;
	const struct frame_size *size;
	unsigned nsides;
	struct compare_side side[TRIAL_SIDES];
	unsigned nvalues;
	struct compare_value value[COMPARE_VALUES];
	unsigned rounds;
	int cpu; // 1 + the function's; 0: the usual one

	// Traffic in a rig that stands; fills t->value in the order of `value`. EAGAIN: a disturbed trial.
	int (*measure)(struct compare *c, struct rig *rig, struct trial *t, struct err *err);
	void *arg;

	// what came out: rows of sides and values; ratios are those of a side to the first one
	struct row *row[TRIAL_SIDES][COMPARE_VALUES];
	struct row *ratio[TRIAL_SIDES][COMPARE_VALUES];
	struct series_report report;

	// its own: the series' sides in `side`; what a packet cost the tester in the last windows, and on the sides of
	// this round (0: not known)
	unsigned place[TRIAL_SIDES], nlast, round;
	double last[COMPARE_LAST], of[TRIAL_SIDES];
};

// Fails only with ECANCELED. Sides whose environment is not present get rows that say why.
int compare_run(struct bench *b, struct result *r, struct compare *c, struct err *err);

// Of a trial's first window: one in which a packet cost the tester, which is the same on all sides, something else than in
// the windows before is none to compare. Before there are three, something else than on the side before. Where that shows
// that a side before was the odd one, what it has of this round goes.
void compare_tester(struct compare *c, struct trial *t, const struct window *w);

// As bench_choose, but for tests, which set COMPARE_TINY in the environment to have few rounds of what there is least of.
#define COMPARE_TINY "PINFOLD_BENCH_TINY"
bool compare_tiny(void);
unsigned compare_rounds(const struct bench *b, unsigned quick, unsigned full);
