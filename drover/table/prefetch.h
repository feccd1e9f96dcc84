// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Asking for a line of a large table, a burst before it is read.
#pragma once

#include <rte_common.h>
#include <rte_prefetch.h>

// Into L2, not L1: a line on its way into L1 holds one of the few fill buffers of the core until memory
// answers, and with two such lines a packet they run out. From L2 it is there when it is wanted.
static __rte_always_inline void prefetch_far(const void *line)
{
	rte_prefetch1(line);
}
