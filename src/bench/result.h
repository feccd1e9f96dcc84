// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What an experiment found: rows, in memory and as JSON (data/schemas/bench.json).
#pragma once

#include "base/err.h"
#include "bench/verdict.h"

#include <jansson.h>
#include <stdbool.h>

struct environment;

// See row_between: of times and rates, and of memory.
#define RESULT_BETWEEN 0.10
#define RESULT_BETWEEN_MEMORY 0.05

// Rows of the experiment that judges the machine, which limit what is called different.
#define RESULT_AGAIN "A again/A"
#define RESULT_AGAIN_START "start of a program"
#define RESULT_AGAIN_SPEED "fixed arithmetic"
// The same within an experiment, whose sides are host and host again.
#define RESULT_TWICE "host again"

enum row_kind {
	ROW_MEASURED, // samples of a unit
	ROW_RATIO,    // one environment against another; its samples are the ratios of pairs
	ROW_FACT,     // words: what is seen, or what a probe answered
	ROW_MISSING,  // it cannot be measured here; `reason` says why
	ROW_KINDS
};

// What became of the paper's statement.
enum claim_verdict {
	CLAIM_NONE, // the paper says nothing of this row
	CLAIM_HOLDS,
	CLAIM_FAILS,
	CLAIM_INCONCLUSIVE,
	CLAIM_CANNOT, // it cannot be measured here, because of `reason`
	CLAIM_END
};

// "holds today", "does not", "inconclusive", "cannot be measured here"; "" of CLAIM_NONE.
const char *claim_name(enum claim_verdict v);

// The paper's statement about a row as a bound on its value, or on the ratio of a ratio's row.
enum claim_kind {
	CLAIM_BELOW,
	CLAIM_ABOVE,
	CLAIM_ABOUT
};

struct row {
	enum row_kind kind;
	char *name;	 // what is measured: "exec to ready"
	char *env;	 // in which environment; of a ratio "container/host"
	char *figure;	 // "Fig. 3", "Tab. 2", "§3.6"; usually the experiment's
	bool emulated;	 // its CPU is emulated (TCG): proves function, not speed; never in a ratio
	bool exact;	 // a count or a size, that does not vary: one sample says all
	bool less;	 // less is better
	bool neutral;	 // neither is
	bool alone;	 // it is of this run alone: another says something else on the same machine
	char *unit;	 // "ms", "MiB", "Mpps", "" of a ratio
	double *samples; // one a round, NAN where its trial was not valid
	unsigned n;
	struct interval value;	    // of the samples; of a ratio that of stats_pairs
	struct interval difference; // of a ratio: the same in `of_unit`
	char *of_unit;
	enum verdict verdict; // of a ratio
	char *text;	      // of ROW_FACT; else a remark
	bool invalid;	      // no trial was valid; `reason` says why
	char *reason;
	unsigned repeated;  // trials that were disturbed and made again
	char *repeated_why; // of the last of them; NULL: not known
	double paper;	    // its figure of 2015, in the row's unit; NAN: none
	char *paper_words;  // what it says of it; NULL: nothing
	enum claim_verdict claim;
};

struct result {
	char *experiment, *title, *figure, *about;
	struct row **rows;
	unsigned n;
	bool complete; // nothing was cut short
	double seconds;
	char *dropped; // what a quick run leaves out; NULL: nothing
	char *failed;  // why it ended early; NULL: it did not
	const struct result
		*machine; // what the machine can tell apart, for ratios; NULL: not known
};

void result_done(struct result *r);

// Rows belong to the result. Memory that runs out ends the program: a benchmark has nothing better to do, and a row
// is never NULL. env NULL: of the machine as a whole.
struct row *result_measured(
	struct result *r, const char *name, const struct environment *env, const char *unit
);
struct row *result_fact(struct result *r, const char *name, const struct environment *env);
struct row *result_missing(
	struct result *r, const char *name, const struct environment *env, const char *why, ...
) printf_like(4, 5);

void row_sample(struct row *row, double value);
// One sample that does not vary.
void row_exact(struct row *row, double value);
void row_text(struct row *row, const char *fmt, ...) printf_like(2, 3);
void row_invalid(struct row *row, const char *fmt, ...) printf_like(2, 3);
void row_figure(struct row *row, const char *figure);
// What it has is of this run alone: it has no interval, and another run is not compared with it.
void row_alone(struct row *row);
// A ratio that says nothing of what it is meant to be of, whatever its interval: inconclusive, and why.
void row_doubt(struct row *row, const char *fmt, ...) printf_like(2, 3);

// How far runs of the same lie apart because of the machine's state, as a share with 95 %: stated, not measured, by the
// kind of figure. 0 of ratios and of what is exact.
double row_between(const struct row *row);

// The paper's figure (NAN: none) and words for the row.
void row_paper(struct row *row, double value, const char *fmt, ...) printf_like(3, 4);

// a/b from pairs: sample i of either is of the same round. Where one of them is missing, not valid, or emulated
// while the other is not, the row says so and has no ratio. A difference below what r->machine says can be told apart,
// or a ratio of RESULT_TWICE before, is inconclusive. name NULL: that of a.
struct row *result_ratio(
	struct result *r, const char *name, const struct row *a, const struct row *b
);

// Whether the paper's statement holds, from the row's interval: it lies below `bound`, above it, or (CLAIM_ABOUT)
// within ±3 % of it. Inconclusive where the interval is on both sides. Of a ratio to 1 that is its verdict: what is no
// difference is neither below nor above. A row without figures cannot be measured here.
void row_claim(struct row *row, enum claim_kind kind, double bound);
// Of a fact, which needs no interval.
void row_claim_is(struct row *row, enum claim_verdict verdict);

// Computes value, difference and verdict of all rows from their samples; called once an experiment has ended, and
// by result_ratio and row_claim for those they need.
void row_settle(struct row *row);
void result_settle(struct result *r);

// The row of that name and environment, or NULL.
struct row *result_find(const struct result *r, const char *name, const char *env);

json_t *result_to_json(const struct result *r);
int result_from_json(const json_t *doc, struct result *ret, struct err *err);
