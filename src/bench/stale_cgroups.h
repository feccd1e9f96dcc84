// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A cgroup for what engines start for a benchmark: they leave some behind, empty. Others of theirs are somebody else's.
#pragma once

// Its name, as engines take it for the parent of a container's; one for each benchmark. To be freed.
char *groups_parent(void);

// It goes, and what is in it, but no group with a process; and so do those of benchmarks that were killed.
void groups_remove(void);
