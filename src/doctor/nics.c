// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Each NIC: whether it can be granted, and what is in the way.

#include "base/scope.h"
#include "base/str.h"
#include "doctor/doctor.h"
#include "host/hostfs.h"
#include "host/nic.h"
#include "host/rdma.h"

#include <stdio.h>
#include <string.h>

static bool asked_for(const struct doctor *d, const struct host_pci *p)
{
	const struct terms *t =
		d->grant != NULL ? (const struct terms *)d->grant : (const struct terms *)d->wanted;

	if (t == NULL)
		return host_pci_is_nic(p);
	for (unsigned i = 0; i < t->nnics; i++) {
		if (str_eq(t->nics[i].bdf, p->bdf))
			return true;
	}
	return false;
}

#define MATES_LEN 256

// The others of its group that have a driver of their own: "0000:03:00.1 (ixgbe), …", and "0000:03:00.1 …".
static unsigned group_mates(
	const struct host *h, const struct host_pci *p, char ret[MATES_LEN], char bdfs[MATES_LEN]
)
{
	unsigned n = 0;

	ret[0] = bdfs[0] = '\0';
	for (unsigned i = 0; i < h->npci; i++) {
		const struct host_pci *q = &h->pci[i];

		if (q == p || q->iommu_group != p->iommu_group || host_pci_harmless(q)
		    || str_eq(q->driver, "vfio-pci"))
			continue;
		n++;
		str_add(ret, MATES_LEN, ", ", "%s (%s)", q->bdf, q->driver);
		str_add(bdfs, MATES_LEN, " ", "%s", q->bdf);
	}
	return n;
}

// Memory that the firmware writes to behind the kernel's back: VFIO takes no such device. Lines are
// "0xFIRST 0xLAST TYPE" (Documentation/ABI/testing/sysfs-kernel-iommu_groups).
static bool has_firmware_memory(const struct doctor *d, int group)
{
	char path[80], line[128];
	_cleanup_fclose_ FILE *f = NULL;

	snprintf(path, sizeof(path), "sys/kernel/iommu_groups/%d/reserved_regions", group);
	f = hostfs_fopen(d->fs->root, path);
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (strstr(line, " direct\n") != NULL)
			return true;
	}
	return false;
}

static bool can_be_reset(const struct doctor *d, const struct host_pci *p)
{
	_cleanup_free_ char *reset = str_printf("sys/%s/reset", p->path),
			    *method = str_printf("sys/%s/reset_method", p->path);

	return reset == NULL || method == NULL || doctor_exists(d, reset)
	       || doctor_exists(d, method);
}

// What the host itself does with it; NULL: nothing.
static const char *host_use(const struct host_pci *p)
{
	return p->default_route	     ? "the default route goes through it"
	       : p->upper[0] != '\0' ? "it is a port of a bond, bridge or VLAN"
	       : p->addressed	     ? "the host has an address on it"
				     : NULL;
}

static enum verdict if_asked(const struct doctor *d, enum verdict otherwise)
{
	return d->wanted != NULL ? VERDICT_FAIL : otherwise;
}

// As it is: its grant says unsafe-uio.
static bool is_given_on_uio(struct doctor *d, const struct host_pci *p)
{
	const struct terms *t =
		d->grant != NULL ? (const struct terms *)d->grant : (const struct terms *)d->wanted;

	for (unsigned i = 0; t != NULL && i < t->nnics; i++) {
		if (!t->nics[i].uio || !str_eq(t->nics[i].bdf, p->bdf) || !host_nic_uio(p->driver))
			continue;
		doctor_find(
			d,
			VERDICT_WARN,
			"nic",
			"%s is granted on %s (unsafe-uio): the program reaches all memory of this "
			"host",
			p->bdf,
			p->driver
		);
		doctor_read(d, "/sys/%s/driver", p->path);
		doctor_cure(d, "pinfold nic bind %s # and a grant without unsafe-uio", p->bdf);
		return true;
	}
	return false;
}

// What plan_rdma_check refuses, as far as the host can be told otherwise.
static void look_at_bifurcated(struct doctor *d, const struct host_pci *p)
{
	bool exclusive = host_rdma_exclusive(d->fs),
	     asks = host_rdma_asks_namespaces(d->host->release);

	doctor_find(
		d,
		asks && exclusive ? VERDICT_PASS : if_asked(d, VERDICT_WARN),
		"nic",
		"%s works with DPDK beside its kernel driver (%s), and %s",
		p->bdf,
		p->driver,
		!asks	     ? "this kernel lets only root of the host do that"
		: !exclusive ? "its InfiniBand device is shared by all network namespaces, so it "
			       "cannot be granted"
			     : "can be granted"
	);
	doctor_read(
		d,
		"/proc/sys/kernel/osrelease: %s, /sys/module/ib_core/parameters/netns_mode",
		d->host->release
	);
	if (!asks)
		doctor_cure(d, "Linux 6.17 or newer");
	else if (!exclusive)
		doctor_cure(d, "rdma system set netns exclusive # while there is one namespace");
}

