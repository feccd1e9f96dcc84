// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Messages of QEMU. What stands first is looked for first: the special before the general.

#include "explain/tables.h"

static const struct known_message messages[] = {
	{
		.of = "QEMU",
		.like = "Could not access KVM kernel module",
		.example = "Could not access KVM kernel module: Permission denied",
		.source = "QEMU 7.2, accel/kvm/kvm-all.c",
		.cause = "there is no /dev/kvm, or it is another user's",
		.cure = "--accel tcg emulates the CPUs; what KVM lacks: pinfold doctor",
	},
	{
		.of = "QEMU",
		.like = "unable to map backing store for guest RAM",
		.example = "qemu-system-x86_64: unable to map backing store for guest RAM: Cannot "
			   "allocate memory",
		.source = "QEMU 7.2, util/mmap-alloc.c",
		.cause = "there are fewer hugepages than the guest has memory",
		.cure = "pinfold host prepare --hugepages 2M=N # or fewer --hugepages in the grant",
	},
	{
		.of = "QEMU",
		.like = "can't open backing store * for guest RAM",
		.example = "qemu-system-x86_64: can't open backing store /dev/hugepages for guest "
			   "RAM: Permission denied",
		.source = "QEMU 7.2, system/physmem.c",
		.cause = "the hugetlbfs is not there, or another user's",
		.cure = "under pinfold run --in vm it has one",
	},
	{
		.of = "QEMU",
		.like = "cannot bind memory to host NUMA nodes",
		.example = "qemu-system-x86_64: cannot bind memory to host NUMA nodes: Operation "
			   "not permitted",
		.source = "QEMU 7.2, backends/hostmem.c",
		.cause = "a filter of system calls refuses memory policies",
		.cure = "give it the CPUs and memory of that node by a cgroup, as pinfold run --in "
			"vm "
			"does, and leave host-nodes out",
	},
	{
		.of = "QEMU",
		.like = "iommu_platform=true is not supported by the device",
		.example =
			"qemu-system-x86_64: -device virtio-net-pci,netdev=net0,iommu_platform=on: "
			"iommu_platform=true is not supported by the device",
		.source = "QEMU 7.2, hw/virtio/virtio-bus.c",
		.cause = "the other end of a vhost-user link does not translate addresses "
			 "of a guest with an IOMMU",
		.cure = "iommu-support=1 at that end (net_vhost, drover's device=vhost:), or no "
			"--viommu",
	},
	{
		.of = "QEMU",
		.like = "group * used in multiple address spaces",
		.example = "qemu-system-x86_64: -device vfio-pci,host=0000:3b:00.1: vfio "
			   "0000:3b:00.1: "
			   "group 30 used in multiple address spaces",
		.source = "QEMU 7.2, hw/vfio/common.c",
		.cause = "functions of one IOMMU group, and a guest with an IOMMU of its own",
		.cure = "no vIOMMU (pinfold run without --viommu), or functions of different "
			"groups",
	},
	{
		.of = "QEMU",
		.like = "vfio_dma_map(*) = -12",
		.example =
			"vfio_dma_map(0x55d, 0x0, 0x80000000, 0x7f) = -12 (Cannot allocate memory)",
		.source = "QEMU 7.2, hw/vfio/common.c; kubevirt#6110",
		.cause = "it may lock too little memory (RLIMIT_MEMLOCK) for a guest with a NIC",
		.cure = "ulimit -l unlimited, for who starts it; pinfold run --in vm --nic "
			"computes the limit",
	},
};

const struct messages qemu_messages = {messages, ARRAY_LEN(messages)};
