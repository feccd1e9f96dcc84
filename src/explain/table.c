// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The messages. What stands first is looked for first: the special before the general.

#include "base/scope.h"
#include "explain/explain.h"

#define SEEN "printed by DPDK 22.11"
#define DPDK "DPDK 22.11, "

const struct known_message known_messages[] = {
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
		.cure = "pinfold run gives it one of its own; elsewhere set XDG_RUNTIME_DIR to a "
			"directory of the user's",
	},
	{
		.of = "EAL",
		.like = "Error creating '*dpdk*'",
		.example = "EAL: Error creating '/root/dpdk': Permission denied",
		.source = SEEN,
		.cause = "/var/run/dpdk, $XDG_RUNTIME_DIR/dpdk or /tmp/dpdk cannot be written",
		.cure = "pinfold run gives it one of its own; elsewhere set XDG_RUNTIME_DIR to a "
			"directory of the user's",
	},
	{
		.of = "EAL",
		.like = "Cannot create lock on '*/config'*Is another primary process running",
		.example = "EAL: Cannot create lock on '/var/run/dpdk/opx/config'. Is another "
			   "primary process running?",
		.source = SEEN,
		.cause = "another DPDK program with the same prefix runs, and they share "
			 "/var/run/dpdk",
		.cure = "pinfold run: each workload has its own; elsewhere --file-prefix NAME",
	},
	{
		.of = "EAL",
		.like = "Cannot open '*/config' for rte_mem_config",
		.example = "EAL: Cannot open '/var/run/dpdk/rte/config' for rte_mem_config",
		.source = "containers with a read-only root, DPDK 22.11",
		.cause = "its runtime directory cannot be written",
		.cure = "pinfold run gives it one of its own; elsewhere mount a tmpfs on "
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
		.cure = "pinfold doctor; in a virtual machine give the guest the CPU of the host",
	},
	// ---- hugepages
	{
		.of = "EAL",
		.like = "hugepages of size * reserved, but no mounted hugetlbfs found",
		.example = "EAL: 512 hugepages of size 2097152 reserved, but no mounted hugetlbfs "
			   "found for that size",
		.source = SEEN,
		.cause = "hugepages are reserved, but it finds no hugetlbfs to take them from",
		.cure = "pinfold run --hugepages 2M=N mounts one for it; elsewhere --in-memory, or "
			"mount -t hugetlbfs none "
			"/dev/hugepages",
	},
	{
		.of = "EAL",
		.like = "Cannot get hugepage information",
		.example = "EAL: FATAL: Cannot get hugepage information.",
		.source = SEEN ", ngic-rtc#94",
		.cause = "it finds no hugepages: none are reserved, granted or mounted",
		.cure = "--hugepages 2M=N in the grant; pinfold doctor says whether the host has "
			"any",
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
		.cause = "all pages of that size are taken, or none are reserved, on that node",
		.cure = "pinfold host free shows who has them; pinfold doctor what reserves more",
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
		.cure = "pinfold run --user UID: the mount is that user's",
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
		.cure = "pinfold run lets them through; of docker: --security-opt seccomp=PROFILE "
			"with mbind, get_mempolicy "
			"and set_mempolicy",
	},
	{
		.of = "numactl",
		.like = "mbind: Operation not permitted",
		.example = "mbind: Operation not permitted",
		.source = "numactl#232, cassandra#203",
		.cause = "the engine's filter of system calls refuses memory policies",
		.cure = "pinfold run lets them through; of docker: --security-opt seccomp=PROFILE "
			"with mbind",
	},
	// ---- testpmd and ports
	{
		.of = "testpmd",
		.like = "No cores defined for forwarding",
		.example = "  Cause: No cores defined for forwarding",
		.source = SEEN,
		.cause = "testpmd wants two lcores, one of them for its own control",
		.cure = "--cpu-count 2 in the grant, or both lcores on one CPU: --lcores 0@N,1@N",
	},
	{
		.of = "testpmd",
		.like = "No probed ethernet devices",
		.example = "testpmd: No probed ethernet devices",
		.source = SEEN,
		.cause = "it has no port: no NIC is granted, or none that it knows the driver of",
		.cure = "--nic NIC in the grant (pinfold nic list), or --vdev net_null0",
	},
	{
		.of = "virtio",
		.like = "eth_virtio_pci_init(): Failed to init PCI device",
		.example = "eth_virtio_pci_init(): Failed to init PCI device",
		.source = SEEN " on a host whose own NIC is virtio",
		.cause = "it tries the host's own NIC",
		.cure = "pinfold run: it sees granted NICs alone; elsewhere --no-pci",
	},
	{
		.of = "vhost",
		.like = "failed to bind: No such file or directory",
		.example = "VHOST_CONFIG: (/nonexistent/x) failed to bind: No such file or "
			   "directory; remove it and try again",
		.source = SEEN,
		.cause = "the directory of its socket is not there",
		.cure = "--link vhost-user:NAME makes /run/pinfold/links/NAME; put the socket "
			"there",
	},
	{
		.of = "vhost",
		.like = "failed to bind: Address already in use",
		.example = "VHOST_CONFIG: (/tmp/s) failed to bind: Address already in use; remove "
			   "it and try again",
		.source = DPDK "lib/vhost/socket.c",
		.cause = "a socket of that name is left by a program that has ended, or another "
			 "program has it",
		.cure = "remove the file",
	},
	{
		.of = "memif",
		.like = "memif*Address already in use",
		.example = "memif_socket_create(): NULL: Failed to setup socket /run/m.sock: "
			   "Address already in use",
		.source = DPDK "drivers/net/memif/memif_socket.c",
		.cause = "the server was ended hard and has left its socket",
		.cure = "remove the file; give --link memif:NAME to both ends, and start the "
			"server first",
	},
	{
		.of = "virtio-user",
		.like = "virtio_user_dev_setup(): (/dev/vhost-net) Failed to setup backend",
		.example = "virtio_user_dev_setup(): (/dev/vhost-net) Failed to setup backend",
		.source = SEEN,
		.cause = "it has no /dev/vhost-net",
		.cure = "--kernel-port NAME,vhost in the grant; modprobe vhost_net on the host",
	},
	{
		.of = "AF_XDP",
		.like = "Failed to get channel info of interface:",
		.example = "init_internals(): Failed to get channel info of interface: nosuch",
		.source = SEEN,
		.cause = "it sees no interface of that name",
		.cure = "--kernel-port NAME in the grant, or the name as ip link shows it inside "
			"(pinfold exec NAME ip link)",
	},
	{
		.of = "EAL",
		.like = "Cannot init tail queues for objects",
		.example = "EAL: FATAL: Cannot init tail queues for objects",
		.source = "an image with copies in place of Debian's links of drivers",
		.cause = "a driver is loaded twice, as a copy in place of a link",
		.cure = "make the image with: pinfold image build -o NAME PROGRAM",
	},
	// ---- VFIO
	{
		.of = "VFIO",
		.like = "group*is not viable",
		.example = "EAL: 0000:03:00.0 VFIO group is not viable! Not all devices in IOMMU "
			   "group bound to VFIO or unbound",
		.source = DPDK "lib/eal/linux/eal_vfio.c; Media-Transport-Library#1667",
		.cause = "another function of its IOMMU group has a driver of the kernel's",
		.cure = "pinfold doctor names it; bind all of the group: pinfold nic bind NIC NIC",
	},
	{
		.of = "VFIO",
		.like = "/dev/vfio/*: Device or resource busy",
		.example = "EAL: Cannot open /dev/vfio/40: Device or resource busy",
		.source = DPDK "lib/eal/linux/eal_vfio.c; csit#3878",
		.cause = "another program has the NIC",
		.cure = "pinfold nic list says whose it is",
	},
	{
		.of = "VFIO",
		.like = "/dev/vfio/*: Permission denied",
		.example = "EAL: Cannot open /dev/vfio/40: Permission denied",
		.source = DPDK "lib/eal/linux/eal_vfio.c; omec upf#34",
		.cause = "the node of the NIC is root's",
		.cure = "--nic NIC in the grant: the node is the program's",
	},
	{
		.of = "VFIO",
		.like = "cannot open VFIO container",
		.example = "EAL: cannot open VFIO container, error 2 (No such file or directory)",
		.source = DPDK "lib/eal/linux/eal_vfio.c",
		.cause = "VFIO is not loaded, or the container has none",
		.cure = "pinfold nic bind NIC loads it; then --nic NIC in the grant",
	},
	{
		.of = "VFIO",
		.like = "cannot set up DMA remapping, error 12",
		.example = "EAL: 0000:82:00.0 cannot set up DMA remapping, error 12 (Cannot "
			   "allocate memory)",
		.source = DPDK "lib/eal/linux/eal_vfio.c; spdk#1346",
		.cause = "it may lock too little memory (RLIMIT_MEMLOCK) for what the NIC is to "
			 "reach",
		.cure = "pinfold run computes the limit from the grant; elsewhere: ulimit -l "
			"unlimited",
	},
	{
		.of = "VFIO",
		.like = "not managed by VFIO driver, skipping",
		.example = "EAL: 0000:82:00.0 not managed by VFIO driver, skipping",
		.source = DPDK "lib/eal/linux/eal_vfio.c",
		.cause = "the NIC is bound to a driver of the kernel's",
		.cure = "pinfold nic bind NIC, or --nic NIC,bind for the time of the workload",
	},
	{
		.of = "VFIO",
		.like = "Device is ineligible for IOMMU domain attach due to platform RMRR "
			"requirement",
		.example = "vfio-pci 0000:03:00.0: Device is ineligible for IOMMU domain attach "
			   "due to platform RMRR "
			   "requirement",
		.source = "Linux, drivers/iommu/intel/iommu.c; gatekeeper#718",
		.cause = "the firmware uses memory of its own with that NIC",
		.cure = "turn its management by the firmware off there, or use another slot "
			"(pinfold doctor)",
	},
	{
		.of = "VFIO",
		.like = "No interrupt remapping support",
		.example = "vfio_iommu_type1_attach_group: No interrupt remapping support.  Use "
			   "the module param "
			   "\"allow_unsafe_interrupts\"",
		.source = "Linux, drivers/vfio/vfio_iommu_type1.c",
		.cause =
			"the IOMMU cannot check interrupts: a NIC could send any CPU any interrupt",
		.cure = "turn interrupt remapping (x2APIC) on in the firmware; in a guest: -device "
			"intel-iommu,intremap=on",
	},
	{
		.of = "VFIO",
		.like = "vfio-pci*probe*failed with error -22",
		.example = "vfio-pci: probe of 0000:03:00.0 failed with error -22",
		.source = "Linux without an IOMMU",
		.cause = "there is no IOMMU",
		.cure = "pinfold doctor: turn VT-d on in the firmware, and boot with "
			"intel_iommu=on",
	},
	{
		.of = "VFIO",
		.like = "VF token*",
		.example = "vfio-pci 0000:82:02.0: VF token incorrectly provided, PF not bound to "
			   "vfio-pci",
		.source = "Linux, drivers/vfio/pci/vfio_pci_core.c",
		.cause = "its PF is bound to vfio-pci and has a token, or it has none and is given "
			 "one",
		.cure = "leave the PF to its kernel driver: pinfold nic unbind PF",
	},
	// ---- QEMU
	{
		.of = "QEMU",
		.like = "Could not access KVM kernel module",
		.example = "Could not access KVM kernel module: Permission denied",
		.source = "QEMU 7.2, accel/kvm/kvm-all.c",
		.cause = "there is no /dev/kvm, or it is another user's",
		.cure = "pinfold doctor; --accel tcg emulates the CPUs",
	},
	{
		.of = "QEMU",
		.like = "unable to map backing store for guest RAM",
		.example = "qemu-system-x86_64: unable to map backing store for guest RAM: Cannot "
			   "allocate memory",
		.source = "QEMU 7.2, util/mmap-alloc.c",
		.cause = "there are fewer hugepages than the guest has memory",
		.cure = "fewer --hugepages in the grant, or more on the host: pinfold host free",
	},
	{
		.of = "QEMU",
		.like = "can't open backing store * for guest RAM",
		.example = "qemu-system-x86_64: can't open backing store /dev/hugepages for guest "
			   "RAM: Permission denied",
		.source = "QEMU 7.2, system/physmem.c",
		.cause = "the hugetlbfs is not there, or another user's",
		.cure = "pinfold run --in vm mounts one for it",
	},
	{
		.of = "QEMU",
		.like = "cannot bind memory to host NUMA nodes",
		.example = "qemu-system-x86_64: cannot bind memory to host NUMA nodes: Operation "
			   "not permitted",
		.source = "QEMU 7.2, backends/hostmem.c",
		.cause = "a filter of system calls refuses memory policies",
		.cure = "pinfold run --in vm lets them through",
	},
	{
		.of = "QEMU",
		.like = "vfio_dma_map(*) = -12",
		.example =
			"vfio_dma_map(0x55d, 0x0, 0x80000000, 0x7f) = -12 (Cannot allocate memory)",
		.source = "QEMU 7.2, hw/vfio/common.c; kubevirt#6110",
		.cause = "it may lock too little memory (RLIMIT_MEMLOCK) for a guest with a NIC",
		.cure = "pinfold run --in vm computes the limit; elsewhere: ulimit -l unlimited",
	},
	// ---- engines
	{
		.of = "crun",
		.like = "cgroups in hybrid mode not supported",
		.example =
			"cgroups in hybrid mode not supported, drop all controllers from cgroupv2",
		.source = "crun 1.8.1 with version 1 and no hugetlb controller mounted",
		.cause = "a controller of cgroup version 1 is not mounted, most often hugetlb",
		.cure = "pinfold doctor says which, with the command that mounts it",
	},
	{
		.of = "podman",
		.like = "setrlimit *RLIMIT_*: Operation not permitted",
		.example = "Error: OCI runtime error: crun: setrlimit `RLIMIT_NOFILE`: Operation "
			   "not permitted",
		.source = "podman 4.3.1 without CAP_SYS_RESOURCE",
		.cause = "the engine wants higher limits than it may set",
		.cure = "default_ulimits = [\"nofile=20000:20000\",\"nproc=32768:32768\"] in "
			"containers.conf, below "
			"[containers]",
	},
	{
		.of = "runtime",
		.like = "mount *hugetlbfs*: *peration not permitted",
		.example = "crun: mount `hugetlbfs` to `dev/hugepages`: Operation not permitted",
		.source = "crun 1.8.1 and runc 1.1.5 in a user namespace",
		.cause = "hugetlbfs cannot be mounted inside a user namespace",
		.cure = "pinfold run or pinfold-runtime mounts it on the host and binds it in",
	},
	{
		.of = "engine",
		.like = "unknown or invalid runtime name: pinfold",
		.example = "docker: Error response from daemon: unknown or invalid runtime name: "
			   "pinfold.",
		.source = "Docker 20.10",
		.cause = "the engine does not know pinfold-runtime",
		.cure = "name it among the engine's runtimes: docs/engines.md",
	},
	{
		.of = "docker",
		.like = "Requested CPUs are not available",
		.example = "docker: Error response from daemon: Requested CPUs are not available - "
			   "requested 9, available: 0-1.",
		.source = "Docker 20.10",
		.cause = "--cpuset-cpus names CPUs that are not online, or not in the engine's own "
			 "cpuset",
		.cure = "pinfold host free",
	},
	{
		.of = "kubelet",
		.like = "Insufficient hugepages-",
		.example = "0/1 nodes are available: 1 Insufficient hugepages-2Mi.",
		.source = "kubernetes#130577",
		.cause = "the node told kubelet of fewer hugepages when that started",
		.cure = "reserve them (pinfold doctor), then restart kubelet",
	},
	{
		.of = "kernel",
		.like = "emory cgroup out of memory: Killed process",
		.example = "Memory cgroup out of memory: Killed process 4711 (dpdk-testpmd)",
		.source = "Linux, mm/oom_kill.c",
		.cause = "it took more ordinary memory than its grant has",
		.cure = "--memory SIZE in the grant",
	},
};

const size_t known_messages_n = ARRAY_LEN(known_messages);
