// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Memory that runs out ends a benchmark: nothing it measured afterwards would mean anything.
#pragma once

#include <stdio.h>
#include <stdlib.h>

static inline void *need(void *p)
{
	if (p == NULL) {
		fputs("pinfold: memory is out\n", stderr);
		exit(125);
	}
	return p;
}
