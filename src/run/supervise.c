// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The life of a workload: its steps, its end, and the undo.

#include "apply/apply.h"
#include "base/clock.h"
#include "base/scope.h"
#include "base/status.h"
#include "run/run.h"
#include "run/say.h"
#include "run/watch_runtime.h"
#include "run/why.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

static int conclude(
	const struct watch *w,
	const struct plan *p,
	const struct launch *launch,
	const struct channels *c,
	struct outcome *out,
	struct err *err
)
{
	const struct site *site = &p->lease.site;
	int status = status_of_wait(w->status);
	char reason[512];

	if (w->ended >= 0)
		status = w->ended;
	// a runtime that loses its terminal may fail, before or after its container
	if (w->hung_up)
		status = 128 + SIGHUP;
	// a runtime that fails after the program has started ends with 1, and says why; then the init, which
	// ended with it, has said nothing
	if (w->ended >= 0 || (w->phase == PHASE_RUNNING && !(status == 1 && watch_heard(c)))) {
		*out = (struct outcome){.status = status, .program_ran = true};
		return 0;
	}
	if (w->phase == PHASE_FAILED) {
		out->status = status_of_exec(w->exec_errno);
		// the program itself was there when it was looked for
		if (w->exec_errno == ENOENT && launch->argv[0][0] == '/')
			return err_set(
				err,
				ENOENT,
				"run '%s': it is there, but its loader (or the interpreter after "
				"its #!) is not in the container; see ldd",
				launch->argv[0]
			);
		return err_sys(err, w->exec_errno, "run '%s'", launch->argv[0]);
	}
	out->status = STATUS_FAILED;
	if (!site_has(site, SITE_CONTAINER))
		return err_set(
			err, EIO, "start '%s': it ended with status %d", p->lease.grant.name, status
		);
	watch_reason(c, reason, sizeof(reason));
	return err_set(
		err,
		EIO,
		"start '%s': %s ended with status %d: %s",
		p->lease.grant.name,
		site->runtime.kind->name,
		status,
		reason
	);
}

// Takes everything back; what is left in the cgroups is killed. When this process is slow, another pinfold may
// have collected the lease, and started something else under the same name: that is not touched.
static int end_lease(struct start *s, struct outcome *out, struct err *err)
{
	int r;

	ledger_unlock_all(&s->ledger);
	out->waits = out->again > 0;
	r = lease_end_soon(&s->ledger, &s->plan.lease, &out->waits, err);
	// somebody has stopped it, or taken it back
	if (r == 0 && !out->waits)
		out->again = 0;
	if (r <= 0)
		return r;
	out->drains = *err;
	return 0;
}

// What it has mounted may stay when all that saw it has ended.
static int note_mounts(struct start *s, pid_t child, struct err *err)
{
	struct lease *lease = &s->plan.lease;
	unsigned n = lease->nundo;

	// the keeper of a grant has it noted
	if (s->ledger.lock < 0)
		return 0;
	if (pinned_note(lease, (int)child, err) < 0)
		return -err->code;
	return lease->nundo > n ? lease_write(&s->ledger, lease, err) : 0;
}

// Until the child has executed the runtime, or the program itself. Once it is in its cgroup the lease
// counts as in use, and the ledger is free for others. Fails with what the child says went wrong.
static int wait_child(
	struct start *s, struct watch *w, int fd, struct outcome *out, struct err *err
)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct err theirs;
	int status;
	char word;

	for (;;) {
		int n = poll(&p, 1, watch_left(w));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return watch_give_up(w, err);
		if (read(fd, &word, 1) != 1)
			return 0;
		if (word == CHILD_ENTERED) {
			if (note_mounts(s, w->child, err) < 0)
				return -err->code;
			ledger_unlock(&s->ledger);
			continue;
		}
		// it follows the word at once
		if (read(fd, &theirs, sizeof(theirs)) != (ssize_t)sizeof(theirs))
			return 0;
		if (waitpid(w->child, &status, 0) == w->child)
			out->status = status_of_wait(status);
		*err = theirs;
		return -err->code;
	}
}

// Before the workload is let go: it may say something at once, and outlive this process.
static int start_log(struct start *s, struct channels *c, struct err *err)
{
	return c->log.to < 0 ? 0 : log_start(&c->log, &s->ledger.fs, &s->plan.lease, err);
}

// The undo is on disk before the first step that changes the host is taken.
static int begin_lease(struct start *s, struct cpu_watch *cpus, struct err *err)
{
	if (lease_write(&s->ledger, &s->plan.lease, err) < 0)
		return -err->code;
	cpu_watch_open(cpus, &s->ledger.fs, &s->plan.lease);
	return apply_host(&s->plan, false, err);
}

// The child makes its fence meanwhile, which is its own and goes with it.
static int let_go(struct start *s, struct watch *w, struct channels *c, struct err *err)
{
	if ((w->unwritten && begin_lease(s, w->cpus, err) < 0)
	    || apply_host(&s->plan, true, err) < 0 || start_log(s, c, err) < 0)
		return -err->code;
	// not before: whoever waits for a grace period keeps all others from making cgroups
	cgroup_begin_grace();
	// a child that is gone has said why, or will be waited for in vain
	if (write(c->go[1], "g", 1) != 1)
		kill(w->child, SIGKILL);
	limit_watch_open(w->limits, &s->ledger.fs, &s->plan.lease);
	streams_handed_over(&c->streams);
	if (c->streams.ours[1] >= 0)
		w->streams = &c->streams;
	if (c->terminal.master >= 0)
		terminal_take(w->terminal = &c->terminal);
	return 0;
}

