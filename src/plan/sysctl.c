// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a container's network namespace has for itself of the kernel's parameters (sysctl). A TCP connection is
// charged to a cgroup when a program accepts it: until then it, and what was sent over it, is memory that nobody
// pays for. How many wait for each socket that listens, and how much each may hold, is bounded here. What TCP learns
// of a peer it keeps in a table that the machine has once, where what is new takes the place of what others had: a
// container keeps nothing there. The runtime writes all this before the program starts; inside, /proc/sys is read-only.

#include "host/hostfs.h"
#include "plan/make.h"

#include <stdio.h>

#define NET_QUEUE "proc/sys/net/core/somaxconn"
#define TCP_RMEM "proc/sys/net/ipv4/tcp_rmem"

// Of grants of 64 MiB and less, and of 512 MiB and more: what kernels had for all before 5.4.
#define QUEUE_LEAST 16u
#define QUEUE_MOST 128u
#define QUEUE_SHARE (UINT64_C(4) << 20)
// What a socket may hold at first; it grows as a program reads, up to the most.
#define RECEIVE_FIRST (UINT64_C(16) << 10)
#define RECEIVE_LEAST (UINT64_C(512) << 10)
#define RECEIVE_MOST (UINT64_C(4) << 20)
#define RECEIVE_SHARE 128u // of the memory

static uint64_t within(uint64_t least, uint64_t v, uint64_t most)
{
	return v < least ? least : v > most ? most : v;
}

static unsigned long long lower(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

// Kernels up to 6.2 give a network namespace of a user namespace no net.core, and a runtime fails on what is not there:
// from the first on that is known to have it for certain.
static bool has_core(const struct host *host)
{
	unsigned major, minor;

	return sscanf(host->release, "%u.%u", &major, &minor) == 2
	       && (major > 6 || (major == 6 && minor >= 6));
}

static void add_queue(struct plan *p, json_t *all)
{
	uint64_t n = within(QUEUE_LEAST, plan_memory(p) / QUEUE_SHARE, QUEUE_MOST), host;

	if (has_core(p->host) && hostfs_u64(p->fs->root, NET_QUEUE, &host) == 0)
		json_object_set_new(
			all, "net.core.somaxconn", json_sprintf("%llu", lower(n, host))
		);
}

// Never more than the host has for itself.
static void add_receive(struct plan *p, json_t *all)
{
	uint64_t limit = within(RECEIVE_LEAST, plan_memory(p) / RECEIVE_SHARE, RECEIVE_MOST);
	unsigned long long least, first, most;
	char line[128];

	if (hostfs_line(p->fs->root, TCP_RMEM, line, sizeof(line)) < 0
	    || sscanf(line, "%llu %llu %llu", &least, &first, &most) != 3)
		return; // no TCP
	most = lower(most, limit);
	first = lower(lower(first, RECEIVE_FIRST), most);
	json_object_set_new(
		all,
		"net.ipv4.tcp_rmem",
		json_sprintf("%llu %llu %llu", lower(least, first), first, most)
	);
}

// Round-trip times and thresholds when a connection ends, cookies of Fast Open when one begins.
static void add_metrics(struct plan *p, json_t *all)
{
	char line[32];

	if (hostfs_line(p->fs->root, TCP_RMEM, line, sizeof(line)) < 0)
		return; // no TCP
	json_object_set_new(all, "net.ipv4.tcp_no_metrics_save", json_string("1"));
	json_object_set_new(all, "net.ipv4.tcp_fastopen", json_string("0"));
}

json_t *plan_sysctl(struct plan *p)
{
	json_t *all = json_object();

	add_queue(p, all);
	add_receive(p, all);
	add_metrics(p, all);
	return all;
}
