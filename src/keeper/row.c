// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/jread.h"
#include "base/size.h"
#include "keeper/keeper.h"

#include <time.h>

json_t *lease_row(
	const struct lease *lease, const char *state, const char *command, int64_t started
)
{
	const struct grant *g = &lease->grant;
	struct idset cpus = grant_all_cpus(g);
	int64_t up = (int64_t)time(NULL) - started;
	char hugepages[SIZE_STR];
	const char *image = lease->image[0] != '\0' ? lease->image : NULL;

	return json_pack(
		"{s:s, s:s, s:s, s:o, s:o, s:s, s:o, s:I, s:i, s:b, s:s, s:s*}",
		"name",
		g->name,
		"state",
		state,
		"in",
		lease->site.name,
		"cpus",
		json_idset(&cpus),
		"nodes",
		json_idset(&g->mems),
		"hugepages",
		size_format(grant_hugepage_bytes(g, -1), hugepages),
		"memory",
		json_size(g->memory),
		"seconds",
		(json_int_t)(up > 0 ? up : 0),
		"supervisor",
		lease->supervisor,
		"detached",
		lease->detached,
		"command",
		command,
		"image",
		image
	);
}
