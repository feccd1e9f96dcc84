// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// /sys/devices/system/cpu, as described in the kernel's Documentation/admin-guide/cputopology.rst and
// Documentation/ABI/testing/sysfs-devices-system-cpu.

#include "host/hostfs.h"

#include "base/scope.h"

#include <string.h>

#define CPU_DIR "sys/devices/system/cpu"

// More than any processor has; a hostile tree does not get more memory than this.
#define CACHES_MAX 16

// Steps of cpu_capacity, where the fastest has 1024: what is within one is of a kind.
#define SPEED 128
#define SPEEDS 9

static int read_lists(const struct hostfs *fs, struct host *h, struct err *err)
{
	struct {
		const char *path;
		struct idset *set;
	} lists[] = {
		{CPU_DIR "/possible", &h->possible},
		{CPU_DIR "/present", &h->present},
		{CPU_DIR "/isolated", &h->isolated},
		{CPU_DIR "/nohz_full", &h->nohz_full},
	};
	int r = host_list(h, fs->root, "", CPU_DIR "/online", IDSET_MAX, &h->online);

	if (r == -EINVAL)
		return err_set(
			err, EINVAL, "read '" CPU_DIR "/online': not a list of CPUs, as in 0-3,8"
		);
	if (r == -ENOENT && !fs->real)
		return err_set(
			err,
			ENOENT,
			"the host tree has no '" CPU_DIR
			"/online'; name a directory with a machine's "
			"sys and proc, or a file of pinfold host capture"
		);
	if (r < 0)
		return err_sys(err, -r, "read '" CPU_DIR "/online'");
	if (idset_empty(&h->online))
		return err_set(
			err,
			EINVAL,
			"read '" CPU_DIR "/online': no CPU below %d is in it",
			IDSET_MAX
		);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		host_list(h, fs->root, "", lists[i].path, IDSET_MAX, lists[i].set);
	return 0;
}

static void read_id(struct host *h, int dir, const char *where, const char *name, int *ret)
{
	int r = hostfs_int(dir, name, ret);

	if (r < 0)
		host_note_unknown(h, where, name, r);
}

// What the hyper-threads of a core have in common.
static void read_core(struct host *h, int dir, const char *where, struct host_cpu *c)
{
	read_id(h, dir, where, "topology/physical_package_id", &c->package);
	read_id(h, dir, where, "topology/core_id", &c->core);
	// core_cpus_list is the name since Linux 5.3
	if (host_list(h, dir, where, "topology/core_cpus_list", IDSET_MAX, &c->siblings) < 0)
		host_list(h, dir, where, "topology/thread_siblings_list", IDSET_MAX, &c->siblings);
	idset_and(&c->siblings, &h->online);
}

// "32K", "12288K", "36M"
static uint64_t cache_size(const char *s)
{
	uint64_t v;

	if (host_parse_u64(s, 10, "KMG", &v) < 0 || v >> 32 != 0)
		return 0;
	switch (s[strspn(s, "0123456789")]) {
	case 'K':
		return v << 10;
	case 'M':
		return v << 20;
	case 'G':
		return v << 30;
	default:
		return v;
	}
}

static int read_cache(int dir, struct host_cache *ret)
{
	uint64_t level;
	char size[32];
	int r = hostfs_u64(dir, "level", &level);

	if (r < 0)
		return r;
	if (level == 0 || level > 9)
		return -EINVAL;
	ret->level = (unsigned)level;
	if (hostfs_line(dir, "type", ret->type, sizeof(ret->type)) < 0)
		ret->type[0] = '\0';
	if (hostfs_line(dir, "size", size, sizeof(size)) == 0)
		ret->size = cache_size(size);
	if (hostfs_idset(dir, "shared_cpu_list", IDSET_MAX, &ret->shared) < 0)
		ret->shared = (struct idset){0};
	return 0;
}

static int read_caches(
	struct host *h, int dir, const char *where, struct host_cpu *c, struct err *err
)
{
	struct host_cache found[CACHES_MAX] = {0};
	unsigned n = 0;

	for (unsigned i = 0; i < CACHES_MAX; i++) {
		_cleanup_close_ int index = -1;
		char name[32];
		int r;

		snprintf(name, sizeof(name), "cache/index%u", i);
		index = hostfs_dir(dir, name);
		if (index < 0)
			break;
		r = read_cache(index, &found[n]);
		if (r < 0) {
			host_note_unknown(h, where, name, r);
			continue;
		}
		if (idset_empty(&found[n].shared))
			idset_add(&found[n].shared, c->id);
		n++;
	}
	if (n == 0)
		return 0;
	c->caches = malloc(n * sizeof(*c->caches));
	if (c->caches == NULL)
		return err_oom(err);
	memcpy(c->caches, found, n * sizeof(*c->caches));
	c->ncaches = n;
	return 0;
}

