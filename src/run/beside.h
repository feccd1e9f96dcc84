// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Processes of pinfold's own beside a workload: the relay of its streams, the writer of its log. They do
// as much as the workload says, so that they work where it does: on its CPUs.
#pragma once

#include "base/err.h"
#include "ledger/ledger.h"

#include <stddef.h>

// Enters the lease's cgroup for the runtime and, on v1, its CPUs; runs on the shared CPUs of the grant, or
// without any on its own. With one thread: it alone is moved. Everything of a lease is found by its cgroup.
int beside_enter(const struct hostfs *fs, const struct lease *lease, struct err *err);

// On those CPUs alone, in the cgroup where it is.
int beside_stay(const struct lease *lease, struct err *err);

// Runs on these CPUs of the grant. Those of an isolated partition that is the box alone (cgroup.c) are not to
// be had from outside of it: then where it is. -1: errno.
int beside_run_on(const struct grant *g, const struct idset *cpus);

// For one that has nothing to do with the caller: neither his session nor his descriptors.
void beside_detach(void);

// Closes every descriptor but the standard ones and these, at most 8, which are moved: above all the
// ledger's lock.
void beside_keep(int *const fds[], size_t n);
