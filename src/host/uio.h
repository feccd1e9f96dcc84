// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// UIO: the device of a NIC, the files of sysfs that a program drives it with, and who has one of them.
#pragma once

#include "host/host.h"

#include <sys/types.h>

struct host_uio {
	char name[16]; // "uio0": of its node and of its class in sysfs
	dev_t rdev;
};

// Of a function that is bound to a driver of UIO.
int host_uio_find(const struct hostfs *fs, const char *bdf, struct host_uio *ret, struct err *err);

// The names, in the directory of a function, of those that DPDK opens for writing (drivers/bus/pci/linux: pci_uio.c): some
// of them are there. NULL-terminated.
extern const char *const host_uio_files[];
// The mode that the kernel makes one of them with (drivers/pci/pci-sysfs.c).
mode_t host_uio_mode(const char *file);

// Calls fn with each process that has the node or one of these files of a NIC open, by its place in bdfs, until fn says
// that this is enough of that NIC. The kernel gives UIO to any number: there is no other way to know. Mappings are not looked
// at, since that may wait for the process. 1: there was no time for all; less than 0, with err set: some could not be looked at.
typedef bool (*host_uio_user_fn)(unsigned nic, int pid, void *arg);
int host_uio_users(
	const struct hostfs *fs,
	const char *const *bdfs,
	unsigned n,
	host_uio_user_fn fn,
	void *arg,
	struct err *err
);

// The same of the node of an InfiniBand device.
int host_uverbs_users(
	const struct hostfs *fs, dev_t node, host_uio_user_fn fn, void *arg, struct err *err
);
