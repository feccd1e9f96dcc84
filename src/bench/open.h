// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The begin and the end of a benchmark, for what drives it.
#pragma once

#include "bench/bench.h"

// Finds programs, CPUs and environments, makes b->work, and takes SIGINT, SIGTERM and SIGHUP for ctrl-C.
int bench_open(struct bench *ret, enum bench_size size, struct err *err);

// Ends what still runs and removes b->work.
void bench_close(struct bench *b);
