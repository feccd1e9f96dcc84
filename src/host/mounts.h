// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// /proc/mounts and /proc/PID/mountinfo, proc(5).
#pragma once

#include "host/host.h"

#include <stdbool.h>
#include <stddef.h>

#define MOUNTS_MAX (64u << 20) // bytes of a table; a container engine's overlays make long lines

struct mount_line {
	const char *where, *type;
	const char *device; // "0:41", of mountinfo alone
	char *options;	    // of /proc/mounts alone; may be cut up
};

// Of a line of either table, which it cuts up, and which has no newline. False: it is none.
bool mount_parse(char *line, struct mount_line *ret);

// Calls fn with each of /proc/mounts. A file that cannot be read has none.
typedef void (*mount_fn)(const struct mount_line *m, void *arg);
void mounts_each(const struct hostfs *fs, mount_fn fn, void *arg);

// "size=64M" among options: true, and its value. ret keeps what it was where there is no such.
bool mount_option(const char *options, const char *key, char *ret, size_t len);
