// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A driver takes no function whose driver_override names another one (Documentation/ABI/testing/sysfs-bus-pci of the
// kernel): it is set first, so that nobody takes the NIC meanwhile.

#include "plan/nic.h"

#include "base/scope.h"
#include "grant/nic_use.h"
#include "host/hostfs.h"
#include "host/nic.h"
#include "plan/make.h"

#include <string.h>

#define DEVICE "/sys/bus/pci/devices/%s/"
#define DRIVER "/sys/bus/pci/drivers/%s/"
#define NOIOMMU "sys/module/vfio/parameters/enable_unsafe_noiommu_mode"

int nic_check_class(const struct host_pci *p, struct err *err)
{
	if (host_pci_is_nic(p))
		return 0;
	return err_set(
		err, EINVAL, "%s is no NIC (class %06x); see pinfold nic list", p->bdf, p->class
	);
}

const struct host_pci *nic_find(const struct host *host, const char *name, struct err *err)
{
	const struct host_pci *p = host_nic_called(host, name);

	if (p == NULL)
		err_set(err, ENODEV, "NIC '%.64s' does not exist; see pinfold nic list", name);
	return p;
}

static bool wished(const struct nic_wish *w, const struct host_pci *p)
{
	for (unsigned i = 0; i < w->n; i++) {
		if (w->nics[i] == p)
			return true;
	}
	return false;
}

// ---- what is refused

// VFIO gives a group to nobody while a driver of the host has one of it.
static int check_group(
	const struct nic_wish *w, const struct host_pci *p, const struct host *host, struct err *err
)
{
	for (unsigned i = 0; i < host->npci; i++) {
		const struct host_pci *o = &host->pci[i];

		if (o->iommu_group != p->iommu_group || wished(w, o) || host_pci_harmless(o)
		    || str_eq(o->driver, "vfio-pci"))
			continue;
		return err_set(
			err,
			EBUSY,
			"NIC %s shares IOMMU group %d with %s (driver %s), so VFIO could give it "
			"to "
			"nobody; bind both in one command",
			p->bdf,
			p->iommu_group,
			o->bdf,
			o->driver
		);
	}
	return 0;
}

static int check_iommu(
	const struct nic_wish *w, const struct host_pci *p, const struct hostfs *fs, struct err *err
)
{
	char line[8];

	if (p->iommu_group >= 0)
		return 0;
	if (!w->unsafe_noiommu)
		return err_set(
			err,
			ENODEV,
			"NIC %s is in no IOMMU group, so nothing could confine it; turn the IOMMU "
			"on (intel_iommu=on, or the firmware's VT-d/AMD-Vi), or say "
			"--unsafe-noiommu",
			p->bdf
		);
	if (hostfs_line(fs->root, NOIOMMU, line, sizeof(line)) < 0)
		return err_set(
			err,
			EOPNOTSUPP,
			"NIC %s: this kernel has no VFIO without an IOMMU (CONFIG_VFIO_NOIOMMU), "
			"or "
			"the module vfio is not loaded",
			p->bdf
		);
	return 0;
}

int nic_check(
	const struct nic_wish *w,
	const struct host *host,
	const struct hostfs *fs,
	const struct holdings *others,
	struct err *err
)
{
	if (!host_nic_for_programs(w->driver))
		return err_set(
			err,
			EINVAL,
			"driver '%.32s' is none of vfio-pci, uio_pci_generic and igb_uio",
			w->driver
		);
	for (unsigned i = 0; i < w->n; i++) {
		const struct host_pci *p = w->nics[i];

		if (nic_check_class(p, err) < 0)
			return -err->code;
		if (str_eq(p->driver, w->driver))
			continue;
		if (host_nic_bifurcated(p->driver))
			return err_set(
				err,
				EINVAL,
				"NIC %s: DPDK works beside its kernel driver (%s), which has to "
				"stay; see docs/nics.md",
				p->bdf,
				p->driver
			);
		if (nic_check_idle(p, "NIC", others, err) < 0 || host_nic_check_vfs(p, err) < 0
		    || ((w->forced >> i & 1) == 0
			&& nic_check_use(p, "NIC", "choose another, or say --force", err) < 0))
			return -err->code;
		if (str_eq(w->driver, "vfio-pci")
		    && (check_iommu(w, p, fs, err) < 0
			|| (p->iommu_group >= 0 && check_group(w, p, host, err) < 0)))
			return -err->code;
	}
	return 0;
}

// ---- steps

static void set(struct plan *p, char *path, const char *value)
{
	plan_step(p, STEP_SET, STEP_HOST, path, strdup(value));
}

static void module(struct plan *p, const char *name, bool hint)
{
	plan_step(p, STEP_MODULE, STEP_HOST, strdup(name), NULL)->hint = hint;
}

void plan_nic_bind(struct plan *p, const struct host_pci *nic, const char *driver, bool noiommu)
{
	module(p, driver, false);
	if (str_eq(driver, "vfio-pci")) {
		if (noiommu && nic->iommu_group < 0)
			set(p, strdup("/" NOIOMMU), "Y");
		// without it nobody can use what is bound
		module(p, "vfio_iommu_type1", nic->iommu_group < 0);
	}
	set(p, str_printf(DEVICE "driver_override", nic->bdf), driver);
	if (nic->driver[0] != '\0')
		set(p, str_printf(DEVICE "driver/unbind", nic->bdf), nic->bdf);
	set(p, str_printf(DRIVER "bind", driver), nic->bdf);
}

bool plan_nic_waits(const struct plan *p, unsigned i)
{
	const struct grant_nic *g = &p->lease.grant.nics[i];
	const struct host_pci *nic = host_pci(p->host, g->bdf);

	return g->bind && nic != NULL && !str_eq(nic->driver, "vfio-pci");
}

void plan_nics_for_lease(struct plan *p)
{
	for (unsigned i = 0; i < p->lease.grant.nnics; i++) {
		const struct host_pci *nic = host_pci(p->host, p->lease.grant.nics[i].bdf);

		if (!plan_nic_waits(p, i))
			continue;
		plan_nic_bind(p, nic, "vfio-pci", false);
		plan_note(
			p,
			"NIC %s is bound to vfio-pci for this lease, and given back to %s at its "
			"end",
			nic->bdf,
			nic->driver[0] != '\0' ? nic->driver : "no driver"
		);
	}
}

void plan_nic_return(struct plan *p, const struct host_pci *nic, const struct binding *b)
{
	const char *override = b->former_override[0] != '\0' ? b->former_override : "\n";

	set(p, str_printf(DEVICE "driver_override", nic->bdf), override);
	// somebody else's by now
	if (nic->driver[0] != '\0' && !str_eq(nic->driver, b->driver))
		return;
	if (nic->driver[0] != '\0')
		set(p, str_printf(DEVICE "driver/unbind", nic->bdf), nic->bdf);
	if (b->probe)
		set(p, strdup("/sys/bus/pci/drivers_probe"), nic->bdf);
	if (b->former[0] == '\0')
		return;
	module(p, b->former, true);
	set(p, str_printf(DRIVER "bind", b->former), nic->bdf);
}
