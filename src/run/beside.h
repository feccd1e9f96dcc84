// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Processes of pinfold's own beside a workload: the relay of its streams, the writer of its log. They do
// as much as the workload says, so that they work where it does: on its CPUs.
#pragma once

#include "base/err.h"
#include "ledger/ledger.h"

#include <stddef.h>
#include <sys/types.h>

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

// For one that asks somebody who may be hostile: only these descriptors, at most 8, stay open. Should it never end, nobody
// waits for it: neither the caller's output nor the ledger's lock is open in it.
void beside_apart(int *const fds[], size_t n);

// Ends with its parent; not across a change of ids, which takes that back. -1: the parent has ended already.
int beside_end_with(pid_t parent);

// Kills one of the caller's, by its pidfd, which is closed, and waits for no longer than ms. One that the kernel does not
// let die now is waited for at a later call: of such the last 64 are known. pid 0: only that.
void beside_kill(pid_t pid, int fd, int ms);
