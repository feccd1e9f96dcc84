// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// tuned's profile cpu-partitioning, which keeps CPUs free for programs that poll: it moves interrupts, threads and unbound work,
// sets sysctls, and has nohz_full= put on the kernel's command line. Others include it, under any name.
#pragma once

#include "base/idset.h"
#include "host/host.h"

#include <stdbool.h>

#define TUNED_VARIABLES "/etc/tuned/cpu-partitioning-variables.conf"
#define TUNED_ACTIVE "/etc/tuned/active_profile"
#define TUNED_PID "/run/tuned/tuned.pid"

struct host_tuned {
	bool installed, active; // active: it runs, with the profile
	char chosen[256];	// all that is chosen
	char profile[64];	// the one of them that is it or includes it; "": none
	char cores[512];	// as it is configured; "": it is not
	char file[512];		// where, or where it could be
	bool known;		// what that isolates
	struct idset isolated;
};

void host_tuned(const struct hostfs *fs, struct host_tuned *ret);

// What has it keep these CPUs free, too.
#define TUNED_CURE_LEN 1664
char *host_tuned_cure(
	const struct host_tuned *t, const struct idset *cpus, char ret[static TUNED_CURE_LEN]
);
