// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold host: what this machine has, and what it needs for virtual machines.

#include "cli/host.h"
#include "cli/cli.h"
#include "cli/host_print.h"

#include "base/jread.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/str.h"
#include "host/host.h"
#include "launch/launch.h"

#include <getopt.h>

static const char usage[] =
	"Usage: pinfold host inventory [--json] [--all]\n"
	"       pinfold host free [--json]\n"
	"       pinfold host capture > FILE\n"
	"       pinfold host prepare [--dry-run] [--json] [--hugepages SIZE=COUNT[@NODE]]... "
	"[--cpus LIST] [--module NAME]... [--persist]\n"
	"       pinfold host undo [--json]\n"
	"       pinfold host ticks [--json] [--cpus LIST] [--seconds N]\n"
	"       pinfold host kernel\n"
	"\n"
	"inventory shows what the machine has: CPUs, caches, NUMA nodes, hugepages, network\n"
	"functions, cgroups. It reads only; nothing is changed.\n"
	"\n"
	"free shows what of it a new grant could have; capture prints what pinfold reads of it, "
	"for\n"
	"pinfold --host-tree FILE on another machine.\n"
	"\n"
	"prepare makes hugepages, mounts what is missing, and moves interrupts and threads of the\n"
	"kernel away from CPUs, until undo or the next boot, or at each boot (--persist).\n"
	"\n"
	"ticks counts what interrupts the CPUs that are granted.\n"
	"\n"
	"kernel fetches a kernel for run --in vm, with apt, into /var/cache/pinfold-guest. It is\n"
	"not installed.\n"
	"\n"
	"  --json      everything, as JSON\n"
	"  --all       every PCI function, not only those of networks\n"
	"  -h, --help  this text\n";

static int read_inventory(json_t **ret, struct err *err)
{
	struct hostfs fs;
	struct host h;
	int r = hostfs_open(cli_host_tree != NULL ? cli_host_tree : "/", &fs, err);

	if (r < 0)
		return r;
	r = host_read(&fs, HOST_ALL, &h, err);
	hostfs_close(&fs);
	if (r < 0)
		return r;
	*ret = host_to_json(&h);
	host_done(&h);
	return *ret != NULL ? 0 : err_oom(err);
}

static int inventory(int argc, char **argv)
{
	json_t *all_of_it _cleanup_json_ = NULL;
	bool json = false, all = false;
	const struct option_row rows[] = {{"all", .flag = &all}, {"json", .flag = &json}, {0}};
	struct err err;

	if (cli_options(argc, argv, rows, NULL, &err) < 0)
		return cli_fail(&err);
	if (optind < argc)
		return cli_refuse("host inventory takes no argument '%s'", argv[optind]);
	if (read_inventory(&all_of_it, &err) < 0)
		return cli_fail(&err);
	if (json) {
		cli_print_json(all_of_it);
		return STATUS_OK;
	}
	json_plain(all_of_it);
	host_print(all_of_it, all);
	return STATUS_OK;
}

// Becomes the script that does it, which is beside pinfold-inside where it is installed.
static int kernel(int argc, char **argv)
{
	_cleanup_free_ char *script = NULL;
	struct err err;

	if (argc > 1)
		return cli_refuse("host kernel takes no argument '%s'", argv[1]);
	if (geteuid() != 0)
		return cli_refuse("host kernel needs root, as it writes to '" VM_CACHE "'; use sudo"
		);
	script = launch_find_beside("../vm/", "fetch-kernel");
	if (script != NULL)
		execl(script, script, NULL);
	launch_missing("fetch-kernel", &err);
	return cli_fail(&err);
}

static const struct command commands[] = {
	{"capture", cmd_host_capture, .helps = true},
	{"free", cmd_host_free, .helps = true},
	{"inventory", inventory},
	{"kernel", kernel},
	{"prepare", cmd_host_prepare, .helps = true},
	{"ticks", cmd_host_ticks, .helps = true},
	{"undo", cmd_host_undo, .helps = true},
	{0},
};

int cmd_host(int argc, char **argv)
{
	return cli_group(&(struct group){"host", usage, NULL, commands}, argc, argv);
}
