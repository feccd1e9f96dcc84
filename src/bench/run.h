// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A run of experiments into a directory.
#pragma once

#include "base/err.h"
#include "bench/bench.h"
#include "bench/results.h"

struct run_how {
	enum bench_size size;
	const struct remote *remote; // where the tester is; NULL: here
	const char *dir;	     // made if it is not there
	bool resume;		     // what is complete in it is left alone
	const char *const *names;    // of experiments, or "all" of that size; ends with NULL
	void (*said)(const struct result *r); // called after each; may be NULL
};

// Runs them in the order of the paper, the machine's judgement first, and writes what was found after each. After
// ctrl-C: -ECANCELED, and what was found is on disk. *ret: all results in the directory.
int bench_run(const struct run_how *how, struct results *ret, struct err *err);
