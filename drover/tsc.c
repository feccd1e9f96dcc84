// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "tsc.h"

#include <rte_common.h>
#include <rte_cycles.h>
#include <time.h>

#define NS 1000000000
#define TRIES 16
#define LEAST (NS / 100) // nanoseconds that are measured

// Both clocks at one moment.
struct moment {
	uint64_t tsc, ns;
	uint64_t width; // cycles between which ns was read
};

static struct moment begin;

uint64_t tsc_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

// The narrowest of some: whoever is interrupted in between tries again.
static struct moment moment(void)
{
	struct moment best = {.width = UINT64_MAX};

	for (unsigned i = 0; i < TRIES; i++) {
		uint64_t before = rte_rdtsc(), ns = tsc_clock(), width = rte_rdtsc() - before;

		if (width < best.width)
			best = (struct moment){before + width / 2, ns, width};
	}
	return best;
}

RTE_INIT(tsc_begin)
{
	begin = moment();
}

struct tsc_rate tsc_rate(void)
{
	struct moment now = moment();
	double cycles;

	while (now.ns - begin.ns < LEAST)
		now = moment();
	cycles = (double)(now.tsc - begin.tsc);
	return (struct tsc_rate){
		.hz = cycles * NS / (double)(now.ns - begin.ns),
		.error = (double)(now.width + begin.width) / 2 / cycles,
	};
}

uint64_t tsc_hz(void)
{
	uint64_t hz = (uint64_t)(tsc_rate().hz + 0.5);

	return hz > 0 ? hz : 1;
}
