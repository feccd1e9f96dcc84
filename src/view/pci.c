// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The granted PCI functions and no others (paper, §5.3.1): /sys/bus/pci/devices with links as deep as
// the host's and, in a container, what they lead to. A granted function is the host's own directory:
// EAL needs its identity, its resources and the links that name its driver and its IOMMU group.

#include "base/scope.h"
#include "host/hostfs.h"
#include "host/rdma.h"
#include "host/uio.h"
#include "view/view.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define DEVICES_DIR "sys/bus/pci/devices"
#define GROUPS_DIR "sys/kernel/iommu_groups"
#define IOMMUS_DIR "sys/devices/virtual/iommu"

// EAL asks whether they are loaded.
static const char *const modules[] = {
	"sys/module/vfio",
	"sys/module/vfio_iommu_type1",
	"sys/module/vfio_pci",
};

// The bus above it exists, but none of the bridges' own files.
static void function(struct view *v, const struct host_pci *p)
{
	_cleanup_free_ char *parent = str_printf("sys/%s", p->path);
	char *slash = parent != NULL ? strrchr(parent, '/') : NULL;

	if (slash == NULL) {
		v->failed = true;
		return;
	}
	*slash = '\0';
	view_dirs(v, parent);
	view_bind(v, "sys/%s", p->path);
}

static void group(struct view *v, const struct host_pci *p)
{
	char dir[64];

	if (p->iommu_group < 0)
		return;
	snprintf(dir, sizeof(dir), GROUPS_DIR "/%d/devices", p->iommu_group);
	view_dirs(v, dir);
	view_add(v, VIEW_LINK, str_printf("../../../../%s", p->path), "%s/%s", dir, p->bdf);
}

// The link "iommu" of a function leads to a directory of all IOMMUs. EAL reads how wide the addresses
// are that Intel's takes (pci_device_iommu_support_va); without the file it would assume wide ones.
static void iommu(struct view *v, const struct host_pci *p, const struct hostfs *fs)
{
	char path[PATH_MAX], target[256], name[64];

	snprintf(path, sizeof(path), "sys/%s/iommu", p->path);
	if (hostfs_link(fs->root, path, target, sizeof(target)) < 0
	    || strstr(target, "/virtual/iommu/") == NULL
	    || hostfs_link_name(fs->root, path, name, sizeof(name)) < 0)
		return;
	snprintf(path, sizeof(path), IOMMUS_DIR "/%s/intel-iommu/cap", name);
	view_copy(v, fs, path);
}

// EAL opens the configuration by way of its class (drivers/bus/pci/linux/pci_uio.c).
static void uio(struct view *v, const struct host_pci *p, const struct hostfs *fs)
{
	struct host_uio u;
	struct err unused;

	if (host_uio_find(fs, p->bdf, &u, &unused) < 0)
		return;
	view_dirs(v, "sys/class/uio");
	view_add(
		v,
		VIEW_LINK,
		str_printf("../../%s/uio/%s", p->path, u.name),
		"sys/class/uio/%s",
		u.name
	);
}

static void class_link(struct view *v, const char *class, const char *path, const char *name)
{
	char dir[64];

	snprintf(dir, sizeof(dir), "sys/class/%s", class);
	view_dirs(v, dir);
	view_add(
		v,
		VIEW_LINK,
		str_printf("../../%s/%s/%s", path, class, name),
		"sys/class/%s/%s",
		class,
		name
	);
}

// A function whose interface and InfiniBand device are in the container's network namespace: its directory is of a sysfs of
// that (plan/rdma.c). libibverbs and DPDK find both by their classes.
static void beside(
	struct view *v, const struct grant *g, const struct host_pci *p, const struct hostfs *fs
)
{
	_cleanup_free_ char *dir = str_printf("sys/%s", p->path);
	struct host_rdma r;
	struct err unused;

	if (dir == NULL) {
		v->failed = true;
		return;
	}
	view_dirs(v, dir);
	if (host_rdma_find(fs, p, &r, &unused) < 0)
		return;
	class_link(v, "infiniband", p->path, r.name);
	class_link(v, "infiniband_verbs", p->path, r.node);
	view_copy(v, fs, "sys/class/infiniband_verbs/abi_version");
	for (unsigned i = 0; i < g->nnetdevs; i++) {
		if (str_eq(g->netdevs[i].name, p->netdev))
			class_link(v, "net", p->path, g->netdevs[i].inside);
	}
}

void view_pci(
	struct view *v, const struct grant *g, const struct host *host, const struct hostfs *fs
)
{
	view_dirs(v, DEVICES_DIR);
	for (unsigned i = 0; i < g->nnics; i++) {
		const struct host_pci *p = host_pci(host, g->nics[i].bdf);

		if (p == NULL)
			continue;
		view_add(
			v, VIEW_LINK, str_printf("../../../%s", p->path), DEVICES_DIR "/%s", p->bdf
		);
		if (!v->whole)
			continue;
		if (g->nics[i].bifurcated) {
			beside(v, g, p, fs);
			continue;
		}
		function(v, p);
		group(v, p);
		iommu(v, p, fs);
		if (g->nics[i].uio)
			uio(v, p, fs);
	}
	if (!v->whole)
		view_cover(v, fs, DEVICES_DIR);
	for (size_t i = 0; v->whole && g->nnics > 0 && i < ARRAY_LEN(modules); i++) {
		_cleanup_close_ int fd = hostfs_dir(fs->root, modules[i]);

		if (fd >= 0)
			view_dirs(v, modules[i]);
	}
}
