// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The life of a workload: its steps, its end, and the undo.

#include "apply/apply.h"
#include "base/clock.h"
#include "base/debug.h"
#include "base/event_log.h"
#include "base/scope.h"
#include "base/status.h"
#include "run/news.h"
#include "run/run.h"
#include "run/say.h"
#include "run/watch.h"

#include <ctype.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define STATUS_READS 16
#define RELAY_MILLISECONDS 50 // so long a program that says nothing has no relay
#define START_SECONDS 60      // from the fork to the word of the container's init

// ---- waiting

int64_t watch_limit(void)
{
	return clock_ms() + START_SECONDS * 1000;
}

// How long poll may wait for what a start still has to say, 0 when its time is over.
static int left(const struct watch *w)
{
	int64_t t = w->limit - clock_ms();

	return t > 0 ? (int)t : 0;
}

// One limit for the whole start, however often a signal wakes us.
static int give_up(struct watch *w, struct err *err)
{
	kill(w->child, SIGKILL);
	waitpid(w->child, &w->status, 0);
	return err_set(
		err,
		ETIMEDOUT,
		"start '%s': no word from the runtime after %d s; it was killed",
		w->name,
		START_SECONDS
	);
}

// Reads what the container's init says: "started PID" or "failed ERRNO", and "ended STATUS". Of the last
// the last one counts, which is said when no program is left that could say it. True when nobody is left who says
// anything.
static bool read_status(struct watch *w, int fd)
{
	char buf[4096], *save = NULL;
	ssize_t n = -1;
	int ended;

	// whoever else has the other end may say more and more: not without end
	for (int i = 0; i < STATUS_READS && (n = read(fd, buf, sizeof(buf) - 1)) > 0; i++) {
		buf[n] = '\0';
		for (char *line = strtok_r(buf, "\n", &save); line != NULL;
		     line = strtok_r(NULL, "\n", &save)) {
			if (sscanf(line, "ended %d", &ended) == 1)
				w->ended = ended & 0xff;
			// of a virtual machine: its accelerator, and how long each part of its start took
			else if (str_starts(line, "machine ")) {
				str_plain(line);
				debug_step(debug_time(), "boot", "guest", line + 8, 0, NULL);
			}
			// an init that the program replaces has said before that it starts
			else if (sscanf(line, "failed %d", &w->exec_errno) == 1)
				w->phase = PHASE_FAILED;
			else if (w->phase == PHASE_STARTING && str_starts(line, "started"))
				w->phase = PHASE_RUNNING;
		}
	}
	return n == 0;
}

