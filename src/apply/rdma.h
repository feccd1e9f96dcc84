// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// InfiniBand devices, each of which is in one network namespace where the host has it so (rdma system set netns exclusive).
#pragma once

// Moves the device from the network namespace to the other; both are descriptors. -ENODEV: it is not there. The kernel
// takes it from whoever has it open. One that is in a namespace that goes is the first one's again.
int rdma_move(int from, int to, const char *name);
