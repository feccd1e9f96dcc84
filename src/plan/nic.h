// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Plans that bind a NIC to a driver for programs, and that give it back.
#pragma once

#include "ledger/binding.h"
#include "plan/plan.h"

struct nic_wish {
	const char *driver; // "vfio-pci", "uio_pci_generic", "igb_uio"
	unsigned n;
	const struct host_pci *nics[GRANT_NICS];
	uint64_t forced;     // a bit for each: though the host uses it
	bool unsafe_noiommu; // VFIO without an IOMMU
	bool early; // at boot: what has no driver yet may have one whose module is not loaded
};

_Static_assert(GRANT_NICS <= 64, "a bit for each");

// "0000:3b:00.0", "3b:00.0" or the name of its interface. NULL with err set: there is none.
const struct host_pci *nic_find(const struct host *host, const char *name, struct err *err);

// Refuses what would cut the host off, what a grant in use has, and what would be of no use. One that is bound so
// already is fine.
int nic_check(
	const struct nic_wish *wish,
	const struct host *host,
	const struct hostfs *fs,
	const struct holdings *others,
	struct err *err
);

// EINVAL: it is another kind of device.
int nic_check_class(const struct host_pci *p, struct err *err);

// Begins a plan that has steps alone; plan_done ends it, and `failed` says that memory ran out.
void plan_nic_bind(struct plan *p, const struct host_pci *nic, const char *driver, bool noiommu);

// A NIC of the grant that is to be bound for the lease, and is not yet.
bool plan_nic_waits(const struct plan *p, unsigned i);
// The steps for those, of a plan that is only read: whoever starts has bound them before there is a plan.
void plan_nics_for_lease(struct plan *p);

// nic: as it is now. Whoever has it open has to be gone: the kernel waits for him.
void plan_nic_return(struct plan *p, const struct host_pci *nic, const struct binding *b);
