// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a lease's cgroup is still charged for. Memory outlives the processes that made it where they
// passed it on: a memfd, a file of a hugetlbfs, what lies in a pipe or a socket. The kernel goes on
// charging the cgroup, for as long as there is one: a removed one's charges are nobody's (memory) or the
// parent's (hugepages).

#include "apply/apply.h"

#include "base/clock.h"
#include "base/dir.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/size.h"
#include "host/cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// What the kernel keeps for itself: 32 KiB on v1 when all has settled, 20 of it the cgroups themselves. Until
// then some 850 KiB on two CPUs, which a reclaim gives back: what each CPU has charged in advance, 256 KiB at
// most, and the inodes of the overlays.
#define SLACK (UINT64_C(1) << 20)
#define TICKS 4 // a millisecond: an ordinary end settles in less
// Pages that are on their way to a disk go when they are there, and v2 tells late what is cache.
#define RECLAIM_TICKS (3 * TICKS)
#define CACHE_FACTOR 5 // so many times longer is waited for what goes of itself

struct sum {
	struct charges charges;
	uint64_t lasting; // of the memory: what no reclaim frees
	bool reclaim;
};

static int read_u64(int dir, const char *name, uint64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	int r = fs_read_system(dir, name, 4096, &text, NULL);

	if (r == 0)
		*ret = strtoull(text, NULL, 10);
	return r;
}

// Of memory.stat; 0: it does not say.
static uint64_t stat_of(const char *text, const char *name)
{
	uint64_t v = host_cgroup_number(text, name);

	return v != HOST_CGROUP_NONE_SAID ? v : 0;
}

// What the runtime's cgroup has of a tmpfs. No workload is in there, but what writes its log is, and a log stays
// when its workload has ended: where /var/log is a tmpfs, that is memory which nobody passed on.
static uint64_t shmem_beside(int dir, const char *name)
{
	_cleanup_free_ char *text = NULL;

	return fs_read(dir, CGROUP_RUNTIME "/memory.stat", 1u << 20, &text, NULL) == 0
		       ? stat_of(text, name)
		       : 0;
}

// The page cache of files is the file system's: whoever reads them next has it. A tmpfs has none behind it.
static int add_memory(int dir, struct sum *s)
{
	_cleanup_free_ char *text = NULL;
	uint64_t usage = 0, cache, shmem, logged, slab;
	const char *shmem_name;
	bool v2 = true;
	int r;

	if (faccessat(dir, "memory.stat", F_OK, 0) < 0)
		return errno == ENOENT ? 0 : -errno;
	r = read_u64(dir, "memory.current", &usage);
	if (r == -ENOENT) {
		v2 = false;
		r = read_u64(
			dir, "memory.memsw.usage_in_bytes", &usage
		); // with what is swapped out
		if (r == -ENOENT)
			r = read_u64(dir, "memory.usage_in_bytes", &usage);
	}
	if (r < 0)
		return r;
	r = fs_read_system(dir, "memory.stat", 1u << 20, &text, NULL);
	if (r < 0)
		return r;
	shmem_name = v2 ? "shmem" : "total_shmem";
	cache = stat_of(text, v2 ? "file" : "total_cache");
	shmem = stat_of(text, shmem_name);
	logged = shmem > 0 ? shmem_beside(dir, shmem_name) : 0;
	slab = stat_of(text, "slab_reclaimable"); // v2 alone tells
	// another reading: it may be more by now than there was
	logged = logged < shmem ? logged : shmem;
	cache = (cache > shmem ? cache - shmem : 0) + slab + logged;
	s->charges.memory += usage > cache ? usage - cache : 0;
	s->lasting += shmem - logged + stat_of(text, v2 ? "anon" : "total_rss");
	if (s->reclaim) {
		_cleanup_free_ char *all = str_printf("%llu", (unsigned long long)usage);
		struct err unused; // it frees what it can; what is left is looked at afterwards

		if (all != NULL)
			fs_write_control(
				dir,
				v2 ? "memory.reclaim" : "memory.force_empty",
				v2 ? all : "0",
				&unused
			);
	}
	return 0;
}

// "hugetlb.2MB.usage_in_bytes", "hugetlb.2MB.current", and the same of the reservations (rsvd).
static bool is_hugetlb_usage(const char *name)
{
	static const char *const ends[] = {".usage_in_bytes", ".current"};
	size_t n = strlen(name);

	if (!str_starts(name, "hugetlb.") || strstr(name, ".max_usage") != NULL)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		size_t end = strlen(ends[i]);

		if (n > end && str_eq(name + n - end, ends[i]))
			return strstr(name, ".rsvd.") == NULL;
	}
	return false;
}

// A page that was reserved first counts in both.
static int add_hugepages(int dir, const char *name, struct sum *s)
{
	const char *last = strrchr(name, '.');
	_cleanup_free_ char *reserved = str_printf("%.*s.rsvd%s", (int)(last - name), name, last);
	uint64_t used = 0, rsvd = 0;
	int r = reserved != NULL ? read_u64(dir, name, &used) : -ENOMEM;

	if (r < 0)
		return r;
	r = read_u64(dir, reserved, &rsvd);
	if (r < 0 && r != -ENOENT) // Linux before 5.7
		return r;
	s->charges.hugepages += used > rsvd ? used : rsvd;
	return 0;
}

