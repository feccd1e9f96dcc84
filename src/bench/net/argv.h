// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Words of a command, which belong to it.
#pragma once

#include "base/err.h"

struct argv {
	unsigned n;
	char *v[48]; // ends with NULL
};

void argv_add(struct argv *a, const char *fmt, ...) printf_like(2, 3);
void argv_done(struct argv *a);
#define _cleanup_argv_ __attribute__((cleanup(argv_done)))