static void read_sharing(int dir, struct host_cpu *c)
{
	uint64_t level, capacity;

	for (unsigned i = 1; i < 4; i++) {
		struct idset shared;
		char name[48];

		snprintf(name, sizeof(name), "cache/index%u/level", i);
		if (hostfs_u64(dir, name, &level) < 0 || level < 2 || level > 3)
			continue;
		snprintf(name, sizeof(name), "cache/index%u/shared_cpu_list", i);
		if (hostfs_idset(dir, name, IDSET_MAX, &shared) == 0)
			*(level == 2 ? &c->l2 : &c->l3) = idset_first(&shared);
	}
	// favoured cores of one kind differ by some percent
	if (hostfs_u64(dir, "cpu_capacity", &capacity) == 0 && capacity <= 1u << 16)
		c->speed = 1 + (unsigned)(capacity + SPEED / 2) / SPEED;
}

// Of processors with cores of several kinds Intel's have a PMU for each.
static void read_kinds(const struct hostfs *fs, struct host *h)
{
	static const char *const slow[] = {
		"sys/devices/cpu_atom/cpus", "sys/devices/cpu_lowpower/cpus"};

	for (unsigned i = 0; i < ARRAY_LEN(slow); i++) {
		struct idset cpus;

		if (hostfs_idset(fs->root, slow[i], IDSET_MAX, &cpus) < 0)
			continue;
		for (unsigned k = 0; k < h->ncpus; k++) {
			if (idset_has(&cpus, h->cpus[k].id))
				h->cpus[k].speed = SPEEDS / 2 - i;
		}
	}
}

static int list_cpus(const struct hostfs *fs, struct host *h, struct err *err)
{
	unsigned n = 0;

	if (read_lists(fs, h, err) < 0)
		return -err->code;
	h->cpus = calloc(idset_count(&h->online), sizeof(*h->cpus));
	if (h->cpus == NULL)
		return err_oom(err);
	h->ncpus = idset_count(&h->online);
	idset_foreach (id, &h->online)
		h->cpus[n++] = (struct host_cpu){
			.id = (unsigned)id,
			.package = -1,
			.core = -1,
			.l2 = -1,
			.l3 = -1,
			.speed = SPEEDS};
	return 0;
}

static void share_core(struct host *h, const struct host_cpu *c, const struct idset *known)
{
	idset_foreach (id, &c->siblings) {
		struct host_cpu *sibling = (struct host_cpu *)host_cpu(h, (unsigned)id);

		if (sibling == c || idset_has(known, (unsigned)id))
			continue;
		sibling->package = c->package;
		sibling->core = c->core;
		sibling->siblings = c->siblings;
		sibling->l2 = c->l2;
		sibling->l3 = c->l3;
		sibling->speed = c->speed;
	}
}

int host_read_cpus(const struct hostfs *fs, unsigned parts, struct host *h, struct err *err)
{
	struct idset known = {0}; // those whose core was read, perhaps with a sibling

	if (list_cpus(fs, h, err) < 0)
		return -err->code;
	for (unsigned i = 0; i < h->ncpus; i++) {
		struct host_cpu *c = &h->cpus[i];
		_cleanup_close_ int dir = -1;
		char path[64];

		if (idset_has(&known, c->id) && (parts & HOST_CACHES) == 0)
			continue;
		snprintf(path, sizeof(path), CPU_DIR "/cpu%u/", c->id);
		dir = hostfs_dir(fs->root, path);
		if (dir < 0)
			host_note_unknown(h, path, "", dir);
		if (!idset_has(&known, c->id)) {
			if (dir >= 0)
				read_core(h, dir, path, c);
			if (dir >= 0 && (parts & HOST_SHARING) != 0)
				read_sharing(dir, c);
			idset_add(&c->siblings, c->id);
			share_core(h, c, &known);
			idset_or(&known, &c->siblings);
		}
		if ((parts & HOST_CACHES) != 0 && dir >= 0 && read_caches(h, dir, path, c, err) < 0)
			return -err->code;
	}
	if ((parts & HOST_SHARING) != 0)
		read_kinds(fs, h);
	return 0;
}

int host_check_online(
	const struct host *h, const char *flag, const struct idset *cpus, struct err *err
)
{
	struct idset missing = *cpus;
	char list[IDSET_STR];

	idset_andnot(&missing, &h->online);
	if (idset_empty(&missing))
		return 0;
	return err_set(
		err,
		ENODEV,
		"%s: CPU %d is not online; those that are: %.200s",
		flag,
		idset_first(&missing),
		idset_format(&h->online, list, sizeof(list))
	);
}
