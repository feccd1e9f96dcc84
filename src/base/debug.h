// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What is done to the machine, step by step, for who looks for a fault (pinfold --debug).
#pragma once

#include "base/err.h"

#include <stdint.h>

// From now on steps are told, on what is standard error now: also by processes that get another, until they
// become another program.
void debug_begin(void);

// Of a process that keeps nothing of its caller: what follows goes to the system's log (syslog(3)).
void debug_detach(void);

// For one that can tell nobody.
void debug_end(void);

// The time before a step, 0 when steps are not told.
int64_t debug_time(void);

// Afterwards: "pinfold: debug: AT ms VERB KIND 'PATH', took N ms", and why it failed (r < 0).
void debug_step(
	int64_t begun,
	const char *verb,
	const char *kind,
	const char *path,
	int r,
	const struct err *err
);
