// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "run/run.h"
#include "base/fs.h"
#include "base/scope.h"
#include "cli/cli.h"
#include "cli/request.h"
#include "keeper/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define READY_SECONDS 90 // longer than any wait of the supervisor for its start

static const char run_help[] =
	"Usage: pinfold run [OPTION...] [--] PROGRAM [ARG...]\n\n"
	"Starts a program with a grant, in a container without privileges.\n\n";

const char cli_launch_help[] =
	"\nProgram:\n"
	"  --in container|host     host: the grant's cgroups and views, no other fence\n"
	"  --image DIR|NAME        root file system; without it /usr, /etc and /opt of the host\n"
	"  -v HOST:TARGET[:ro]     show a file or directory of the host\n"
	"  -e NAME=VALUE           environment\n"
	"  -u, --user UID[:GID]|NAME  in the container; default 0, which is nobody outside\n"
	"  --hostname NAME         default: the name of the grant\n"
	"  -i                      keep standard input; else it is /dev/null\n"
	"  -t                      a terminal of its own, also where the caller has none; keys "
	"with -i\n"
	"  -d                      in the background; output goes to pinfold logs\n"
	"  --runtime PATH          crun or runc; default: the first that is installed\n"
	"  --apparmor PROFILE|unconfined  default: pinfold-default, where it is loaded\n"
	"  --allow-missing=LIMIT[,LIMIT]  run without a limit that this host cannot enforce\n";

int cli_complete(struct cli_start *cs, const struct hostfs *fs, bool need_program, struct err *err)
{
	if (cs->launch.argv[0] == NULL && need_program)
		return err_set(err, EINVAL, "no program given; see pinfold run --help");
	if (cs->user != NULL && launch_parse_user(cs->user, &cs->launch, fs, err) < 0)
		return -err->code;
	if (cs->launch.place == LEASE_HOST)
		return 0;
	if (cli_host_tree != NULL) { // nothing is run: the paths only have to be there to be shown
		cs->launch.inside = "/usr/libexec/pinfold/pinfold-inside";
		if (cs->launch.runtime == NULL)
			cs->launch.runtime = "/usr/bin/crun";
		return 0;
	}
	if (launch_find_tools(&cs->launch, err) < 0)
		return -err->code;
	return cs->launch.argv[0] != NULL ? launch_check_program(&cs->launch, fs, err) : 0;
}

static int exit_status(const struct err *err)
{
	return err->code == ENOENT   ? CLI_NOT_FOUND
	       : err->code == EACCES ? CLI_CANNOT_RUN
				     : CLI_FAILED;
}

int cli_supervise(struct cli_start *cs, int ready)
{
	struct start_request req = {
		.request = &cs->request,
		.definition = cs->definition,
		.launch = cs->launch,
	};
	struct outcome out = {.status = CLI_FAILED};
	struct hostfs fs;
	struct start s;
	struct err err;
	int r;

	if (hostfs_open("/", &fs, &err) < 0)
		return cli_fail(&err);
	r = cli_complete(cs, &fs, true, &err);
	if (r < 0) {
		if (cs->launch.argv[0] != NULL && strncmp(err.msg, "run '", 5) == 0)
			out.status = exit_status(&err);
	} else {
		req.launch = cs->launch;
		r = start_prepare(&req, &fs, &s, &err);
		if (r == 0) {
			r = run_workload(&s, &cs->launch, ready, &out, &err);
			start_done(&s);
		}
	}
	hostfs_close(&fs);
	if (out.drains.code != 0 && ready < 0)
		cli_fail(&out.drains);
	if (r < 0 && ready >= 0)
		dprintf(ready, "failed %d %s\n", out.status, err.msg);
	else if (r < 0)
		cli_fail(&err);
	return out.status;
}

// The caller of -d waits until the program runs or has failed to.
static int wait_ready(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char line[2048];
	int status, n = 0, r;
	ssize_t len;

	do {
		r = poll(&p, 1, READY_SECONDS * 1000);
	} while (r < 0 && errno == EINTR);
	len = r > 0 ? read(fd, line, sizeof(line) - 1) : 0;
	if (len <= 0) {
		if (r == 0)
			fprintf(stderr,
				"pinfold: no word from the supervisor after %d s; see pinfold ps\n",
				READY_SECONDS);
		else
			fprintf(stderr,
				"pinfold: the supervisor ended without a word; clean up with: "
				"pinfold gc\n");
		return CLI_FAILED;
	}
	line[len] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, "started ", 8) == 0) {
		puts(line + 8);
		return CLI_OK;
	}
	if (sscanf(line, "failed %d %n", &status, &n) < 1)
		status = CLI_FAILED;
	fprintf(stderr, "pinfold: %s\n", line + n);
	return status;
}

// The supervisor keeps nothing of its caller: no terminal, no descriptors, no directory.
static int detach(struct cli_start *cs)
{
	int fds[2], null, status;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		fprintf(stderr, "pinfold: start a process: %s\n", strerror(errno));
		return CLI_FAILED;
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
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	signal(SIGPIPE, SIG_IGN); // the caller may be gone when there is something to say
	if (chdir("/") < 0)
		_exit(CLI_FAILED);
	status = cli_supervise(cs, fds[1]);
	_exit(status);
}

int cmd_run(int argc, char **argv)
{
	struct cli_start cs = {0};
	struct err err;
	bool help;
	int status;

	if (cli_parse_start(argc, argv, CLI_START_RUN, &cs, &help, &err) < 0)
		return cli_fail(&err);
	if (help) {
		cli_print_grant_help(run_help, cli_launch_help);
		return CLI_OK;
	}
	if (cli_host_tree != NULL) {
		err_set(&err, EINVAL, "run works on this machine only; use plan with --host-tree");
		return cli_fail(&err);
	}
	if (geteuid() != 0 && cs.definition != NULL) {
		status = cli_keeper_run(&cs);
		launch_done(&cs.launch);
		return status;
	}
	if (geteuid() != 0) {
		err_set(&err,
			EPERM,
			"run needs root: it makes cgroups and mounts; use sudo, or --grant NAME "
			"with a grant "
			"that root made for you");
		return cli_fail(&err);
	}
	if (cs.definition != NULL && keeper_serves(cs.definition)) {
		err_set(&err,
			EBUSY,
			"grant '%s' is in the hands of its keeper; run as its owner, or first: "
			"pinfold grant stop "
			"%s",
			cs.definition,
			cs.definition);
		return cli_fail(&err);
	}
	status = cs.launch.detached ? detach(&cs) : cli_supervise(&cs, -1);
	launch_done(&cs.launch);
	return status;
}
