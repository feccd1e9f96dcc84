// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold nic: the machine's NICs, and who drives them.

#include "cli/nic.h"

#include "cli/cli.h"

static const char help[] =
	"Usage: pinfold nic list [--json]\n"
	"       pinfold nic bind [OPTION...] NIC...\n"
	"       pinfold nic unbind [OPTION...] NIC...\n"
	"       pinfold nic restore\n"
	"       pinfold nic vfs [OPTION...] PF N\n"
	"\n"
	"  list     every NIC: driver, IOMMU group, NUMA node, interface, link, who holds it\n"
	"  bind     to a driver for programs, vfio-pci\n"
	"  unbind   back to the driver it had\n"
	"  restore  after a reboot: what was done with --persist\n"
	"  vfs      makes N virtual functions of a NIC (SR-IOV); 0 takes them away\n";

static const struct command commands[] = {
	{"bind", cmd_nic_bind, .helps = true},
	{"list", cmd_nic_list},
	{"restore", cmd_nic_restore},
	{"unbind", cmd_nic_unbind, .helps = true},
	{"vfs", cmd_nic_vfs, .helps = true},
	{0},
};

int cmd_nic(int argc, char **argv)
{
	return cli_group(&(struct group){"nic", help, NULL, commands}, argc, argv);
}
