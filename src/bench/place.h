// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Which two CPUs everything is measured on.
#pragma once

#include "base/idset.h"

#include <stdbool.h>

// A CPU, and what it shares with others.
struct place {
	int cpu;
	bool isolated;
	int core;    // the first of the threads of its core; -1: the kernel does not say
	int package; // the socket; -1
};

#define PLACES 128 // as many as drover can use

// Those that this process may use, in their order: of its affinity, and where nobody has chosen that, the isolated ones
// (isolcpus=), which the kernel leaves out of it. Returns how many.
unsigned places_find(struct place ret[PLACES]);

// One for what is measured, isolated where there is such, and the last one, since the kernel begins with the first; and
// one for what loads it: of another core, near it. The same where there is but one. n > 0.
void places_choose(const struct place *p, unsigned n, int *ret_vnf, int *ret_tester);

// What the kernel says of its CPUs in a file: "online", "isolated", "nohz_full".
struct idset places_listed(const char *file);

// Whether two CPUs are threads of one core.
bool place_same_core(int a, int b);
