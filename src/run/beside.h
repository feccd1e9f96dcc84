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

// Such a process, made by socket_fork to ask whoever has that name of a grant or workload. -EBUSY while one that asked
// him before is there yet: he may be the reason that the kernel does not let it die, and would have one more each time.
pid_t beside_ask(const char *whom, int *ret, struct err *err);

// Kills it, and waits for no longer than ms.
void beside_ask_end(pid_t pid, int ms);
