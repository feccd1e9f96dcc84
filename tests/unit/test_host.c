// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Reads the trees of tests/fake_host.py, found in $FAKE_HOSTS or the first argument, and odd trees
// made here.

#include "unit.h"

#include "base/fs.h"
#include "base/jread.h"
#include "base/str.h"
#include "host/host.h"
#include "host/mounts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB2 (2ull << 20)
#define GIB (1ull << 30)
#define CPU "sys/devices/system/cpu"
#define NODE "sys/devices/system/node"

static const char *trees;

static void read_tree(const char *root, struct host *h)
{
	struct hostfs fs;
	struct err err;

	assert_ok(hostfs_open(root, &fs, &err), &err);
	assert_ok(host_read(&fs, HOST_ALL, h, &err), &err);
	hostfs_close(&fs);
	assert_int_equal(fs.root, -1);
}

static void read_kind(const char *kind, struct host *h)
{
	_cleanup_free_ char *root = NULL;

	if (trees == NULL)
		skip_because("FAKE_HOSTS is not set");
	root = str_printf("%s/%s", trees, kind);
	assert_non_null(root);
	read_tree(root, h);
}

static void assert_ids(const struct idset *s, const char *text)
{
	char buf[IDSET_STR];

	assert_string_equal(idset_format(s, buf, sizeof(buf)), text);
}

static void assert_pool(
	const struct host_hugepages *p,
	uint64_t size,
	uint64_t total,
	uint64_t unused,
	uint64_t reserved
)
{
	assert_int_equal(p->size, size);
	assert_int_equal(p->total, total);
	assert_int_equal(p->free, unused);
	assert_int_equal(p->reserved, reserved);
	assert_int_equal(p->surplus, 0);
}

#define V1_BASE                                                                             \
	(HOST_CG_CPUSET | HOST_CG_MEMORY | HOST_CG_PIDS | HOST_CG_DEVICES | HOST_CG_FREEZER \
	 | HOST_CG_CPU)
#define HUGETLB (HOST_CG_HUGETLB | HOST_CG_HUGETLB_RSVD)

static void small_machine(void **)
{
	const struct host_pci *nic;
	const struct host_cpu *c;
	struct host h;

	read_kind("two", &h);
	assert_ids(&h.online, "0-1");
	assert_ids(&h.possible, "0-1");
	assert_ids(&h.present, "0-1");
	assert_ids(&h.isolated, "");
	assert_ids(&h.nohz_full, ""); // the file says "(null)"
	assert_int_equal(h.ncpus, 2);
	c = host_cpu(&h, 1);
	assert_non_null(c);
	assert_int_equal(c->package, 0);
	assert_int_equal(c->core, 1);
	assert_int_equal(c->node, 0);
	assert_ids(&c->siblings, "1");
	assert_null(host_cpu(&h, 2));
	assert_true(h.numa);
	assert_int_equal(h.nnodes, 1);
	assert_ids(&h.nodes[0].cpus, "0-1");
	assert_int_equal(h.nodes[0].mem_total, 4 * GIB);
	assert_int_equal(h.mem_total, 4 * GIB);
	assert_int_equal(h.nodes[0].mem_free, h.mem_free);
	assert_int_equal(h.nsizes, 2);
	assert_pool(&h.hugepages[0], MIB2, 512, 500, 12);
	assert_pool(&h.hugepages[1], GIB, 0, 0, 0);
	assert_pool(&h.nodes[0].hugepages[0], MIB2, 512, 500, 0);
	assert_int_equal(h.default_hugepage, MIB2);
	assert_int_equal(host_page_size_index(&h, GIB), 1);
	assert_int_equal(host_page_size_index(&h, 4096), -1);
	assert_string_equal(h.cmdline, "BOOT_IMAGE=/boot/vmlinuz root=/dev/sda1 ro quiet");
	assert_string_equal(h.release, "6.1.0-18-amd64");
	assert_string_equal(h.hostname, "two");
	assert_string_equal(h.boot_id, "6b2f4d52-3d2c-4b9b-8a6e-0f9f3c2a7d11");
	assert_false(h.iommu);
	assert_int_equal(h.npci, 3);
	nic = host_pci(&h, "0000:00:03.0");
	assert_non_null(nic);
	assert_string_equal(nic->netdev, "eth0");
	assert_true(nic->default_route);
	assert_string_equal(nic->driver, "virtio-pci");
	assert_int_equal(nic->iommu_group, -1);
	assert_int_equal(nic->node, -1);
	assert_null(host_pci(&h, "0000:00:05.0"));
	assert_null(host_pci(&h, "no address at all, and a long one"));
	host_done(&h);
	assert_null(h.cpus);
}