static int add_hierarchy(int hierarchy, const char *path, void *arg, struct err *err)
{
	int fd = fs_open_in(hierarchy, path, O_RDONLY | O_DIRECTORY, 0);
	_cleanup_closedir_ DIR *d = dir_take(fd);
	struct sum *s = arg;
	struct dirent *e;
	int r = 0;

	if (d == NULL && errno == ENOENT)
		return 0;
	if (d == NULL)
		return err_sys(err, errno, "read what cgroup '%s' is charged for", path);
	if (!host_is_cgroup(fd))
		return 0;
	r = add_memory(fd, s);
	while (r == 0 && (e = dir_next(d)) != NULL) {
		if (is_hugetlb_usage(e->d_name))
			r = add_hugepages(fd, e->d_name, s);
	}
	if (r == 0)
		r = -errno;
	return r < 0 ? err_sys(err, -r, "read what cgroup '%s' is charged for", path) : 0;
}

static int sum_up(
	const struct hostfs *fs, const struct lease *lease, struct sum *s, struct err *err
)
{
	char hierarchy[sizeof(lease->cgroup)];
	uint64_t pinned;

	if (lease_hierarchy(lease, hierarchy, sizeof(hierarchy)) < 0)
		return 0;
	if (cgroup_each_hierarchy(
		    fs, hierarchy, lease->cgroup + strlen(hierarchy), add_hierarchy, s, err
	    )
	    < 0)
		return -err->code;
	pinned = pinned_bytes(fs, lease);
	if (s->charges.hugepages < pinned)
		s->charges.hugepages = pinned;
	// what a program of the bare host leaves lies in the host's own files: its tmpfs /run for EAL's
	if (s->charges.memory <= SLACK || site_has(&lease->site, SITE_HOST_FILES))
		s->charges.memory = s->lasting = 0;
	return 0;
}

int cgroup_charges(
	const struct hostfs *fs, const struct lease *lease, struct charges *ret, struct err *err
)
{
	struct sum s = {0};

	if (sum_up(fs, lease, &s, err) < 0 || nics_held(fs, lease, &s.charges.nics, err) < 0)
		return -err->code;
	*ret = s.charges;
	return 0;
}

bool charges_any(const struct charges *c)
{
	return c->memory > 0 || c->hugepages > 0 || c->nics != 0;
}

int cgroup_settle(
	const struct hostfs *fs,
	const struct lease *lease,
	unsigned milliseconds,
	struct charges *ret,
	struct err *err
)
{
	unsigned ticks = milliseconds * TICKS;

	for (unsigned waited = 0;; waited++) {
		struct sum s = {0};
		bool last;

		if (sum_up(fs, lease, &s, err) < 0)
			return -err->code;
		last = waited >= (s.lasting <= SLACK ? ticks * CACHE_FACTOR : ticks);
		// little use where it is no cache that is left: that goes with the last mount of it
		if (s.charges.memory > 0
		    && (last || (s.lasting <= SLACK && waited % RECLAIM_TICKS == 0))) {
			s = (struct sum){.reclaim = true};
			if (sum_up(fs, lease, &s, err) < 0)
				return -err->code;
			s = (struct sum){0};
			if (sum_up(fs, lease, &s, err) < 0)
				return -err->code;
		}
		if (!charges_any(&s.charges) || last) {
			int64_t begun = clock_ns();

			if (nics_held(fs, lease, &s.charges.nics, err) < 0)
				return -err->code;
			if (s.charges.nics == 0 || last) {
				*ret = s.charges;
				return 0;
			}
			// for those on UIO it looks at the whole machine: that was more than a tick
			waited += (unsigned)((clock_ns() - begun) * TICKS / 1000000);
		}
		nap_us(1000 / TICKS);
	}
}

static char *mebibytes(uint64_t bytes, char buf[static SIZE_STR])
{
	const uint64_t m = UINT64_C(1) << 20;

	return size_format((bytes + m - 1) / m * m, buf);
}

char *charges_text(const struct charges *c, const struct grant *g, char buf[static CHARGES_STR])
{
	char part[3][NICS_STR];
	unsigned n = 0;
	int at = 0;

	if (c->memory > 0)
		snprintf(part[n++], NICS_STR, "%s of memory", mebibytes(c->memory, buf));
	if (c->hugepages > 0)
		snprintf(part[n++], NICS_STR, "%s of hugepages", mebibytes(c->hugepages, buf));
	if (c->nics != 0)
		nics_text(g, c->nics, part[n++]);
	buf[0] = '\0';
	for (unsigned i = 0; i < n; i++)
		at += snprintf(
			buf + at,
			CHARGES_STR - (size_t)at,
			"%s%s",
			i == 0	     ? ""
			: i + 1 == n ? " and "
				     : ", ",
			part[i]
		);
	return buf;
}
