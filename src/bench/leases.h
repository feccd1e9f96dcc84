// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Workloads of this benchmark that outlived the pinfold run that started them.
#pragma once

#include <sys/types.h>

struct bench;

// Stops every workload whose name begins with "bench-PID-", PID being this process's: what runs in a container or
// guest does not end with its supervisor, where that did not end in time and was killed. supervisor: only that one's;
// 0: all.
void leases_stop(struct bench *b, pid_t supervisor);
