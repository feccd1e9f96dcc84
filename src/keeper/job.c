// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The processes that a keeper starts for one request each. All that is looked up in the host's file
// system (program, image, volumes) is looked up here, with the rights of the owner.

#include "base/dir.h"
#include "base/scope.h"
#include "base/status.h"
#include "keeper/keeper.h"
#include "run/run.h"
#include "run/start_news.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

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
	int *ret_status,
	struct err *err
)
{
	*ret_status = STATUS_FAILED;
	*launch = (struct launch){
		.site = k->lease.site,
		.argv = req->argv,
		.nenv = req->nenv,
		.image = req->image,
		.user = req->user,
		.terminal = req->terminal,
		.interactive = req->interactive,
		.inside = k->inside,
		.filter = k->calls,
	};
	memcpy(launch->env, req->env, sizeof(launch->env));
	for (unsigned i = 0; i < req->nvolumes; i++) {
		if (launch_parse_volume(req->volumes[i], launch, err) < 0)
			return -err->code;
	}
	if (req->hostname != NULL && launch_set_hostname(req->hostname, launch, err) < 0)
		return -err->code;
	if (launch_check(launch, err) < 0 || launch_find_user(launch, &k->fs, err) < 0)
		return -err->code;
	return launch_check_program(launch, &k->fs, ret_status, err);
}

// Gives what root made to the user of the program.
static int give(const char *path, const struct launch *launch, struct err *err)
{
	_cleanup_closedir_ DIR *d = opendir(path);
	struct dirent *e;

	if (d == NULL && errno != ENOENT)
		return err_sys(err, errno, "open '%s'", path);
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
	if (give(launch->site.pages, launch, err) < 0 || give(launch->site.nodes, launch, err) < 0
	    || keeper_open_work(k, launch->uid, &launch->site, err) < 0)
		return -err->code;
	s->ledger = (struct ledger){.fs = k->fs, .defs = -1, .leases = -1, .lock = -1};
	if (plan_build(&lease, launch, &k->host, &k->fs, &s->plan, err) < 0)
		return -err->code;
	s->planned = true;
	return 0;
}

_Noreturn void keeper_job_run(
	struct keeper *k, const struct keeper_request *req, const int *fds, int report
)
{
	struct outcome out = {.status = STATUS_FAILED};
	struct streams streams = NO_STREAMS;
	_cleanup_close_ int log = fcntl(k->output, F_DUPFD_CLOEXEC, 0); // -1: it is not detached
	const char *name = k->lease.grant.name;
	struct start s = {0};
	struct launch launch;
	struct err err = {0};
	int r;

	begin_process();
	r = take_streams(k, req, fds, &streams, &err);
	scope_close(&k->output);
	k->output = -1;
	if (r == 0)
		r = fill_launch(k, req, &launch, &out.status, &err);
	if (r == 0) {
		r = prepare(k, &launch, &s, &err);
		// for an exec that does not say which
		news_tell(
			report,
			&(struct news){
				.what = NEWS_USER,
				.uid = launch.uid,
				.gid = launch.gid,
				.image_dev = s.plan.lease.image_dev,
				.image_ino = s.plan.lease.image_ino,
			}
		);
		if (r == 0)
			r = run_workload(&s, &launch, &streams, report, &out, &err);
	}
	if (r == 0)
		err = (struct err){0};
	if (r == 0 && out.note[0] != '\0' && log >= 0)
		dprintf(log, "pinfold: '%s': %s\n", name, out.note);
	else if (r == 0 && out.note[0] != '\0')
		err_set(&err, ECHILD, "'%s': %s", name, out.note);
	news_tell(report, &(struct news){.what = NEWS_ENDED, .status = out.status, .err = err});
	_exit(out.status);
}

// ---- exec

_Noreturn void keeper_job_exec(struct keeper *k, const struct keeper_request *req, const int *fds)
{
	struct launch launch = {
		.argv = req->argv,
		.user = req->user,
		.nenv = req->nenv,
		.terminal = req->terminal,
		.interactive = req->interactive,
	};
	_cleanup_close_ int errors = fcntl(fds[2], F_DUPFD_CLOEXEC, 0);
	struct streams streams = NO_STREAMS;
	struct outcome out = {.status = STATUS_FAILED};
	struct lease lease = k->lease;
	uint32_t uid = k->lease.uid, gid;
	struct err err = {0};
	struct hits before;

	begin_process();
	hits_read(&k->fs, &lease, &before);
	memcpy(launch.env, req->env, sizeof(launch.env));
	// what is wrong with a user that cannot be read is said later
	if (launch.user != NULL)
		launch_parse_ids(launch.user, &uid, &gid);
	if (take_streams(k, req, fds, &streams, &err) < 0
	    || keeper_open_work(k, uid, &lease.site, &err) < 0
	    || exec_in_container(NULL, &lease, &launch, &k->host.limits, &streams, &out, &err) < 0)
		dprintf(errors, "pinfold: %s\n", err.msg);
	exec_note(&k->fs, &lease, &before, &out);
	if (out.note[0] != '\0')
		dprintf(errors, "pinfold: '%s': %s\n", lease.grant.name, out.note);
	_exit(out.status);
}