// The first reason why it cannot be granted as it is. True: there is one, and it is said.
static bool is_refused(struct doctor *d, const struct host_pci *p)
{
	const char *use = host_use(p);
	char mates[MATES_LEN], bdfs[MATES_LEN];

	if (use != NULL) {
		doctor_find(
			d, if_asked(d, VERDICT_PASS), "nic", "%s stays the host's: %s", p->bdf, use
		);
		doctor_read(d, "/proc/net, /sys/%s/net/%s", p->path, p->netdev);
		doctor_cure(d, "pinfold nic bind --force %s # the host loses it", p->bdf);
	} else if (host_nic_bifurcated(p->driver)) {
		look_at_bifurcated(d, p);
	} else if (p->iommu_group < 0) {
		doctor_find(
			d,
			if_asked(d, VERDICT_WARN),
			"nic",
			"%s is in no IOMMU group: nothing keeps it from the host's memory",
			p->bdf
		);
		doctor_read(d, "/sys/%s/iommu_group", p->path);
		doctor_cure_iommu(d);
	} else if (has_firmware_memory(d, p->iommu_group)) {
		doctor_find(
			d,
			if_asked(d, VERDICT_WARN),
			"nic",
			"%s: the firmware uses memory of its own with it (RMRR), so VFIO does not "
			"take it",
			p->bdf
		);
		doctor_read(
			d, "/sys/kernel/iommu_groups/%d/reserved_regions: direct", p->iommu_group
		);
		doctor_cure(
			d, "turn its management by the firmware off there, or use another slot"
		);
	} else if (group_mates(d->host, p, mates, bdfs) > 0) {
		doctor_find(
			d,
			if_asked(d, VERDICT_WARN),
			"nic",
			"%s shares IOMMU group %d with %s: \"group is not viable\"",
			p->bdf,
			p->iommu_group,
			mates
		);
		doctor_read(d, "/sys/kernel/iommu_groups/%d/devices", p->iommu_group);
		doctor_cure(
			d,
			"pinfold nic bind %s %s # or use a slot behind a port with ACS",
			p->bdf,
			bdfs
		);
	} else {
		return false;
	}
	return true;
}

static void look_at_driver(struct doctor *d, const struct host_pci *p)
{
	bool ready = str_eq(p->driver, "vfio-pci");

	if (!ready && host_nic_for_programs(p->driver)) {
		doctor_find(
			d,
			if_asked(d, VERDICT_WARN),
			"nic",
			"%s is bound to %s, which keeps it from no memory",
			p->bdf,
			p->driver
		);
		doctor_cure(
			d,
			"pinfold nic bind %s # or grant it with unsafe-uio, to who may be root",
			p->bdf
		);
	} else {
		doctor_find(
			d,
			VERDICT_PASS,
			"nic",
			"%s can be granted: IOMMU group %d, node %d, driver %s%s",
			p->bdf,
			p->iommu_group,
			p->node,
			p->driver[0] != '\0' ? p->driver : "none",
			ready ? "" : " (give it with --nic NIC,bind)"
		);
	}
	doctor_read(d, "/sys/%s/driver", p->path);
}

// Who opens a VF by its group says the token of its PF; by a node of its own (iommufd) one can from Linux 6.17 on.
static void look_at_token(struct doctor *d, const struct host_pci *p)
{
	bool old = doctor_exists(d, "sys/class/misc/iommu") && !doctor_kernel(d, 6, 17);

	if (!str_eq(p->driver, "vfio-pci") || p->numvfs == 0)
		return;
	doctor_find(
		d,
		VERDICT_WARN,
		"nic-token",
		"%s is bound to vfio-pci and has VFs: programs with those need its VF token%s",
		p->bdf,
		old ? ", and cannot say it where they use iommufd (Linux 6.17)" : ""
	);
	doctor_read(
		d,
		old ? "/sys/%s/sriov_numvfs: %u, /proc/sys/kernel/osrelease: %s"
		    : "/sys/%s/sriov_numvfs: %u",
		p->path,
		p->numvfs,
		d->host->release
	);
	doctor_cure(
		d,
		"pinfold nic vfs %s 0 && pinfold nic unbind %s # the PF is its kernel driver's "
		"again",
		p->bdf,
		p->bdf
	);
}

static void look_at_rest(struct doctor *d, const struct host_pci *p)
{
	if (p->node < 0 && d->host->nnodes > 1) {
		doctor_find(
			d,
			VERDICT_WARN,
			"nic-node",
			"%s: the firmware does not tell its NUMA node, so CPUs cannot be chosen "
			"near it",
			p->bdf
		);
		doctor_read(d, "/sys/%s/numa_node: -1", p->path);
		doctor_cure(
			d,
			"a newer firmware; or find the node by trying: --cpus of one, then of "
			"another"
		);
	}
	if (d->fs->real && !can_be_reset(d, p)) {
		doctor_find(
			d,
			VERDICT_WARN,
			"nic-reset",
			"%s cannot be reset: what one program leaves in it, the next one finds",
			p->bdf
		);
		doctor_read(d, "/sys/%s/reset_method: none", p->path);
		doctor_cure(d, "grant it to programs that trust each other, or grant VFs");
	}
	look_at_token(d, p);
}

void doctor_nics(struct doctor *d)
{
	unsigned n = 0;

	if (!doctor_wants_nics(d))
		return;
	for (unsigned i = 0; i < d->host->npci; i++) {
		const struct host_pci *p = &d->host->pci[i];

		if (!asked_for(d, p))
			continue;
		n++;
		if (is_given_on_uio(d, p)) {
			look_at_rest(d, p);
		} else if (!is_refused(d, p)) {
			look_at_driver(d, p);
			look_at_rest(d, p);
		}
	}
	if (n == 0) {
		doctor_find(
			d,
			VERDICT_SKIP,
			"nic",
			d->wanted == NULL ? "this machine has none"
					  : "the grant names none that is known"
		);
		doctor_read(d, "/sys/bus/pci/devices");
	}
}