static void cgroup_versions(void **)
{
	struct host h;

	read_kind("two", &h);
	assert_int_equal(h.cgroup.version, HOST_CGROUP_V1);
	assert_string_equal(h.cgroup.mount, "/sys/fs/cgroup");
	assert_int_equal(h.cgroup.controllers, V1_BASE | HUGETLB);
	assert_int_equal(h.cgroup.known, V1_BASE | HUGETLB | HOST_CG_RDMA);
	assert_string_equal(h.cgroup.dir_cpuset, "cpuset");
	assert_string_equal(h.cgroup.dir_hugetlb, "hugetlb");
	assert_string_equal(h.cgroup.dir_freezer, "freezer");
	assert_string_equal(h.cgroup.dir_cpu, "cpu,cpuacct");
	assert_int_equal(h.cgroup.partition, HOST_PARTITION_NONE);
	host_done(&h);

	read_kind("two-bare", &h);
	assert_int_equal(h.cgroup.version, HOST_CGROUP_V1);
	assert_int_equal(h.cgroup.controllers, V1_BASE);
	assert_int_equal(h.cgroup.known, V1_BASE | HUGETLB | HOST_CG_RDMA);
	assert_string_equal(h.cgroup.dir_hugetlb, "");
	host_done(&h);

	read_kind("two-v2", &h);
	assert_int_equal(h.cgroup.version, HOST_CGROUP_V2);
	assert_string_equal(h.cgroup.mount, "/sys/fs/cgroup");
	assert_int_equal(
		h.cgroup.controllers,
		HOST_CG_CPUSET | HOST_CG_MEMORY | HOST_CG_PIDS | HOST_CG_FREEZER | HOST_CG_CPU
			| HOST_CG_RDMA | HUGETLB
	);
	assert_string_equal(h.cgroup.dir_cpuset, "");
	assert_int_equal(h.cgroup.partition, HOST_PARTITION_LOCAL);
	host_done(&h);
}

static void machine_of_the_paper(void **)
{
	const struct host_pci *p;
	const struct host_cpu *c;
	struct idset some = {0};
	struct host h;

	read_kind("paper", &h);
	assert_int_equal(h.ncpus, 48);
	assert_ids(&h.isolated, "1-11,13-23,25-35,37-47");
	assert_ids(&h.nohz_full, "1-11,13-23,25-35,37-47");
	for (unsigned i = 0; i < h.ncpus; i++) {
		c = &h.cpus[i];
		assert_int_equal(c->id, i);
		assert_int_equal(c->package, (int)(i % 24 / 12));
		assert_int_equal(c->node, c->package);
		assert_int_equal(idset_count(&c->siblings), 2);
		assert_true(idset_has(&c->siblings, i % 24));
		assert_true(idset_has(&c->siblings, i % 24 + 24));
		assert_int_equal(c->ncaches, 4);
	}
	c = host_cpu(&h, 42);
	assert_int_equal(c->core, 8);
	assert_int_equal(c->caches[2].level, 2);
	assert_string_equal(c->caches[2].type, "Unified");
	assert_int_equal(c->caches[2].size, 256 << 10);
	assert_ids(&c->caches[2].shared, "18,42");
	assert_int_equal(c->caches[3].size, 30 << 20);
	assert_ids(&c->caches[3].shared, "12-23,36-47");

	assert_int_equal(h.nnodes, 2);
	assert_ids(&host_node(&h, 1)->cpus, "12-23,36-47");
	assert_null(host_node(&h, 2));
	assert_int_equal(h.nodes[1].ndistances, 2);
	assert_int_equal(h.nodes[1].distances[0], 21);
	assert_int_equal(h.nodes[1].distances[1], 10);
	assert_int_equal(h.mem_total, 64 * GIB);
	assert_pool(&h.nodes[1].hugepages[1], GIB, 16, 16, 0);
	assert_pool(&h.hugepages[1], GIB, 32, 32, 0);
	idset_add(&some, 3);
	some = host_nodes_of(&h, &some);
	assert_ids(&some, "0");
	idset_add(&some, 40);
	some = host_nodes_of(&h, &some);
	assert_ids(&some, "0-1");

	assert_true(h.iommu);
	assert_int_equal(h.npci, 7);
	p = host_pci(&h, "0000:82:00.1");
	assert_non_null(p);
	assert_int_equal(p->vendor, 0x8086);
	assert_int_equal(p->device, 0x10fb);
	assert_int_equal(p->class, 0x020000);
	assert_string_equal(p->driver, "vfio-pci");
	assert_int_equal(p->iommu_group, 41);
	assert_int_equal(p->node, 1);
	assert_int_equal(p->totalvfs, 63);
	assert_string_equal(p->netdev, "");
	assert_string_equal(p->path, "devices/pci0000:80/0000:80:02.0/0000:82:00.1");
	assert_false(p->default_route);
	assert_true(host_pci(&h, "0000:01:00.0")->default_route);
	host_done(&h);
}

