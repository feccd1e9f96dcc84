// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The kinds of CPUs that §4.0 compares.
#pragma once

#include "bench/bench.h"

#define CPU_KINDS 3

struct cpu_kind {
	const char *name; // "a normal CPU"
	int cpu;	  // one of them; -1: there is none
	const char *why;  // there is none
};

// The first is what functions otherwise run on.
void cpu_kinds(const struct bench *b, struct cpu_kind ret[CPU_KINDS]);
