// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Making an rte_fib of the right size, fast.
#pragma once

#include "base/err.h"
#include "table/spec.h"

#include <rte_fib.h>
#include <stdbool.h>
#include <stdint.h>

// number[id]: next hop of the FIB for that hop, above 0. hops: the greatest there will be.
// ret_routes: prefixes, each counted once.
int fib_make(
	const struct routes *r,
	const uint32_t *number,
	uint32_t hops,
	int socket,
	struct rte_fib **ret,
	size_t *ret_routes,
	struct err *err
);

// Another with the same routes, and room for more.
int fib_copy(
	struct rte_fib *from,
	size_t nroutes,
	uint32_t hops,
	int socket,
	struct rte_fib **ret,
	struct err *err
);

bool fib_has(struct rte_fib *fib, uint32_t ip, uint8_t depth);
