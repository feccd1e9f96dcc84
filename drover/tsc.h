// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// How fast the TSC is, by CLOCK_MONOTONIC_RAW, since the program began: the longer it runs, the better it is
// known. EAL's own figure is rounded to 10 MHz, where the CPU does not tell.
#pragma once

#include <stdint.h>

struct tsc_rate {
	double hz;
	double error; // of that, at most, as a part of it: 1e-6 is one in a million
};

struct tsc_rate tsc_rate(void);

// tsc_rate().hz as an integer, for what is set once. Never 0.
uint64_t tsc_hz(void);

// Nanoseconds of CLOCK_MONOTONIC_RAW.
uint64_t tsc_clock(void);
