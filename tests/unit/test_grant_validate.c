// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Refusals: each is one line that names the thing and the cure.

#include "fake.h"

// The flags are refused on the machine, with a message that holds the words.
static void refused(
	const struct host *h, const struct holdings *others, const char *flags, const char *words
)
{
	struct request req = fake_request(flags);
	struct grant g, untouched;
	struct err err;

	memset(&g, 0x5a, sizeof(g));
	untouched = g;
	assert_fails(grant_resolve(&req, h, others, &g, &err), &err, words);
	assert_memory_equal(&g, &untouched, sizeof(g));
}

static const struct holdings nobody;

static void accepted(const struct host *h, const char *flags)
{
	struct grant g;

	fake_grant(h, &nobody, flags, &g);
}

static void cpus(void **)
{
	struct holdings others = {0};
	struct host h;

	fake_read("two", &h);
	refused(&h, &nobody, "cpus=7", "CPU 7 does not exist; this host has 0-1");
	refused(&h,
		&nobody,
		"cpu-count=3",
		"3 CPUs wanted, 2 of 2 online ones are free; see pinfold ps and");
	refused(&h, &nobody, "cpus=0 cpu-count=1", "not both");
	refused(&h, &nobody, "memory=1G", "--cpu-count N");
	fake_hold(&h, &others, "name=other cpus=1", false);
	refused(&h, &others, "cpus=0-1", "CPU 1 is granted to 'other' already; free: 0");
	refused(&h, &others, "cpu-count=2", "see pinfold ps and pinfold grant list");
	fake_hold(&h, &others, "name=more cpus=0", true);
	refused(&h, &others, "cpus=0", "no CPU is free: see pinfold ps and pinfold grant list");
	idset_del(&h.online, 1);
	refused(&h, &nobody, "cpus=1", "echo 1 > /sys/devices/system/cpu/cpu1/online");
	holdings_done(&others);
	host_done(&h);
}

static void names(void **)
{
	struct holdings others = {0};
	struct host h;

	fake_read("two", &h);
	fake_hold(&h, &others, "name=x cpus=1", false);
	refused(&h, &others, "cpus=0", "'x' exists already; choose another --name or remove it");
	others.held[0].live = true;
	refused(&h, &others, "cpus=0", "'x' is in use; choose another --name or stop it");
	holdings_done(&others);
	host_done(&h);
}

static void memory(void **)
{
	struct host h;

	fake_read("two", &h);
	refused(&h, &nobody, "cpus=1 memory=4M", "memory 4M: not between 8M and");
	refused(&h, &nobody, "cpus=1 memory=5G", "(4G)");
	refused(&h, &nobody, "cpus=1 mems=3", "NUMA node 3 does not exist; this host has 0");
	// one that does not say how much it has
	h.mem_total = 0;
	accepted(&h, "cpus=1 memory=5G");
	refused(&h, &nobody, "cpus=1 memory=4M", "memory 4M: not between 8M and");
	host_done(&h);
	fake_read("gpus", &h);
	refused(&h, &nobody, "cpus=1 mems=1", "node 1 has no memory; name nodes that have with");
	refused(&h, &nobody, "cpus=1 mems=250", "node 250 has no memory but movable one, with");
	refused(&h, &nobody, "cpus=1 mems=250 hugepages=2M=1", "beside it: --mems 0,250");
	accepted(&h, "cpus=1 mems=0,250");
	// who named no --mems is not told of them
	refused(&h, &nobody, "cpus=1 hugepages=2M=1@1", "on node 1: that node has no memory");
	refused(&h, &nobody, "cpus=1 hugepages=2M=9@250 mems=0", "that node is not in --mems");
	host_done(&h);
}

