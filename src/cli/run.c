// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "run/run.h"
#include "base/debug.h"
#include "base/event_log.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/status.h"
#include "cli/cli.h"
#include "cli/request.h"
#include "keeper/keeper.h"
#include "launch/config.h"
#include "run/start_news.h"
#include "vm/vm.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

// twice those of a guest, which may be tried with two accelerators: longer than any wait of the supervisor for its start
// (its end is seen at once)
#define READY_SECONDS 300

static const char run_help[] =
	"Usage: pinfold run [OPTION...] [--] PROGRAM [ARG...]\n\n"
	"Starts a program with a grant, in a container without privileges.\n\n";

int cli_complete(
	struct cli_start *cs,
	const struct hostfs *fs,
	bool need_program,
	int *ret_status,
	struct err *err
)
{
	struct launch *l = &cs->launch;

	*ret_status = STATUS_FAILED;
	if (l->argv[0] == NULL && need_program)
		return err_set(err, EINVAL, "no program given; see pinfold run --help");
	if (cli_host_tree == NULL && config_read(l, err) < 0)
		return -err->code;
	if (launch_find_user(l, fs, err) < 0)
		return -err->code;
	if (!site_has(&l->site, SITE_CONTAINER))
		return 0;
	if (cli_host_tree != NULL) { // nothing is run: the paths only have to be there to be shown
		l->inside = "/usr/libexec/pinfold/pinfold-inside";
		runtime_assume(
			&l->site.runtime,
			&runtime_crun,
			l->runtime != NULL ? l->runtime : "/usr/bin/crun"
		);
		vm_assume(&l->vm);
		return 0;
	}
	if (launch_find_tools(l, err) < 0)
		return -err->code;
	return l->argv[0] != NULL ? launch_check_program(l, fs, ret_status, err) : 0;
}

int cli_supervise(struct cli_start *cs, int ready)
{
	struct start_request req = {
		.request = &cs->request,
		.definition = cs->definition,
	};
	struct outcome out = {.status = STATUS_FAILED};
	struct hostfs fs;
	struct err err;
	int r;

	if (hostfs_open("/", &fs, &err) < 0)
		return cli_fail(&err);
	r = cli_complete(cs, &fs, true, &out.status, &err);
	if (r == 0) {
		req.launch = cs->launch;
		r = run_again_and_again(&req, &fs, ready, &out, &err);
	}
	hostfs_close(&fs);
	if (out.drains.code != 0 && ready < 0)
		cli_fail(&out.drains);
	else if (out.drains.code != 0)
		event_log("%s", out.drains.msg);
	if (r < 0 && ready >= 0) {
		event_log("run -d: %s", err.msg);
		news_tell(
			ready, &(struct news){.what = NEWS_ENDED, .status = out.status, .err = err}
		);
	} else if (r < 0)
		cli_fail(&err);
	return out.status;
}

// The caller of -d waits until the program runs or has failed to.
static int wait_ready(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	const int seconds = READY_SECONDS + 2 * (int)vm_start_seconds();
	struct news n;
	int r;

	do {
		r = poll(&p, 1, seconds * 1000);
	} while (r < 0 && errno == EINTR);
	if (r <= 0 || !news_hear(fd, &n)) {
		if (r == 0)
			fprintf(stderr,
				"pinfold: no word from the supervisor after %d s; see pinfold ps\n",
				seconds);
		else
			fprintf(stderr,
				"pinfold: the supervisor ended without a word; clean up with: "
				"pinfold gc\n");
		return STATUS_FAILED;
	}
	if (n.what == NEWS_STARTED) {
		puts(n.name);
		return STATUS_OK;
	}
	cli_fail(&n.err);
	return n.status;
}

// The supervisor keeps nothing of its caller: no terminal, no descriptors, no directory.
static int detach(struct cli_start *cs)
{
	int fds[2], null, status;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		fprintf(stderr, "pinfold: start a process: %s\n", strerror(errno));
		return STATUS_FAILED;
	}
	if (pid > 0) {
		close(fds[1]);
		waitpid(pid, NULL, 0);
		return wait_ready(fds[0]);
	}
	close(fds[0]);
	setsid();
	pid = fork(
	); // no session leader: no terminal can become ours; and the caller is not our parent
	if (pid != 0)
		_exit(pid < 0);
	debug_detach();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	signal(SIGPIPE, SIG_IGN); // the caller may be gone when there is something to say
	if (chdir("/") < 0)
		_exit(STATUS_FAILED);
	status = cli_supervise(cs, fds[1]);
	_exit(status);
}

int cmd_run(int argc, char **argv)
{
	struct cli_start cs = {0};
	struct err err;
	int r = cli_parse_start(argc, argv, CLI_START_RUN, &cs, &err), status;

	if (r < 0)
		return cli_fail(&err);
	if (r > 0) {
		cli_print_grant_help(run_help, true, launch_help);
		return STATUS_OK;
	}
	if (cli_host_tree != NULL)
		return cli_refuse("run works on this machine only; use plan with --host-tree");
	if (geteuid() != 0 && cs.definition != NULL) {
		status = cli_keeper_run(&cs);
		launch_done(&cs.launch);
		return status;
	}
	if (geteuid() != 0)
		return cli_refuse(
			"run needs root: it makes cgroups and mounts; use sudo, or --grant NAME "
			"with a grant "
			"that root made for you"
		);
	if (cs.definition != NULL && keeper_serves(cs.definition))
		return cli_refuse(
			"grant '%s' is in the hands of its keeper; run as its owner, or first: "
			"pinfold grant stop "
			"%s",
			cs.definition,
			cs.definition
		);
	status = cs.launch.detached ? detach(&cs) : cli_supervise(&cs, -1);
	launch_done(&cs.launch);
	return status;
}
