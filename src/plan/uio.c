// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// NICs on UIO, the way of old (unsafe-uio): nothing confines their DMA, so the program is as good as root on the
// host, whatever else it is not given. It is the user of its lease all the same, without a user namespace, since the kernel
// tells physical addresses to CAP_SYS_ADMIN of the host alone (fs/proc/task_mmu.c: pagemap_open).

#include "host/uio.h"
#include "base/fs.h"
#include "base/scope.h"
#include "host/hostfs.h"
#include "plan/make.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

bool plan_host_ids(const struct lease *lease)
{
	return site_has(&lease->site, SITE_CONTAINER) && grant_has_uio(&lease->grant);
}

uint32_t plan_id(const struct lease *lease, uint32_t id)
{
	return plan_host_ids(lease) ? lease->uid_base + id : id;
}

// ---- what is refused

static int refuse(const struct plan *p, const char *what, struct err *err)
{
	return err_set(
		err, EINVAL, "grant '%s' has a NIC with unsafe-uio, %s", p->lease.grant.name, what
	);
}

// An IOMMU that translates would have to be told of the program's memory, which only VFIO does.
static int check_reach(const struct plan *p, const struct host_pci *nic, struct err *err)
{
	char path[64], type[16];

	if (nic->iommu_group < 0)
		return 0;
	snprintf(path, sizeof(path), "sys/kernel/iommu_groups/%d/type", nic->iommu_group);
	if (hostfs_line(p->fs->root, path, type, sizeof(type)) < 0 || str_eq(type, "identity"))
		return 0;
	return err_set(
		err,
		ENOTSUP,
		"NIC %s is bound to %s, and the IOMMU keeps it from all memory there (group %d is "
		"of type %s); bind it to vfio-pci: pinfold nic bind %s",
		nic->bdf,
		nic->driver,
		nic->iommu_group,
		type,
		nic->bdf
	);
}

int plan_uio_check(const struct plan *p, struct err *err)
{
	const struct grant *g = &p->lease.grant;
	const struct site *site = &p->lease.site;

	// what an engine gave is as it is
	if (!grant_has_uio(g) || site->place == PLACE_GIVEN)
		return 0;
	if (g->owner_uid != 0 || g->claim_by != 0)
		return refuse(p, "which is root's alone: neither --owner nor --claim-by", err);
	if (!site_has(site, SITE_HOST_FILES)
	    && (!site_has(site, SITE_USERNS) || site_has(site, SITE_GUEST)))
		return refuse(
			p,
			"which is for containers that root starts and for --in host: no keeper, no "
			"engine, no --in vm",
			err
		);
	if (site_has(site, SITE_CONTAINER) && (g->nlinks > 0 || plan_has_netns(p)))
		return refuse(p, "beside which it has no links, kernel ports or netdevs", err);
	if (site_has(site, SITE_CONTAINER) && g->caps != 0)
		return refuse(
			p,
			"beside which a --cap would be one over the host: it has no user namespace",
			err
		);
	for (unsigned i = 0; i < g->nnics; i++) {
		const struct host_pci *nic = host_pci(p->host, g->nics[i].bdf);

		if (g->nics[i].uio && nic != NULL && check_reach(p, nic, err) < 0)
			return -err->code;
	}
	return 0;
}

// ---- what it is given

static bool there(const struct plan *p, const char *path)
{
	_cleanup_close_ int fd = fs_open_in(p->fs->root, path, O_PATH, 0);

	return fd >= 0;
}

// To the user of the lease, and writable in the view. apply/uio.c gives them back.
static void give_files(struct plan *p, const struct host_pci *nic)
{
	for (unsigned i = 0; host_uio_files[i] != NULL; i++) {
		_cleanup_free_ char *path = str_printf("sys/%s/%s", nic->path, host_uio_files[i]);
		struct step *s;

		if (path == NULL)
			p->failed = true;
		if (path == NULL || !there(p, path))
			continue;
		s = plan_step(p, STEP_GIVE, STEP_HOST, str_printf("/%s", path), NULL);
		s->uid = p->lease.uid_base + plan_uid(p);
		s->gid = p->lease.uid_base + plan_gid(p);
		s->mode = host_uio_mode(host_uio_files[i]);
		plan_bind(
			p, str_printf("/%s", path), str_printf(FENCE_DIR "/root/%s", path), false
		);
	}
}

void plan_uio_files(struct plan *p)
{
	const struct grant *g = &p->lease.grant;

	for (unsigned i = 0; i < g->nnics; i++) {
		const struct host_pci *nic = host_pci(p->host, g->nics[i].bdf);

		if (g->nics[i].uio && nic != NULL)
			give_files(p, nic);
	}
}

int plan_uio(struct plan *p, plan_vfio_fn fn, void *arg, struct err *err)
{
	const struct grant *g = &p->lease.grant;

	for (unsigned i = 0; i < g->nnics; i++) {
		struct host_uio u;

		if (!g->nics[i].uio)
			continue;
		if (host_uio_find(p->fs, g->nics[i].bdf, &u, err) < 0)
			return -err->code;
		fn(p, u.name, u.rdev, arg);
	}
	return 0;
}

void plan_uio_notes(struct plan *p)
{
	const struct grant *g = &p->lease.grant;

	for (unsigned i = 0; i < g->nnics; i++) {
		const struct host_pci *nic = host_pci(p->host, g->nics[i].bdf);

		if (g->nics[i].uio)
			plan_note(
				p,
				"UNSAFE: NIC %s is on %s, and nothing confines its DMA: the "
				"program can read and write all memory of this host, and is as "
				"good as root on it",
				g->nics[i].bdf,
				nic != NULL ? nic->driver : "UIO"
			);
	}
	if (plan_host_ids(&p->lease))
		plan_note(
			p,
			"for that it has no user namespace, and the capability SYS_ADMIN of the "
			"host, which physical addresses in /proc/self/pagemap take; of /sys it may "
			"write its configuration and registers"
		);
}