static void big_machine(void **)
{
	unsigned vfs = 0, in_group_200 = 0;
	const struct host_pci *p;
	struct host h;

	read_kind("big", &h);
	assert_int_equal(h.ncpus, 256);
	assert_ids(&host_cpu(&h, 200)->siblings, "72,200");
	assert_int_equal(host_cpu(&h, 200)->node, 4);
	assert_int_equal(h.nnodes, 8);
	assert_ids(&h.nodes_with_memory, "0-7");
	assert_int_equal(h.nodes[2].ndistances, 8);
	assert_int_equal(h.nodes[2].distances[7], 32);
	assert_pool(&h.nodes[3].hugepages[0], MIB2, 1024, 1003, 0);
	assert_pool(&h.hugepages[1], GIB, 64, 60, 0);
	assert_int_equal(h.npci, 40);
	for (unsigned i = 0; i < h.npci; i++) {
		p = &h.pci[i];
		assert_true(i == 0 || strcmp(h.pci[i - 1].bdf, p->bdf) < 0);
		vfs += str_eq(p->physfn, "0000:10:00.0");
		in_group_200 += p->iommu_group == 200;
		// under a VLAN on the bond that the route is on
		assert_int_equal(p->default_route, str_starts(p->bdf, "0000:18:00."));
	}
	assert_int_equal(vfs, 8);
	assert_int_equal(in_group_200, 2);
	p = host_pci(&h, "0000:10:00.0");
	assert_int_equal(p->totalvfs, 128);
	assert_int_equal(p->numvfs, 8);
	assert_string_equal(p->netdev, "ens0");
	host_done(&h);
}

static void huge_machine(void **)
{
	struct host h;

	read_kind("huge", &h);
	assert_int_equal(h.ncpus, 1024);
	assert_ids(&h.online, "0-1023");
	assert_ids(&host_cpu(&h, 1023)->siblings, "511,1023");
	assert_int_equal(host_cpu(&h, 1023)->node, 1);
	assert_int_equal(host_cpu(&h, 1023)->core, 255);
	assert_int_equal(host_cpu(&h, 1023)->ncaches, 0);
	assert_int_equal(h.nsizes, 1);
	assert_int_equal(h.npci, 0);
	host_done(&h);
}

static void json_has_it(void **)
{
	json_t *j _cleanup_json_ = NULL;
	struct host h;

	read_kind("paper", &h);
	j = host_to_json(&h);
	host_done(&h);
	assert_non_null(j);
	assert_int_equal(json_array_size(json_object_get(j, "pci")), 7);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(j, "cpus"), "online")), "0-47"
	);
}

// Odd trees, made in a directory of their own.

struct tree {
	char root[64];
	int fd;
};

static int make_tree(void **state)
{
	struct tree *t = malloc(sizeof(*t));

	strcpy(t->root, "/tmp/pinfold-test-host.XXXXXX");
	if (mkdtemp(t->root) == NULL)
		return -1;
	t->fd = open(t->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = t;
	return t->fd < 0 ? -1 : 0;
}

static int drop_tree(void **state)
{
	_cleanup_free_ struct tree *t = *state;
	_cleanup_close_ int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err;

	close(t->fd);
	return fs_remove_tree(tmp, t->root + strlen("/tmp/"), &err);
}

static void put(const struct tree *t, const char *path, const char *text)
{
	_cleanup_free_ char *full = str_printf("%s/%s", t->root, path);
	_cleanup_free_ char *dir = strdup(full);
	_cleanup_fclose_ FILE *f = NULL;
	struct err err;
	int fd;

	*strrchr(dir, '/') = '\0';
	fd = fs_mkdirs(dir, 0755, &err);
	assert_true(fd >= 0);
	close(fd);
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
}

static void put_link(const struct tree *t, const char *path, const char *target)
{
	put(t, path, "");
	unlinkat(t->fd, path, 0);
	assert_int_equal(symlinkat(target, t->fd, path), 0);
}

static int read_odd(const struct tree *t, struct host *h, struct err *err)
{
	struct hostfs fs;
	int r;

	assert_ok(hostfs_open(t->root, &fs, err), err);
	r = host_read(&fs, HOST_ALL, h, err);
	hostfs_close(&fs);
	return r;
}

static void no_such_tree(void **)
{
	struct hostfs fs;
	struct err err;

	assert_fails(hostfs_open("/nonexistent/tree", &fs, &err), &err, "/nonexistent/tree");
}

static void nothing_there(void **state)
{
	struct host h = {.npci = 77};
	struct err err;

	assert_fails(read_odd(*state, &h, &err), &err, "a file of pinfold host capture");
	assert_int_equal(h.npci, 77);
	put(*state, "sys/devices/system/cpu/online", "\n");
	assert_fails(read_odd(*state, &h, &err), &err, "no CPU");
}

static void least_machine(void **state)
{
	struct host h;
	struct err err;

	put(*state, "sys/devices/system/cpu/online", "0,2\n");
	put(*state, "proc/meminfo", "MemTotal: 100 kB\nMemFree: 60 kB\n");
	assert_ok(read_odd(*state, &h, &err), &err);
	assert_int_equal(h.ncpus, 2);
	assert_int_equal(h.cpus[1].id, 2);
	assert_int_equal(h.cpus[1].package, -1);
	assert_int_equal(h.cpus[1].core, -1);
	assert_int_equal(h.cpus[1].node, 0);
	assert_ids(&h.cpus[1].siblings, "2");
	assert_false(h.numa);
	assert_int_equal(h.nnodes, 1);
	assert_ids(&h.nodes[0].cpus, "0,2");
	assert_int_equal(h.nodes[0].mem_total, 100 << 10);
	assert_int_equal(h.nodes[0].distances[0], 10);
	assert_ids(&h.nodes_online, "0");
	assert_int_equal(h.cgroup.version, HOST_CGROUP_NONE);
	assert_string_equal(h.cmdline, "");
	assert_string_equal(h.boot_id, "");
	host_done(&h);
}

// Without the online CPUs nothing can be said; of all else it is said that it is not known.
static void refuses_no_online(void **state)
{
	static const char *const bad[] = {
		"0-", "3-1", "cpu", "8192", "99999999999", "0\1", "(null)"};
	struct host h;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		put(*state, CPU "/online", bad[i]);
		assert_fails(read_odd(*state, &h, &err), &err, "cpu/online");
	}
}

