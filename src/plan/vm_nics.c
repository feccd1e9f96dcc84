// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The NICs of a virtual machine: the granted functions, each in a PCIe slot of its own, and the virtio NICs of its links.
// A guest without an IOMMU hands them to programs by UIO: what a program has a function write then stays in the guest,
// which the host's IOMMU sees to. One with an IOMMU hands them on by VFIO, as a host does.

#include "base/jread.h"
#include "plan/make.h"

#include <errno.h>

// QEMU's firmware is memory that a function may read too, and counts as locked (pc.bios, pc.rom: 384 KiB, and in parts once
// more).
#define FIRMWARE (UINT64_C(16) << 20)

_Static_assert(GRANT_NICS <= 8 * (PLAN_VM_LINK_SLOT - PLAN_VM_NIC_SLOT), "a port for each");

// The firmware numbers buses in the order of the ports that lead to them, and there are no other bridges.
json_t *plan_vm_nic(unsigned i)
{
	return json_sprintf("0000:%02x:00.0", i + 1);
}

json_t *plan_vm_link_nic(unsigned i)
{
	return json_sprintf("0000:00:%02x.0", PLAN_VM_LINK_SLOT + i);
}

static void add(json_t *list, const struct plan *p, json_t *address)
{
	json_array_append_new(
		list,
		json_pack(
			"{s:o, s:s}",
			"pci",
			address,
			"driver",
			p->launch->viommu ? "vfio-pci" : "uio_pci_generic"
		)
	);
}

json_t *plan_vm_nics(const struct plan *p)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < p->lease.grant.nnics; i++)
		add(list, p, plan_vm_nic(i));
	for (unsigned i = 0; i < p->lease.grant.nlinks; i++)
		add(list, p, plan_vm_link_nic(i));
	return list;
}

// Functions of one group have one table of the host's IOMMU, but in a guest with one of its own each has its own addresses.
int plan_vm_check_nics(const struct plan *p, struct err *err)
{
	const struct grant *g = &p->lease.grant;

	for (unsigned i = 0; p->launch->viommu && i < g->nnics; i++) {
		for (unsigned k = 0; k < i; k++) {
			if (g->nics[k].iommu_group != g->nics[i].iommu_group)
				continue;
			return err_set(
				err,
				EINVAL,
				"NICs %s and %s share IOMMU group %d, which --viommu would have to "
				"part; leave it out",
				g->nics[k].bdf,
				g->nics[i].bdf,
				g->nics[i].iommu_group
			);
		}
	}
	return 0;
}

void plan_vm_nic_notes(struct plan *p)
{
	const struct grant *g = &p->lease.grant;

	for (unsigned i = 0; i < g->nnics; i++) {
		_cleanup_json_ json_t *at = plan_vm_nic(i);

		plan_note(p, "NIC %s is %s in the guest", g->nics[i].bdf, json_string_value(at));
	}
	if (g->nnics > 0 && p->launch->no_prealloc)
		plan_note(
			p,
			"--prealloc no: a NIC may write to all of the guest's memory, "
			"so it is taken at the start all the same"
		);
}

uint64_t plan_vm_locked(const struct plan *p)
{
	const struct grant *g = &p->lease.grant;
	// a function has an address space to itself there, and until the guest's kernel has its IOMMU all memory is in each
	unsigned spaces = p->launch->viommu ? g->nnics : 1;

	if (g->nnics == 0)
		return 0;
	return (spaces - 1) * (g->memory + grant_hugepage_bytes(g, -1)) + spaces * FIRMWARE;
}
