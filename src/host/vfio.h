// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Device numbers of VFIO. They are dynamic: found from the IOMMU group each time, never remembered.
#pragma once

#include "host/host.h"

#include <sys/types.h>

// /dev/vfio/vfio
int host_vfio_container(const struct hostfs *fs, dev_t *ret, struct err *err);
// /dev/vfio/GROUP
int host_vfio_group(const struct hostfs *fs, int group, dev_t *ret, struct err *err);