static void assert_noted(const struct host *h, const char *words)
{
	for (unsigned i = 0; i < h->nnotes; i++) {
		if (strstr(h->notes[i], words) != NULL)
			return;
	}
	fail_msg("no note of '%s'", words);
}

// Every file that is optional, with what no kernel is known to write, or as a directory.
static void unknown_files(void **state)
{
	static const struct {
		const char *path, *note;
	} files[] = {
		{CPU "/possible", "cpu/possible"},
		{CPU "/present", "cpu/present"},
		{CPU "/isolated", "cpu/isolated"},
		{CPU "/nohz_full", "cpu/nohz_full"},
		{CPU "/cpu1/topology/core_cpus_list", "cpu1/topology/core_cpus_list"},
		{CPU "/cpu1/topology/thread_siblings_list", "cpu1/topology/thread_siblings_list"},
		{CPU "/cpu1/topology/core_id", "cpu1/topology/core_id"},
		{CPU "/cpu1/topology/physical_package_id", "cpu1/topology/physical_package_id"},
		{CPU "/cpu1/cache/index0/level", "cpu1/cache/index0"},
		{CPU "/cpu1/cache/index1/level", NULL},
		{CPU "/cpu1/cache/index1/size", NULL},
		{CPU "/cpu1/cache/index1/shared_cpu_list", NULL},
		{NODE "/online", "node/online"},
		{NODE "/has_memory", "node/has_memory"},
		{NODE "/has_normal_memory", "node/has_normal_memory"},
		{NODE "/node0/cpulist", "node0/cpulist"},
		{NODE "/node0/distance", "node0/distance"},
		{NODE "/node0/meminfo", NULL},
		{NODE "/node0/hugepages/hugepages-2048kB/nr_hugepages", "node0/hugepages"},
		{"sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "mm/hugepages"},
		{"sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "free_hugepages"},
		{"sys/kernel/mm/transparent_hugepage/enabled", NULL},
		{"sys/kernel/iommu_groups", NULL},
		{"sys/module/apparmor/parameters/enabled", NULL},
		{"sys/bus/pci/devices/0000:00:03.0/numa_node", NULL},
		{"sys/bus/pci/devices/0000:00:03.0/vendor", NULL},
		{"sys/bus/pci/devices/0000:00:03.0/net", NULL},
		{"proc/meminfo", NULL},
		{"proc/mounts", NULL},
		{"proc/cgroups", NULL},
		{"proc/cmdline", NULL},
		{"proc/net/route", NULL},
		{"proc/net/ipv6_route", NULL},
		{"proc/sys/kernel/osrelease", NULL},
		{"proc/sys/kernel/random/boot_id", NULL},
	};
	struct host h;
	struct err err;

	put(*state, CPU "/online", "0-1\n");
	put(*state, NODE "/online", "0\n");
	put(*state, CPU "/cpu1/cache/index1/level", "2\n");
	put(*state, "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "7\n");
	assert_ok(read_odd(*state, &h, &err), &err);
	assert_int_equal(h.nnotes, 0);
	host_done(&h);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		_cleanup_free_ char *below = str_printf("%s/file", files[i].path);
		const struct tree *t = *state;
		struct err none;

		for (unsigned is_dir = 0; is_dir < 2; is_dir++) {
			put(t, is_dir ? below : files[i].path, "5-2,oops\n");
			assert_ok(read_odd(t, &h, &err), &err);
			assert_ids(&h.online, "0-1");
			assert_int_equal(h.ncpus, 2);
			assert_ids(&h.cpus[1].siblings, "1");
			assert_true(h.nnodes == 1 && h.cpus[1].node == 0);
			assert_ids(&h.nodes_with_memory, "0");
			if (files[i].note != NULL)
				assert_noted(&h, files[i].note);
			host_done(&h);
			if (is_dir == 0)
				unlinkat(t->fd, files[i].path, 0);
		}
		unlinkat(t->fd, below, 0);
		unlinkat(t->fd, files[i].path, AT_REMOVEDIR);
		if (strstr(files[i].path, "/online") != NULL)
			put(t, files[i].path, "0\n");
		if (strstr(files[i].path, "index1/level") != NULL)
			put(t, files[i].path, "2\n");
		if (strstr(files[i].path, "nr_hugepages") != NULL)
			put(t, files[i].path, "7\n");
		assert_ok(read_odd(t, &h, &none), &none);
		assert_int_equal(h.nnotes, 0);
		host_done(&h);
	}
}

// A kernel built for it and started without nohz_full= pads "(null)" to the number of CPUs there may be;
// where these are as many as a page has bytes, only blanks are left, and no newline.
static void no_nohz_full(void **state)
{
	char blanks[4096];
	struct host h;
	struct err err;

	memset(blanks, ' ', sizeof(blanks) - 1);
	blanks[sizeof(blanks) - 1] = '\0';
	put(*state, CPU "/online", "0\n");
	for (unsigned i = 0; i < 3; i++) {
		put(*state,
		    CPU "/nohz_full",
		    i == 0   ? "              (null)\n"
		    : i == 1 ? blanks
			     : "(null)\n");
		assert_ok(read_odd(*state, &h, &err), &err);
		assert_ids(&h.nohz_full, "");
		assert_int_equal(h.nnotes, 0);
		host_done(&h);
	}
}

// More CPUs and nodes than Linux can be built for.
static void beyond_the_limits(void **state)
{
	json_t *j _cleanup_json_ = NULL;
	struct host h;
	struct err err;

	put(*state, CPU "/online", "0-1,8191-8200\n");
	put(*state, CPU "/isolated", "9000\n");
	put(*state, NODE "/online", "0,250,1023-1024\n");
	put(*state, NODE "/node250/cpulist", "8191\n");
	put(*state, NODE "/node1023/meminfo", "Node 1023 MemTotal: 64 kB\n");
	assert_ok(read_odd(*state, &h, &err), &err);
	assert_ids(&h.online, "0-1,8191");
	assert_ids(&h.isolated, "");
	assert_ids(&h.nodes_online, "0,250,1023");
	assert_ids(&h.nodes_with_memory, "1023");
	assert_int_equal(host_cpu(&h, 8191)->node, 250);
	// what no node claims counts to the first that has CPUs
	assert_int_equal(host_cpu(&h, 0)->node, 250);
	assert_ids(&host_node(&h, 250)->cpus, "0-1,8191");
	assert_noted(&h, "cpu/online: what is numbered 8192 or above is left out");
	assert_noted(&h, "cpu/isolated: what is numbered 8192");
	assert_noted(&h, "node/online: what is numbered 1024");
	assert_int_equal(h.nnotes, 3);
	j = host_to_json(&h);
	assert_int_equal(json_array_size(json_object_get(j, "notes")), 3);
	host_done(&h);
}

// However many files there are, the notes are few.
static void notes_end(void **state)
{
	struct host h;
	struct err err;

	put(*state, CPU "/online", "0-99\n");
	for (unsigned i = 0; i < 100; i++) {
		char path[128];

		snprintf(path, sizeof(path), CPU "/cpu%u/topology/core_id", i);
		put(*state, path, "none\n");
	}
	assert_ok(read_odd(*state, &h, &err), &err);
	assert_int_equal(h.nnotes, HOST_NOTES);
	assert_string_equal(
		h.notes[0],
		CPU "/cpu0/topology/core_id: taken as unknown: it says what "
		    "is not known here"
	);
	assert_string_equal(h.notes[HOST_NOTES - 1], "and more that is not known here");
	host_done(&h);
}

// Nodes of GPUs and of memory behind CXL: memory and no CPU. One of CPUs alone.
static void machine_of_gpus(void **)
{
	struct host h;

	read_kind("gpus", &h);
	assert_ids(&h.nodes_online, "0-2,250");
	assert_ids(&h.nodes_with_memory, "0,2,250");
	assert_ids(&h.nodes_for_kernel, "0,2");
	assert_ids(&h.nohz_full, "");
	assert_ids(&host_node(&h, 250)->cpus, "");
	assert_pool(&host_node(&h, 250)->hugepages[0], MIB2, 512, 512, 0);
	assert_int_equal(host_distance(&h, 0, 250), 80);
	assert_int_equal(host_pci(&h, "0000:c0:00.0")->node, 250);
	assert_int_equal(h.nnotes, 0);
	host_done(&h);
}

// A node without memory, one without CPUs, numbers with a gap, and an offline CPU.
static void sparse_nodes(void **state)
{
	struct host h;
	struct err err;

	put(*state, "sys/devices/system/cpu/online", "0-2,4\n");
	put(*state, "sys/devices/system/cpu/possible", "0-7\n");
	put(*state, "sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "0,3\n");
	put(*state, "sys/devices/system/node/online", "1,5,127\n");
	put(*state, "sys/devices/system/node/node1/cpulist", "0-3\n");
	put(*state, "sys/devices/system/node/node1/distance", "10 20 30\n");
	put(*state, "sys/devices/system/node/node1/meminfo", "Node 1 MemTotal: 64 kB\n");
	put(*state, "sys/devices/system/node/node5/cpulist", "4\n");
	put(*state, "sys/devices/system/node/node5/distance", "20 10\n");
	put(*state, "sys/devices/system/node/node127/meminfo", "Node 127 MemTotal: 32 kB\n");
	put(*state, "sys/devices/system/node/node127/distance", "30 oops 10\n");
	assert_ok(read_odd(*state, &h, &err), &err);
	assert_int_equal(h.nnodes, 3);
	assert_ids(&host_cpu(&h, 0)->siblings, "0");
	assert_int_equal(host_cpu(&h, 4)->node, 5);
	assert_ids(&host_node(&h, 1)->cpus, "0-2");
	assert_ids(&h.nodes_with_memory, "1,127");
	assert_int_equal(host_node(&h, 1)->ndistances, 3);
	assert_int_equal(host_node(&h, 5)->ndistances, 0);
	assert_int_equal(host_node(&h, 127)->ndistances, 0);
	assert_ids(&host_node(&h, 127)->cpus, "");
	host_done(&h);
}

static void odd_hugepages(void **state)
{
#define POOL(name) "sys/kernel/mm/hugepages/" name "/nr_hugepages"
	struct host h;
	struct err err;

	put(*state, "sys/devices/system/cpu/online", "0\n");
	put(*state, POOL("hugepages-2048kB"), "-1\n");
	put(*state, POOL("hugepages-1048576kB"), "7\n");
	put(*state, POOL("hugepages-64kB"), "18446744073709551615\n");
	put(*state, POOL("hugepages-3kB"), "7\n");
	put(*state, POOL("hugepages-0kB"), "7\n");
	put(*state, POOL("hugepages-02048kB"), "7\n");
	put(*state, POOL("hugepages-18446744073709551615kB"), "7\n");
	put(*state, POOL("hugepages-"), "7\n");
	assert_ok(read_odd(*state, &h, &err), &err);
	assert_int_equal(h.nsizes, 3);
	assert_int_equal(h.hugepages[0].size, 64 << 10);
	assert_int_equal(h.hugepages[0].total, UINT64_MAX);
	assert_int_equal(h.hugepages[1].total, 0);
	assert_int_equal(h.hugepages[2].total, 7);
	assert_int_equal(h.nodes[0].hugepages[2].total, 7);
	host_done(&h);

	// more sizes than any kernel has; counters that are not of one moment
	for (unsigned i = 0; i < HOST_PAGE_SIZES; i++) {
		char path[128];

		snprintf(path, sizeof(path), POOL("hugepages-%ukB"), 4u << i);
		put(*state, path, "7\n");
	}
	put(*state, "sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "9\n");
	assert_ok(read_odd(*state, &h, &err), &err);
	assert_int_equal(h.nsizes, HOST_PAGE_SIZES);
	assert_noted(&h, "more than 16 page sizes");
	for (unsigned i = 0; i < h.nsizes; i++)
		assert_true(h.hugepages[i].free <= h.hugepages[i].total);
	host_done(&h);
}

// Plain directories instead of links, names that are none, links that lead out of the tree.
static void odd_pci(void **state)
{
#define DEVICE "sys/bus/pci/devices/10000:01:00.0"
	const struct host_pci *p;
	struct host h;
	struct err err;

	put(*state, "sys/devices/system/cpu/online", "0\n");
	put(*state, DEVICE "/vendor", "0x8086\n");
	put(*state, DEVICE "/device", "0x123456789\n");
	put(*state, DEVICE "/class", "0x020000\n");
	put(*state, DEVICE "/numa_node", "100000\n");
	put(*state, DEVICE "/driver", "not a link");
	put_link(*state, DEVICE "/iommu_group", "../../x12");
	put_link(*state, DEVICE "/physfn", "../../../etc");
	put(*state, DEVICE "/net/b0/mtu", "1\n");
	put(*state, DEVICE "/net/a0/mtu", "1\n");
	put_link(*state, DEVICE "/net/a0/upper_a0", "."); // over itself
	put(*state, "sys/bus/pci/devices/0000:00:00.8/vendor", "0x8086\n");
	put(*state, "sys/bus/pci/devices/0000:00:0G.0/vendor", "0x8086\n");
	put(*state, "sys/bus/pci/devices/something/vendor", "0x8086\n");
	put_link(*state, "sys/bus/pci/devices/0000:00:01.0", "/nowhere");
	put_link(
		*state, "sys/bus/pci/devices/0000:00:02.0", "../../../../../../../../../../../etc"
	);
	put(*state, "proc/net/route", "title\nc0 00000000 0 0001 0 0 0 00000000\nshort\n");
	assert_ok(read_odd(*state, &h, &err), &err);
	assert_int_equal(h.npci, 1);
	p = &h.pci[0];
	assert_string_equal(p->bdf, "10000:01:00.0");
	assert_string_equal(p->path, "bus/pci/devices/10000:01:00.0");
	assert_int_equal(p->vendor, 0x8086);
	assert_int_equal(p->device, 0);
	assert_string_equal(p->driver, "");
	assert_int_equal(p->iommu_group, -1);
	assert_int_equal(p->node, -1);
	assert_string_equal(p->physfn, "");
	assert_string_equal(p->netdev, "a0");
	assert_false(p->default_route);
	host_done(&h);

	// of two interfaces the one with the route is named; a route that rejects is none
	put(*state, "proc/net/route", "title\nb0 00000000 0 0001 0 0 0 00000000\n");
	assert_ok(read_odd(*state, &h, &err), &err);
	assert_string_equal(h.pci[0].netdev, "b0");
	assert_true(h.pci[0].default_route);
	host_done(&h);
	put(*state, "proc/net/route", "title\nb0 00000000 0 0201 0 0 0 00000000\n");
	assert_ok(read_odd(*state, &h, &err), &err);
	assert_false(h.pci[0].default_route);
	host_done(&h);
}

static void odd_cgroups(void **state)
{
	struct host h;
	struct err err;

	put(*state, "sys/devices/system/cpu/online", "0\n");
	put(*state, "proc/sys/kernel/osrelease", "5.6.19\n");
	put(*state, "sys/fs/cgroup/cgroup.controllers", "cpuset memory hugetlb pids\n");
	put(*state, "cg/net_cls/tasks", "");
	put(*state, "dev/cpuset/tasks", "");
	put(*state,
	    "proc/mounts",
	    "short\n"
	    "cgroup /cg/net_cls cgroup rw,net_cls 0 0\n"
	    "cgroup /dev/cpuset cgroup rw,cpuset 0 0\n"
	    "cgroup relative cgroup rw,memory 0 0\n"
	    "cgroup / cgroup rw,memory 0 0\n"
	    "cgroup2 /gone cgroup2 rw 0 0\n"
	    "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n");
	assert_ok(read_odd(*state, &h, &err), &err);
	assert_int_equal(h.cgroup.version, HOST_CGROUP_V2);
	assert_string_equal(h.cgroup.mount, "/sys/fs/cgroup");
	// no limit on reservations before 5.7
	assert_int_equal(
		h.cgroup.controllers,
		HOST_CG_CPUSET | HOST_CG_MEMORY | HOST_CG_PIDS | HOST_CG_HUGETLB | HOST_CG_FREEZER
	);
	host_done(&h);

	put(*state, "my cg/all,of,it/tasks", "");
	put(*state, "proc/cgroups", "#subsys_name\nmemory 1 1 0\npids 0 1 1\nodd\n");
	put(*state,
	    "proc/mounts",
	    "cgroup /my\\040cg/all,of,it cgroup rw,cpuset,freezer,devices,name=x 0 0\n");
	assert_ok(read_odd(*state, &h, &err), &err);
	assert_int_equal(h.cgroup.version, HOST_CGROUP_V1);
	assert_string_equal(h.cgroup.mount, "/my cg");
	assert_string_equal(h.cgroup.dir_cpuset, "all,of,it");
	assert_string_equal(h.cgroup.dir_memory, "");
	assert_int_equal(h.cgroup.controllers, HOST_CG_CPUSET | HOST_CG_FREEZER | HOST_CG_DEVICES);
	assert_int_equal(
		h.cgroup.known, HOST_CG_CPUSET | HOST_CG_FREEZER | HOST_CG_DEVICES | HOST_CG_PIDS
	);
	host_done(&h);
}

static void mount_tables(void **)
{
	char table[] = "none /a\\040b hugetlbfs rw,size=2M 0 0";
	char info[] = "34 25 0:41 / /a\\040b rw shared:1 - hugetlbfs  rw";
	char old[] = "34 25 0:42 /r /c rw - tmpfs x rw", odd[] = "34 25 0:42 / - tmpfs";
	char two[] = "none /a";
	struct mount_line m;

	assert_true(mount_parse(table, &m));
	assert_string_equal(m.where, "/a b");
	assert_string_equal(m.type, "hugetlbfs");
	assert_string_equal(m.options, "rw,size=2M");
	assert_null(m.device);
	// with an optional field, and without a source
	assert_true(mount_parse(info, &m));
	assert_string_equal(m.where, "/a b");
	assert_string_equal(m.type, "hugetlbfs");
	assert_string_equal(m.device, "0:41");
	assert_true(mount_parse(old, &m));
	assert_string_equal(m.where, "/c");
	assert_string_equal(m.device, "0:42");
	assert_false(mount_parse(odd, &m));
	assert_false(mount_parse(two, &m));
}

static void partitions(void **state)
{
	static const struct {
		const char *release, *controllers;
		enum host_partition wanted;
	} cases[] = {
		{"6.0.19", "cpuset memory", HOST_PARTITION_NONE},
		{"6.1.0-56-amd64", "cpuset memory", HOST_PARTITION_LOCAL},
		{"6.6.1", "cpuset", HOST_PARTITION_LOCAL},
		{"6.7.0", "cpuset", HOST_PARTITION_REMOTE},
		{"7.0", "cpuset", HOST_PARTITION_REMOTE},
		{"6.12.1", "memory", HOST_PARTITION_NONE},
		{"odd", "cpuset", HOST_PARTITION_NONE},
	};
	struct host h;
	struct err err;

	put(*state, "sys/devices/system/cpu/online", "0\n");
	put(*state, "proc/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		put(*state, "proc/sys/kernel/osrelease", cases[i].release);
		put(*state, "sys/fs/cgroup/cgroup.controllers", cases[i].controllers);
		assert_ok(read_odd(*state, &h, &err), &err);
		assert_int_equal(h.cgroup.partition, cases[i].wanted);
		host_done(&h);
	}
	// a kernel of a distribution that has them earlier
	put(*state, "proc/sys/kernel/osrelease", "5.14.0-503.el9");
	put(*state, "sys/fs/cgroup/cgroup.controllers", "cpuset");
	put(*state, "sys/fs/cgroup/cpuset.cpus.isolated", "");
	assert_ok(read_odd(*state, &h, &err), &err);
	assert_int_equal(h.cgroup.partition, HOST_PARTITION_REMOTE);
	host_done(&h);
}

static void text_that_is_no_utf8(void **state)
{
	json_t *j _cleanup_json_ = NULL;
	struct host h;
	struct err err;

	put(*state, "sys/devices/system/cpu/online", "0\n");
	put(*state, "proc/cmdline", "a=\xff\x1b[2J b\n");
	assert_ok(read_odd(*state, &h, &err), &err);
	j = host_to_json(&h);
	host_done(&h);
	assert_string_equal(json_string_value(json_object_get(j, "cmdline")), "a=? [2J b");
}

static void this_machine(void **)
{
	struct host h;

	read_tree("/", &h);
	assert_int_equal(h.ncpus, (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
	assert_true(h.mem_total > 0);
	assert_string_not_equal(h.release, "");
	host_done(&h);
}

#define odd_test(f) cmocka_unit_test_setup_teardown(f, make_tree, drop_tree)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_machine),
		cmocka_unit_test(cgroup_versions),
		cmocka_unit_test(machine_of_the_paper),
		cmocka_unit_test(big_machine),
		cmocka_unit_test(huge_machine),
		cmocka_unit_test(machine_of_gpus),
		cmocka_unit_test(json_has_it),
		cmocka_unit_test(no_such_tree),
		odd_test(nothing_there),
		odd_test(least_machine),
		odd_test(refuses_no_online),
		odd_test(unknown_files),
		odd_test(no_nohz_full),
		odd_test(beyond_the_limits),
		odd_test(notes_end),
		odd_test(sparse_nodes),
		odd_test(odd_hugepages),
		odd_test(odd_pci),
		odd_test(odd_cgroups),
		cmocka_unit_test(mount_tables),
		odd_test(partitions),
		odd_test(text_that_is_no_utf8),
		cmocka_unit_test(this_machine),
	};

	trees = argc > 1 ? argv[1] : getenv("FAKE_HOSTS");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
