// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// VFIO: device numbers, which are dynamic, so they are found from the IOMMU group each time and never remembered;
// and who uses a group.
#pragma once

#include "host/host.h"

#include <sys/types.h>

// /dev/vfio/vfio
int host_vfio_container(const struct hostfs *fs, dev_t *ret, struct err *err);
// /dev/vfio/GROUP
int host_vfio_group(const struct hostfs *fs, int group, dev_t *ret, struct err *err);

// 1: the group, or a device of it, is open or mapped somewhere. 0: it is not. Negative with err set: it cannot be
// told. Opens the group for a moment, so nobody else may just be about to: it is free, or the caller's to give.
int host_vfio_in_use(const struct hostfs *fs, int group, struct err *err);
// The same of a group that confines nothing.
int host_vfio_noiommu_in_use(const struct hostfs *fs, int group, struct err *err);
// The IOMMU group of a function, or -1. ret_noiommu: one that the kernel has made for a function that is bound without an
// IOMMU (enable_unsafe_noiommu_mode), which confines nothing.
int host_vfio_group_of(const struct hostfs *fs, const char *bdf, bool *ret_noiommu);
// Calls fn with each process that has it, as far as that can be seen.
typedef void (*host_vfio_user_fn)(int pid, void *arg);
void host_vfio_users(const struct hostfs *fs, int group, host_vfio_user_fn fn, void *arg);
