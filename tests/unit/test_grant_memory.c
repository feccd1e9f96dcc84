// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Ordinary memory: what is left of it beside others, and what that means for one grant and for several.

#include "fake.h"

#include "grant/choose.h"
#include "grant/slots.h"

#define MIB(n) ((uint64_t)(n) << 20)

static const struct holdings nobody;

// Nodes of "paper": 32 GiB, of which 256 pages of 2 MiB and 16 of 1 GiB are.
#define NODE (32 * GIB - MIB(512) - 16 * GIB)

static void left(void **)
{
	struct holdings others = {0};
	struct host h;

	fake_read("paper", &h);
	assert_int_equal(avail_memory_total(&h, -1), 2 * NODE);
	assert_int_equal(avail_memory_total(&h, 1), NODE);
	assert_int_equal(avail_memory_total(&h, 2), 0);
	assert_int_equal(avail_memory(&h, &nobody, 1), NODE);
	// whether it runs or not
	fake_hold(&h, &others, "name=a cpus=0 memory=1G", false);
	fake_hold(&h, &others, "name=b cpus=1 memory=2G", true);
	assert_int_equal(avail_memory(&h, &others, 0), NODE - 3 * GIB);
	assert_int_equal(avail_memory(&h, &others, 1), NODE);
	assert_int_equal(avail_memory(&h, &others, -1), 2 * NODE - 3 * GIB);
	// of both nodes
	fake_hold(&h, &others, "name=c cpus=2,13 memory=4G", false);
	assert_int_equal(avail_memory(&h, &others, 0), NODE - 5 * GIB);
	assert_int_equal(avail_memory(&h, &others, 1), NODE - 2 * GIB);
	assert_int_equal(avail_memory(&h, &others, -1), 2 * NODE - 7 * GIB);
	// a pool has none, nor has what is limited by nothing
	others.held[0].grant.kind = GRANT_POOL;
	others.held[1].grant.memory = h.mem_total;
	assert_int_equal(avail_memory(&h, &others, 0), NODE - 2 * GIB);
	// one beyond what there is: limits are no reservations
	fake_hold(&h, &others, "name=d cpus=3 memory=40G", false);
	assert_int_equal(avail_memory(&h, &others, 0), 0);
	assert_int_equal(avail_memory(&h, &others, 1), NODE - 2 * GIB);
	// an operator's is meant, however much it is
	fake_hold(&h, &others, "name=e cpus=14 memory=64G", false);
	assert_int_equal(avail_memory(&h, &others, 1), 0);
	holdings_done(&others);
	host_done(&h);
}

static void beside(void **)
{
	struct holdings others = {0};
	struct host h;
	struct grant g;
	struct err err;

	fake_read("paper", &h);
	fake_hold(&h, &others, "name=a cpus=0 memory=10G", false);
	fake_grant(&h, &others, "cpus=1 memory=5632M", &g);
	assert_ok(check_memory_beside(&g, &h, &others, &err), &err);
	// it can be had alone
	fake_grant(&h, &others, "cpus=1 memory=5633M", &g);
	assert_fails(
		check_memory_beside(&g, &h, &others, &err),
		&err,
		"node 0: memory 5633M wanted, 5632M of 15872M are promised to no other grant; say "
		"less --memory"
	);
	// from both nodes, and from a machine that is fuller than its nodes tell
	fake_grant(&h, &others, "cpus=1 mems=0,1 memory=22G", &g);
	assert_fails(check_memory_beside(&g, &h, &others, &err), &err, "node 0-1: memory 22G");
	fake_grant(&h, &others, "cpus=1 mems=0,1 memory=21G", &g);
	assert_ok(check_memory_beside(&g, &h, &others, &err), &err);
	h.mem_total = 40 * GIB;
	assert_fails(check_memory_beside(&g, &h, &others, &err), &err, "this host: memory 21G");
	// one that does not say how much it has
	h.mem_total = 0;
	assert_ok(check_memory_beside(&g, &h, &others, &err), &err);
	holdings_done(&others);
	host_done(&h);
}

// Where CPUs and pages are as good, it is the node that has the memory.
static void node_with_memory(void **)
{
	struct holdings others = {0};
	struct host h;
	struct grant g;

	fake_read("paper", &h);
	fake_grant(&h, &nobody, "cpu-count=2 memory=10G", &g);
	assert_ids(&g.mems, "0");
	fake_hold(&h, &others, "name=a cpus=0 memory=10G", false);
	fake_grant(&h, &others, "cpu-count=2 memory=10G", &g);
	assert_ids(&g.mems, "1");
	// not at the price of its CPUs or pages
	fake_grant(&h, &others, "cpu-count=2 memory=10G hugepages=1G=1@0", &g);
	assert_ids(&g.mems, "0");
	fake_hold(&h, &others, "name=b cpus=12-23,36-46", false);
	fake_grant(&h, &others, "cpu-count=2 memory=10G", &g);
	assert_ids(&g.mems, "0");
	holdings_done(&others);
	host_done(&h);
	// nor where lcores have no number
	others = (struct holdings){0};
	fake_read("huge", &h);
	fake_hold(&h, &others, "name=a cpus=200 memory=512M", false);
	fake_grant(&h, &others, "cpu-count=2 memory=256M", &g);
	assert_ids(&g.mems, "0");
	holdings_done(&others);
	host_done(&h);
}

static unsigned fill(const char *kind, const char *flags, unsigned most, enum slots_limit limit)
{
	struct request req = fake_request(flags);
	struct holdings others = {0};
	struct slots s;
	struct host h;
	struct err err;

	fake_read(kind, &h);
	assert_ok(slots_fill(&req, &h, &others, most, most == SLOTS_MAX, &s, &err), &err);
	assert_int_equal(s.limit, limit);
	holdings_done(&others);
	host_done(&h);
	return s.n;
}

// As when they are made.
static void slots_of_a_long_name(void **)
{
	struct request req = fake_request("cpu-count=1 memory=256M");
	struct holdings others = {0};
	struct slots s;
	struct host h;
	struct err err;

	fake_read("huge", &h);
	memset(req.name, 'n', sizeof(req.name) - 1);
	assert_fails(
		slots_fill(&req, &h, &others, 2, false, &s, &err), &err, "too long for --count"
	);
	holdings_done(&others);
	host_done(&h);
}

static void slots(void **)
{
	const char *const flags = "cpu-count=4 memory=4G";

	assert_int_equal(fill("paper", flags, SLOTS_MAX, SLOTS_MEMORY), 6);
	assert_int_equal(fill("paper", flags, 7, SLOTS_MEMORY), 6);
	assert_int_equal(fill("paper", flags, 6, SLOTS_ALL_FIT), 6);
	assert_int_equal(fill("paper", "cpu-count=4", SLOTS_MAX, SLOTS_CPUS), 12);
	// one alone is limited, and nothing is promised; more than the machine has nobody gets
	assert_int_equal(fill("paper", "cpu-count=4 memory=40G", 1, SLOTS_ALL_FIT), 1);
	assert_int_equal(fill("paper", "cpu-count=4 memory=40G", SLOTS_MAX, SLOTS_MEMORY), 0);
	assert_int_equal(fill("paper", "cpu-count=4 memory=65G", 1, SLOTS_MEMORY), 0);
	assert_string_equal(slots_limit_name(SLOTS_MEMORY), "memory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(left),
		cmocka_unit_test(beside),
		cmocka_unit_test(node_with_memory),
		cmocka_unit_test(slots),
		cmocka_unit_test(slots_of_a_long_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
