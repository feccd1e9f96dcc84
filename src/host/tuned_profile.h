// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A profile of tuned with all that it includes, as tuned puts them together (tuned/profiles/loader.py, merger.py, variables.py).
#pragma once

#include "host/host.h"

#include <stdbool.h>

#define TUNED_PROFILE "cpu-partitioning"
#define TUNED_NAMES 128

struct tuned_variable {
	char name[64], value[512];
	char file[160]; // which says so
};

struct tuned_variables {
	unsigned n;
	struct tuned_variable list[TUNED_NAMES];
};

struct tuned_profile {
	const struct hostfs *fs;
	bool guess; // follow names of profiles inside of functions, too, of which only tuned knows which of them is meant
	bool partitions; // one of them is cpu-partitioning
	unsigned nfiles;
	char files[32][160];		// of those that were read
	struct tuned_variables written; // what their [variables] say, the last of a name
};

// Adds a profile, after those that it includes.
void tuned_profile_add(struct tuned_profile *p, const char *name);

// What the variables are, in the order of their files. Functions (${f:…}) are left as they are written.
void tuned_profile_variables(const struct tuned_profile *p, struct tuned_variables *ret);

// NULL: there is none of that name.
const struct tuned_variable *tuned_variable(const struct tuned_variables *v, const char *name);
