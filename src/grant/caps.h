// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Linux capabilities that a grant may name. They count in the container's own namespaces only: its
// user namespace has no power over what belongs to the host.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define CAPS_MAX 41 // capabilities that Linux knows, as of CAP_CHECKPOINT_RESTORE

// "NET_RAW" → its number. Refuses what is unknown and, with the reason, what would
// open the fence.
int cap_parse(const char *name, unsigned *ret, struct err *err);

// "NET_RAW". For numbers that cap_parse gave.
const char *cap_name(unsigned cap);

// What it opens, in one line for a person.
const char *cap_opens(unsigned cap);

static inline bool cap_has(uint64_t caps, unsigned cap)
{
	return (caps >> cap & 1) != 0;
}
