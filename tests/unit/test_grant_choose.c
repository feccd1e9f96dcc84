// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What is chosen when a request leaves it open: CPUs, nodes, the places of hugepages.

#include "fake.h"

#include <linux/capability.h>

static const struct holdings nobody;

// The CPUs that are chosen for the flags when nobody or the others hold something.
static void chosen(const char *kind, const char *held, const char *flags, const char *cpus)
{
	struct holdings others = {0};
	struct grant g;
	struct host h;

	fake_read(kind, &h);
	if (held != NULL)
		fake_hold(&h, &others, held, false);
	fake_grant(&h, &others, flags, &g);
	assert_ids(&g.cpus, cpus);
	holdings_done(&others);
	host_done(&h);
}

static void cpu_zero_last(void **)
{
	chosen("two", NULL, "cpu-count=1", "1");
	chosen("two", NULL, "cpu-count=2", "0-1");
	chosen("two", "name=other cpus=1", "cpu-count=1", "0");
	chosen("big", NULL, "cpu-count=1 mems=0", "1");
	chosen("big", NULL, "cpu-count=16 mems=0", "0-15");
}

static void cores_before_siblings(void **)
{
	// the paper's first socket: cores 0-11, their siblings 24-35, core 0 not isolated
	chosen("paper", NULL, "cpu-count=1", "1");
	chosen("paper", NULL, "cpu-count=11", "1-11");
	chosen("paper", NULL, "cpu-count=12", "1-11,25");
	chosen("paper", NULL, "cpu-count=22", "1-11,25-35");
}

// On some machines the threads of a core have neighbouring numbers.
static void neighbours(void **)
{
	struct grant g;
	struct host h;

	fake_read("paper", &h);
	h.isolated = (struct idset){0};
	for (unsigned i = 0; i < h.ncpus; i++) {
		h.cpus[i].siblings = (struct idset){0};
		idset_add(&h.cpus[i].siblings, i & ~1u);
		idset_add(&h.cpus[i].siblings, i | 1);
		h.cpus[i].l2 = (int)(i & ~1u);
	}
	fake_grant(&h, &nobody, "cpu-count=4 mems=0", &g);
	assert_ids(&g.cpus, "2,4,6,8");
	fake_grant(&h, &nobody, "cpu-count=13 mems=0", &g);
	assert_ids(&g.cpus, "0,2-4,6,8,10,24,26,28,30,32,34");
	host_done(&h);
}

static void isolated_first(void **)
{
	// only then the cores that are not isolated, CPU 0's included
	chosen("paper", NULL, "cpu-count=24", "0-11,24-35");
	chosen("paper", NULL, "cpu-count=25", "0-11,13,24-35");
}

static void shared_cores_last(void **)
{
	// whoever has CPU 1 computes on the core of CPU 25 too
	chosen("paper", "name=other cpus=1", "cpu-count=1", "2");
	chosen("paper", "name=other cpus=1", "cpu-count=20", "2-11,26-35");
	chosen("paper", "name=other cpus=1", "cpu-count=21", "2-11,25-35");
	chosen("paper", "name=other cpus=1-11", "cpu-count=1", "25");
}

static void near_a_nic(void **)
{
	chosen("paper", NULL, "cpu-count=2 near=0000:82:00.0", "13-14");
	chosen("paper", NULL, "cpu-count=2 near=82:00.0", "13-14");
	chosen("paper", NULL, "cpu-count=2 near=eno1", "1-2");
	chosen("paper", NULL, "cpu-count=2 nic=82:00.1", "13-14");
	// more than the node has: the rest from the other
	chosen("paper", NULL, "cpu-count=25 near=82:00.0", "1,12-23,36-47");
	chosen("big", NULL, "cpu-count=2 near=ens29", "112-113");
	chosen("big", NULL, "cpu-count=1 nic=10:01.3", "1");
	// both take the same names
	chosen("big", NULL, "cpu-count=2 nic=ens29,bind", "112-113");
	chosen("paper", NULL, "cpu-count=2 near=0000:82:00.1", "13-14");
	// one that says no node is near to all
	chosen("mlx5", NULL, "cpu-count=2 near=ens2", "1-2");
	chosen("mlx5", NULL, "cpu-count=2 nic=5e:00.0,bind", "1-2");
}

