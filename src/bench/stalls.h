// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the machine does while something is measured: a thread that sleeps a millisecond at a time and sees how late
// it wakes, and the time that a hypervisor below took.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct stalls;

struct stalls_report {
	double seconds;
	double stall_ms; // the longest time for which the thread was not run after it was due
	double stalled;	 // share of the time in stalls above STALL_MS
	unsigned stalls; // their number
	double steal;	 // share of all CPUs' time that was stolen (/proc/stat)
	double load;	 // average of the last minute, at the end
};

#define STALL_MS 4.0

// Where no thread can be had, or none is wanted, the report is of the time stolen alone.
struct stalls *stalls_watch(bool thread);
struct stalls_report stalls_end(struct stalls *w);
