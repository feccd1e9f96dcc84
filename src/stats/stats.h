// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the workloads that run use of what they were granted, as the kernel counts it.
#pragma once

#include "host/cgroup.h"
#include "host/ticks.h"
#include "ledger/ledger.h"

#include <jansson.h>

struct stats_hugepages {
	uint64_t size;		       // bytes of one page
	uint64_t used, reserved, room; // bytes: in use; reserved and not yet in use; granted
};

#define STATS_UNKNOWN HOST_CGROUP_NONE_SAID // the kernel does not count it

// Of the drovers in a workload, as they say: for people to see, and nothing is decided by it. What they count begins
// anew when they are told to.
struct stats_packets {
	int64_t at; // clock_ns(); 0: there is none that answers
	unsigned drovers;
	uint64_t received, sent, dropped;
	uint64_t busy, idle; // cycles of polls that found packets, and of those that found none
};

// Of one workload at one moment; all of its processes, without pinfold's own beside it.
struct stats_workload {
	struct lease lease;
	uint64_t cpu_ns; // time on CPUs since it was started
	uint64_t memory,
		cache; // bytes that count against its limit; of these the kernel's cache of files, which it can free
	uint64_t processes; // threads included, as the limit counts
	unsigned nhugepages;
	struct stats_hugepages hugepages[HOST_PAGE_SIZES];
	struct stats_packets packets;
};

// Of all of them, and of the CPUs of the machine, at one moment.
struct stats {
	int64_t at; // clock_ns()
	unsigned n;
	struct stats_workload *workloads; // in order of name
	unsigned nticks;
	struct host_tick *ticks;
};

// Of the one called name, or of all that run (NULL). A lease that cannot be read is passed over, and is the error when the
// others have been taken; without ret->ticks there is nothing at all. stats_done frees it in any case.
int stats_take(const struct ledger *l, const char *name, struct stats *ret, struct err *err);
void stats_done(struct stats *s);

// What was used between two moments, an object for each workload that is in both (data/schemas/stats.json). New reference.
json_t *stats_rows(const struct stats *from, const struct stats *to);
// The same rows for a table with the columns *ret_keys: strings, numbers and nulls. New reference.
json_t *stats_table(const json_t *rows, const char *const **ret_keys);
// Its columns that a narrow terminal has no room for, the last first; ends with NULL.
extern const char *const stats_dropped[];
#define STATS_SECONDS 3600 // to count at most

// What has been counted so far in the text format of Prometheus
// (https://prometheus.io/docs/instrumenting/exposition_formats/), for a collector that reads files.
void stats_expose(const struct ledger *l, const struct stats *s, FILE *out);

// cgroup.c: fills all but the lease.
int stats_read_cgroup(const struct hostfs *fs, struct stats_workload *w, struct err *err);
