// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Figures as people read them. Strings are to be freed.
#pragma once

#include "bench/results.h"

// Three digits: "12.5", "0.043", "1840".
char *words_number(double v);
// "12.5 ms", and where there is more than one sample " (11.9 to 13.4)"; of a fact its text; "" of what is missing.
char *words_value(const struct row *row);
// Without the interval, and long times in seconds: "15.7 s".
char *words_short(const struct row *row);
// Of a ratio, what lies between the two, with its sign and their unit: "+25.9 ms"; "" where that is not known.
char *words_difference(const struct row *row);
// The paper's: its figure with the unit and its words; "" where it says nothing.
char *words_paper(const struct row *row);
// "no difference", "holds today": of a claim that, else of the comparison; "" of neither.
const char *words_verdict(const struct row *row);
// Its mark, for those who do not see colours: "+", "-", "?", "·"; "" of none.
const char *words_mark(const struct row *row);

// Whether the rows of an experiment are read as a table of environments: what is seen there, and counts.
bool words_matrix(const struct result *r);

// Environments of the rows, in the order in which they come. Returns how many.
#define WORDS_ENVS 16
unsigned words_environments(const struct result *r, const char *envs[WORDS_ENVS]);

// How many rows of all results have each verdict about the paper.
struct words_count {
	unsigned of[CLAIM_END];
};
struct words_count words_claims(const struct results *all);

// What somebody reads who reads nothing else: sentences, to be freed. Returns how many.
#define WORDS_HEADLINES 8
unsigned words_headlines(const struct results *all, char *ret[WORDS_HEADLINES]);
