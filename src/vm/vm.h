// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a virtual machine needs of the host: QEMU, a kernel for the guest and its modules, and the initramfs that
// is made of those and of pinfold-inside.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

// Where kernels are kept, each in linux-RELEASE: vmlinux (or what QEMU's -kernel takes) and lib/modules/RELEASE.
// PINFOLD_GUEST_CACHE names another directory.
#define VM_CACHE "/var/cache/pinfold-guest"
const char *vm_cache(void);
#define VM_QEMU "qemu-system-x86_64"

struct vm_tools {
	char qemu[256];
	char kernel[512];
	char initramfs[512]; // may have to be made
	char release[128];
	unsigned seconds; // that its guest may take to come up
};

#define VM_SECONDS 50
// That many, or PINFOLD_GUEST_SECONDS if it is more, for a host that is slow (itself emulated).
unsigned vm_start_seconds(void);

// One of the two, alone; where it was looked for, if it is not there.
int vm_find_qemu(struct vm_tools *t, struct err *err);
int vm_find_kernel(struct vm_tools *t, struct err *err);
// The newest kernel, QEMU, and the name that an initramfs with this pinfold-inside has. Changes nothing.
int vm_find(const char *inside, struct vm_tools *ret, struct err *err);
// Of a machine that is not this one: the names alone.
void vm_assume(struct vm_tools *ret);

// initramfs.c: makes it, if it is not there.
int vm_make_initramfs(const struct vm_tools *t, const char *inside, struct err *err);

// Whether a try with KVM is worth its time: a machine that lets one make a VM may still not run it, as where the
// kernel emulates each instruction; such have none of the two hardware modules. root: of the file system.
bool vm_kvm_likely(int root);

// ---- modules.c

// The files of the modules `wanted` (NULL-terminated) and of all that they need, those first that are needed by
// others, below lib/modules/RELEASE. What modules.dep (modules.dep(5)) does not know is built in.
struct vm_modules {
	unsigned n;
	char *path[64];
};
int vm_modules_in_order(
	const char *dep, const char *const *wanted, struct vm_modules *ret, struct err *err
);
void vm_modules_done(struct vm_modules *m);

// ---- cpio.c: an archive in the format "newc" (Documentation/driver-api/early-userspace/buffer-format.rst)

struct cpio {
	char *data;
	size_t len, room;
	unsigned entries;
	bool failed; // memory ran out
};
void cpio_add(
	struct cpio *c, const char *name, unsigned mode, const char *data, size_t len, unsigned rdev
);
void cpio_end(struct cpio *c);
