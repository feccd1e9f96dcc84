// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// /proc/mounts, proc(5).
#pragma once

#include "host/host.h"

#include <stdbool.h>
#include <stddef.h>

struct mount_line {
	const char *where, *type;
	char *options; // may be cut up
};

// Calls fn with each. A file that cannot be read has none.
typedef void (*mount_fn)(const struct mount_line *m, void *arg);
void mounts_each(const struct hostfs *fs, mount_fn fn, void *arg);

// "size=64M" among options: true, and its value. ret keeps what it was where there is no such.
bool mount_option(const char *options, const char *key, char *ret, size_t len);