// True when the child has ended.
static bool take_signal(struct watch *w, int sfd, int fd)
{
	struct signalfd_siginfo si;

	if (read(sfd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return false;
	if (si.ssi_signo == SIGCHLD) {
		if (w->terminal != NULL && relay_gone(&w->relay) && w->relay.nobody) {
			terminal_hang_up(w->terminal);
			w->hung_up = true;
		}
		return waitpid(w->child, &w->status, WNOHANG) == w->child;
	}
	if (w->terminal != NULL && terminal_signal(w->terminal, (int)si.ssi_signo))
		return false;
	if (si.ssi_signo == SIGWINCH)
		terminal_send_size(w->terminal != NULL ? w->terminal->master : w->size, fd);
	// from the terminal the whole foreground group got it already, but for a child that has
	// another; when it hangs up, only the leader of the session is told
	if (w->terminal != NULL || si.ssi_code != SI_KERNEL || si.ssi_signo == SIGHUP)
		kill(w->child, (int)si.ssi_signo);
	return false;
}

static void say_started(const struct watch *w)
{
	struct news n = {.what = NEWS_STARTED};

	if (w->log != NULL)
		log_keep(w->log);
	snprintf(n.name, sizeof(n.name), "%s", w->name);
	news_tell(w->ready, &n);
	if (w->lease->detached && site_has(&w->lease->site, SITE_LEASE))
		event_log("'%s' has started: %s", w->name, w->lease->command);
	if (w->limits != NULL)
		limit_watch_started(w->limits);
}

// How long to wait for the CPUs, once the program runs.
static int cpus_timeout(const struct watch *w)
{
	return w->cpus != NULL && w->phase == PHASE_RUNNING ? cpu_watch_timeout(w->cpus) : -1;
}

// The start has the machine for itself: until then nothing is said that a pipe would not hold. Nor does a
// program need a relay that ends soon and says nothing.
static int begin_relay(struct watch *w, bool ended, struct err *err)
{
	struct streams *s = w->streams;

	if (w->phase != PHASE_RUNNING || s == NULL)
		return 0;
	if (w->relay_at == 0)
		w->relay_at = clock_ms() + RELAY_MILLISECONDS;
	if (!streams_wanted(s, ended) && (ended || clock_ms() < w->relay_at)) {
		if (ended || streams_closed(s))
			w->streams = NULL;
		return 0;
	}
	w->streams = NULL;
	return relay_start(&w->relay, s, w->fs, w->lease, err);
}

// How long to wait for anything.
static int timeout(const struct watch *w)
{
	int waits[] = {
		cpus_timeout(w),
		w->limits != NULL ? limit_watch_timeout(w->limits) : -1,
		-1,
	};
	int64_t relay = w->streams != NULL ? w->relay_at - clock_ms() : -1;
	int least = -1;

	if (w->phase == PHASE_STARTING)
		return left(w);
	if (w->streams != NULL)
		waits[2] = relay > 0 ? (int)relay : 0;
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		if (waits[i] >= 0 && (least < 0 || waits[i] < least))
			least = waits[i];
	}
	return least;
}

// Our end of the program's output while nobody carries it; -1: there is none, or somebody does.
static int unrelayed(const struct watch *w, int stream)
{
	return w->phase == PHASE_RUNNING && w->streams != NULL ? w->streams->ours[stream] : -1;
}

int watch_child(struct watch *w, int sfd, int fd, struct err *err)
{
	bool ended = false, asked = false;

	while (!ended) {
		bool starting = w->phase == PHASE_STARTING, closed = false;
		struct pollfd fds[] = {
			{.fd = sfd, .events = POLLIN},
			{.fd = starting || (w->limits != NULL && !asked) ? fd : -1,
			 .events = POLLIN},
			{.fd = w->cpus != NULL && !starting ? w->cpus->fd : -1, .events = POLLIN},
			{.fd = unrelayed(w, 1), .events = POLLIN},
			{.fd = unrelayed(w, 2), .events = POLLIN},
			{.fd = -1}, // LIMIT_FDS
			{.fd = -1},
		};
		struct pollfd *limits = &fds[ARRAY_LEN(fds) - LIMIT_FDS];

		if (w->limits != NULL)
			limit_watch_poll(w->limits, limits);
		poll(fds, ARRAY_LEN(fds), timeout(w));
		if (fds[1].revents != 0)
			closed = read_status(w, fd);
		if (begin_relay(w, false, err) < 0) {
			kill(w->child, SIGKILL);
			waitpid(w->child, &w->status, 0);
			return -err->code;
		}
		if (fds[1].revents != 0 && !starting) {
			// the runtime is about to take its cgroup away; once, whoever says more
			limit_watch_ask(w->limits);
			asked = true;
		} else if (fds[1].revents != 0) {
			if (w->phase == PHASE_RUNNING)
				say_started(w);
			else if (w->phase == PHASE_STARTING && closed)
				fd = -1; // closed without a word: the child's end tells
		}
		if ((fds[0].revents & POLLIN) != 0)
			ended = take_signal(w, sfd, fd);
		if (!ended && w->cpus != NULL && w->phase == PHASE_RUNNING)
			cpu_watch_look(w->cpus);
		if (!ended && w->limits != NULL && w->phase == PHASE_RUNNING)
			limit_watch_look(w->limits, limits);
		if (!ended && w->phase == PHASE_STARTING && left(w) == 0)
			return give_up(w, err);
	}
	if (fd >= 0)
		read_status(w, fd);
	return begin_relay(w, true, err); // it ended at once
}

// ---- the end

void watch_reason(int fd, char *buf, size_t len)
{
	char text[8192], *line, *end;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	line = strrchr(text, '\n');
	line = line != NULL ? line + 1 : text;
	snprintf(buf, len, "%.480s", line[0] != '\0' ? line : "it says nothing");
}

static bool said_something(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size > 0;
}

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
	if (w->ended >= 0
	    || (w->phase == PHASE_RUNNING && !(status == 1 && said_something(c->errors)))) {
		*out = (struct outcome){.status = status, .program_ran = true};
		return 0;
	}
	if (w->phase == PHASE_FAILED) {
		out->status = status_of_exec(w->exec_errno);
		return err_sys(err, w->exec_errno, "run '%s'", launch->argv[0]);
	}
	out->status = STATUS_FAILED;
	if (!site_has(site, SITE_CONTAINER))
		return err_set(
			err, EIO, "start '%s': it ended with status %d", p->lease.grant.name, status
		);
	watch_reason(c->errors, reason, sizeof(reason));
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

	ledger_unlock(&s->ledger);
	r = lease_end_soon(&s->ledger, &s->plan.lease, err);
	if (r != LEASE_DRAINS)
		return r;
	out->drains = *err;
	return 0;
}

