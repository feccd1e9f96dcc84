// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The monotonic clock (clock_gettime(2)), and short waits.
#pragma once

#include <stdint.h>
#include <time.h>

static inline int64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t clock_ms(void)
{
	return clock_ns() / 1000000;
}

// A signal may end it early.
static inline void nap_us(unsigned microseconds)
{
	const struct timespec t = {
		.tv_sec = microseconds / 1000000,
		.tv_nsec = (long)(microseconds % 1000000) * 1000,
	};

	nanosleep(&t, NULL);
}

static inline void nap_ms(unsigned milliseconds)
{
	nap_us(milliseconds * 1000);
}
