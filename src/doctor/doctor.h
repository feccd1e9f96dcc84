// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Whether a machine is prepared for DPDK in containers: checks in groups, each of which says what it found, where it
// read that, and what cures it. Only reads.
#pragma once

#include "base/err.h"
#include "grant/grant.h"
#include "host/host.h"

#include <jansson.h>
#include <stdbool.h>

enum verdict {
	VERDICT_PASS,
	VERDICT_WARN, // programs run, worse than they could
	VERDICT_FAIL, // what was asked for, or any grant, cannot be had
	VERDICT_SKIP, // not looked at, and why
};

// What is to be examined.
struct doctor {
	const struct hostfs *fs;
	const struct host *host;
	bool root; // may see what is root's
	// The grant that is asked for: only what it needs is examined. NULL: the whole machine.
	const struct request *wanted;
	const struct grant *grant; // what came of it; NULL: it cannot be had, as refusal says
	const struct err *refusal;
	bool vm; // for a virtual machine
	struct idset
		cpus; // that programs poll on: of the grant, else what is granted, else isolated ones
	const char *whose; // why those: "they are isolated"
	const char *group; // the group that is at work
	json_t *findings;
	unsigned count[VERDICT_SKIP + 1];
};

// Runs all groups. The caller has set the fields up to whose. A new reference, the format of
// data/schemas/doctor.json.
int doctor_examine(struct doctor *d, json_t **ret, struct err *err);

// ---- for the groups

// Adds a finding to the group.
void doctor_find(struct doctor *d, enum verdict v, const char *check, const char *fmt, ...)
	printf_like(4, 5);
// Where the last finding was read, and what cures it: a command that can be pasted, ours where we have one, what else
// there is to know of it behind " # "; or a line that says what to do.
void doctor_read(struct doctor *d, const char *fmt, ...) printf_like(2, 3);
void doctor_cure(struct doctor *d, const char *fmt, ...) printf_like(2, 3);

// What moves all else off the CPUs that are looked at.
void doctor_cure_cpus(struct doctor *d);

// What turns the IOMMU on, or gets a NIC behind it.
void doctor_cure_iommu(struct doctor *d);

// A number in a file below the host's root, which is good from `least` to `most`; nothing where there is no such file.
struct doctor_number {
	const char *check, *path;
	uint64_t least, most;
	const char *good, *bad, *cure;
};
void doctor_number(struct doctor *d, const struct doctor_number *n);

// A mask of CPUs in such a file, which is good where none of d->cpus is in it.
struct doctor_mask {
	const char *check, *path, *good, *bad;
};
void doctor_mask(struct doctor *d, const struct doctor_mask *m);

// Whether it is to be examined whether the machine has what a grant would need.
bool doctor_wants_nics(const struct doctor *d);
bool doctor_wants_pages(const struct doctor *d);
bool doctor_wants_ports(const struct doctor *d, bool vhost);

// PASS, or as bad as it is when a grant that is asked for needs it.
static inline enum verdict doctor_needs(const struct doctor *d, bool there)
{
	return there ? VERDICT_PASS : d->wanted != NULL ? VERDICT_FAIL : VERDICT_WARN;
}

// The value of a word of the kernel's command line ("isolcpus=…"): true, and in ret without what does not fit.
// The last one counts.
bool doctor_cmdline(const struct doctor *d, const char *key, char *ret, size_t len);

// A module is loaded or built in. False may also mean that it was not loaded yet: doctor_can_load.
bool doctor_has_module(const struct doctor *d, const char *name);
// 1: the kernel's directory of modules has it. 0: it has not. -1: there is no such directory.
int doctor_can_load(const struct doctor *d, const char *name);

bool doctor_exists(const struct doctor *d, const char *path);

// The kernel is that release or a newer one; true where it does not tell.
bool doctor_kernel(const struct doctor *d, unsigned major, unsigned minor);

// One file a group; the order is that of the report.
void doctor_grant(struct doctor *d);
void doctor_processor(struct doctor *d);
void doctor_hugepages(struct doctor *d);
void doctor_leftovers(struct doctor *d);
void doctor_cgroups(struct doctor *d);
void doctor_runtime(struct doctor *d);
void doctor_iommu(struct doctor *d);
void doctor_nics(struct doctor *d);
void doctor_isolation(struct doctor *d);
void doctor_noise(struct doctor *d);
void doctor_memory(struct doctor *d);
void doctor_limits(struct doctor *d);
void doctor_security(struct doctor *d);
void doctor_devices(struct doctor *d);
void doctor_machines(struct doctor *d);

// engines.c: of the group `runtime`.
void doctor_engines(struct doctor *d);
// An engine is installed.
bool doctor_has_engine(const struct doctor *d);
// seccomp.c: what a profile of an engine's says about the calls by which EAL places memory on nodes, for a container with
// the capabilities that engines give.
enum doctor_calls {
	CALLS_ALLOWED,
	CALLS_UNSAID, // refused, and a runtime below may add them
	CALLS_REFUSED,
	CALLS_UNKNOWN, // it is no profile
};
enum doctor_calls doctor_calls(const char *profile);
// cgroups_below.c: of the group `cgroups`.
void doctor_cgroups_below(struct doctor *d);
