// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What an instance takes of the machine's memory.
#pragma once

#include "base/err.h"

#include <sys/types.h>

// In MiB. Of all processes of the instance, the command's own and its runtime's among them.
struct footprint {
	unsigned processes;
	double pss;	  // ordinary memory, what is shared divided among those who share it
	double pss_anon;  // of it: what no file is behind
	double pss_file;  // of it: mapped files, which are page cache that others may share
	double pss_guest; // of it: a guest's memory, but for its hugepages
	double hugepages; // mapped
	double kernel;	  // of the kernel, for its cgroups; NAN where they do not count it
};

// Of a process and all its descendants; those that a runtime let go count to `parent`, if it is a subreaper and has no
// other children but `other` (0: none).
int footprint_take(pid_t first, pid_t parent, pid_t other, struct footprint *ret, struct err *err);

// "MemAvailable" of the machine, in MiB.
double footprint_available(void);
