// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What is mounted, as this process sees it.
#pragma once

#include <mntent.h>

// Calls fn for every line of /proc/self/mounts, in its order.
void own_mounts_each(void (*fn)(const struct mntent *m, void *arg), void *arg);
