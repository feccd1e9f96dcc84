// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What of a grant can be another while it is in use: its limits of ordinary memory and of processes.
#pragma once

#include "grant/grant.h"

struct grant_change {
	uint64_t memory, pids; // 0: stays as it is
};

static inline bool change_is_one(const struct grant_change *c)
{
	return c->memory != 0 || c->pids != 0;
}

// The grant as it is then.
struct grant change_of(const struct grant *g, const struct grant_change *c);

// Refuses a change that this machine, or this grant, cannot have.
int change_check(
	const struct grant *g,
	const struct grant_change *c,
	const struct host *host,
	struct err *err
);

// Refuses other CPUs or nodes than it has, since its cgroup and its view have them. asked NULL or "": nothing was
// said of them.
int change_check_ids(
	const struct grant *g,
	const char *what,
	const char *asked,
	const struct idset *granted,
	struct err *err
);

// The same of an option (without its dashes) with a value. 0: it is one that can change, or it says what is so already.
int change_check_option(
	const struct grant *g, const char *option, const char *value, struct err *err
);
