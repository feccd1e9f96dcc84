// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What each CPU has done since the boot: interrupts, of the timer among them, and time (/proc/interrupts and /proc/stat,
// proc(5)).
#pragma once

#include "host/host.h"

struct host_tick {
	unsigned cpu;
	uint64_t timer, interrupts;  // interrupts of its own timer; all of them
	uint64_t busy, stolen, idle; // in units of the kernel's (USER_HZ)
};

// Of the online CPUs, in order of their numbers: an array (free it). A CPU that is in only one of the files has zeros for
// the other.
int host_ticks(const struct hostfs *fs, struct host_tick **ret, unsigned *ret_n, struct err *err);
