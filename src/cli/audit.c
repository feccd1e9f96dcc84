// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold audit: what a workload that runs can reach, tried from inside it.

#include "base/options.h"
#include "base/scope.h"
#include "cli/cli.h"
#include "cli/request.h"
#include "keeper/keeper.h"
#include "run/run.h"

#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define GRACE_SECONDS 5	  // for the auditor to end when it is told to
#define LIMIT_SECONDS 120 // of all attempts; the workload may hold them up

static const char usage[] =
	"Usage: pinfold audit [--json] [--all] [--qemu] NAME\n"
	"Tries to get out of a workload that runs, as a program of it. One line a property: PASS, "
	"FAIL\n"
	"or SKIP, what was tried, what came of it. Exits with 0 when all hold, 1 when one does "
	"not,\n"
	"125 when it could not run. Nothing is changed, also where an attempt succeeds.\n"
	"  --all   also what takes the last of a limit, which the program may feel for a moment\n"
	"  --qemu  of a virtual machine: not in the guest but beside its QEMU, in QEMU's container";

// One word after another, and a NULL.
#define WORDS_MAX 5

// In a child: the auditor, or who waits for it in a container and says to `started` whether it ran.
static _Noreturn void become(
	struct ledger *l, const char *name, const struct launch *launch, int started
)
{
	struct outcome out;
	struct err err;

	// whoever waits for it is gone: nobody will read what it says
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (exec_in_workload(l, name, launch, &out, &err) < 0)
		cli_fail(&err);
	if (out.program_ran && write(started, "s", 1) != 1)
		out.status = STATUS_FAILED;
	_exit(out.status);
}

// Waits for the end of the auditor. Returns its exit status.
static int end_of(const char *name, pid_t pid, struct err *err)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int status = 0;
	bool late = fd >= 0 && poll(&p, 1, LIMIT_SECONDS * 1000) == 0;

	if (late)
		kill(pid, SIGTERM); // which it hands on
	if (late && poll(&p, 1, GRACE_SECONDS * 1000) == 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (late)
		return err_set(
			err,
			ETIMEDOUT,
			"audit of '%s' took longer than %d s and was given up: the workload may "
			"hold "
			"it up; audit an idle one of the same grant",
			name,
			LIMIT_SECONDS
		);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int audit(
	struct ledger *l, const char *name, bool json, bool all, bool outside, struct err *err
)
{
	_cleanup_free_ char *here = launch_find_inside();
	_cleanup_close_ int r = -1, w = -1;
	char *words[WORDS_MAX + 1] = {(char *)INSIDE, (char *)"audit"};
	const struct launch launch = {.argv = words, .outside = outside};
	struct lease lease;
	int fds[2], n = 2, status;
	bool started, host;
	char byte;
	pid_t pid;

	if (lease_read(l, name, &lease, err) < 0)
		return err->code == ENOENT
			       ? err_set(err, ENOENT, "'%s' does not run; see pinfold ps", name)
			       : -err->code;
	host = site_has(&lease.site, SITE_HOST_FILES);
	if (host && here == NULL)
		return launch_missing("pinfold-inside", err);
	if (host)
		words[0] = here;
	if (json)
		words[n++] = (char *)"--json";
	if (all)
		words[n++] = (char *)"--all";
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, errno, "make a pipe");
	r = fds[0];
	w = fds[1];
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		become(l, name, &launch, w);
	if (pid < 0)
		return err_sys(err, errno, "fork");
	close(steal_fd(&w));
	status = end_of(name, pid, err);
	if (status < 0)
		return status;
	// else the runtime did not get so far
	started = host || read(r, &byte, 1) == 1;
	if (started && (status == STATUS_OK || status == 1))
		return status;
	if (!started && status != STATUS_FAILED) // else it has said why
		return err_set(err, EIO, "audit of '%s': the runtime failed (%d)", name, status);
	if (started && status != STATUS_FAILED)
		return err_set(err, EIO, "audit of '%s' was ended from inside (%d)", name, status);
	return STATUS_FAILED;
}

// By the owner of a grant. His keeper starts it, and hands on its words and its status.
static int audit_own(const char *name, bool json, bool all)
{
	char *words[WORDS_MAX + 1] = {(char *)INSIDE, (char *)"audit"};
	const struct launch launch = {.argv = words};
	int n = 2;

	if (json)
		words[n++] = (char *)"--json";
	if (all)
		words[n++] = (char *)"--all";
	return cli_keeper_exec(name, &launch);
}

int cmd_audit(int argc, char **argv)
{
	bool json = false, all = false, outside = false;
	const struct option_row rows[] = {
		{"all", .flag = &all},
		{"help", 'h'},
		{"json", .flag = &json},
		{"qemu", .flag = &outside},
		{0},
	};
	struct hostfs fs;
	struct ledger l;
	struct err err;
	int r = cli_options(argc, argv, rows, usage, &err);

	if (r != 0)
		return r < 0 ? cli_fail(&err) : STATUS_OK;
	if (argc - optind != 1)
		return cli_refuse("audit: name one workload; see pinfold ps");
	if (geteuid() != 0 && keeper_serves(argv[optind]) && outside)
		return cli_refuse("audit: a keeper starts no virtual machine: there is no QEMU");
	if (geteuid() != 0 && keeper_serves(argv[optind]))
		return audit_own(argv[optind], json, all);
	if (name_check("a workload", argv[optind], &err) < 0
	    || cli_open_real(true, &fs, &l, &err) < 0)
		return cli_fail(&err);
	r = audit(&l, argv[optind], json, all, outside, &err);
	cli_close_real(&fs, &l);
	return r < 0 ? cli_fail(&err) : r;
}
