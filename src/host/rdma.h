// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// InfiniBand devices of NICs whose driver stays in the kernel while DPDK works beside it (mlx5): over one of them a program
// makes queues of its own, which the driver checks.
#pragma once

#include "host/host.h"

#include <sys/types.h>

#define HOST_RDMA_NAME 32

struct host_rdma {
	char name[HOST_RDMA_NAME]; // "mlx5_0"
	char node[HOST_RDMA_NAME]; // "uverbs0", below /dev/infiniband
	dev_t rdev;
	unsigned ports; // 0: not told
};

// The first entry of the directory `name` of a function, "" where there is none.
void host_rdma_entry(int function, const char *name, char ret[static HOST_RDMA_NAME]);

int host_rdma_find(
	const struct hostfs *fs, const struct host_pci *p, struct host_rdma *ret, struct err *err
);

// Whether the kernel asks for CAP_NET_RAW of the device's network namespace, and not of the host: since Linux 6.17 ("RDMA/uverbs:
// Check CAP_NET_RAW in user namespace for QP create" and the like).
bool host_rdma_asks_namespaces(const char *release);

// Each device is in one network namespace; else all are in all, and CAP_NET_RAW of a container's own counts for nothing
// (drivers/infiniband/core/device.c: rdma_dev_has_raw_cap).
bool host_rdma_exclusive(const struct hostfs *fs);