static void near_the_pages(void **)
{
	chosen("paper", NULL, "cpu-count=2 hugepages=1G=4@1", "13-14");
	// what is left of node 0 is not enough
	chosen("paper", "name=other cpus=1 hugepages=1G=14@0", "cpu-count=2 hugepages=1G=4", "13-14"
	);
	chosen("paper", "name=other cpus=1 hugepages=1G=14@0", "cpu-count=2 hugepages=1G=2", "2-3");
	chosen("paper", NULL, "cpu-count=2 mems=1", "13-14");
}

static void lcores_of_eal_first(void **)
{
	// node 0 has 0-15 and 128-143
	chosen("big", NULL, "cpu-count=17 hugepages=2M=2@0", "0-16");
	chosen("big", NULL, "cpu-count=128", "0-127");
	chosen("big", NULL, "cpu-count=129", "0-127,129");
	chosen("huge", NULL, "cpu-count=128", "0-127");
	chosen("huge", NULL, "cpu-count=3", "1-3");
	chosen("huge", "name=other cpus=0-127", "cpu-count=2", "128-129");
	chosen("huge", NULL, "cpu-count=1024", "0-1023");
}

// Cores that share an L3, then an L2; of caches the one that fits, so that whole ones stay.
static void caches_shared(void **)
{
	// eight cores have an L3: 0-7 (with CPU 0, which is the last to go), 8-15, …
	chosen("epyc", NULL, "cpu-count=4", "1-4");
	chosen("epyc", NULL, "cpu-count=8", "8-15");
	chosen("epyc", NULL, "cpu-count=8 near=ens1", "64-71");
	chosen("epyc", NULL, "cpu-count=12", "1-4,8-15");
	chosen("epyc", "name=other cpus=8-12", "cpu-count=3", "13-15");
	chosen("epyc", "name=other cpus=8-12", "cpu-count=4", "1-4");
	chosen("epyc", "name=other cpus=1-6", "cpu-count=8", "8-15");
	chosen("big", NULL, "cpu-count=8 mems=0", "8-15");
	chosen("big", "name=other cpus=9", "cpu-count=5 mems=0", "8,10-13");
	chosen("big", "name=other cpus=1,9-11", "cpu-count=6 mems=0", "2-7");
}

// Fast cores before slow ones, and not both where one kind is enough.
static void kinds_apart(void **)
{
	chosen("hybrid", NULL, "cpu-count=4", "2,4,6,8");
	chosen("hybrid", NULL, "cpu-count=12", "0-11");
	chosen("hybrid", "name=other cpus=0-5", "cpu-count=4", "6-8,10");
	chosen("hybrid", "name=other cpus=0-5", "cpu-count=7", "12-18");
	chosen("hybrid", "name=other cpus=0-11,13", "cpu-count=4", "16-19");
	// no kind has so many: the fast ones first
	chosen("hybrid", NULL, "cpu-count=14", "0-13");
	chosen("arm", NULL, "cpu-count=2", "4-5");
	chosen("arm", NULL, "cpu-count=4", "4-7");
	chosen("arm", "name=other cpus=4", "cpu-count=4", "0-3");
}

static uint64_t pages_on(const struct grant *g, uint64_t size, int node)
{
	return grant_pages(g, size, node, true, true);
}

