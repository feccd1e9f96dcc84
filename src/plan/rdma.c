// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// NICs whose driver stays in the kernel while DPDK works beside it (mlx5). The kernel checks what a program asks of the NIC's
// InfiniBand device and registers its memory there, so that no IOMMU is needed; raw queues it makes for who has
// CAP_NET_RAW in the user namespace that owns the device's network namespace. So the device and its interface go to the
// container's, and it needs nothing of the host. No hardware has seen this: it follows the kernel's source and DPDK's.

#include "host/rdma.h"
#include "base/scope.h"
#include "base/str.h"
#include "grant/nic_use.h"
#include "plan/make.h"

#include <string.h>

#define SYSFS FENCE_DIR "/sysfs"
// Queues, memory and the like; a program with many has some thousands.
#define OBJECTS 65536

// ---- what is refused

static int check_host(const struct plan *p, const char *bdf, struct err *err)
{
	if (!host_rdma_asks_namespaces(p->host->release))
		return err_set(
			err,
			EOPNOTSUPP,
			"NIC %s: its kernel driver stays, and before Linux 6.17 that makes queues "
			"for root of the host alone; this is %s: take a newer one",
			bdf,
			p->host->release
		);
	if (!host_rdma_exclusive(p->fs))
		return err_set(
			err,
			EOPNOTSUPP,
			"NIC %s: InfiniBand devices are shared by all network namespaces here, and "
			"none could be a container's own; call: rdma system set netns exclusive",
			bdf
		);
	return 0;
}

// One that others have moved away cannot be seen, and its port would be the container's all the same.
static int check_ports(const struct plan *p, const struct host_pci *nic, struct err *err)
{
	const struct grant *g = &p->lease.grant;
	struct host_rdma r;
	unsigned n = 0;

	if (host_rdma_find(p->fs, nic, &r, err) < 0)
		return -err->code;
	for (unsigned i = 0; i < g->nnetdevs; i++) {
		const struct host_netdev *now = host_netdev(p->host, g->netdevs[i].name);

		n += now != NULL && netdev_is_of(now, nic);
	}
	if (r.ports <= 1 || r.ports <= n)
		return 0;
	return err_set(
		err,
		EBUSY,
		"NIC %s: its InfiniBand device '%s' has %u ports, and interfaces of %u go with "
		"it; is another one in a network namespace?",
		nic->bdf,
		r.name,
		r.ports,
		n
	);
}

int plan_rdma_check(const struct plan *p, struct err *err)
{
	const struct grant *g = &p->lease.grant;
	const struct site *site = &p->lease.site;

	for (unsigned i = 0; i < g->nnics; i++) {
		const struct host_pci *nic = host_pci(p->host, g->nics[i].bdf);

		if (!g->nics[i].bifurcated)
			continue;
		if (!site_has(site, SITE_USERNS) || site_has(site, SITE_GUEST))
			return err_set(
				err,
				EINVAL,
				"NIC %s: its kernel driver stays, and such are for containers that "
				"root starts: no keeper, no engine, neither --in host nor vm",
				g->nics[i].bdf
			);
		if (check_host(p, g->nics[i].bdf, err) < 0
		    || (nic != NULL && check_ports(p, nic, err) < 0))
			return -err->code;
	}
	return 0;
}

// ---- what it is given

typedef void (*nic_fn
)(struct plan *p, const struct host_pci *nic, const struct host_rdma *r, void *arg);

// With those that are there: plan_rdma_check has seen them.
static void each(struct plan *p, nic_fn fn, void *arg)
{
	const struct grant *g = &p->lease.grant;
	struct host_rdma r;
	struct err unused;

	for (unsigned i = 0; i < g->nnics; i++) {
		const struct host_pci *nic = host_pci(p->host, g->nics[i].bdf);

		if (g->nics[i].bifurcated && nic != NULL
		    && host_rdma_find(p->fs, nic, &r, &unused) == 0)
			fn(p, nic, &r, arg);
	}
}

int plan_rdma(struct plan *p, plan_vfio_fn fn, void *arg, struct err *err)
{
	const struct grant *g = &p->lease.grant;

	for (unsigned i = 0; i < g->nnics; i++) {
		const struct host_pci *nic = host_pci(p->host, g->nics[i].bdf);
		struct host_rdma r;

		if (!g->nics[i].bifurcated || nic == NULL)
			continue;
		if (host_rdma_find(p->fs, nic, &r, err) < 0)
			return -err->code;
		fn(p, r.node, r.rdev, arg);
	}
	return 0;
}

static void show(struct plan *p, const struct host_pci *nic, const struct host_rdma *, void *)
{
	plan_bind(
		p,
		str_printf(SYSFS "/%s", nic->path),
		str_printf(FENCE_DIR "/root/sys/%s", nic->path),
		true
	);
}

// The host's own sysfs shows neither interfaces nor InfiniBand devices of another network namespace.
void plan_rdma_files(struct plan *p)
{
	if (!grant_has_bifurcated(&p->lease.grant))
		return;
	plan_dir(p, strdup(SYSFS));
	plan_fence_step(p, STEP_SYSFS, strdup(SYSFS), strdup(PLAN_NETNS));
	each(p, show, NULL);
}

static void pass_on(struct plan *p, const char *dir)
{
	plan_step(
		p,
		STEP_SET,
		STEP_HOST,
		str_printf("%s/cgroup.subtree_control", dir),
		strdup("+rdma")
	);
}

// Of version 2: for who has such a NIC, and no others.
void plan_rdma_controller(struct plan *p, const char *top, const char *lease)
{
	const struct grant *g = &p->lease.grant;

	if ((p->host->cgroup.controllers & HOST_CG_RDMA) == 0 || !grant_has_bifurcated(g))
		return;
	pass_on(p, p->host->cgroup.mount);
	if (!g->isolated)
		pass_on(p, top);
	pass_on(p, lease);
}

static void limit(struct plan *p, const struct host_pci *, const struct host_rdma *r, void *arg)
{
	plan_step(
		p,
		STEP_SET,
		STEP_HOST,
		str_printf("%s/rdma.max", (const char *)arg),
		str_printf(
			"%s hca_handle=%llu hca_object=%u",
			r->name,
			(unsigned long long)p->lease.grant.pids,
			OBJECTS
		)
	);
}

// Each process may open it once.
void plan_rdma_limits(struct plan *p, const char *box)
{
	if ((p->host->cgroup.controllers & HOST_CG_RDMA) != 0)
		each(p, limit, (void *)box);
}

static void note(struct plan *p, const struct host_pci *nic, const struct host_rdma *r, void *)
{
	plan_note(
		p,
		"NIC %s: DPDK works beside its kernel driver, %s, which checks what the program "
		"asks of %s; that and interface %s are the container's for the lease. No hardware "
		"has seen this",
		nic->bdf,
		nic->driver,
		r->name,
		nic->netdev
	);
}

void plan_rdma_notes(struct plan *p)
{
	each(p, note, NULL);
	if (grant_has_bifurcated(&p->lease.grant)
	    && (p->host->cgroup.controllers & HOST_CG_RDMA) == 0)
		plan_note(
			p,
			"cgroups: there is no controller rdma, so nothing limits how many queues "
			"the program makes"
		);
}
