// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A workload's own share of what the kernel counts in its cgroup:
// https://docs.kernel.org/admin-guide/cgroup-v2.html, and cgroup-v1/{cpuacct,memory,hugetlb,pids}.html beside it.

#include "stats/stats.h"

#include "apply/apply.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/size.h"
#include "host/cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

// Where the workload is below its lease's cgroup: a keeper's, a container, one that an engine has made.
static const char *const places[] = {"box/work", "box", "."};

// key: as host_cgroup_number has it.
static uint64_t number(int dir, const char *file, const char *key)
{
	_cleanup_free_ char *text = NULL;

	return fs_read_system(dir, file, 1u << 20, &text, NULL) == 0 ? host_cgroup_number(text, key)
								     : STATS_UNKNOWN;
}

static void set(uint64_t *ret, uint64_t v)
{
	if (v != STATS_UNKNOWN)
		*ret = v;
}

// Of files alone: a tmpfs has nothing behind it.
static uint64_t cache(uint64_t files, uint64_t shmem)
{
	return files == STATS_UNKNOWN || shmem == STATS_UNKNOWN || shmem > files ? STATS_UNKNOWN
										 : files - shmem;
}

static void read_memory(int dir, struct stats_workload *w)
{
	static const char *const stat = "memory.stat";

	set(&w->memory, number(dir, "memory.usage_in_bytes", NULL));
	set(&w->memory, number(dir, "memory.current", NULL));
	set(&w->cache, cache(number(dir, stat, "total_cache"), number(dir, stat, "total_shmem")));
	set(&w->cache, cache(number(dir, stat, "file"), number(dir, stat, "shmem")));
}

static void read_hugepages(int dir, struct stats_hugepages *h)
{
	static const char *const ends[] = {"usage_in_bytes", "current"};
	char size[SIZE_STR], file[64];

	size_format_hugetlb(h->size, size);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		snprintf(file, sizeof(file), "hugetlb.%s.%s", size, ends[i]);
		set(&h->used, number(dir, file, NULL));
		snprintf(file, sizeof(file), "hugetlb.%s.rsvd.%s", size, ends[i]);
		set(&h->reserved, number(dir, file, NULL));
	}
}

static int read_hierarchy(int hierarchy, const char *path, void *arg, struct err *err)
{
	_cleanup_close_ int top = fs_open_in(hierarchy, path, O_RDONLY | O_DIRECTORY, 0);
	struct stats_workload *w = arg;
	_cleanup_close_ int dir = -1;
	uint64_t us;

	// no more processes than it, or no such controller
	if (top < 0 && errno != ENOENT)
		return err_sys(err, errno, "read what cgroup '%s' counts", path);
	// what lies below one that an engine has made its container may have made
	for (size_t i = site_has(&w->lease.site, SITE_LEASE) ? 0 : ARRAY_LEN(places) - 1;
	     top >= 0 && dir < 0 && i < ARRAY_LEN(places);
	     i++)
		dir = fs_open_in(top, places[i], O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0 || !host_is_cgroup(dir))
		return 0;
	set(&w->cpu_ns, number(dir, "cpuacct.usage", NULL));
	us = number(dir, "cpu.stat", "usage_usec");
	if (us != STATS_UNKNOWN)
		w->cpu_ns = us * 1000;
	read_memory(dir, w);
	set(&w->processes, number(dir, "pids.current", NULL));
	for (unsigned i = 0; i < w->nhugepages; i++)
		read_hugepages(dir, &w->hugepages[i]);
	return 0;
}

// Its grant's sizes, each once.
static void list_sizes(struct stats_workload *w)
{
	const struct grant *g = &w->lease.grant;

	for (unsigned i = 0; i < g->nhugepages; i++) {
		const struct grant_hugepages *p = &g->hugepages[i];
		unsigned k = 0;

		while (k < w->nhugepages && w->hugepages[k].size != p->size)
			k++;
		if (k == HOST_PAGE_SIZES)
			continue;
		if (k == w->nhugepages)
			w->hugepages[w->nhugepages++] =
				(struct stats_hugepages){p->size, STATS_UNKNOWN, STATS_UNKNOWN, 0};
		w->hugepages[k].room += p->size * p->count;
	}
}

int stats_read_cgroup(const struct hostfs *fs, struct stats_workload *w, struct err *err)
{
	char hierarchy[sizeof(w->lease.cgroup) * 2];
	struct host_cgroup cg = {0};
	const char *path;
	size_t n;

	w->cpu_ns = w->memory = w->cache = w->processes = STATS_UNKNOWN;
	w->nhugepages = 0;
	list_sizes(w);
	host_cgroup_mounts(fs, &cg);
	n = strlen(cg.mount);
	if (cg.version == HOST_CGROUP_NONE || strncmp(w->lease.cgroup, cg.mount, n) != 0
	    || w->lease.cgroup[n] != '/')
		return 0;
	// v1: below the name of a controller
	path = w->lease.cgroup + n;
	if (cg.version == HOST_CGROUP_V1)
		path += 1 + strcspn(path + 1, "/");
	snprintf(
		hierarchy, sizeof(hierarchy), "%.*s", (int)(path - w->lease.cgroup), w->lease.cgroup
	);
	if (*path != '/')
		return 0;
	return cgroup_each_hierarchy(fs, hierarchy, path + 1, read_hierarchy, w, err);
}
