// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// InfiniBand devices, each of which is in one network namespace where the host has it so (rdma system set netns exclusive).
#pragma once

#include <stdbool.h>

// Moves the device from the network namespace to the other; both are descriptors. -ENODEV: it is not there. The kernel
// takes it from whoever has it open. One that is in a namespace that goes is the first one's again.
int rdma_move(int from, int to, const char *name);

// 1: the kernel itself has queues there, as for NVMe over it, and ret is which part of it. 0: it has none, but for what the
// device's driver has. -errno. Of the network namespace of this process.
#define RDMA_USER 32
int rdma_kernel_user(const char *name, char ret[static RDMA_USER]);

// Of a list of queues (RDMA_NLDEV_CMD_RES_QP_GET).
struct nlmsghdr;
bool rdma_user_in(const struct nlmsghdr *h, char ret[static RDMA_USER]);
