// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// UIO: the device of a NIC, the files of sysfs that a program drives it with, and who has one of them.
#pragma once

#include "host/vfio.h"

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

// Calls fn with each process that has its node or one of these files open, as far as that can be seen. The kernel gives UIO
// to any number: there is no other way to know. Mappings are not looked at, since that may wait for the process.
void host_uio_users(const struct hostfs *fs, const char *bdf, host_vfio_user_fn fn, void *arg);
