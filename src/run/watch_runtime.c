// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "run/watch_runtime.h"

#include "base/clock.h"
#include "base/debug.h"
#include "base/event_log.h"
#include "base/scope.h"
#include "base/str.h"
#include "base/wait.h"
#include "run/say.h"
#include "run/start_news.h"
#include "vm/vm.h"

#include <ctype.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define STATUS_READS 16
#define REASON_MAX 8192
#define REASON_MILLISECONDS 200 // for what a terminal has not handed over when its program ends
#define RELAY_MILLISECONDS 50	// so long a program that says nothing has no relay
#define KILL_MILLISECONDS 5000
#define START_SECONDS 60  // from the fork to the word of the container's init
#define BESIDE_SECONDS 10 // of a virtual machine, beside those of its guest

// A virtual machine takes all of its memory at its start.
static int start_seconds(const struct lease *lease)
{
	if (!site_has(&lease->site, SITE_GUEST))
		return START_SECONDS;
	return (int)vm_start_seconds() + BESIDE_SECONDS + (int)grant_fill_seconds(&lease->grant);
}

int64_t watch_limit(const struct lease *lease)
{
	return clock_ms() + start_seconds(lease) * INT64_C(1000);
}

int watch_left(const struct watch *w)
{
	int64_t t = w->limit - clock_ms();

	return t > 0 ? (int)t : 0;
}

// One that waits for a file system may not die.
void watch_kill(struct watch *w)
{
	kill(w->child, SIGKILL);
	wait_for_end(w->child, &w->status, KILL_MILLISECONDS);
}

int watch_give_up(struct watch *w, struct err *err)
{
	watch_kill(w);
	return err_set(
		err,
		ETIMEDOUT,
		"start '%s': no word from the runtime after %d s; it was killed",
		w->name,
		start_seconds(w->lease)
	);
}

// line: "kvm: why". The words are the container's.
static void take_fallback(struct watch *w, char *line)
{
	char text[300];
	int name = (int)strcspn(line, ":");

	str_plain(line);
	if (line[name] == ':' && site_has(&w->lease->site, SITE_GUEST)) {
		if (!w->fell_back)
			w->limit = watch_limit(w->lease);
		w->fell_back = true;
		snprintf(
			text,
			sizeof(text),
			"%.*s does not run the guest, so its CPU is emulated%.200s",
			name < 8 ? name : 8,
			line,
			line + name
		);
		say_of(w->lease, text);
	}
}

// Reads what the container's init says: "started PID" or "failed ERRNO", and "ended STATUS". Of the last
// the last one counts, which is said when no program is left that could say it. True when nobody is left who says
// anything.
static bool read_status(struct watch *w, int fd)
{
	char buf[4096];
	ssize_t n = -1;
	int ended;

	// whoever else has the other end may say more and more: not without end
	for (int i = 0; i < STATUS_READS && (n = read(fd, buf, sizeof(buf) - 1)) > 0; i++) {
		buf[n] = '\0';
		str_foreach (line, buf, "\n") {
			if (sscanf(line, "ended %d", &ended) == 1)
				w->ended = ended & 0xff;
			// of a virtual machine: its accelerator, and how long each part of its start took
			else if (str_starts(line, "machine ")) {
				str_plain(line);
				sscanf(line, "machine %7s", w->accel);
				debug_step(debug_time(), "boot", "guest", line + 8, 0, NULL);
			} else if (w->phase == PHASE_STARTING && str_starts(line, "fallback "))
				take_fallback(w, line + 9);
			// an init that the program replaces has said before that it starts
			else if (sscanf(line, "failed %d", &w->exec_errno) == 1)
				w->phase = PHASE_FAILED;
			else if (w->phase == PHASE_STARTING && str_starts(line, "started"))
				w->phase = PHASE_RUNNING;
		}
	}
	return n == 0;
}

