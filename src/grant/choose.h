// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The parts of the choice that grant_resolve makes, and of its check.
#pragma once

#include "grant/grant.h"

// Fills g->hugepages from the request: entries that name their node as they are, the others on the home
// node and then on the nearest ones that have some.
int choose_pages(
	const struct request *req,
	const struct host *host,
	const struct holdings *others,
	int home,
	struct grant *g,
	struct err *err
);

// Whether this kernel has hugepages of a size.
int check_page_size(const struct host *host, uint64_t size, struct err *err);

// partition.c: whether this machine can make the CPUs of g an isolated partition.
int check_partition(const struct grant *g, const struct host *host, struct err *err);
