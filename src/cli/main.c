// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "cli/cli.h"
#include "cli/host.h"

#include "base/begin.h"
#include "base/debug.h"
#include "base/flush.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/str.h"
#include "base/wrap.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>

static int cmd_help(int argc, char **argv);

static const struct command commands[] = {
	{"audit", cmd_audit, "try from inside a workload what it can reach"},
	{"bench", cmd_bench, "measure what the paper did, on this machine"},
	{"cdi", cmd_cdi, "grants as devices of the Container Device Interface"},
	{"doctor", cmd_doctor, "whether this machine is prepared, and what cures it"},
	{"exec", cmd_exec, "run another program in a workload that runs"},
	{"explain", cmd_explain, "what messages of DPDK, QEMU and engines mean"},
	{"gc", cmd_gc, "clean up after what died"},
	{"grant", cmd_grant, "create, list, show, start, stop, remove named grants"},
	{"help", cmd_help, "help COMMAND: what its --help says"},
	{"host", cmd_host, "what this machine has, and what of it is free"},
	{"image", cmd_image, "root file systems for containers"},
	{"logs", cmd_logs, "output of a detached workload"},
	{"nic", cmd_nic, "the NICs of this machine, and who drives them"},
	{"plan", cmd_plan, "show everything that run would do"},
	{"ps", cmd_ps, "the workloads that run; what became of others"},
	{"run", cmd_run, "start a program with a grant"},
	{"runtime", cmd_runtime, "tell container engines of pinfold-runtime"},
	{"seccomp", cmd_seccomp, "the system calls a workload may make; record what it makes"},
	{"stats", cmd_stats, "what workloads use of their grants"},
	{"stop", cmd_stop, "end workloads"},
	{"top", cmd_top, "what stats says, as it changes; drover's own screen of one"},
	{"update", cmd_update, "other limits for what runs"},
	{0},
};

static void help(void)
{
	wrap_print(
		"Usage: pinfold [--debug] [--host-tree DIR] COMMAND ...\n\n"
		"Gives a DPDK program exactly the cores, memory, hugepages, NICs and links it was "
		"granted.\n\n"
		"Commands:"
	);
	for (size_t i = 0; commands[i].name != NULL; i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].summary);
	wrap_print("\nOptions:\n"
		   "  --debug          tell each step as it is applied or undone, with times; also "
		   "with\n"
		   "                   PINFOLD_DEBUG=1; of run -d in the system's log\n"
		   "  --host-tree DIR  look at a copy of another machine's /sys and /proc, or at a "
		   "file "
		   "of\n"
		   "                   pinfold host capture; nothing is changed\n"
		   "  --version        print version, revision, compiler, DPDK and runtime\n"
		   "  --help           print this; each command has its own --help");
}

// What else is named with a command is what it works on.
static bool is_group(const char *name)
{
	static const char *const groups[] = {
		"bench", "cdi", "grant", "host", "image", "nic", "runtime", "seccomp"};

	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		if (str_eq(name, groups[i]))
			return true;
	}
	return false;
}

static int cmd_help(int argc, char **argv)
{
	char option[] = "--help", *words[] = {argv[1], NULL, NULL, NULL};

	if (argc == 1 || (argc == 2 && (str_eq(argv[1], "--help") || str_eq(argv[1], "-h")))) {
		help();
		return STATUS_OK;
	}
	if (argc > 3 || argv[1][0] == '-')
		return cli_refuse("help: name one command, as in: pinfold help run");
	if (str_eq(argv[1], argv[0]))
		return cmd_help(argc - 1, argv);
	if (argc == 3 && !is_group(argv[1]))
		return cli_refuse("help: it is of one command, as in: pinfold help run");
	words[1] = argc == 3 ? argv[2] : option;
	words[2] = argc == 3 ? option : NULL;
	return cli_dispatch(commands, "", argc, words);
}

// With one of them closed, the next file opened (the lock, a control file) would be standard output or
// standard error, and be written to as such.
static void standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static int command_main(int argc, char **argv)
{
	bool debug = str_eq(getenv("PINFOLD_DEBUG") ?: "", "1"), version = false;
	const struct option_row rows[] = {
		{"debug", .flag = &debug},
		{"help", 'h'},
		{"host-tree", .text = &cli_host_tree},
		{"version", .flag = &version},
		{0},
	};
	struct err err;
	int r = options_read(argc, argv, false, rows, "--help", &err);

	if (r < 0)
		return cli_fail(&err);
	if (r > 0 || version) {
		r > 0 ? help() : cli_print_version();
		return STATUS_OK;
	}
	if (debug)
		debug_begin();
	if (cli_host_tree != NULL && cli_unpack_tree(cli_host_tree, &err) < 0)
		return cli_fail(&err);
	return cli_dispatch(commands, "", argc - optind, argv + optind);
}

int main(int argc, char **argv)
{
	struct err err;
	int status;

	begin_process();
	standard_descriptors();
	status = command_main(argc, argv);
	// what was printed may still be here, and nobody has it
	if (flush_stdout(&err) < 0 && status == STATUS_OK)
		return cli_fail(&err);
	return status;
}
