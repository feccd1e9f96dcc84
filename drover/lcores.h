// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Which CPU each polling core of a configuration gets: of the grant, or of what this process may use.
#pragma once

#include "base/idset.h"
#include "drover.h"

struct resources {
	bool granted;
	struct idset own, shared; // CPUs
	bool hugepages;		  // there are some to use
	bool fs;		  // a hugetlbfs of ours: pages must come from it
};

// By the grant there is, else by the machine.
int resources_read(struct resources *ret, struct err *err);

struct placement {
	unsigned nlcores;
	unsigned cpu[CONF_CORES]; // of each worker core of the configuration, in its order
	unsigned main_cpu;	  // of the control thread
	bool squeezed;		  // some CPU has several polling lcores
};

// squeeze: several on one CPU where there are too few, which is an error else.
int lcores_place(
	const struct conf *c,
	const struct resources *r,
	bool squeeze,
	struct placement *ret,
	struct err *err
);
