// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/begin.h"
#include "base/scope.h"
#include "base/str.h"
#include "inside/inside.h"
#include "inside/vm/vm.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const char help[] =
	"Usage: pinfold-inside init [--status-fd N] [--cpus LIST] [--] CMD [ARG...]\n"
	"       pinfold-inside show [--json] [--probe] | --eal | --env\n"
	"       pinfold-inside audit [--json] [--all] [--grant FILE]\n"
	"\n"
	"  init   runs CMD as the first process of a container: forwards signals, reaps orphans,\n"
	"         exits with the status of CMD or 128 + the signal that ended it\n"
	"           --status-fd N   write 'started PID' or 'failed ERRNO' there, one line\n"
	"           --cpus LIST     the CPUs CMD may run on\n"
	"           --become        CMD takes this process's place instead\n"
	"           --join-fd N     enter the cgroup whose control file is open there, first of "
	"all\n"
	"  show   what this process can see and reach\n"
	"           --json          as JSON\n"
	"           --probe         also try: hugepages that can be taken, CPUs it can run on,\n"
	"                           system calls that should be refused; changes nothing\n"
	"           --eal           instead, arguments of EAL for the whole grant, in one line\n"
	"           --env           instead, the grant as variables of a shell\n"
	"  audit  tries to get out, says PASS or FAIL of each property; exits with 0 when all\n"
	"         hold, with 1 when one does not, with 125 when it could not run\n"
	"           --json          as JSON\n"
	"           --all           also what takes the last of a limit for a moment: done anyway\n"
	"                           where nothing else runs\n"
	"           --grant FILE    the grant to measure with (/run/pinfold/grant.json)\n"
	"\n"
	"  --version, --help\n";

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} commands[] = {
	{"attach", inside_attach},
	{"audit", inside_audit},
	{"init", inside_init},
	{"machine", inside_machine},
	{"show", inside_show},
};

int inside_fail(const char *fmt, ...)
{
	char line[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	// One write: lines of several processes on one descriptor do not mix.
	dprintf(STDERR_FILENO, "pinfold-inside: %s\n", line);
	return STATUS_FAILED;
}

int main(int argc, char **argv)
{
	begin_signals();
	// the kernel starts it so, and nobody else can be the first process from there
	if (getpid() == 1 && str_eq(argv[0], "/init"))
		return guest_main();
	if (argc < 2)
		return inside_fail("no command given; see pinfold-inside --help");
	if (str_eq(argv[1], "--version")) {
		puts("pinfold-inside " PINFOLD_VERSION);
		return 0;
	}
	if (str_eq(argv[1], "--help") || str_eq(argv[1], "-h")) {
		fputs(help, stdout);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (str_eq(argv[1], commands[i].name))
			return commands[i].main(argc - 1, argv + 1);
	return inside_fail("unknown command '%s'; see pinfold-inside --help", argv[1]);
}