static void pages(void **)
{
	struct holdings others = {0};
	struct host h;

	fake_read("two", &h);
	refused(&h, &nobody, "cpus=1 hugepages=16M=1", "hugepages of 16M");
	refused(&h, &nobody, "cpus=1 hugepages=16M=1@0", "this kernel has 2M and 1G");
	refused(&h, &nobody, "cpus=1 hugepages=2M=1@4", "NUMA node 4 does not exist");
	refused(&h, &nobody, "cpus=1 hugepages=1G=1", "1 wanted, 0 available; reserve more");
	refused(&h, &nobody, "cpus=1 hugepages=2M=501", "501 wanted, 500 available");
	refused(&h, &nobody, "cpus=1 hugepages=2M=501@0", "prepare --hugepages 2M=513");
	// free on the node, and promised to somebody
	refused(&h, &nobody, "cpus=1 hugepages=2M=500", "488 are not promised to another program");
	fake_hold(&h, &others, "name=other cpus=0 hugepages=2M=400", false);
	refused(&h, &others, "cpus=1 hugepages=2M=101,anon", "101 wanted, 100 available");
	refused(&h, &others, "cpus=1 hugepages=2M=60@0 hugepages=2M=60@0,anon", "120 wanted, 100");
	holdings_done(&others);
	host_done(&h);
	fake_read("paper", &h);
	refused(&h, &nobody, "cpus=13 hugepages=2M=300@1", "host prepare --hugepages 2M=300@1");
	refused(&h, &nobody, "cpus=13 hugepages=2M=600", "host prepare --hugepages 2M=344@1");
	host_done(&h);
	fake_read("huge", &h);
	h.nsizes = 0;
	refused(&h, &nobody, "cpus=1 hugepages=2M=1@0", "this kernel has no hugepages");
	host_done(&h);
}

static void nics(void **)
{
	struct holdings others = {0};
	struct host h;

	fake_read("paper", &h);
	refused(&h, &nobody, "cpus=1 near=eth9", "--near 'eth9': no such NIC");
	refused(&h, &nobody, "cpus=1 nic=0000:99:00.0", "NIC 0000:99:00.0 does not exist");
	refused(&h, &nobody, "cpus=1 nic=eth9", "NIC 'eth9': no interface of a NIC is called that");
	refused(&h, &nobody, "cpus=1 nic=eno1", "(eno1) carries the default route");
	refused(&h, &nobody, "cpus=1 nic=eno1 nic=01:00.0", "NIC '0000:01:00.0' is asked for twice"
	);
	refused(&h, &nobody, "cpus=1 nic=01:00.0", "(eno1) carries the default route");
	fake_hold(&h, &others, "name=other cpus=2 nic=03:00.0", false);
	refused(&h, &others, "cpus=1 nic=03:00.0", "0000:03:00.0 is granted to 'other' already");
	holdings_done(&others);
	host_done(&h);
	fake_read("big", &h);
	refused(&h, &nobody, "cpus=1 nic=10:00.1", "is bound to ice; bind it to vfio-pci first");
	refused(&h, &nobody, "cpus=1 nic=18:00.0", "carries the default route"); // below the bond
	host_done(&h);
}

static struct host_netdev *interface(struct host *h, const char *name)
{
	for (unsigned i = 0; i < h->nnetdevs; i++) {
		if (str_eq(h->netdevs[i].name, name))
			return &h->netdevs[i];
	}
	fail();
	abort();
}

static struct host_pci *function(struct host *h, const char *bdf)
{
	for (unsigned i = 0; i < h->npci; i++) {
		if (str_eq(h->pci[i].bdf, bdf))
			return &h->pci[i];
	}
	fail();
	abort();
}

static void netdev_of_a_function_with_vfs(void **)
{
	struct host_pci *pf;
	struct host h;

	fake_read("big", &h);
	pf = function(&h, "0000:10:00.0");
	assert_string_equal(pf->netdev, "ens0");
	refused(&h, &nobody, "cpus=1 netdev=ens0,force", "NIC 0000:10:00.0, whose 8 VFs depend");
	// one that it is not listed with
	strcpy(pf->netdev, "another");
	refused(&h, &nobody, "cpus=1 netdev=ens0,force", "NIC 0000:10:00.0, whose 8 VFs depend");
	pf->numvfs = 0;
	accepted(&h, "cpus=1 netdev=ens0,force");
	host_done(&h);
}

static void pf_with_vfs(void **)
{
	struct host_pci *pf;
	struct host h;

	fake_read("big", &h);
	pf = function(&h, "0000:10:00.0");
	refused(&h, &nobody, "cpus=1 nic=10:00.0,bind", "has 8 VFs, which depend on its driver");
	refused(&h, &nobody, "cpus=1 nic=ens0,bind", "pinfold nic vfs 0000:10:00.0 0");
	// vfio-pci makes them too (enable_sriov)
	strcpy(pf->driver, "vfio-pci");
	refused(&h, &nobody, "cpus=1 nic=10:00.0", "has 8 VFs");
	pf->numvfs = 0;
	accepted(&h, "cpus=1 nic=10:00.0");
	host_done(&h);
}

