// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Which files the processes of the machine have open, as /proc tells it. Not seen are descriptors that are on their way
// in a socket, and what is only mapped.
#pragma once

#include "host/host.h"

#include <dirent.h>

// The links of one table of descriptors. 0: go on; more: that is enough; less: -errno, and it goes on.
typedef int (*host_descriptors_fn)(int pid, DIR *links, void *arg);

// Calls fn with that of each process, and of each thread that has one of its own. Negative with err set when one of
// them could not be looked at, but for those that have ended meanwhile; all others have been.
int host_each_descriptors(
	const struct hostfs *fs, host_descriptors_fn fn, void *arg, struct err *err
);
