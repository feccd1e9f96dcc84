// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// VFs (SR-IOV) as the driver of their PF tells and sets them, by rtnetlink(7).
#pragma once

#include "host/vf.h"

struct ledger;
struct nlmsghdr;
struct vf_record;

struct vf_list {
	const char *pf; // whose they have to be
	unsigned index; // of its interface
	unsigned n;
	bool none; // its driver tells of no VFs, ever
	struct vf vfs[VFS_MAX];
};

// Those of the PF. Its first interface is asked, which has to be in this process's network namespace.
int vf_look(const struct hostfs *fs, const char *pf, struct vf_list *ret, struct err *err);
// From the kernel's answer: a struct vf_list. -ENODEV: the interface is of another function.
int vf_take(const struct nlmsghdr *h, void *list);
// The one with that number, NULL: the driver tells of none such.
const struct vf *vf_find(const struct vf_list *list, unsigned number);
// What `want` says and `list`, looked at before, does not. What was said so already is not said again.
int vf_set(const struct vf_list *list, const struct vf *want, struct err *err);

// vfs_kept.c: what the record says they were. Those that have gone are left out. When one cannot be set the others are.
// What is busy is tried until `limit`, as clock_ms().
int vfs_put_back(const struct ledger *l, const struct vf_record *r, int64_t limit, struct err *err);