// cpus: NULL where the lease is a keeper's. unwritten: the lease is not on disk yet.
static int watch_workload(
	struct start *s,
	const struct launch *launch,
	struct channels *c,
	struct cpu_watch *cpus,
	bool unwritten,
	int sfd,
	int ready,
	struct outcome *out,
	struct err *err
)
{
	struct limit_watch limits = {0};
	struct watch w = {
		.phase = PHASE_STARTING,
		.ended = -1,
		.limit = watch_limit(&s->plan.lease),
		.ready = ready,
		.name = s->plan.lease.grant.name,
		.log = &c->log,
		.cpus = cpus,
		.unwritten = unwritten,
		.limits = &limits,
		.relay = NO_RELAY,
		.fs = &s->ledger.fs,
		.lease = &s->plan.lease,
		.ledger = cpus != NULL ? &s->ledger : NULL,
		.size = c->streams.size,
	};
	bool container = site_has(&s->plan.lease.site, SITE_CONTAINER);
	struct err lost;
	int r = 0, ended;

	if (apply_userns_begin(&s->plan, err) < 0)
		return -err->code;
	w.child = start_child(&s->plan, launch, c, s->ledger.lock);
	if (w.child < 0)
		r = err_sys(err, errno, "start a process");
	else if (let_go(s, &w, c, err) < 0) {
		watch_kill(&w);
		r = -err->code;
	}
	if (r < 0) {
		apply_userns_end();
		return r;
	}
	scope_close(&c->setup[1]);
	scope_close(&c->status[1]);
	scope_close(&c->log.to);
	c->setup[1] = c->status[1] = c->log.to = -1;
	r = wait_child(s, &w, c->setup[0], out, err);
	apply_userns_end();
	// a supervisor may live for months
	if (r == 0)
		plan_carried_out(&s->plan);
	if (r == 0 && !container) {
		w.phase = PHASE_RUNNING;
		watch_started(&w);
	}
	if (r == 0)
		r = watch_child(&w, sfd, container ? c->status[0] : -1, err);
	if (r == 0)
		r = conclude(&w, &s->plan, launch, c, out, err);
	out->told = w.told || w.hung_up;
	out->limit = limit_watch_end(&limits, out->status, out->note);
	limit_watch_close(&limits);
	ended = relay_end(&w.relay, sfd, out->last, &lost);
	out->told = out->told || ended > 0;
	if (ended < 0 && r == 0) {
		*err = lost;
		r = -err->code;
		out->status = STATUS_FAILED;
	}
	terminal_give_back(&c->terminal);
	return r;
}

// With its lease.
static int run_leased(
	struct start *s,
	const struct launch *launch,
	struct channels *c,
	int sfd,
	int ready,
	struct outcome *ret,
	struct err *err
)
{
	struct cpu_watch cpus = {.fd = -1};
	bool first = apply_host_first(&s->plan);
	int64_t begun = clock_ms();
	struct err undo_err;
	int r = first ? begin_lease(s, &cpus, err) : 0;

	if (r == 0)
		r = watch_workload(s, launch, c, &cpus, !first, sfd, ready, ret, err);
	log_end(&c->log, &s->ledger, &s->plan.lease);
	if (r < 0)
		log_discard(&c->log);
	else
		log_keep(&c->log);
	if (r == 0)
		why_it_failed(ret, &c->log, clock_ms() - begun);
	if (r == 0 && ret->note[0] != '\0')
		say_of(&s->plan.lease, ret->note);
	if (ret->program_ran)
		ended_note(&s->ledger, &s->plan.lease, ret->status, ret->limit, ret->note);
	if (s->restarts != NULL)
		ret->again = restart_next(s->restarts, &launch->restart, ret, clock_ms() - begun);
	if (end_lease(s, ret, &undo_err) < 0 && r == 0) {
		*err = undo_err;
		r = err_wrap(err, "clean up after '%s'", s->plan.lease.grant.name);
	}
	cpu_watch_close(&cpus);
	if (s->plan.lease.detached)
		log_prune(&s->ledger);
	return r;
}

int run_workload(
	struct start *s,
	const struct launch *launch,
	struct streams *given,
	int ready,
	struct outcome *ret,
	struct err *err
)
{
	struct channels c = NO_CHANNELS;
	sigset_t old;
	int sfd, r;

	*ret = (struct outcome){.status = STATUS_FAILED};
	sfd = watch_signals(launch->terminal, &old);
	if (sfd < 0)
		return err_sys(err, errno, "wait for signals");
	r = channels_open(&c, &s->plan.lease, launch, given, err);
	if (r == 0 && site_has(&s->plan.lease.site, SITE_LEASE))
		r = run_leased(s, launch, &c, sfd, ready, ret, err);
	else if (r == 0)
		r = watch_workload(s, launch, &c, NULL, false, sfd, ready, ret, err);
	channels_done(&c);
	ret->told = watch_end(sfd, &old) || ret->told;
	if (r < 0 && ret->note[0] != '\0') {
		const struct err why = *err;

		err_set(err, why.code, "%s; %s", why.msg, ret->note);
	}
	return r;
}
