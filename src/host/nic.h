// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What is to be known of a NIC beyond its PCI function (struct host_pci), for people and for who binds it.
#pragma once

#include "host/host.h"

struct host_nic {
	char override[64]; // driver_override: the driver that alone may take it, or ""
	char mac[24];	   // of its interface, or ""
	char link[16];	   // operstate of its interface: "up", "down", …, or ""
	int speed;	   // Mbit/s, -1: not known
	char rdma[32]; // its InfiniBand device: DPDK works beside the kernel's driver (mlx5), or ""
	char uverbs[32]; // the node of that, below /dev/infiniband, or ""
};

void host_nic_look(const struct hostfs *fs, const struct host_pci *p, struct host_nic *ret);

// A driver that hands the function to a program: vfio-pci, uio_pci_generic, igb_uio.
bool host_nic_for_programs(const char *driver);

// One of them that keeps it from no memory.
bool host_nic_uio(const char *driver);

// A driver that stays while DPDK works beside it.
bool host_nic_bifurcated(const char *driver);

// EBUSY: it has VFs. They go with its driver, and the kernel waits in that for whoever has one of them open.
int host_nic_check_vfs(const struct host_pci *p, struct err *err);

bool host_pci_is_nic(const struct host_pci *p);

// It has no driver, or one that uses nothing of it (bridges, stubs): VFIO lets others of its group be used.
bool host_pci_harmless(const struct host_pci *p);

#define HOST_PCI_NAME 128

// The names of a vendor and a device as the PCI ID repository has them, "" for what it does not know. Reads the
// machine's own copy (package pci.ids, or hwdata).
void host_pci_names(
	const struct host_pci *p,
	char vendor[static HOST_PCI_NAME],
	char device[static HOST_PCI_NAME]
);
