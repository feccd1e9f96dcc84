// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "inside/mounts.h"

#include <stdio.h>

void own_mounts_each(void (*fn)(const struct mntent *m, void *arg), void *arg)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent m;
	char line[8192];

	while (f != NULL && getmntent_r(f, &m, line, sizeof(line)) != NULL)
		fn(&m, arg);
	if (f != NULL)
		endmntent(f);
}
