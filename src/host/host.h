// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the machine has, as the kernel tells it in /sys and /proc. Only reads. Everything is reached
// through one directory descriptor, so that a tree of plain files can stand in for the machine.
#pragma once

#include "base/err.h"
#include "base/idset.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

// A root under which sys/ and proc/ are found: "/" or a copy of another machine's files.
struct hostfs {
	int root;  // O_PATH directory descriptor
	bool real; // it is this machine's "/"
};

int hostfs_open(const char *root, struct hostfs *ret, struct err *err);
void hostfs_close(struct hostfs *fs);

#define HOST_PAGE_SIZES 16 // page sizes of hugepages a kernel may have (x86 has two, powerpc most)
#define HOST_NODES 1024	   // NUMA nodes that Linux can be built for; their numbers are below
#define HOST_NOTES 32

struct host_cache {
	unsigned level;	     // 1, 2, 3
	char type[16];	     // "Data", "Instruction", "Unified"
	uint64_t size;	     // bytes
	struct idset shared; // the CPUs that share it
};

struct host_cpu {
	unsigned id;
	int package;	       // physical_package_id, -1 if unknown
	int core;	       // core_id within the package, -1 if unknown
	int node;	       // NUMA node, 0 on a kernel without NUMA; never -1: a CPU that no
			       // node claims counts to the first that has CPUs
	struct idset siblings; // hyper-threads of its core, itself among them
	int l2, l3;	       // the first of the CPUs that share this cache with it, -1 if unknown
	unsigned speed; // of its kind, beside that of others on the machine; the same for all
			// where the kernel tells no kinds apart
	unsigned ncaches;
	struct host_cache *caches;
};

// Hugepages of one size, of the machine or of one node.
struct host_hugepages {
	uint64_t size;	// bytes of one page
	uint64_t total; // pages: nr_hugepages
	uint64_t free;	// free_hugepages
	uint64_t
		reserved; // resv_hugepages: promised, not yet touched; the kernel counts it only for
			  // the whole machine, 0 on a node
	uint64_t surplus;
};

struct host_node {
	unsigned id;
	struct idset cpus;
	uint64_t mem_total, mem_free; // bytes
	unsigned ndistances;
	uint8_t distances[HOST_NODES]; // one per online node, in the order of the node numbers
	struct host_hugepages hugepages[HOST_PAGE_SIZES]; // parallel to host.hugepages
};

struct host_pci {
	char bdf[16];	// "0000:3b:00.1"
	char path[256]; // where /sys/bus/pci/devices/BDF points, from /sys: "devices/pci0000:3a/…"
	unsigned vendor, device;
	unsigned class;	 // 24 bits: 0x020000 is Ethernet
	char driver[64]; // "" when none is bound
	int iommu_group; // -1: none
	int node;	 // -1: not said
	char netdev[64]; // name of its (first) network interface, or ""
	// an interface of it, or a bond, bridge or VLAN on top of one, carries a default route, IPv4 or
	// IPv6; netdev is then that interface
	bool default_route;
	bool addressed;	 // or an address of the host, or any route
	char upper[16];	 // the bond, bridge or VLAN that an interface of it is a part of, or ""
	char physfn[16]; // for a VF: BDF of its PF, else ""
	unsigned totalvfs, numvfs;
	char lent
		[16]; // an interface of it, or on top of one, that a container has, or "" (netdevs_mark)
};

// A network interface of the network namespace that this process is in.
struct host_netdev {
	char name[16];
	char path[256]; // from /sys: "devices/pci0000:3a/…/net/eth0"; "": not told
	uint64_t inode; // of its directory
	char upper[16]; // as of struct host_pci
	char lent[16];	// one on top of it that a container has, or "" (netdevs_mark)
	bool default_route, addressed;
};

enum host_cgroup_version {
	HOST_CGROUP_NONE = 0,
	HOST_CGROUP_V1, // controllers on hierarchies of their own, beside it perhaps an empty v2
	HOST_CGROUP_V2,
};

// Controllers pinfold uses, as bits.
enum {
	HOST_CG_CPUSET = 1 << 0,
	HOST_CG_MEMORY = 1 << 1,
	HOST_CG_PIDS = 1 << 2,
	HOST_CG_HUGETLB = 1 << 3,
	HOST_CG_HUGETLB_RSVD = 1 << 4, // the hugetlb controller limits reservations too
	HOST_CG_DEVICES = 1 << 5,      // v1; on v2 the runtime attaches an eBPF program
	HOST_CG_FREEZER = 1 << 6,      // v1; always there on v2
	HOST_CG_CPU = 1 << 7,	       // weights; limits nothing
	HOST_CG_RDMA = 1 << 8,	       // what is open of InfiniBand devices
};

// Where the kernel makes isolated partitions of CPUs (cpuset.cpus.partition of cgroup v2): CPUs that
// are taken from everybody else, and between which the scheduler moves nothing.
enum host_partition {
	HOST_PARTITION_NONE = 0,
	HOST_PARTITION_LOCAL,  // only below a partition, of which the root is one: Linux 6.1
	HOST_PARTITION_REMOTE, // anywhere, with cpuset.cpus.exclusive: Linux 6.7
};