static void pages_spread(void **)
{
	struct grant g;
	struct host h;

	fake_read("paper", &h);
	fake_grant(&h, &nobody, "cpu-count=1 hugepages=1G=20", &g);
	assert_int_equal(g.nhugepages, 2);
	assert_int_equal(pages_on(&g, GIB, 0), 16);
	assert_int_equal(pages_on(&g, GIB, 1), 4);
	assert_ids(&g.mems, "0-1");
	fake_grant(&h, &nobody, "cpu-count=1 near=82:00.0 hugepages=1G=17", &g);
	assert_ids(&g.cpus, "13");
	assert_int_equal(pages_on(&g, GIB, 1), 16);
	assert_int_equal(pages_on(&g, GIB, 0), 1);
	fake_grant(&h, &nobody, "cpu-count=1 hugepages=1G=2 hugepages=2M=64", &g);
	assert_int_equal(g.hugepages[0].size, MIB2); // the smaller first
	assert_int_equal(pages_on(&g, MIB2, 0), 64);
	assert_ids(&g.mems, "0");
	host_done(&h);
}

// Of a grant over several nodes: pages where its CPUs are, before nodes that are nearer to the first.
static void pages_near_the_cpus(void **)
{
	struct grant g;
	struct host h;

	fake_read("big", &h);
	fake_grant(&h, &nobody, "cpus=1,70 hugepages=2M=1500", &g);
	assert_int_equal(pages_on(&g, MIB2, 0), 1000);
	assert_int_equal(pages_on(&g, MIB2, 4), 500);
	assert_ids(&g.mems, "0,4");
	fake_grant(&h, &nobody, "cpus=1 hugepages=2M=1500", &g);
	assert_int_equal(pages_on(&g, MIB2, 1), 500);
	host_done(&h);
}

static void an_entry_once(void **)
{
	_cleanup_json_ json_t *doc = NULL;
	struct grant g, again;
	struct host h;
	struct err err;

	fake_read("paper", &h);
	fake_grant(&h, &nobody, "cpu-count=1 hugepages=1G=10@0 hugepages=1G=8", &g);
	assert_int_equal(g.nhugepages, 2);
	assert_int_equal(pages_on(&g, GIB, 0), 16);
	assert_int_equal(pages_on(&g, GIB, 1), 2);
	doc = grant_to_json(&g);
	assert_ok(grant_from_json(doc, "grant", &again, &err), &err);
	assert_same_grant(&g, &again);
	host_done(&h);
}

static void mems_respected(void **)
{
	struct request req;
	struct grant g;
	struct host h;
	struct err err;

	fake_read("paper", &h);
	fake_grant(&h, &nobody, "cpus=1 mems=1 hugepages=1G=3", &g);
	assert_int_equal(pages_on(&g, GIB, 1), 3);
	assert_ids(&g.mems, "1");
	req = fake_request("cpus=1 mems=1 hugepages=1G=17");
	assert_fails(grant_resolve(&req, &h, &nobody, &g, &err), &err, "17 wanted, 16 available");
	req = fake_request("cpus=1 mems=1 hugepages=1G=1@0");
	assert_fails(grant_resolve(&req, &h, &nobody, &g, &err), &err, "not in --mems");
	host_done(&h);
}

static void node_without_memory(void **)
{
	struct request req;
	struct grant g;
	struct host h;
	struct err err;

	fake_read("paper", &h);
	idset_del(&h.nodes_with_memory, 1);
	idset_del(&h.nodes_for_kernel, 1);
	fake_grant(&h, &nobody, "cpus=13", &g);
	assert_ids(&g.mems, "0");
	fake_grant(&h, &nobody, "cpus=1,13", &g);
	assert_ids(&g.mems, "0");
	req = fake_request("cpus=1,13 mems=0-1");
	assert_fails(grant_resolve(&req, &h, &nobody, &g, &err), &err, "node 1 has no memory");
	host_done(&h);
}