// The kernel does not show the host what a container has.
static void what_a_container_has_of_it(void **)
{
	struct host_pci *chosen;
	char words[64];
	struct grant g;
	struct host h;

	fake_read("big", &h);
	fake_grant(&h, &nobody, "cpus=1 nic=driver=ice,count=1,bind", &g);
	chosen = function(&h, g.nics[0].bdf);
	strcpy(chosen->lent, "m0");
	fake_grant(&h, &nobody, "cpus=1 nic=driver=ice,count=1,bind", &g);
	assert_string_not_equal(g.nics[0].bdf, chosen->bdf);
	snprintf(words, sizeof(words), "cpus=1 nic=%s,bind", chosen->bdf);
	refused(&h, &nobody, words, "has its interface 'm0', or one on top of it; stop that");
	strcpy(interface(&h, "ens4")->lent, "m0");
	refused(&h, &nobody, "cpus=1 netdev=ens4,force", "'ens4' is below 'm0', which a container");
	host_done(&h);
}

static void netdevs(void **)
{
	struct holdings others = {0};
	struct host h;

	fake_read("big", &h);
	accepted(&h, "cpus=1 netdev=ens4,name=eth0,192.0.2.1/24,mtu=9000 netdev=ens5");
	refused(&h, &nobody, "cpus=1 netdev=enx4", "does not exist; did you mean 'ens4'?");
	refused(&h, &nobody, "cpus=1 netdev=ens2", "a port of 'bond0', or below it");
	refused(&h, &nobody, "cpus=1 netdev=ens2,force", "take it from there first");
	interface(&h, "ens4")->addressed = true;
	refused(&h, &nobody, "cpus=1 netdev=ens4", "has an address or a route of this host");
	accepted(&h, "cpus=1 netdev=ens4,force");
	interface(&h, "ens4")->default_route = true;
	refused(&h, &nobody, "cpus=1 netdev=ens4", "carries the default route of this host");
	refused(&h, &nobody, "cpus=1 netdev=ens5 kernel-port=ens5,vhost", "a kernel port is called"
	);
	accepted(&h, "cpus=1 netdev=ens5 kernel-port=k0,vhost cap=NET_RAW");
	refused(&h, &nobody, "cpus=1 netdev=ens5 cap=NET_ADMIN", "leave out --cap NET_ADMIN");
	refused(&h, &nobody, "cpus=1 netdev=ens5 kernel-port=k0", "say --kernel-port k0,vhost");
	fake_hold(&h, &others, "name=other cpus=2 netdev=ens5", false);
	refused(&h, &others, "cpus=1 netdev=ens5", "'ens5' is granted to 'other' already");
	refused(&h, &others, "cpus=1 nic=0000:20:00.1,bind", "its interface 'ens5' is granted to");
	holdings_done(&others);
	host_done(&h);
}

static void iommu_groups(void **)
{
	struct host_pci *second;
	struct grant g;
	struct host h;
	struct err err;

	fake_read("paper", &h);
	fake_grant(&h, &nobody, "cpus=1 nic=03:00.0 nic=03:00.1", &g);
	assert_int_equal(g.nics[0].iommu_group, 30);
	assert_int_equal(g.nics[1].iommu_group, 31);
	second = function(&h, "0000:03:00.1");
	second->iommu_group = 30;
	strcpy(second->driver, "ixgbe");
	refused(&h, &nobody, "cpus=1 nic=03:00.0", "shares IOMMU group 30 with 0000:03:00.1");
	strcpy(second->driver, "vfio-pci");
	refused(&h, &nobody, "cpus=1 nic=03:00.0", "grant both");
	second->driver[0] = '\0'; // nobody drives it: the group is viable
	fake_grant(&h, &nobody, "cpus=1 nic=03:00.0", &g);
	strcpy(second->driver, "vfio-pci");
	fake_grant(&h, &nobody, "cpus=1 nic=03:00.0 nic=03:00.1", &g);
	// numbers are given at boot: a definition must not hand out a stranger's group
	function(&h, "0000:03:00.0")->iommu_group = 40;
	assert_fails(grant_validate(&g, &h, &nobody, &err), &err, "is in IOMMU group 40, not 30");
	function(&h, "0000:03:00.0")->iommu_group = -1;
	refused(&h, &nobody, "cpus=1 nic=03:00.0", "in no IOMMU group");
	strcpy(second->driver, "");
	refused(&h, &nobody, "cpus=1 nic=03:00.1", "is bound to no driver");
	host_done(&h);
}

