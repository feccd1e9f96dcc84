// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Watches that the CPUs and nodes of a workload stay online, and its NICs where they are, for whoever polls for
// something else too.
#pragma once

#include "apply/apply.h"
#include "apply/nics_gone.h"

// Lets through of the kernel's events "ACTION@/devices/system/…", ACTION being add, change, remove, online or offline;
// with NICs also "remove@/devices/…" but for "/devices/virtual/…", of which "vfio/…" alone. -1 and errno.
int cpu_watch_filter(int fd, bool nics);

struct cpu_watch {
	int fd; // to be polled for reading; -1: there is none
	const struct hostfs *fs;
	const struct lease *lease;
	int64_t due; // when to look again, in milliseconds of CLOCK_MONOTONIC; 0: not of itself
	int64_t settled, pause; // until when an event is followed, and how long to wait meanwhile
	bool killed;
	struct nics_known nics;
	char said[OFFLINE_LINE];
};

// Both are borrowed. What happens from here on is not missed.
void cpu_watch_open(struct cpu_watch *w, const struct hostfs *fs, const struct lease *lease);
void cpu_watch_close(struct cpu_watch *w);

// How long poll may wait: milliseconds, -1: for ever.
int cpu_watch_timeout(const struct cpu_watch *w);

// To be called whenever poll returns. Does what the grant says, and says what it was, once,
// in the log of a detached workload, else on standard error.
void cpu_watch_look(struct cpu_watch *w);
