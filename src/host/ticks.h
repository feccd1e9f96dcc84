// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What each CPU has done since the boot: interrupts, of the timer among them, and time (/proc/interrupts and /proc/stat,
// proc(5)).
#pragma once

#include "host/host.h"

// A line of /proc/interrupts: its name ("LOC", "24"), the counts of as many of the CPUs, and what is behind those.
struct host_interrupt {
	const char *name, *behind;
	const uint64_t *count;
	unsigned n;
};
typedef void host_interrupt_fn(const struct host_interrupt *i, void *arg);

// Calls fn for each. ret: the CPUs whose counts they are, in order of their numbers; it is filled before.
int host_interrupts(
	const struct hostfs *fs,
	struct idset *ret,
	host_interrupt_fn *fn,
	void *arg,
	struct err *err
);

struct host_tick {
	unsigned cpu;
	uint64_t timer, interrupts;  // interrupts of its own timer; all of them
	uint64_t busy, stolen, idle; // in units of the kernel's (USER_HZ)
};

// Of the online CPUs, in order of their numbers: an array (free it). A CPU that is in only one of the files has zeros for
// the other.
int host_ticks(const struct hostfs *fs, struct host_tick **ret, unsigned *ret_n, struct err *err);

// The CPU's, or NULL.
const struct host_tick *host_tick_of(const struct host_tick *ticks, unsigned n, unsigned cpu);
// What a counter went up by. The kernel may take back a little of what it counted as idle; of a CPU that is gone there are
// zeros.
static inline double host_tick_since(uint64_t from, uint64_t to)
{
	return to > from ? (double)(to - from) : 0;
}
// Of all the time that the kernel counted between two moments, the percentage that the CPU was busy, or was stolen by
// the machine beneath. -1: it counted none.
double host_tick_busy(const struct host_tick *from, const struct host_tick *to);
double host_tick_stolen(const struct host_tick *from, const struct host_tick *to);

// Two moments, and what lies between them.
struct host_count {
	const struct host_tick *from, *to;
	unsigned nfrom, nto;
	double seconds;
};

// What a CPU is and did then: {cpu, isolated, tickless, ticks, interrupts, busy, stolen, sibling}, the first two a second,
// the others in percent, of the busiest other hyper-thread of its core the last; null: not known. NULL: it came or went.
json_t *host_count_row(const struct host_count *c, const struct host *h, unsigned cpu);