int watch_signals(bool terminal, sigset_t *old)
{
	static const int taken[] = {
		SIGCHLD,
		SIGTERM,
		SIGINT,
		SIGHUP,
		SIGQUIT,
		SIGUSR1,
		SIGUSR2,
		SIGWINCH,
		// of a terminal that is raw
		SIGTSTP,
		SIGCONT,
	};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(taken) - (terminal ? 0 : 2); i++)
		sigaddset(&set, taken[i]);
	sigprocmask(SIG_BLOCK, &set, old);
	return signalfd(-1, &set, SFD_CLOEXEC);
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
	char word;

	for (;;) {
		int n = poll(&p, 1, left(w));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return give_up(w, err);
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
		waitpid(w->child, NULL, 0);
		*err = theirs;
		out->status = site_exec_failed(&s->plan.lease.site, err->code);
		return -err->code;
	}
}

void watch_end(int sfd, const sigset_t *old)
{
	struct pollfd p = {.fd = sfd, .events = POLLIN};
	struct signalfd_siginfo si;

	while (poll(&p, 1, 0) > 0 && read(sfd, &si, sizeof(si)) > 0)
		;
	close(sfd);
	sigprocmask(SIG_SETMASK, old, NULL);
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
		.limit = watch_limit(),
		.ready = ready,
		.name = s->plan.lease.grant.name,
		.log = &c->log,
		.cpus = cpus,
		.unwritten = unwritten,
		.limits = &limits,
		.relay = NO_RELAY,
		.fs = &s->ledger.fs,
		.lease = &s->plan.lease,
		.size = c->streams.size,
	};
	bool container = site_has(&s->plan.lease.site, SITE_CONTAINER);
	struct err lost;
	int r = 0;

	if (apply_userns_begin(&s->plan, err) < 0)
		return -err->code;
	w.child = start_child(&s->plan, launch, c, s->ledger.lock);
	if (w.child < 0)
		r = err_sys(err, errno, "start a process");
	else if (let_go(s, &w, c, err) < 0) {
		kill(w.child, SIGKILL);
		waitpid(w.child, NULL, 0);
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
		say_started(&w);
	}
	if (r == 0)
		r = watch_child(&w, sfd, container ? c->status[0] : -1, err);
	if (r == 0)
		r = conclude(&w, &s->plan, launch, c, out, err);
	limit_watch_end(&limits, out->status, out->note);
	limit_watch_close(&limits);
	if (relay_end(&w.relay, sfd, &lost) < 0 && r == 0) {
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
	struct err undo_err;
	int r = first ? begin_lease(s, &cpus, err) : 0;

	if (r == 0)
		r = watch_workload(s, launch, c, &cpus, !first, sfd, ready, ret, err);
	log_end(&c->log, &s->ledger.fs, &s->plan.lease);
	if (r < 0)
		log_discard(&c->log);
	else
		log_keep(&c->log);
	if (r == 0 && ret->note[0] != '\0')
		say_of(&s->plan.lease, ret->note);
	if (end_lease(s, ret, &undo_err) < 0 && r == 0) {
		*err = undo_err;
		r = err_wrap(err, "clean up after '%s'", s->plan.lease.grant.name);
	}
	cpu_watch_close(&cpus);
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
	watch_end(sfd, &old);
	if (r < 0 && ret->note[0] != '\0') {
		const struct err why = *err;

		err_set(err, why.code, "%s; %s", why.msg, ret->note);
	}
	return r;
}
