// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What an engine gave a container itself, read from its config.json: limits of hugepages, a hugetlbfs, nodes of VFIO
// and UIO. That is a grant too, which is taken as it is.
#pragma once

#include "base/err.h"
#include "grant/grant.h"
#include "host/host.h"

#include <jansson.h>

// False if the text of a config.json can have nothing of that. fs: the machine, which says what its numbers of devices
// mean.
bool derive_possible(const char *text, size_t len, const struct hostfs *fs);

// True if it has: CPUs alone are none of it, and no limit of no hugepages.
bool derive_needed(const json_t *spec, const struct hostfs *fs);
// And whether PCI devices have to be known.
bool derive_has_devices(const json_t *spec, const struct hostfs *fs);

// True if it says how many pages of that size there are to be, if only none.
bool derive_limits(const json_t *spec, uint64_t size);

// The grant without its name. What nobody limited is the machine's.
int derive_grant(
	const json_t *spec,
	const struct host *host,
	const struct hostfs *fs,
	struct grant *ret,
	struct err *err
);