static void partitions(void **)
{
	struct request pool = fake_request("name=control cpus=0");
	struct holdings others = {0};
	struct grant g, p;
	struct host h;
	struct err err;

	fake_read("two-v2", &h);
	fake_grant(&h, &nobody, "cpus=1 partition=isolated", &g);
	assert_true(g.isolated);
	refused(&h, &nobody, "cpus=0-1 partition=isolated", "leaves none to the machine");
	pool.kind = GRANT_POOL;
	assert_ok(grant_resolve(&pool, &h, &nobody, &p, &err), &err);
	assert_ok(holdings_add(&others, &p, false, &err), &err);
	refused(&h,
		&others,
		"cpus=1 shared-cpus=control partition=isolated",
		"has its CPUs for itself");
	pool.isolated = true;
	assert_fails(grant_resolve(&pool, &h, &nobody, &p, &err), &err, "CPUs and nothing else");
	h.cgroup.partition = HOST_PARTITION_NONE;
	refused(&h, &nobody, "cpus=1 partition=isolated", "Linux 6.1 or newer, this is 6.1.0-18");
	holdings_done(&others);
	host_done(&h);
	fake_read("two", &h);
	refused(&h, &nobody, "cpus=1 partition=isolated", "systemd.unified_cgroup_hierarchy=1");
	host_done(&h);
}

// A definition is an answer to a machine that may have changed since.
static void old_definitions(void **)
{
	struct request pool = fake_request("name=control cpus=0");
	struct holdings others = {0};
	struct grant g, p, edited;
	struct host h;
	struct err err;

	fake_read("two", &h);
	pool.kind = GRANT_POOL;
	assert_ok(grant_resolve(&pool, &h, &others, &p, &err), &err);
	assert_ok(holdings_add(&others, &p, false, &err), &err);
	fake_grant(&h, &others, "cpus=1 shared-cpus=control hugepages=2M=8", &g);
	assert_ok(grant_validate(&g, &h, &others, &err), &err);
	assert_fails(grant_validate(&g, &h, &nobody, &err), &err, "pool 'control' does not exist");
	edited = g;
	idset_add(&edited.shared_cpus, 1);
	idset_del(&edited.cpus, 1);
	assert_fails(grant_validate(&edited, &h, &others, &err), &err, "has other CPUs now");
	edited = g;
	edited.cpus = edited.shared_cpus = (struct idset){0};
	assert_fails(grant_validate(&edited, &h, &others, &err), &err, "grant 'x': no CPU");
	edited = g;
	edited.mems = (struct idset){0};
	assert_fails(grant_validate(&edited, &h, &others, &err), &err, "no NUMA node");
	edited = g;
	edited.hugepages[0].count = 10000;
	assert_fails(grant_validate(&edited, &h, &others, &err), &err, "10000 wanted");
	edited = g;
	edited.memory = 1;
	assert_fails(grant_validate(&edited, &h, &others, &err), &err, "memory 1:");
	idset_del(&h.online, 0);
	assert_fails(grant_validate(&g, &h, &others, &err), &err, "CPU 0 of pool 'control'");
	holdings_done(&others);
	host_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpus),
		cmocka_unit_test(names),
		cmocka_unit_test(memory),
		cmocka_unit_test(pages),
		cmocka_unit_test(nics),
		cmocka_unit_test(netdevs),
		cmocka_unit_test(netdev_of_a_function_with_vfs),
		cmocka_unit_test(pf_with_vfs),
		cmocka_unit_test(what_a_container_has_of_it),
		cmocka_unit_test(partitions),
		cmocka_unit_test(iommu_groups),
		cmocka_unit_test(old_definitions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
