// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a report of a fault has to say first.

#include "cli/cli.h"

#include "revision.h"
#include "run/run.h"

#include <stdio.h>

void cli_print_version(void)
{
	struct launch launch = {0};
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
	if (launch_find_tools(&launch, &err) < 0)
		printf("runtime   none: %s\n", err.msg);
	else
		printf("runtime   %s\n", launch.runtime);
}
