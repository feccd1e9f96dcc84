// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The smallest network function: drover's none between two null devices. Its input always has a packet, so when it
// polls it forwards.
#pragma once

#include "bench/exp/ready.h"

struct environment;

// Writes its configuration, with that name in it.
int function_write(struct bench *b, const char *name, struct err *err);

// Starts it there, waits for its first packet, and for its end 50 ms later. number: unique in the run.
int function_start(
	struct bench *b,
	const struct environment *e,
	unsigned number,
	unsigned limit_ms,
	struct ready *ret,
	struct err *err
);
