// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "apply/apply.h"
#include "cli/cli.h"

#include <stdio.h>

int cmd_gc(int argc, char **argv)
{
	unsigned count = 0;
	struct hostfs fs;
	struct ledger l;
	struct err err;
	int r = cli_simple_options(
		argc,
		argv,
		"Usage: pinfold gc\nTakes back what workloads left that nobody watches any more.",
		NULL,
		&err
	);

	if (r > 0)
		return STATUS_OK;
	if (r == 0)
		r = cli_open_real(true, &fs, &l, &err);
	if (r < 0)
		return cli_fail(&err);
	r = ledger_lock(&l, &err);
	if (r == 0)
		r = gc_leases(&l, &count, &err);
	if (r == 0)
		r = cgroup_remove_top(&fs, &err);
	cli_close_real(&fs, &l);
	if (r < 0)
		return cli_fail(&err);
	printf("%u cleaned up\n", count);
	return STATUS_OK;
}
