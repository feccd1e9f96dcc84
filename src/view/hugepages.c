// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// /sys/kernel/mm/hugepages with the granted sizes and counts. EAL sizes itself from these numbers, so
// the patch of the paper (§5.2.1, statvfs on the mount) is not needed.

#include "base/scope.h"
#include "view/view.h"

#include <string.h>

void view_hugepages(
	struct view *v, const struct grant *g, const struct host *host, const struct hostfs *fs
)
{
	static const struct {
		const char *name;
		bool counts; // shows the granted pages, else 0
	} files[] = {
		{"nr_hugepages", true},
		{"nr_hugepages_mempolicy", true},
		{"free_hugepages", true},
		{"resv_hugepages", false},
		{"surplus_hugepages", false},
		{"nr_overcommit_hugepages", false},
	};

	view_add(v, VIEW_DIR, NULL, "hugepages");
	for (unsigned i = 0; i < host->nsizes; i++) {
		unsigned long long kb = host->hugepages[i].size >> 10;
		unsigned long long pages = grant_pages(g, host->hugepages[i].size, -1, true, true);

		if (pages == 0)
			continue;
		view_add(v, VIEW_DIR, NULL, "hugepages/hugepages-%llukB", kb);
		for (size_t f = 0; f < ARRAY_LEN(files); f++)
			view_add(
				v,
				VIEW_FILE,
				str_printf("%llu\n", files[f].counts ? pages : 0),
				"hugepages/hugepages-%llukB/%s",
				kb,
				files[f].name
			);
	}
	view_cover(v, fs, "hugepages", "/sys/kernel/mm/hugepages");
}
