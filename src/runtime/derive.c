// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "runtime/derive.h"

#include "base/dir.h"
#include "base/scope.h"
#include "host/hostfs.h"
#include "runtime/derive_parts.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#define PIDS_MAX (UINT64_C(1) << 22)

// ---- what there is

// Where the kernel lists what stands for PCI functions: groups of VFIO, its devices, and those of UIO. What opens
// VFIO as such, /dev/vfio/vfio, is in none of them.
static const char *const classes[] = {"vfio", "vfio-dev", "uio"};

static DIR *open_class(const struct hostfs *fs, const char *class)
{
	char path[64];

	snprintf(path, sizeof(path), "sys/class/%s", class);
	return dir_open(fs->root, path, 0);
}

static bool any_device(const struct hostfs *fs)
{
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		_cleanup_closedir_ DIR *d = open_class(fs, classes[i]);

		if (dir_next(d) != NULL)
			return true;
	}
	return false;
}

// An entry of "devices" that is a character device, by its number.
static bool number_of_node(const json_t *e, dev_t *ret)
{
	const char *type = derive_text(e, "type");
	json_int_t maj = json_integer_value(json_object_get(e, "major"));
	json_int_t min = json_integer_value(json_object_get(e, "minor"));

	if ((!str_eq(type, "c") && !str_eq(type, "u")) || maj <= 0 || min < 0 || maj > INT_MAX
	    || min > INT_MAX)
		return false;
	*ret = makedev((unsigned)maj, (unsigned)min);
	return true;
}

// Under which name the kernel lists a device; whatever its node is called in the container.
static bool find_in_class(
	const struct hostfs *fs, const char *class, dev_t rdev, char ret[static NAME_MAX + 1]
)
{
	_cleanup_closedir_ DIR *d = open_class(fs, class);
	char path[PATH_MAX], want[32], line[32];
	struct dirent *e;

	snprintf(want, sizeof(want), "%u:%u", major(rdev), minor(rdev));
	while ((e = dir_next(d)) != NULL) {
		snprintf(path, sizeof(path), "sys/class/%s/%s/dev", class, e->d_name);
		if (hostfs_line(fs->root, path, line, sizeof(line)) == 0 && str_eq(line, want)) {
			snprintf(ret, NAME_MAX + 1, "%s", e->d_name);
			return true;
		}
	}
	return false;
}

// Its class; NULL: it is none of them.
static const char *find_device(
	const struct hostfs *fs, const json_t *e, char ret[static NAME_MAX + 1]
)
{
	dev_t rdev;

	if (!number_of_node(e, &rdev))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		if (find_in_class(fs, classes[i], rdev, ret))
			return classes[i];
	}
	return NULL;
}

bool derive_possible(const char *text, size_t len, const struct hostfs *fs)
{
	static const char *const words[] = {"hugepageLimits", "hugetlbfs"};
	_cleanup_free_ char *mounts = NULL;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (memmem(text, len, words[i], strlen(words[i])) != NULL)
			return true;
	}
	// any number may be that of one
	if (any_device(fs))
		return true;
	mounts = derive_hugetlbfs(fs);
	return mounts != NULL && mounts[0] != '\0';
}

bool derive_has_devices(const json_t *spec, const struct hostfs *fs)
{
	char name[NAME_MAX + 1];
	const json_t *e;
	size_t i;

	json_array_foreach ((json_t *)derive_in(spec, "linux", "devices"), i, e) {
		if (find_device(fs, e, name) != NULL)
			return true;
	}
	return false;
}

bool derive_needed(const json_t *spec, const struct hostfs *fs)
{
	_cleanup_free_ char *mounts = derive_hugetlbfs(fs);
	const json_t *e;
	size_t i;

	json_array_foreach (
		json_object_get(derive_in(spec, "linux", "resources"), "hugepageLimits"), i, e
	) {
		if (json_integer_value(json_object_get(e, "limit")) > 0)
			return true;
	}
	json_array_foreach (json_object_get(spec, "mounts"), i, e) {
		if (derive_is_hugetlbfs(e, mounts))
			return true;
	}
	return derive_has_devices(spec, fs);
}

