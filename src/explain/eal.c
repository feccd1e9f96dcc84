// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Messages of EAL: its command line, hugepages, addresses and memory policy. What stands first is looked for first: the special before the general.

#include "explain/tables.h"

#define SEEN "printed by DPDK 22.11"
#define DPDK "DPDK 22.11, "

static const struct known_message messages[] = {
	// ---- EAL: its command line
	{
		.of = "EAL",
		.like = "lcore * unavailable",
		.example = "EAL: lcore 7 unavailable",
		.source = SEEN,
		.cause = "it is told to run on a CPU that it may not use or that is not there",
		.cure = "leave -l and --lcores out: EAL takes the CPUs of its grant; for more of "
			"them: --cpus LIST or "
			"--cpu-count N",
	},
	{
		.of = "EAL",
		.like = "lcore * >= RTE_MAX_LCORE",
		.example = "EAL: lcore 8191 >= RTE_MAX_LCORE (128)",
		.source = SEEN,
		.cause = "Debian's EAL numbers lcores 0 to 127, and the CPU is beyond",
		.cure = "--lcores 0@CPU,1@CPU gives CPUs other numbers",
	},
	{
		.of = "EAL",
		.like = "Failed to create thread for interrupt handling",
		.example = "EAL: FATAL: Cannot init interrupt-handling thread: Failed to create "
			   "thread for interrupt "
			   "handling",
		.source = "containers with an explicit -l, DPDK 22.11",
		.cause = "-l or --lcores names CPUs that are not in its cpuset",
		.cure = "leave -l out: EAL takes the CPUs of its grant",
	},
	{
		.of = "EAL",
		.like = "Cannot set affinity",
		.example = "EAL: Cannot set affinity",
		.source = "mayastor-extensions#1015",
		.cause = "its CPUs are not those that it may run on",
		.cure = "leave -l out, and do not change the cpuset of a program that runs",
	},
	{
		.of = "EAL",
		.like = "Option --legacy-mem is not compatible with --in-memory",
		.example = "EAL: Option --legacy-mem is not compatible with --in-memory",
		.source = SEEN,
		.cause = "the two exclude each other; --no-huge implies --legacy-mem",
		.cure = "leave --in-memory out",
	},
	{
		.of = "EAL",
		.like = "Cannot create runtime directory",
		.example = "EAL: Cannot create runtime directory",
		.source = SEEN,
		.cause = "/var/run/dpdk, $XDG_RUNTIME_DIR/dpdk or /tmp/dpdk cannot be written",
		.cure = "under pinfold run it has one of its own; elsewhere set "
			"XDG_RUNTIME_DIR to a directory of the user's",
	},
	{
		.of = "EAL",
		.like = "Error creating '*dpdk*'",
		.example = "EAL: Error creating '/root/dpdk': Permission denied",
		.source = SEEN,
		.cause = "/var/run/dpdk, $XDG_RUNTIME_DIR/dpdk or /tmp/dpdk cannot be written",
		.cure = "under pinfold run it has one of its own; elsewhere set "
			"XDG_RUNTIME_DIR to a directory of the user's",
	},
	{
		.of = "EAL",
		.like = "Cannot create lock on '*/config'*Is another primary process running",
		.example = "EAL: Cannot create lock on '/var/run/dpdk/opx/config'. Is another "
			   "primary process running?",
		.source = SEEN,
		.cause = "another DPDK program with the same prefix runs, and they share "
			 "/var/run/dpdk",
		.cure = "under pinfold run each has its own; elsewhere --file-prefix NAME",
	},
	{
		.of = "EAL",
		.like = "Cannot open '*/config' for rte_mem_config",
		.example = "EAL: Cannot open '/var/run/dpdk/rte/config' for rte_mem_config",
		.source = "containers with a read-only root, DPDK 22.11",
		.cause = "its runtime directory cannot be written",
		.cure = "under pinfold run it has one of its own; elsewhere mount a tmpfs on "
			"/var/run/dpdk",
	},
	{
		.of = "loader",
		.like = "error while loading shared libraries:",
		.example = "error while loading shared libraries: librte_eal.so.23: cannot open "
			   "shared object file",
		.source = "an image that was put together with ldd",
		.cause = "a library is not in its root",
		.cure = "make the image with what it needs: pinfold image build -o NAME PROGRAM",
	},
	{
		.of = "EAL",
		.like = "cannot open shared object file",
		.example = "EAL: /nonexistent.so: cannot open shared object file: No such file or "
			   "directory",
		.source = SEEN,
		.cause = "a library that it loads is not in its root",
		.cure = "make the image with what it loads: pinfold image build -o NAME PROGRAM, "
			"or run without --image",
	},
	{
		.of = "EAL",
		.like = "Unable to parse device '*'",
		.example = "EAL: Unable to parse device 'net_nonsense0'",
		.source = SEEN,
		.cause = "no driver of that name is loaded, or the PCI address is none",
		.cure = "see dpdk-testpmd --version for its drivers; NICs of a grant need no -a",
	},
	{
		.of = "EAL",
		.like = "failed to initialize net_tap* device",
		.example = "vdev_probe(): failed to initialize net_tap0 device",
		.source = SEEN " without root",
		.cause = "it may not make network interfaces",
		.cure = "--kernel-port NAME gives it an interface in its own network namespace",
	},
	{
		.of = "EAL",
		.like = "This system does not support \"*\"",
		.example = "EAL: This system does not support \"SSE4.2\".",
		.source = DPDK "lib/eal/common/eal_common_cpuflags.c",
		.cause = "DPDK was built for a newer CPU",
		.cure = "pinfold doctor # in a virtual machine give the guest the CPU of the host",
	},
	// ---- hugepages
	{
		.of = "EAL",
		.like = "hugepages of size * reserved, but no mounted hugetlbfs found",
		.example = "EAL: 512 hugepages of size 2097152 reserved, but no mounted hugetlbfs "
			   "found for that size",
		.source = SEEN,
		.cause = "hugepages are reserved, but it finds no hugetlbfs to take them from",
		.cure = "under pinfold run --hugepages 2M=N it has one; elsewhere --in-memory, or "
			"mount -t hugetlbfs none "
			"/dev/hugepages",
	},
	{
		.of = "EAL",
		.like = "Cannot get hugepage information",
		.example = "EAL: FATAL: Cannot get hugepage information.",
		.source = SEEN ", ngic-rtc#94",
		.cause = "it finds no hugepages: none are reserved, granted or mounted",
		.cure = "--hugepages 2M=N in the grant; if the host has none: pinfold host prepare "
			"--hugepages 2M=N",
	},
	{
		.of = "EAL",
		.like = "Not enough memory available! Requested:",
		.example = "EAL: Not enough memory available! Requested: 5000MB, available: 1024MB",
		.source = SEEN,
		.cause = "-m or --socket-mem asks for more than it has of hugepages",
		.cure = "more of them in the grant (--hugepages 2M=N, N being MB / 2), or leave -m "
			"out",
	},
	{
		.of = "EAL",
		.like = "No free * kB hugepages reported",
		.example = "EAL: No free 2048 kB hugepages reported on node 0",
		.source = SEEN ", contiv/vpp#1106",
		.cause = "all pages of that size are taken, or none are reserved, on that node; "
			 "harmless where it takes those of another size",
		.cure = "pinfold host prepare --hugepages 2M=N # pinfold host free shows how many "
			"are free",
		.faint = true,
	},
	{
		.of = "EAL",
		.like = "error allocating rte services array",
		.example = "EAL: error allocating rte services array",
		.source = SEEN " with --in-memory in a virtual machine",
		.cause = "it could not take its first hugepage: with --in-memory it wants "
			 "anonymous ones, and a virtual machine has those behind a hugetlbfs",
		.cure = "--hugepages 2M=N,anon in the grant, or leave --in-memory out",
	},
	{
		.of = "EAL",
		.like = "Cannot init memory",
		.example = "EAL: FATAL: Cannot init memory",
		.source = SEEN ", f-stack#274",
		.cause = "it could not take the hugepages that it wanted",
		.cure = "more of them in the grant: --hugepages 2M=N",
	},
	{
		.of = "testpmd",
		.like = "Creation of mbuf pool for socket * failed",
		.example = "  Cause: Creation of mbuf pool for socket 0 failed: Cannot allocate "
			   "memory",
		.source = SEEN,
		.cause = "its packet buffers do not fit into its hugepages (testpmd takes 380 MB "
			 "for two lcores)",
		.cure = "--hugepages 2M=200 in the grant, or --total-num-mbufs=2048 behind "
			"testpmd's own --",
	},
	{
		.of = "EAL",
		.like = "couldn't allocate memory due to IOVA exceeding limits of current DMA mask",
		.example = "EAL: calc_alloc(): couldn't allocate memory due to IOVA exceeding "
			   "limits of current DMA mask",
		.source = DPDK "lib/eal/common/malloc_heap.c",
		.cause = "a NIC reaches fewer addresses than its memory has",
		.cure = "--iova-mode=va, or --base-virtaddr=0x100000000",
	},
	{
		.of = "EAL",
		.like = "get_seg_fd(): open failed: Permission denied",
		.example = "EAL: get_seg_fd(): open failed: Permission denied",
		.source = "containers with --user, DPDK 22.11",
		.cause = "the hugetlbfs belongs to another user",
		.cure = "under pinfold run --user UID the mount is that user's",
	},
	{
		.of = "kernel",
		.like = "Bus error",
		.example = "Bus error (core dumped)",
		.source = "spdk#597",
		.cause = "a hugepage that was promised could not be had: the limit of the "
			 "container, or the host's pages",
		.cure = "more hugepages in the grant; with pinfold's limits of reservations it "
			"fails at its start instead",
	},
	// ---- addresses
	{
		.of = "EAL",
		.like = "Cannot use IOVA as 'PA'",
		.example = "EAL: FATAL: Cannot use IOVA as 'PA' since physical addresses are not "
			   "available",
		.source = DPDK "lib/eal/linux/eal.c; ndn-dpdk#62",
		.cause = "a container sees no physical addresses",
		.cure = "--iova-mode=va, with an IOMMU (pinfold doctor); leave igb_uio: pinfold "
			"nic bind NIC",
	},
	{
		.of = "EAL",
		.like = "cannot open /proc/self/pagemap",
		.example = "EAL: rte_mem_virt2phy(): cannot open /proc/self/pagemap: Permission "
			   "denied",
		.source = DPDK "lib/eal/linux/eal_memory.c; moby#16506",
		.cause = "a container sees no physical addresses",
		.cure = "--iova-mode=va, with an IOMMU (pinfold doctor)",
	},
	// ---- memory policy
	{
		.of = "EAL",
		.like = "*et_mempolicy*: Operation not permitted",
		.example = "EAL: Failed to get current mempolicy: get_mempolicy: Operation not "
			   "permitted",
		.source = "openNetVM#162, moby#37241",
		.cause = "the engine's filter of system calls refuses memory policies",
		.cure = "under pinfold run they are let through; of docker: --security-opt "
			"seccomp=PROFILE "
			"with mbind, get_mempolicy "
			"and set_mempolicy",
	},
	{
		.of = "numactl",
		.like = "mbind: Operation not permitted",
		.example = "mbind: Operation not permitted",
		.source = "numactl#232, cassandra#203",
		.cause = "the engine's filter of system calls refuses memory policies",
		.cure = "under pinfold run they are let through; of docker: --security-opt "
			"seccomp=PROFILE "
			"with mbind",
	},
};

const struct messages eal_messages = {messages, ARRAY_LEN(messages)};
