// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a report of a fault has to say first.

#include "cli/cli.h"

#include "revision.h"
#include "site/runtime.h"

#include <stdio.h>

void cli_print_version(void)
{
	struct runtime runtime;
	struct err err;

	printf("pinfold %s\n"
	       "revision  %s\n"
	       "compiler  %s\n"
	       "DPDK      %s, of drover\n",
	       PINFOLD_VERSION,
	       PINFOLD_REVISION,
#ifdef __clang__
	       "clang " __clang_version__,
#else
	       "gcc " __VERSION__,
#endif
	       PINFOLD_DPDK);
	if (runtime_find(&runtime, NULL, &err) < 0)
		printf("runtime   none: %s\n", err.msg);
	else
		printf("runtime   %s\n", runtime.path);
}
