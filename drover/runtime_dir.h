// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The directory of EAL's runtime files, "dpdk/PREFIX", which EAL leaves behind.
#pragma once

// Removes those of drovers that were killed: named by a pid, and locked by nobody.
void runtime_dir_sweep(void);

// Before EAL starts: remembers the directory of this prefix (NULL: that of our pid), unless it is there
// already and somebody else's.
void runtime_dir_take(const char *prefix);

// Removes it, if it was taken.
void runtime_dir_remove(void);