// Memory without CPUs (of a GPU, behind CXL) is nobody's home, however much of it there is.
static void memory_alone(void **)
{
	static const struct {
		const char *flags, *cpus, *mems;
		int node; // of the pages
	} cases[] = {
		{"cpu-count=2", "1-2", "0", -1},
		{"cpu-count=2 hugepages=2M=4", "1-2", "0", 0},
		// more than node 0 has: from there, then from the nearest, the GPU's last
		{"cpu-count=2 hugepages=2M=100", "1-2", "0,2", 2},
		{"cpu-count=2 hugepages=2M=400", "1-2", "0,2,250", 250},
		// CPUs of the node that has no memory
		{"cpus=12", "12", "2", -1},
		{"cpus=12 hugepages=2M=4", "12", "2", 2},
		{"cpu-count=1 near=cx0", "10", "2", -1},
		// near the GPU
		{"cpu-count=1 near=cx1 hugepages=2M=4", "1", "0", 0},
		// named
		{"cpu-count=1 hugepages=2M=4@250", "1", "0,250", 250},
		{"cpu-count=1 hugepages=2M=4@2", "10", "2", 2},
		{"cpu-count=1 mems=0,250", "1", "0,250", -1},
		{"cpu-count=1 mems=0,250 hugepages=2M=4@250", "1", "0,250", 250},
		{"cpu-count=1 mems=2", "10", "2", -1},
		{"cpus=1 mems=0,250 hugepages=2M=4", "1", "0,250", 0},
	};
	struct request req;
	struct grant g;
	struct err err;
	struct host h;

	fake_read("gpus", &h);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		fake_grant(&h, &nobody, cases[i].flags, &g);
		assert_ids(&g.cpus, cases[i].cpus);
		assert_ids(&g.mems, cases[i].mems);
		if (cases[i].node >= 0)
			assert_true(pages_on(&g, MIB2, cases[i].node) > 0);
	}
	// where all that is near is movable the kernel's is added; nobody who names nodes gets another
	idset_del(&h.nodes_for_kernel, 2);
	fake_grant(&h, &nobody, "cpus=12 hugepages=2M=4@2", &g);
	assert_ids(&g.mems, "0,2");
	fake_grant(&h, &nobody, "cpus=12", &g);
	assert_ids(&g.mems, "0");
	req = fake_request("cpus=12 mems=2");
	assert_fails(grant_resolve(&req, &h, &nobody, &g, &err), &err, "--mems 0,2");
	host_done(&h);
}

static void pools(void **)
{
	struct request pool = fake_request("name=control cpus=12-13");
	struct holdings others = {0};
	struct grant g;
	struct host h;
	struct err err;

	fake_read("paper", &h);
	pool.kind = GRANT_POOL;
	assert_ok(grant_resolve(&pool, &h, &others, &g, &err), &err);
	assert_int_equal(g.kind, GRANT_POOL);
	assert_ok(holdings_add(&others, &g, false, &err), &err);
	// pages where the pool is, and its CPUs for nobody alone
	fake_grant(&h, &others, "shared-cpus=control hugepages=1G=1", &g);
	assert_ids(&g.cpus, "");
	assert_ids(&g.shared_cpus, "12-13");
	assert_int_equal(pages_on(&g, GIB, 1), 1);
	assert_ids(&g.mems, "1");
	fake_grant(&h, &others, "shared-cpus=control cpu-count=1 mems=1", &g);
	assert_ids(&g.cpus, "14");
	assert_ids(&g.shared_cpus, "12-13");
	pool = fake_request("shared-cpus=absent cpu-count=1");
	assert_fails(
		grant_resolve(&pool, &h, &others, &g, &err),
		&err,
		"grant create --pool --name absent"
	);
	pool = fake_request("cpus=12");
	assert_fails(grant_resolve(&pool, &h, &others, &g, &err), &err, "granted to 'control'");
	pool = fake_request("cpus=1 memory=1G");
	pool.kind = GRANT_POOL;
	assert_fails(grant_resolve(&pool, &h, &others, &g, &err), &err, "nothing else");
	holdings_done(&others);
	host_done(&h);
}

