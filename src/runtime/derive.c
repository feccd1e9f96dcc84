// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "runtime/derive.h"

#include "base/dir.h"
#include "base/scope.h"
#include "host/hostfs.h"
#include "host/vfio.h"
#include "runtime/derive_parts.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#define PIDS_MAX (UINT64_C(1) << 22)

// ---- what there is

static bool is_node(const char *path)
{
	return (str_starts(path, "/dev/vfio/") && !str_eq(path, "/dev/vfio/vfio"))
	       || str_starts(path, "/dev/uio");
}

bool derive_possible(const char *text, size_t len)
{
	static const char *const words[] = {
		"hugepageLimits", "hugetlbfs", "/dev/vfio/", "/dev/uio"};
	_cleanup_free_ char *mounts = NULL;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (memmem(text, len, words[i], strlen(words[i])) != NULL)
			return true;
	}
	mounts = derive_hugetlbfs();
	return mounts != NULL && mounts[0] != '\0';
}

bool derive_has_devices(const json_t *spec)
{
	const json_t *e;
	size_t i;

	json_array_foreach ((json_t *)derive_in(spec, "linux", "devices"), i, e) {
		if (is_node(derive_text(e, "path")))
			return true;
	}
	return false;
}

bool derive_needed(const json_t *spec)
{
	_cleanup_free_ char *mounts = derive_hugetlbfs();
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
	return derive_has_devices(spec);
}

// ---- devices

static void add_nic(struct grant *g, const struct host_pci *p)
{
	for (unsigned i = 0; i < g->nnics; i++) {
		if (str_eq(g->nics[i].bdf, p->bdf))
			return;
	}
	if (g->nnics == GRANT_NICS)
		return;
	g->nics[g->nnics].iommu_group = p->iommu_group;
	strcpy(g->nics[g->nnics++].bdf, p->bdf);
}

// Nodes of one device: of UIO, and of VFIO's devices.
static void add_by_class(
	const char *class,
	dev_t rdev,
	const struct host *host,
	const struct hostfs *fs,
	struct grant *g
)
{
	char path[PATH_MAX], want[32], line[32], bdf[64];
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *e;

	snprintf(path, sizeof(path), "sys/class/%s", class);
	snprintf(want, sizeof(want), "%u:%u", major(rdev), minor(rdev));
	d = dir_open(fs->root, path, 0);
	while ((e = dir_next(d)) != NULL) {
		const struct host_pci *p;

		snprintf(path, sizeof(path), "sys/class/%s/%s/dev", class, e->d_name);
		if (hostfs_line(fs->root, path, line, sizeof(line)) < 0 || !str_eq(line, want))
			continue;
		snprintf(path, sizeof(path), "sys/class/%s/%s/device", class, e->d_name);
		if (hostfs_link_name(fs->root, path, bdf, sizeof(bdf)) < 0)
			continue;
		p = host_pci(host, bdf);
		if (p != NULL)
			add_nic(g, p);
	}
}

static void add_by_group(
	dev_t rdev, const struct host *host, const struct hostfs *fs, struct grant *g
)
{
	struct err unused;

	for (unsigned i = 0; i < host->npci; i++) {
		const struct host_pci *p = &host->pci[i];
		dev_t group;

		if (p->iommu_group >= 0 && str_starts(p->driver, "vfio")
		    && host_vfio_group(fs, p->iommu_group, &group, &unused) == 0 && group == rdev)
			add_nic(g, p);
	}
}

static void derive_nics(
	const json_t *spec, const struct host *host, const struct hostfs *fs, struct grant *g
)
{
	const json_t *e;
	size_t i;

	json_array_foreach ((json_t *)derive_in(spec, "linux", "devices"), i, e) {
		json_int_t maj = json_integer_value(json_object_get(e, "major"));
		json_int_t min = json_integer_value(json_object_get(e, "minor"));

		if (!is_node(derive_text(e, "path")) || maj <= 0 || min < 0 || maj > INT_MAX
		    || min > INT_MAX)
			continue;
		dev_t rdev = makedev((unsigned)maj, (unsigned)min);

		add_by_group(rdev, host, fs, g);
		add_by_class("vfio-dev", rdev, host, fs, g);
		add_by_class("uio", rdev, host, fs, g);
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
	derive_pages(spec, host, &g);
	derive_nics(spec, host, fs, &g);
	*ret = g;
	return 0;
}
