// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// /sys/kernel/mm/hugepages with the granted sizes and counts. EAL sizes itself from these numbers, so
// the patch of the paper (§5.2.1, statvfs on the mount) is not needed.

#include "base/scope.h"
#include "view/view.h"

#include <string.h>

#define POOLS_DIR "sys/kernel/mm/hugepages"
#define THP_DIR "sys/kernel/mm/transparent_hugepage"

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

	view_dirs(v, POOLS_DIR);
	for (unsigned i = 0; i < host->nsizes; i++) {
		unsigned long long kb = host->hugepages[i].size >> 10;
		unsigned long long pages = grant_pages(g, host->hugepages[i].size, -1, true, true);

		if (pages == 0)
			continue;
		view_add(v, VIEW_DIR, NULL, POOLS_DIR "/hugepages-%llukB", kb);
		for (size_t f = 0; f < ARRAY_LEN(files); f++)
			view_add(
				v,
				VIEW_FILE,
				str_printf("%llu\n", files[f].counts ? pages : 0),
				POOLS_DIR "/hugepages-%llukB/%s",
				kb,
				files[f].name
			);
	}
	if (!v->whole) {
		view_cover(v, fs, POOLS_DIR);
		return;
	}
	// of the kernel, not of the grant: allocators ask
	view_copy(v, fs, THP_DIR "/enabled");
	view_copy(v, fs, THP_DIR "/hpage_pmd_size");
}
