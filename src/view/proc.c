// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Files of /proc as they would be on a machine that is the grant. They are pictures: what would change
// from moment to moment stands as at the start. runc lets no others of /proc be covered than those that
// lxcfs has.

#include "base/fs.h"
#include "base/scope.h"
#include "view/view.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define CPUINFO_MAX (64u << 20) // of 8192 processors with ever more flags
#define STAT_MAX (8u << 20)

char *view_filter_cpuinfo(const char *text, const struct idset *mine)
{
	char *out = malloc(strlen(text) + 1), *o = out;
	const char *end;

	if (out == NULL)
		return NULL;
	for (const char *block = text; *block != '\0'; block = end) {
		char line[64]; // the first of it; sscanf would go on into the next
		unsigned id;

		end = strstr(block, "\n\n");
		end = end != NULL ? end + 2 : block + strlen(block);
		snprintf(line, sizeof(line), "%.*s", (int)strnlen(block, sizeof(line) - 1), block);
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "processor : %u", &id) == 1 && !idset_has(mine, id))
			continue;
		memcpy(o, block, (size_t)(end - block));
		o += end - block;
	}
	*o = '\0';
	return out;
}

// Of processors about which the host cannot be asked only the numbers are known.
static char *bare_cpuinfo(const struct idset *mine)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	if (f == NULL)
		return NULL;
	idset_foreach (cpu, mine)
		fprintf(f, "processor\t: %d\n\n", cpu);
	if (fclose(f) != 0) {
		free(out);
		return NULL;
	}
	return out;
}

static void cpuinfo(struct view *v, const struct grant *g, const struct hostfs *fs)
{
	struct idset mine = grant_all_cpus(g);
	_cleanup_free_ char *text = NULL;
	int r = fs_read_system(fs->root, "proc/cpuinfo", CPUINFO_MAX, &text, NULL);

	if (r == -ENOENT)
		return;
	view_add(
		v,
		VIEW_FILE,
		r < 0 ? bare_cpuinfo(&mine) : view_filter_cpuinfo(text, &mine),
		"proc/cpuinfo"
	);
	view_cover(v, fs, "proc/cpuinfo");
}

static void meminfo(
	struct view *v, const struct grant *g, const struct host *host, const struct hostfs *fs
)
{
	unsigned long long hugetlb = grant_hugepage_bytes(g, -1) >> 10, memory = g->memory >> 10;
	unsigned long long pages = grant_pages(g, host->default_hugepage, -1, true, true);

	view_file(
		v,
		"proc/meminfo",
		"MemTotal:       %8llu kB\nMemFree:        %8llu kB\nMemAvailable:   %8llu kB\n"
		"Buffers:               0 kB\nCached:                0 kB\nSwapCached:            "
		"0 kB\n"
		"Active:                0 kB\nInactive:              0 kB\nSwapTotal:             "
		"0 kB\n"
		"SwapFree:              0 kB\nShmem:                 0 kB\nSReclaimable:          "
		"0 kB\n"
		"HugePages_Total: %7llu\nHugePages_Free:  %7llu\nHugePages_Rsvd:        0\n"
		"HugePages_Surp:        0\nHugepagesize:   %8llu kB\nHugetlb:        %8llu kB\n",
		memory + hugetlb,
		memory,
		memory,
		pages,
		pages,
		(unsigned long long)host->default_hugepage >> 10,
		hugetlb
	);
	view_cover(v, fs, "proc/meminfo");
}

char *view_idle_stat(const char *text, const struct idset *mine)
{
	// user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice
	static const char line[] = "0 0 0 0 0 0 0 0 0 0";
	const char *boot = str_starts(text, "btime ") ? text : strstr(text, "\nbtime ");
	unsigned long long when = 0;
	char *out = NULL;
	size_t len;
	FILE *f;

	if (boot != NULL)
		sscanf(boot, " btime %llu", &when);
	f = open_memstream(&out, &len);
	if (f == NULL)
		return NULL;
	fprintf(f, "cpu  %s\n", line);
	idset_foreach (cpu, mine)
		fprintf(f, "cpu%d %s\n", cpu, line);
	fprintf(f,
		"intr 0\nctxt 0\nbtime %llu\nprocesses 0\nprocs_running 1\nprocs_blocked 0\n"
		"softirq 0 0 0 0 0 0 0 0 0 0 0\n",
		when);
	// closing it may move the text
	if (fclose(f) != 0) {
		free(out);
		return NULL;
	}
	return out;
}

// When the machine was booted, as /proc/stat has it. To read that means to add up every interrupt.
static char *boot_line(void)
{
	struct timespec up, now;

	clock_gettime(CLOCK_BOOTTIME, &up);
	clock_gettime(CLOCK_REALTIME, &now);
	return str_printf(
		"btime %lld\n",
		(long long)(now.tv_sec - up.tv_sec - (now.tv_nsec < up.tv_nsec ? 1 : 0))
	);
}

static void stat_file(struct view *v, const struct grant *g, const struct hostfs *fs)
{
	struct idset mine = grant_all_cpus(g);
	_cleanup_free_ char *text = fs->real ? boot_line() : NULL;
	int r = text != NULL ? 0 : fs_read_system(fs->root, "proc/stat", STAT_MAX, &text, NULL);

	if (r == -ENOENT)
		return;
	view_add(v, VIEW_FILE, view_idle_stat(r < 0 ? "" : text, &mine), "proc/stat");
	view_cover(v, fs, "proc/stat");
}

// lxcfs, where it runs, answers each reader about its own container, from moment to moment. But of the
// files above it tells other things than /sys does: it numbers the processors of cpuinfo from 0, and the
// hugepages of meminfo and the interrupts of stat are the host's (lxcfs 5.0.3).
static void lxcfs(struct view *v, const struct hostfs *fs)
{
	view_cover_from(v, fs, "proc/loadavg", "/var/lib/lxcfs/proc/loadavg");
	view_cover_from(v, fs, "proc/uptime", "/var/lib/lxcfs/proc/uptime");
}

void view_proc(
	struct view *v, const struct grant *g, const struct host *host, const struct hostfs *fs
)
{
	view_dirs(v, "proc");
	meminfo(v, g, host, fs);
	cpuinfo(v, g, fs);
	if (!v->whole) // root of the host asks the host about the rest
		return;
	lxcfs(v, fs);
	stat_file(v, g, fs);
}