static void defaults(void **)
{
	struct grant g;
	struct host h;

	fake_read("two", &h);
	fake_grant(&h, &nobody, "cpu-count=1", &g);
	assert_int_equal(g.memory, GIB / 2);
	assert_int_equal(g.pids, 128);
	assert_int_equal(g.nhugepages, 0);
	assert_ids(&g.mems, "0");
	fake_grant(&h, &nobody, "cpu-count=1 memory=1G pids=7 link=memif:a", &g);
	assert_int_equal(g.memory, GIB);
	assert_int_equal(g.pids, 7);
	assert_int_equal(g.nlinks, 1);
	host_done(&h);
}

// Pages of "two": 512 of 2 MiB, 12 in use, 12 of the free ones promised.
static void pages_available(void **)
{
	struct holdings others = {0};
	struct grant g;
	struct host h;
	struct err err;

	fake_read("two", &h);
	assert_int_equal(avail_pages(&h, &others, MIB2, -1), 512 - 12 - 12);
	assert_int_equal(avail_pages(&h, &others, MIB2, 0), 512 - 12);
	assert_int_equal(avail_pages(&h, &others, GIB, 0), 0);
	assert_int_equal(avail_pages(&h, &others, MIB2, 1), 0);
	assert_int_equal(avail_pages(&h, &others, 4096, -1), 0);
	// defined: nobody has touched them
	fake_hold(&h, &others, "name=a cpus=0 hugepages=2M=100", false);
	assert_int_equal(avail_pages(&h, &others, MIB2, -1), 512 - 24 - 100);
	// in use: the pages that are gone may be its own
	others.held[0].live = true;
	assert_int_equal(avail_pages(&h, &others, MIB2, -1), 512 - 100);
	assert_int_equal(avail_pages(&h, &others, MIB2, 0), 512 - 100);
	fake_grant(&h, &others, "name=b cpus=1 hugepages=2M=412", &g);
	assert_ok(holdings_add(&others, &g, true, &err), &err);
	assert_int_equal(avail_pages(&h, &others, MIB2, -1), 0);
	// more than there is: a pool that was made smaller
	others.held[1].grant.hugepages[0].count = 100000;
	assert_int_equal(avail_pages(&h, &others, MIB2, -1), 0);
	holdings_done(&others);
	host_done(&h);
}

static void exclusive(void **)
{
	struct holdings others = {0};
	struct idset left, seen = {0};
	struct host h;

	// slots until the machine is full: no CPU twice, none left
	fake_read("paper", &h);
	for (unsigned i = 0; i < 16; i++) {
		char flags[64];

		snprintf(flags, sizeof(flags), "name=s%u cpu-count=3 hugepages=1G=2", i);
		fake_hold(&h, &others, flags, i % 2 == 0);
		assert_false(idset_intersects(&seen, &others.held[i].grant.cpus));
		idset_or(&seen, &others.held[i].grant.cpus);
	}
	assert_true(idset_equal(&seen, &h.online));
	left = avail_cpus(&h, &others);
	assert_true(idset_empty(&left));
	assert_int_equal(avail_pages(&h, &others, GIB, -1), 0);
	assert_string_equal(avail_cpu_holder(&others, 1)->name, "s0");
	assert_null(avail_cpu_holder(&others, 48));
	holdings_done(&others);
	host_done(&h);
}

static void assert_nics(const struct grant *g, unsigned n, const char *const *bdfs)
{
	assert_int_equal(g->nnics, n);
	for (unsigned i = 0; i < n; i++)
		assert_string_equal(g->nics[i].bdf, bdfs[i]);
}

