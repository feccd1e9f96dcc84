// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// /sys/devices/system/cpu with the granted CPUs only. A granted cpuN is the host's own directory, so
// that topology, caches and frequency stay visible and true (paper, figure 5).

#include "base/fs.h"
#include "base/scope.h"
#include "view/view.h"

#include <string.h>

// Files that say the same of every CPU and that programs (lscpu) read.
static const char *const copied[] = {
	"kernel_max",
	"modalias",
	"smt/active",
	"smt/control",
};

static void copy_plain(struct view *v, const struct hostfs *fs)
{
	for (size_t i = 0; i < ARRAY_LEN(copied); i++) {
		_cleanup_free_ char *path = str_printf("sys/devices/system/cpu/%s", copied[i]);
		char *text = NULL;

		if (path == NULL)
			v->failed = true;
		else if (fs_read(fs->root, path, 4096, &text, NULL) == 0)
			view_add(v, VIEW_FILE, text, "cpu/%s", copied[i]);
	}
}

static void list(
	struct view *v, const char *path, const struct idset *all, const struct idset *mine
)
{
	struct idset set = *all;
	char buf[IDSET_STR];

	idset_and(&set, mine);
	view_file(v, path, "%s\n", idset_format(&set, buf, sizeof(buf)));
}

void view_cpu(
	struct view *v, const struct grant *g, const struct host *host, const struct hostfs *fs
)
{
	struct idset mine = grant_all_cpus(g);

	view_add(v, VIEW_DIR, NULL, "cpu");
	view_add(v, VIEW_DIR, NULL, "cpu/smt");
	list(v, "cpu/online", &mine, &mine);
	list(v, "cpu/possible", &mine, &mine);
	list(v, "cpu/present", &mine, &mine);
	list(v, "cpu/isolated", &host->isolated, &mine);
	list(v, "cpu/nohz_full", &host->nohz_full, &mine);
	view_file(v, "cpu/offline", "\n");
	copy_plain(v, fs);
	idset_foreach (cpu, &mine)
		view_add(
			v,
			VIEW_BIND,
			str_printf("/sys/devices/system/cpu/cpu%d", cpu),
			"cpu/cpu%d",
			cpu
		);
	view_cover(v, fs, "cpu", "/sys/devices/system/cpu");
}
