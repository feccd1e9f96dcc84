// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Messages of Devices: ports of DPDK programs, and VFIO. What stands first is looked for first: the special before the general.

#include "explain/tables.h"

#define SEEN "printed by DPDK 22.11"
#define DPDK "DPDK 22.11, "

static const struct known_message messages[] = {
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
		.cure = "under pinfold run it sees granted NICs alone; elsewhere --no-pci",
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
		.cure = "--kernel-port NAME,vhost in the grant; on the host: pinfold host prepare "
			"--module vhost_net",
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
		.of = "AF_XDP",
		.like = "Failed to configure xdp socket",
		.example = "eth_rx_queue_setup(): Failed to configure xdp socket",
		.source = DPDK "drivers/net/af_xdp/rte_eth_af_xdp.c",
		.cause = "the driver loads a BPF program itself, which takes SYS_ADMIN and "
			 "NET_ADMIN of the host; no container has them",
		.cure = "net_af_packet with --netdev NAME and --cap NET_RAW, or a NIC with --nic",
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
		.cure = "pinfold nic bind NIC NIC # all of the group, which pinfold doctor names",
	},
	{
		.of = "VFIO",
		.like = "/dev/vfio/*: Device or resource busy",
		.example = "EAL: Cannot open /dev/vfio/40: Device or resource busy",
		.source = DPDK "lib/eal/linux/eal_vfio.c; csit#3878",
		.cause = "another program has the NIC",
		.cure = "pinfold nic list # says whose it is",
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
		.cure = "pinfold nic bind NIC # which loads it; then --nic NIC in the grant",
	},
	{
		.of = "VFIO",
		.like = "cannot set up DMA remapping, error 12",
		.example = "EAL: 0000:82:00.0 cannot set up DMA remapping, error 12 (Cannot "
			   "allocate memory)",
		.source = DPDK "lib/eal/linux/eal_vfio.c; spdk#1346",
		.cause = "it may lock too little memory (RLIMIT_MEMLOCK) for what the NIC is to "
			 "reach",
		.cure = "under pinfold run the limit is computed from the grant; elsewhere: "
			"ulimit -l unlimited",
	},
	{
		.of = "VFIO",
		.like = "not managed by VFIO driver, skipping",
		.example = "EAL: 0000:82:00.0 not managed by VFIO driver, skipping",
		.source = DPDK "lib/eal/linux/eal_vfio.c",
		.cause = "the NIC is bound to a driver of the kernel's",
		.cure = "pinfold nic bind NIC # or --nic NIC,bind for the time of the workload",
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
		.cure = "turn VT-d on in the firmware, and boot with intel_iommu=on (pinfold "
			"doctor)",
	},
	{
		.of = "VFIO",
		// EAL has "VF token (UUID) …" in its usage, which it prints at each wrong argument
		.like = "VF token [!(]*",
		.example = "vfio-pci 0000:82:02.0: VF token incorrectly provided, PF not bound to "
			   "vfio-pci",
		.source = "Linux, drivers/vfio/pci/vfio_pci_core.c",
		.cause = "its PF is bound to vfio-pci and has a token, or it has none and is given "
			 "one",
		.cure = "pinfold nic unbind PF # it is its kernel driver's again",
	},
};

const struct messages devices_messages = {messages, ARRAY_LEN(messages)};
