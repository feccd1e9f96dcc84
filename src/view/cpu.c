// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// /sys/devices/system/cpu with the granted CPUs only. A granted cpuN is the host's own directory, so
// that topology, caches and frequency stay visible and true (paper, figure 5).

#include "base/scope.h"
#include "host/hostfs.h"
#include "view/view.h"

#include <limits.h>
#include <string.h>

#define CPU_DIR "sys/devices/system/cpu"

// Files that say the same of every CPU and that programs (lscpu) read.
static const char *const copied[] = {
	CPU_DIR "/kernel_max",
	CPU_DIR "/modalias",
	CPU_DIR "/smt/active",
	CPU_DIR "/smt/control",
};

// What a frequency may be, for lscpu. What it is now changes, and how it is governed is the host's.
static const char *const frequencies[] = {
	"base_frequency",
	"cpuinfo_max_freq",
	"cpuinfo_min_freq",
};

// cpuN/cpufreq is a link to a directory beside cpuN, which CPUs may share.
static void frequency(struct view *v, const struct hostfs *fs, int cpu)
{
	char link[64], policy[64], path[PATH_MAX];

	snprintf(link, sizeof(link), CPU_DIR "/cpu%d/cpufreq", cpu);
	if (hostfs_link_name(fs->root, link, policy, sizeof(policy)) < 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(frequencies); i++) {
		snprintf(path, sizeof(path), CPU_DIR "/cpufreq/%s/%s", policy, frequencies[i]);
		view_copy(v, fs, path);
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

	view_dirs(v, CPU_DIR);
	list(v, CPU_DIR "/online", &mine, &mine);
	list(v, CPU_DIR "/possible", &mine, &mine);
	list(v, CPU_DIR "/present", &mine, &mine);
	list(v, CPU_DIR "/isolated", &host->isolated, &mine);
	list(v, CPU_DIR "/nohz_full", &host->nohz_full, &mine);
	view_file(v, CPU_DIR "/offline", "\n");
	for (size_t i = 0; i < ARRAY_LEN(copied); i++)
		view_copy(v, fs, copied[i]);
	idset_foreach (cpu, &mine) {
		view_bind(v, CPU_DIR "/cpu%d", cpu);
		frequency(v, fs, cpu);
	}
	if (!v->whole)
		view_cover(v, fs, CPU_DIR);
}
