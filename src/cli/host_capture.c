// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold host capture, and --host-tree with what it has made.

#include "cli/host.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/status.h"
#include "cli/cli.h"
#include "host/capture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CAPTURE_MAX (256u << 20)

bool cli_captured;

static char unpacked[] = "/tmp/pinfold-host-XXXXXX";

static const char usage[] =
	"Usage: pinfold host capture > FILE\n"
	"\n"
	"Prints what pinfold reads of this machine, to be looked at on another one:\n"
	"  pinfold --host-tree FILE host inventory    (doctor, plan, host free, grant create "
	"--dry-run)\n"
	"It has names of processes, addresses of interfaces and, for root, grants in it.";

int cmd_host_capture(int argc, char **argv)
{
	json_t *doc;
	struct err err;
	int r = cli_simple_options(argc, argv, usage, NULL, &err);

	if (r != 0)
		return r < 0 ? cli_fail(&err) : STATUS_OK;
	if (cli_host_tree != NULL)
		return cli_refuse("host capture: this machine is captured, without --host-tree");
	if (isatty(STDOUT_FILENO))
		return cli_refuse("host capture: say where to: pinfold host capture > FILE");
	if (geteuid() != 0)
		fprintf(stderr,
			"pinfold: without root grants and some settings are left out; sudo pinfold "
			"host "
			"capture has them\n");
	if (capture_take(&doc, &err) < 0)
		return cli_fail(&err);
	cli_print_json(doc);
	json_decref(doc);
	return STATUS_OK;
}

static volatile sig_atomic_t reader; // the process that reads what was unpacked

static void pass_on(int sig)
{
	kill((pid_t)reader, sig);
}

static void remove_unpacked(void)
{
	_cleanup_close_ int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err unused;

	fs_remove_tree(tmp, unpacked + strlen("/tmp/"), &unused);
}

// Becomes two: one goes on, and the other removes what was unpacked when that has ended, also by a signal.
static int split(struct err *err)
{
	static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
	const struct sigaction on = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
	sigset_t held, before;
	siginfo_t ended;
	int status = 0;

	sigemptyset(&held);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		sigaddset(&held, ends[i]);
	sigprocmask(SIG_BLOCK, &held, &before);
	if (mkdtemp(unpacked) == NULL)
		return err_sys(err, errno, "make a directory in /tmp");
	reader = fork();
	if (reader < 0) {
		remove_unpacked();
		return err_sys(err, errno, "start a process");
	}
	for (size_t i = 0; reader > 0 && i < ARRAY_LEN(ends); i++)
		sigaction(ends[i], &on, NULL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (reader == 0)
		return 0;
	// its number is its own until it is reaped
	while (waitid(P_PID, (id_t)reader, &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	sigprocmask(SIG_BLOCK, &held, NULL);
	waitpid((pid_t)reader, &status, 0);
	remove_unpacked();
	_exit(status_of_wait(status));
}

int cli_unpack_tree(const char *path, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int dir = -1;
	struct stat st;
	size_t len;
	int r;

	if (stat(path, &st) < 0 || S_ISDIR(st.st_mode))
		return 0; // hostfs_open has words for what is not there
	r = fs_read_file(path, CAPTURE_MAX, &text, &len);
	if (r < 0)
		return err_sys(err, -r, "read host tree '%s'", path);
	if (split(err) < 0)
		return -err->code;
	dir = open(unpacked, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(err, errno, "open '%s'", unpacked);
	if (capture_unpack(text, len, path, dir, err) < 0)
		return -err->code;
	cli_captured = true;
	cli_host_tree = unpacked;
	return 0;
}
