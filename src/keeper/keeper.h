// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A grant in the hands of a user who is not root. Its keeper is started by root in the grant's cgroup,
// in namespaces of its own, and has nothing but the ids of that user; it starts the user's
// containers. docs/keeper.md.
#pragma once

#include "base/err.h"
#include "host/host.h"
#include "keeper/protocol.h"
#include "keeper/scribe.h"
#include "ledger/ledger.h"
#include "plan/plan.h"

#include <sys/types.h>

// ---- start.c: the side of root

// Starts the keeper of a definition that has an owner. Returns when it serves.
int keeper_start(const char *name, struct err *err);

// watch_cpus.c: leaves a process that freezes or ends the keeper, and all it started, as the grant says when its
// CPUs or nodes go offline. It ends with the keeper.
int keeper_watch(const struct hostfs *fs, const struct lease *lease, struct err *err);

// ---- serve.c, job.c: the keeper itself

// What a keeper knows. All ids are those of its user namespace: 0 is the owner, 1 is the first of the
// range of its containers.
struct keeper {
	struct hostfs fs;
	struct host host;     // the machine as it was when the keeper started
	struct lease lease;   // what its containers have
	const char *inside;   // where pinfold-inside lies
	json_t *calls;	      // the filter of its containers, which root read
	int cgroup_ns;	      // the cgroup namespace of its containers; -1: none yet
	int listen;	      // the socket
	struct scribe scribe; // writes the log of detached workloads
	int output;	      // in the process of a detached workload: what it writes to, else -1
};

#define PEN_RANGE_FIRST 1u // of the ids of containers, in the keeper's user namespace
#define PEN_LINK_FIRST (PEN_RANGE_FIRST + IDS_PER_LEASE)

// Serves until it is told to end (SIGTERM). Process 1 of its namespace. Returns the exit status.
int keeper_serve(struct keeper *k);

// In a process of its own: starts what is asked for, with the descriptors as the program's (NULL: it is
// detached), and waits for its end. What becomes of it is news for `report`.
_Noreturn void keeper_job_run(
	struct keeper *k, const struct keeper_request *req, const int *fds, int report
);
// The same for an exec: ends with its status.
_Noreturn void keeper_job_exec(struct keeper *k, const struct keeper_request *req, const int *fds);

// cgroup.c: makes k->cgroup_ns, once.
int keeper_make_cgroup_ns(struct keeper *k, struct err *err);
// For a program of that user of the container: opens what it writes "0" to, to be of the workload, as
// the site of its start has it, and enters k->cgroup_ns. The caller becomes the runtime or ends.
int keeper_open_work(const struct keeper *k, uint32_t uid, struct site *site, struct err *err);

// filter.c: confines this process to the system calls of a keeper whose containers have these
// capabilities and this filter (NULL: the default one).
int keeper_filter(uint64_t caps, const json_t *profile, struct err *err);
// Of a program that starts none: what a container without capabilities may do.
int keeper_filter_alone(struct err *err);

// row.c: a row of pinfold ps --json. New reference.
json_t *lease_row(
	const struct lease *lease, const char *state, const char *command, int64_t started
);

// ---- client.c

// True if a keeper serves this grant, as far as this user may know.
bool keeper_serves(const char *name);

// True if it is frozen with all it started: it does not answer then.
bool keeper_frozen(const char *name);

// Asks for a run, or an exec; passes signals on; returns its exit status. On failure an error.
int keeper_run(
	const char *name, const struct keeper_request *req, int *ret_status, struct err *err
);

// ps, stop: asks and waits for the answer, whose row (ps) the caller frees.
int keeper_ask(
	const char *name,
	const struct keeper_request *req,
	unsigned seconds,
	struct keeper_reply *ret,
	struct err *err
);

// The log of its detached workloads, for reading.
int keeper_log(const char *name, struct log_pair *ret, struct err *err);

// Calls fn for every grant of this user (of anybody, for root) that a keeper serves, in order of name.
typedef void (*keeper_fn)(const char *name, void *arg);
int keeper_each(keeper_fn fn, void *arg, struct err *err);
