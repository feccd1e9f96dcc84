// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Limits of the process (setrlimit(2)): files, memory to lock, pending signals and the rest, each of which is set.

#include "base/scope.h"
#include "grant/caps.h"
#include "plan/make.h"

#include <linux/capability.h>
#include <sys/resource.h>

#define REALTIME_MAX 49	     // below the threads of interrupts, which have 50
#define NICE_MAX 40	     // RLIMIT_NICE: 20 less the nice value
#define QUEUE_BYTES 819200   // of POSIX message queues, as the kernel's default
#define PENDING_SIGNALS 4096 // timers count too
#define SPARE_PROCESSES 64   // init, and what the runtime is until it is the program
#define FILES_MIN 1024
#define FILES_MAX 65536
#define STACK_SOFT (UINT64_C(8) << 20)
#define STACK_HARD (UINT64_C(64) << 20) // never unlimited: that lays addresses out as of old

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

// One for each hugepage, as EAL has them, and others. What all processes of the container may have open
// together is no more than half of what the machine may.
static uint64_t open_files(const struct grant *g, const struct host_limits *host)
{
	uint64_t pages = 0, share = host->files / 2 / (g->pids + 1);

	for (unsigned i = 0; i < g->nhugepages; i++)
		pages += g->hugepages[i].count;
	return most(least(FILES_MAX, share), FILES_MIN) + pages;
}

// vfio counts what it maps for the device against this limit: the hugepages in full and, to be safe, the
// ordinary memory; then nothing needs CAP_IPC_LOCK, and the memory limit is above it.
static uint64_t locked_memory(const struct grant *g)
{
	return grant_hugepage_bytes(g, -1) + g->memory;
}

unsigned plan_rlimits(
	const struct grant *g,
	const struct host_limits *host,
	uint64_t locked,
	struct right_limit ret[static HOST_RLIMITS]
)
{
	// for real time the kernel looks at capabilities on the host, which no container has: the
	// limits count
	bool nice = cap_has(g->caps, CAP_SYS_NICE);
	uint64_t lock = locked_memory(g) + locked;
	const struct right_limit all[] = {
		// 1: no file, and nothing for a program that core_pattern names; 0 stops only files
		{RLIMIT_CORE, "RLIMIT_CORE", 1, 1},
		{RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK", lock, lock},
		{RLIMIT_MSGQUEUE, "RLIMIT_MSGQUEUE", QUEUE_BYTES, QUEUE_BYTES},
		{RLIMIT_NICE, "RLIMIT_NICE", nice ? NICE_MAX : 0, nice ? NICE_MAX : 0},
		{RLIMIT_NOFILE, "RLIMIT_NOFILE", open_files(g, host), open_files(g, host)},
		{RLIMIT_NPROC,
		 "RLIMIT_NPROC",
		 g->pids + SPARE_PROCESSES,
		 g->pids + SPARE_PROCESSES},
		{RLIMIT_RTPRIO, "RLIMIT_RTPRIO", nice ? REALTIME_MAX : 0, nice ? REALTIME_MAX : 0},
		{RLIMIT_SIGPENDING, "RLIMIT_SIGPENDING", PENDING_SIGNALS, PENDING_SIGNALS},
		{RLIMIT_STACK, "RLIMIT_STACK", STACK_SOFT, STACK_HARD},
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		ret[i] = all[i];
		ret[i].hard = least(ret[i].hard, host->hard[all[i].resource]);
		ret[i].soft = least(ret[i].soft, ret[i].hard);
	}
	return ARRAY_LEN(all);
}

json_t *plan_rlimits_json(const struct grant *g, const struct host_limits *host, uint64_t locked)
{
	struct right_limit all[HOST_RLIMITS];
	unsigned n = plan_rlimits(g, host, locked, all);
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(
			list,
			json_pack(
				"{s:s, s:I, s:I}",
				"type",
				all[i].name,
				"hard",
				(json_int_t)all[i].hard,
				"soft",
				(json_int_t)all[i].soft
			)
		);
	return list;
}
