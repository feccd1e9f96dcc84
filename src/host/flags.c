// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What an x86 CPU can do, as /proc/cpuinfo has it.

#include "base/scope.h"
#include "base/str.h"
#include "host/host.h"
#include "host/hostfs.h"

#include <string.h>

int host_has_flag(const struct hostfs *fs, const char *flag)
{
	_cleanup_fclose_ FILE *f = hostfs_fopen(fs->root, "proc/cpuinfo");
	char line[8192], *save = NULL;

	do {
		if (f == NULL || fgets(line, sizeof(line), f) == NULL)
			return -1;
	} while (!str_starts(line, "flags"));
	for (char *w = strtok_r(line, " \t\n", &save); w != NULL;
	     w = strtok_r(NULL, " \t\n", &save)) {
		if (str_eq(w, flag))
			return 1;
	}
	return 0;
}
