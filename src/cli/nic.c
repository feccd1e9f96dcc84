// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold nic: the machine's NICs, and who drives them.

#include "cli/nic.h"

#include "base/scope.h"
#include "base/str.h"
#include "cli/cli.h"

#include <getopt.h>

static const char help[] =
	"Usage: pinfold nic list [--json]\n"
	"       pinfold nic bind [OPTION...] NIC...\n"
	"       pinfold nic unbind [OPTION...] NIC...\n"
	"       pinfold nic restore\n"
	"\n"
	"  list     every NIC: driver, IOMMU group, NUMA node, interface, link, who holds it\n"
	"  bind     to a driver for programs, vfio-pci\n"
	"  unbind   back to the driver it had\n"
	"  restore  after a reboot: those bound with --persist\n";

static const struct command commands[] = {
	{"bind", "to a driver for programs", cmd_nic_bind},
	{"list", "every NIC and who holds it", cmd_nic_list},
	{"restore", "those bound with --persist", cmd_nic_restore},
	{"unbind", "back to the driver it had", cmd_nic_unbind},
};

static int unknown(const char *word)
{
	const char *names[ARRAY_LEN(commands) + 1] = {NULL}, *near;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		names[i] = commands[i].name;
	near = word != NULL ? str_nearest(word, names) : NULL;
	if (word == NULL)
		err_set(&err, EINVAL, "nic wants a command; see nic --help");
	else if (near == NULL)
		err_set(&err, EINVAL, "unknown command 'nic %s'; see nic --help", word);
	else
		err_set(&err, EINVAL, "unknown command 'nic %s'; did you mean 'nic %s'?", word, near
		);
	return cli_fail(&err);
}

int cmd_nic(int argc, char **argv)
{
	static const struct option longs[] = {{"help", no_argument, NULL, 'h'}, {0}};
	struct err err;
	int c;

	optind = 0;
	while ((c = cli_getopt(argc, argv, "h", longs, &err)) >= 0) {
		if (c != 'h')
			return cli_fail(&err);
		fputs(help, stdout);
		return STATUS_OK;
	}
	argc -= optind;
	argv += optind;
	for (size_t i = 0; argc > 0 && i < ARRAY_LEN(commands); i++) {
		if (str_eq(argv[0], commands[i].name))
			return commands[i].main(argc, argv);
	}
	return unknown(argc > 0 ? argv[0] : NULL);
}