bool watch_is_end(int sig)
{
	return sig == SIGTERM || sig == SIGINT || sig == SIGHUP || sig == SIGQUIT;
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
	w->told = w->told || watch_is_end((int)si.ssi_signo);
	if (w->phase == PHASE_STARTING && watch_is_end((int)si.ssi_signo))
		w->early = (int)si.ssi_signo;
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

void watch_started(const struct watch *w)
{
	struct news n = {.what = NEWS_STARTED};

	if (w->log != NULL)
		log_keep(w->log);
	snprintf(n.name, sizeof(n.name), "%s", w->name);
	news_tell(w->ready, &n);
	// not what is executed in one that runs already, which has no log of its own
	if (w->log != NULL && w->lease->detached && site_has(&w->lease->site, SITE_LEASE))
		event_log("'%s' has started: %s", w->name, w->lease->command);
	if (w->limits != NULL)
		limit_watch_started(w->limits);
}

// Where another accelerator runs it than the one that was tried first, the lease is to say so. The word is the
// container's.
static void correct_accel(const struct watch *w)
{
	bool known = str_eq(w->accel, "kvm") || str_eq(w->accel, "tcg");
	struct lease now;
	struct err unused;

	if (w->ledger == NULL || !site_has(&w->lease->site, SITE_GUEST) || !known
	    || str_eq(w->accel, w->lease->accel) || ledger_lock(w->ledger, &unused) < 0)
		return;
	if (lease_read(w->ledger, w->name, &now, &unused) == 0 && lease_same_run(w->lease, &now)) {
		strcpy(now.accel, w->accel);
		lease_write(w->ledger, &now, &unused);
	}
	ledger_unlock(w->ledger);
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
		return watch_left(w);
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
			watch_kill(w);
			return -err->code;
		}
		if (fds[1].revents != 0 && !starting) {
			// the runtime is about to take its cgroup away; once, whoever says more
			limit_watch_ask(w->limits);
			asked = true;
		} else if (fds[1].revents != 0) {
			if (w->phase == PHASE_RUNNING) {
				correct_accel(w);
				watch_started(w);
				// a runtime that was about to hand over may have taken it for itself
				if (w->early != 0)
					kill(w->child, w->early);
			} else if (w->phase == PHASE_STARTING && closed)
				fd = -1; // closed without a word: the child's end tells
		}
		if ((fds[0].revents & POLLIN) != 0)
			ended = take_signal(w, sfd, fd);
		if (!ended && w->cpus != NULL && w->phase == PHASE_RUNNING)
			cpu_watch_look(w->cpus);
		if (!ended && w->limits != NULL && w->phase == PHASE_RUNNING)
			limit_watch_look(w->limits, limits);
		if (!ended && w->phase == PHASE_STARTING && watch_left(w) == 0)
			return watch_give_up(w, err);
	}
	if (fd >= 0)
		read_status(w, fd);
	return begin_relay(w, true, err); // it ended at once
}

bool watch_heard(const struct channels *c)
{
	struct stat st;

	return fstat(c->errors, &st) == 0 && st.st_size > 0;
}

// On a terminal the container's init has no other place for its words, and nobody relays them yet.
static void take_from_terminal(const struct channels *c)
{
	struct pollfd p = {.fd = c->terminal.master, .events = POLLIN};
	char text[REASON_MAX];
	size_t left = sizeof(text);
	ssize_t n;

	if (p.fd < 0 || watch_heard(c))
		return;
	while (left > 0 && poll(&p, 1, REASON_MILLISECONDS) > 0 && (n = read(p.fd, text, left)) > 0
	       && write(c->errors, text, (size_t)n) == n)
		left -= (size_t)n;
}

void watch_reason(const struct channels *c, char *buf, size_t len)
{
	char text[REASON_MAX], *line, *end;
	ssize_t n;

	take_from_terminal(c);
	n = pread(c->errors, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	line = strrchr(text, '\n');
	line = line != NULL ? line + 1 : text;
	snprintf(buf, len, "%.480s", line[0] != '\0' ? line : "it says nothing");
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

bool watch_end(int sfd, const sigset_t *old)
{
	struct pollfd p = {.fd = sfd, .events = POLLIN};
	struct signalfd_siginfo si;
	bool told = false;

	while (poll(&p, 1, 0) > 0 && read(sfd, &si, sizeof(si)) > 0)
		told = told || watch_is_end((int)si.ssi_signo);
	close(sfd);
	sigprocmask(SIG_SETMASK, old, NULL);
	return told;
}
