// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// results.json in a directory of results: the set-up, and the results of the experiments in their order.
#pragma once

#include "bench/bench.h"
#include "bench/result.h"

#define RESULTS_FILE "results.json"

struct results {
	enum bench_size size;
	json_t *provenance; // an object of words
	struct result *of;
	unsigned n;
};

void results_done(struct results *r);

// What the set-up says of the machine, and does not change while it runs. Ends with NULL.
extern const char *const results_machine_keys[];

// In place of what there is of the same experiment; takes it over.
void results_put(struct results *all, struct result *r);
struct result *results_find(const struct results *all, const char *experiment);

json_t *results_to_json(const struct results *all);
int results_from_json(const json_t *doc, const char *what, struct results *ret, struct err *err);

// dir: "DIR", or the file itself.
int results_read(const char *dir, struct results *ret, struct err *err);
// Whole or not at all.
int results_write(const char *dir, const struct results *all, struct err *err);