// ---- devices

// What has no IOMMU group and is not on UIO (VFIO without an IOMMU) cannot be said in a lease.
static void add_nic(struct grant *g, const struct host_pci *p, bool uio)
{
	for (unsigned i = 0; i < g->nnics; i++) {
		if (str_eq(g->nics[i].bdf, p->bdf))
			return;
	}
	if (g->nnics == GRANT_NICS || (!uio && p->iommu_group < 0))
		return;
	g->nics[g->nnics].uio = uio;
	g->nics[g->nnics].iommu_group = uio ? -1 : p->iommu_group;
	strcpy(g->nics[g->nnics++].bdf, p->bdf);
}

// Of UIO, or one of VFIO's devices.
static void add_device(
	const char *class,
	const char *name,
	const struct host *host,
	const struct hostfs *fs,
	struct grant *g
)
{
	char path[PATH_MAX], bdf[64];
	const struct host_pci *p;

	snprintf(path, sizeof(path), "sys/class/%s/%s/device", class, name);
	if (hostfs_link_name(fs->root, path, bdf, sizeof(bdf)) < 0)
		return;
	p = host_pci(host, bdf);
	if (p != NULL)
		add_nic(g, p, str_eq(class, "uio"));
}

static void add_group(const char *name, const struct host *host, struct grant *g)
{
	char number[16];

	for (unsigned i = 0; i < host->npci; i++) {
		const struct host_pci *p = &host->pci[i];

		snprintf(number, sizeof(number), "%d", p->iommu_group);
		if (p->iommu_group >= 0 && str_starts(p->driver, "vfio") && str_eq(name, number))
			add_nic(g, p, false);
	}
}

static void derive_nics(
	const json_t *spec, const struct host *host, const struct hostfs *fs, struct grant *g
)
{
	char name[NAME_MAX + 1];
	const json_t *e;
	size_t i;

	json_array_foreach ((json_t *)derive_in(spec, "linux", "devices"), i, e) {
		const char *class = find_device(fs, e, name);

		if (class == NULL)
			continue;
		if (str_eq(class, "vfio"))
			add_group(name, host, g);
		else
			add_device(class, name, host, fs, g);
	}
}

// ---- all of it

static int derive_ids(const char *text, const struct idset *all, struct idset *ret, struct err *err)
{
	*ret = *all;
	if (text[0] == '\0')
		return 0;
	if (idset_parse(text, ret, err) < 0)
		return err_wrap(err, "read config.json");
	idset_and(ret, all);
	return 0;
}

static uint64_t number_of(const json_t *resources, const char *part, uint64_t usual)
{
	json_int_t n = json_integer_value(derive_in(resources, part, "limit"));

	return n > 0 ? (uint64_t)n : usual;
}

int derive_grant(
	const json_t *spec,
	const struct host *host,
	const struct hostfs *fs,
	struct grant *ret,
	struct err *err
)
{
	const json_t *resources = derive_in(spec, "linux", "resources");
	const json_t *cpu = json_object_get(resources, "cpu");
	struct grant g = {.on_offline = OFFLINE_WARN};
	struct idset cpus;

	if (derive_ids(derive_text(cpu, "cpus"), &host->online, &cpus, err) < 0
	    || derive_ids(derive_text(cpu, "mems"), &host->nodes_with_memory, &g.mems, err) < 0)
		return -err->code;
	// CPUs that nobody chose are everybody's: of a pool that has no definition
	if (derive_text(cpu, "cpus")[0] != '\0') {
		g.cpus = cpus;
	} else {
		g.shared_cpus = cpus;
		strcpy(g.shared_pool, "machine");
	}
	g.memory = number_of(resources, "memory", host->mem_total);
	if (g.memory > host->mem_total)
		g.memory = host->mem_total;
	g.pids = number_of(resources, "pids", PIDS_MAX);
	if (g.pids > PIDS_MAX)
		g.pids = PIDS_MAX;
	derive_pages(spec, host, fs, &g);
	derive_nics(spec, host, fs, &g);
	*ret = g;
	return 0;
}