// What a NIC has to be, instead of which.
static void nics_by_selector(void **)
{
	struct holdings others = {0};
	struct request req;
	struct host h;
	struct grant g;
	struct err err;

	fake_read("big", &h);
	fake_grant(&h, &others, "cpu-count=1 nic=pf=10:00.0,count=2", &g);
	assert_nics(&g, 2, (const char *[]){"0000:10:01.0", "0000:10:01.1"});
	assert_int_equal(g.nics[1].iommu_group, 301);
	// a named one is not chosen for another, nor one that somebody holds
	fake_hold(&h, &others, "cpu-count=1 nic=10:01.1", false);
	strcpy(others.held[0].grant.name, "other");
	fake_grant(&h, &others, "cpu-count=1 nic=driver=vfio-pci,count=2 nic=10:01.0", &g);
	assert_nics(&g, 3, (const char *[]){"0000:10:01.0", "0000:10:01.2", "0000:10:01.3"});
	req = fake_request("cpu-count=1 nic=vendor=8086,device=1889,count=8");
	assert_fails(grant_resolve(&req, &h, &others, &g, &err), &err, "8 wanted, 7 are free");
	// those of the host's bond are its own, one with VFs works for others, and those of a group go together
	fake_grant(&h, &others, "cpu-count=1 nic=driver=ice,node=0,bind", &g);
	assert_nics(&g, 1, (const char *[]){"0000:10:00.1"});
	assert_true(g.nics[0].bind);
	req = fake_request("cpu-count=1 nic=driver=ixgbe,bind");
	assert_fails(grant_resolve(&req, &h, &others, &g, &err), &err, "shares IOMMU group 200");
	fake_grant(&h, &others, "cpu-count=1 nic=driver=ixgbe,count=2,bind", &g);
	assert_int_equal(g.nnics, 2);
	// CPUs and memory come from its node
	assert_ids(&g.mems, "7");
	holdings_done(&others);
	host_done(&h);
}

static void nics_with_drivers_that_stay(void **)
{
	struct holdings others = {0};
	struct request req;
	struct host h;
	struct grant g;
	struct err err;

	fake_read("mlx5", &h);
	req = fake_request("cpu-count=1 nic=3b:00.0,bind");
	assert_fails(grant_resolve(&req, &h, &others, &g, &err), &err, "beside its kernel driver");
	req = fake_request("cpu-count=1 nic=3b:00.0");
	assert_ok(grant_resolve(&req, &h, &others, &g, &err), &err);
	assert_true(g.nics[0].bifurcated && g.nics[0].iommu_group == -1);
	assert_int_equal(g.nnetdevs, 1);
	assert_string_equal(g.netdevs[0].name, "ens1f0np0");
	assert_true(g.netdevs[0].rdma && g.caps == UINT64_C(1) << CAP_NET_RAW);
	assert_ok(grant_validate(&g, &h, &others, &err), &err);
	g.nics[0].bifurcated = false; // its driver was another when it was made
	g.nics[0].iommu_group = 20;
	assert_fails(grant_validate(&g, &h, &others, &err), &err, "beside its kernel driver");
	strcpy(g.nics[0].bdf, "0000:5e:00.0");
	g.nics[0].bifurcated = true;
	assert_fails(grant_validate(&g, &h, &others, &err), &err, "make the grant again");
	// the one whose interface the host uses is not chosen, and by no more than its maker none is
	req = fake_request("cpu-count=1 nic=driver=mlx5_core");
	assert_ok(grant_resolve(&req, &h, &others, &g, &err), &err);
	assert_string_equal(g.nics[0].bdf, "0000:3b:00.0");
	req = fake_request("cpu-count=1 nic=driver=mlx5_core,count=2");
	assert_fails(grant_resolve(&req, &h, &others, &g, &err), &err, "2 wanted, 1 is free");
	req = fake_request("cpu-count=1 nic=3b:00.1");
	assert_fails(
		grant_resolve(&req, &h, &others, &g, &err), &err, "say --netdev ens1f1np1,force"
	);
	req = fake_request("cpu-count=1 netdev=ens2,rdma");
	assert_fails(grant_resolve(&req, &h, &others, &g, &err), &err, "grant that: --nic ens2");
	req = fake_request("cpu-count=1 nic=vendor=15b3");
	assert_fails(grant_resolve(&req, &h, &others, &g, &err), &err, "1 wanted, 0 are free");
	req = fake_request("cpu-count=1 nic=vendor=15b3,bind");
	assert_fails(grant_resolve(&req, &h, &others, &g, &err), &err, "1 wanted, 0 are free");
	req = fake_request("cpu-count=1 nic=5e:00.0");
	assert_fails(grant_resolve(&req, &h, &others, &g, &err), &err, "pinfold nic bind 0000:5e");
	host_done(&h);
}

