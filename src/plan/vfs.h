// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Plans that make VFs (SR-IOV), set them, and take them away.
#pragma once

#include "host/vf.h"
#include "plan/plan.h"

struct vfs_wish {
	const struct host_pci *pf;
	unsigned count; // VFs that it is to have
	unsigned n;	// of them to be set, each once
	struct vf set[VFS_MAX];
	bool force; // though the host, or a grant that is not in use, has one that goes
};

// Refuses what is in use and what cannot be.
int vfs_check(
	const struct vfs_wish *wish,
	const struct host *host,
	const struct holdings *others,
	struct err *err
);

// What a person should know of the VFs of a grant.
void plan_vfs_notes(struct plan *p);

// A plan that has steps alone. autoprobe: the kernel offers new VFs to drivers, which then wait until they are set.
void plan_vfs(struct plan *p, const struct vfs_wish *wish, bool autoprobe);
