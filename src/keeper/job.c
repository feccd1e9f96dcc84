// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The processes that a keeper starts for one request each. All that is looked up in the host's file
// system (program, image, volumes) is looked up here, with the rights of the owner.

#include "base/dir.h"
#include "base/scope.h"
#include "keeper/keeper.h"
#include "run/run.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define CANNOT_RUN 126
#define NOT_FOUND 127
#define FAILED 125

// The program's: pipes or a terminal of the client's, which relays them; of a detached one nothing, and the
// log. Never what the client itself has.
static int take_streams(
	const struct keeper *k,
	const struct keeper_request *req,
	const int *fds,
	struct streams *ret,
	struct err *err
)
{
	int log[STREAMS];

	if (fds != NULL)
		return streams_of(fds, req->interactive, req->terminal, ret, err);
	for (int i = 0; i < STREAMS; i++)
		log[i] = fcntl(k->output, F_DUPFD_CLOEXEC, 0);
	return streams_of(log, false, false, ret, err);
}

static void begin_process(void)
{
	sigset_t none;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	// who reads may be gone when there is something to say
	signal(SIGPIPE, SIG_IGN);
}

// ---- run

static int fill_launch(
	const struct keeper *k,
	const struct keeper_request *req,
	struct launch *launch,
	struct err *err
)
{
	*launch = (struct launch){
		.place = LEASE_CONTAINER,
		.argv = req->argv,
		.nenv = req->nenv,
		.image = req->image,
		.hostname = req->hostname,
		.terminal = req->terminal,
		.interactive = req->interactive,
		.runtime = k->lease.runtime,
		.inside = k->inside,
		.filter = k->calls,
	};
	memcpy(launch->env, req->env, sizeof(launch->env));
	for (unsigned i = 0; i < req->nvolumes; i++) {
		if (launch_parse_volume(req->volumes[i], launch, err) < 0)
			return -err->code;
	}
	if (req->hostname != NULL
	    && (strlen(req->hostname) > 63
		|| req->hostname[strspn(
			   req->hostname,
			   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQR"
			   "STUVWXYZ0123456789.-"
		   )] != '\0'))
		return err_set(
			err, EINVAL, "host name '%s': letters, digits, . and -", req->hostname
		);
	if (req->user != NULL && launch_parse_user(req->user, launch, &k->fs, err) < 0)
		return -err->code;
	return launch_check_program(launch, &k->fs, err);
}

// Gives what root made to the user of the program.
static int give(const char *below, const struct launch *launch, struct err *err)
{
	_cleanup_free_ char *path = str_printf(PEN_DIR "%s", below);
	_cleanup_closedir_ DIR *d = path != NULL ? opendir(path) : NULL;
	struct dirent *e;

	if (d == NULL && errno != ENOENT)
		return err_sys(err, errno, "open '%s'", PEN_DIR);
	while ((e = dir_next(d)) != NULL) {
		if (fchownat(
			    dirfd(d),
			    e->d_name,
			    PEN_RANGE_FIRST + launch->uid,
			    PEN_RANGE_FIRST + launch->gid,
			    AT_SYMLINK_NOFOLLOW
		    )
		    < 0)
			return err_sys(err, errno, "give '%s/%s' away", path, e->d_name);
	}
	return 0;
}

static int prepare(struct keeper *k, struct launch *launch, struct start *s, struct err *err)
{
	struct lease lease = k->lease;

	lease.uid = launch->uid;
	lease.gid = launch->gid;
	if (give("/huge", launch, err) < 0 || give("/vfio", launch, err) < 0
	    || keeper_open_part(k, launch->uid, launch->joins, &launch->njoins, err) < 0)
		return -err->code;
	s->ledger = (struct ledger){.fs = k->fs, .defs = -1, .leases = -1, .lock = -1};
	if (plan_build(&lease, launch, &k->host, &k->fs, &s->plan, err) < 0)
		return -err->code;
	s->planned = true;
	return keeper_adapt(&s->plan, k->host.apparmor == HOST_APPARMOR_READY, err);
}

// As the command line of root does: a program that is not there or is none.
static int failure_status(const struct err *err)
{
	if (!str_starts(err->msg, "run '"))
		return FAILED;
	return err->code == ENOENT ? NOT_FOUND : err->code == EACCES ? CANNOT_RUN : FAILED;
}

_Noreturn void keeper_job_run(
	struct keeper *k, const struct keeper_request *req, const int *fds, int report
)
{
	struct outcome out = {.status = FAILED};
	struct streams streams = NO_STREAMS;
	struct start s = {0};
	struct launch launch;
	struct err err = {0};
	int r;

	begin_process();
	r = take_streams(k, req, fds, &streams, &err);
	scope_close(&k->output);
	k->output = -1;
	if (r < 0) {
		out.status = FAILED;
	} else if (fill_launch(k, req, &launch, &err) < 0) {
		out.status = failure_status(&err);
		r = -err.code;
	} else {
		r = prepare(k, &launch, &s, &err);
		// for an exec that does not say which
		dprintf(report, "user %u %u\n", launch.uid, launch.gid);
		if (r == 0)
			r = run_fenced(&s, &launch, &streams, report, &out, &err);
	}
	dprintf(report, "ended %d %s\n", out.status, r < 0 ? err.msg : "");
	_exit(out.status);
}

// ---- exec

_Noreturn void keeper_job_exec(struct keeper *k, const struct keeper_request *req, const int *fds)
{
	struct exec_request er = {
		.name = k->lease.grant.name,
		.argv = req->argv,
		.user = req->user,
		.nenv = req->nenv,
		.terminal = req->terminal,
		.interactive = req->interactive,
	};
	_cleanup_close_ int errors = fcntl(fds[2], F_DUPFD_CLOEXEC, 0);
	struct streams streams = NO_STREAMS;
	struct outcome out = {.status = FAILED};
	struct exec_command command;
	uint32_t uid = k->lease.uid, gid;
	struct err err = {0};

	begin_process();
	memcpy(er.env, req->env, sizeof(er.env));
	// what is wrong with a user that cannot be read is for exec_command to say
	if (er.user != NULL)
		launch_parse_ids(er.user, &uid, &gid);
	if (take_streams(k, req, fds, &streams, &err) < 0
	    || keeper_open_part(k, uid, er.joins, &er.njoins, &err) < 0
	    || exec_command(
		       &k->lease, &er, &k->host.limits, PEN_DIR "/state", false, &command, &err
	       ) < 0
	    || exec_fenced(NULL, &k->lease, &er, &command, &streams, &out, &err) < 0)
		dprintf(errors, "pinfold: %s\n", err.msg);
	_exit(out.status);
}