// One InfiniBand device is of all interfaces of a function (mlx4): its ports are given together, or not.
static void several_interfaces(void **)
{
	struct holdings others = {0};
	struct host_netdev *more;
	struct host_pci *nic;
	struct request req;
	struct host h;
	struct grant g;
	struct err err;

	fake_read("mlx5", &h);
	nic = (struct host_pci *)host_pci(&h, "0000:3b:00.0");
	more = reallocarray(h.netdevs, h.nnetdevs + 1, sizeof(*more));
	assert_non_null(more);
	h.netdevs = more;
	more[h.nnetdevs] = (struct host_netdev){.name = "ens1f0d1"};
	snprintf(more[h.nnetdevs].path, sizeof(more->path), "%.200s/net/ens1f0d1", nic->path);
	h.nnetdevs++;
	req = fake_request("cpu-count=1 nic=3b:00.0");
	assert_fails(
		grant_resolve(&req, &h, &others, &g, &err),
		&err,
		"NIC 0000:3b:00.0 has interface 'ens1f0d1' too, which its program would reach; say "
		"--netdev ens1f0d1"
	);
	req = fake_request("cpu-count=1 nic=driver=mlx5_core");
	assert_fails(grant_resolve(&req, &h, &others, &g, &err), &err, "1 wanted, 0 are free");
	req = fake_request("cpu-count=1 nic=3b:00.0 netdev=ens1f0d1");
	assert_ok(grant_resolve(&req, &h, &others, &g, &err), &err);
	assert_int_equal(g.nnetdevs, 2);
	more[h.nnetdevs - 1].addressed = true;
	assert_fails(grant_validate(&g, &h, &others, &err), &err, "'ens1f0d1' has an address");
	// one that a container has cannot be seen here
	h.nnetdevs--;
	strcpy(nic->lent, "ens1f0d1");
	req = fake_request("cpu-count=1 nic=3b:00.0");
	assert_fails(
		grant_resolve(&req, &h, &others, &g, &err),
		&err,
		"NIC 0000:3b:00.0: a container has its interface 'ens1f0d1'"
	);
	host_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpu_zero_last),
		cmocka_unit_test(cores_before_siblings),
		cmocka_unit_test(neighbours),
		cmocka_unit_test(isolated_first),
		cmocka_unit_test(shared_cores_last),
		cmocka_unit_test(near_a_nic),
		cmocka_unit_test(near_the_pages),
		cmocka_unit_test(lcores_of_eal_first),
		cmocka_unit_test(caches_shared),
		cmocka_unit_test(kinds_apart),
		cmocka_unit_test(pages_near_the_cpus),
		cmocka_unit_test(pages_spread),
		cmocka_unit_test(an_entry_once),
		cmocka_unit_test(mems_respected),
		cmocka_unit_test(node_without_memory),
		cmocka_unit_test(memory_alone),
		cmocka_unit_test(pools),
		cmocka_unit_test(defaults),
		cmocka_unit_test(pages_available),
		cmocka_unit_test(exclusive),
		cmocka_unit_test(nics_by_selector),
		cmocka_unit_test(nics_with_drivers_that_stay),
		cmocka_unit_test(several_interfaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