struct host_cgroup {
	enum host_cgroup_version version;
	unsigned controllers; // mounted (v1) or in cgroup.controllers of the root (v2)
	unsigned known;	      // compiled into the kernel (/proc/cgroups), mounted or not
	char mount[256];      // where: "/sys/fs/cgroup"; v1: each controller below it by its name
	// v1: "cpu,cpuacct" and the like may be one directory: the name under mount, "" if not mounted
	char dir_cpuset[32], dir_memory[32], dir_pids[32], dir_hugetlb[32], dir_devices[32],
		dir_freezer[32], dir_cpu[32], dir_rdma[32];
	enum host_partition partition;
};

// AppArmor of the host, and whether a profile is loaded and enforced.
#define APPARMOR_PROFILE "pinfold-default" // data/apparmor
enum host_apparmor {
	HOST_APPARMOR_OFF = 0,
	HOST_APPARMOR_NO_PROFILE, // on, but the profile is not loaded, or only complains
	HOST_APPARMOR_READY,
};

#define HOST_BOOT_ID 40 // an UUID
#define HOST_RLIMITS 16 // RLIMIT_… of setrlimit(2)

// UINT64_MAX: no limit.
struct host_limits {
	uint64_t hard[HOST_RLIMITS]; // the highest that a program started from here may have
	uint64_t files;		     // open files of the whole machine (fs.file-max)
};

struct host {
	struct idset online, possible, present, isolated, nohz_full;
	unsigned ncpus;
	struct host_cpu *cpus; // the online ones, in order of id
	struct idset nodes_online, nodes_with_memory;
	struct idset nodes_for_kernel; // of these: not all of their memory is movable
	bool numa; // false: a kernel without /sys/devices/system/node; one node 0 is made up
	unsigned nnodes;
	struct host_node *nodes; // the online ones, in order of id
	unsigned nsizes;
	struct host_hugepages hugepages[HOST_PAGE_SIZES]; // whole machine, smallest size first
	unsigned npci;
	struct host_pci *pci; // in order of BDF
	unsigned nnetdevs;
	struct host_netdev *netdevs;
	struct host_cgroup cgroup;
	uint64_t mem_total, mem_free; // /proc/meminfo, bytes
	uint64_t default_hugepage;    // Hugepagesize of /proc/meminfo, bytes; 0: none
	char *cmdline;		      // kernel command line
	char release[128];	      // kernel release
	char boot_id[HOST_BOOT_ID];   // "" in a tree that has none
	char hostname[65];
	enum host_apparmor apparmor; // with APPARMOR_PROFILE
	bool selinux;		     // a policy is loaded
	struct host_limits limits;
	bool iommu; // /sys/kernel/iommu_groups is not empty
	// what the kernel says that could not be understood, for people
	unsigned nnotes;
	char *notes[HOST_NOTES];
};

// Parts that cost many files on a large machine and that not every command needs.
enum {
	HOST_CACHES = 1 << 0,
	HOST_PCI = 1 << 1,     // and network interfaces
	HOST_SHARING = 1 << 2, // l2, l3 and speed
	HOST_ALL = HOST_CACHES | HOST_PCI | HOST_SHARING,
};

// Reads the machine. *ret is to be released with host_done. Fails only where nothing sensible can be
// said without the file: the lists of online CPUs and of page sizes. What a kernel does not have is left
// empty. So is what it has in a form that is not known, or more of than there is room for, and a note
// says so.
int host_read(const struct hostfs *fs, unsigned parts, struct host *ret, struct err *err);
void host_done(struct host *h);

// 1: the CPU has it ("pdpe1gb"). 0: it has not. -1: this machine tells no flags of an x86 CPU.
int host_has_flag(const struct hostfs *fs, const char *flag);

const struct host_cpu *host_cpu(const struct host *h, unsigned id);	// NULL: not online
const struct host_node *host_node(const struct host *h, unsigned id);	// NULL: not online
const struct host_pci *host_pci(const struct host *h, const char *bdf); // NULL: not there
// "0000:3b:00.0" or "3b:00.0" in the kernel's spelling. False for anything else.
bool host_bdf(const char *s, char ret[static 16]);
// A NIC as people name it: by its address, or by its interface's name. NULL: not there.
const struct host_pci *host_nic_called(const struct host *h, const char *name);
const struct host_netdev *host_netdev(const struct host *h, const char *name); // NULL: not there

// Refuses CPUs of which one is not online; flag: what they were said with. -ENODEV.
int host_check_online(
	const struct host *h, const char *flag, const struct idset *cpus, struct err *err
);

// Index into hugepages[] of a page size in bytes, or -1.
int host_page_size_index(const struct host *h, uint64_t size);

// The nodes of a set of CPUs.
struct idset host_nodes_of(const struct host *h, const struct idset *cpus);

// The distance between two nodes as the firmware tells it (10: the same); 0 from no node (-1), 255 if
// it is not known.
unsigned host_distance(const struct host *h, int from, int to);
// The one of these nodes that is nearest, -1: there are none.
int host_nearest(const struct host *h, int from, const struct idset *nodes);

// What a copy of another machine's files does not tell is unlimited.
void host_read_limits(const struct hostfs *fs, struct host_limits *ret);

// Whether it is on and has the profile.
enum host_apparmor host_apparmor(const struct hostfs *fs, const char *profile);

// The whole inventory as JSON (a new reference), the format of data/schemas/inventory.json.
json_t *host_to_json(const struct host *h);
