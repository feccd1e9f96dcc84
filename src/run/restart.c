// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A workload that is started again when it has ended. Its lease stays meanwhile (LEASE_WAITING): nobody takes its CPUs,
// its name or its pages, ps shows it and stop finds it. Nor does a loop of starts use anything up: the pauses grow, the
// ids are the same, the log goes on.

#include "base/clock.h"
#include "base/event_log.h"
#include "base/scope.h"
#include "base/status.h"
#include "run/run.h"
#include "run/say.h"
#include "run/watch_runtime.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>

#define FIRST_SECONDS 1
#define LAST_SECONDS 60
#define STEADY_MILLISECONDS 60000 // who ran so long does not end in a loop
#define STOP_MILLISECONDS 10000	  // for a supervisor that waits to go
#define TICK_MILLISECONDS 5

unsigned restart_next(
	struct restarts *r, const struct restart *how, const struct outcome *out, int64_t ran_ms
)
{
	unsigned seconds = FIRST_SECONDS;

	r->ran = r->ran || out->program_ran;
	if (how->when == RESTART_NO || out->told || !r->ran
	    || (how->when == RESTART_ON_FAILURE && out->program_ran && out->status == STATUS_OK))
		return 0;
	if (out->program_ran && ran_ms >= STEADY_MILLISECONDS)
		r->tries = 0;
	r->over = how->limit > 0 && r->tries >= how->limit;
	if (r->over)
		return 0;
	for (unsigned i = 0; i < r->tries && seconds < LAST_SECONDS; i++)
		seconds *= 2;
	r->tries++;
	return seconds < LAST_SECONDS ? seconds : LAST_SECONDS;
}

static void say_next(
	const struct lease *lease,
	const struct restarts *r,
	const struct outcome *out,
	const struct err *why
)
{
	char how[sizeof(why->msg)], line[sizeof(how) + 96];

	if (out->program_ran)
		snprintf(how, sizeof(how), "it has ended with status %d", out->status);
	else
		snprintf(how, sizeof(how), "%s", why->msg);
	if (out->again > 0)
		snprintf(
			line,
			sizeof(line),
			"%s; it is started again in %u s (%u in a row)",
			how,
			out->again,
			r->tries
		);
	else
		snprintf(
			line,
			sizeof(line),
			"%s; it is not started again after %u times in a row",
			how,
			r->tries
		);
	say_of(lease, line);
	if (lease->detached)
		event_log("'%s': %s", lease->grant.name, line);
}

// Whether the lease waits still; then *now is what the disk has.
static bool waits_still(const struct ledger *l, const struct lease *lease, struct lease *now)
{
	struct err unused;

	return lease_read(l, lease->grant.name, now, &unused) == 0 && now->again == LEASE_WAITING
	       && lease_same_run(lease, now);
}

// The supervisor's own: nobody else starts it again. One that was stopped may not have come to wait.
static void give_up_waiting(const struct hostfs *fs, const struct lease *lease)
{
	struct ledger l;
	struct lease now;
	struct err unused;

	if (ledger_open(fs, true, &l, &unused) < 0)
		return;
	if (ledger_lock(&l, &unused) == 0 && lease_read(&l, lease->grant.name, &now, &unused) == 0
	    && lease_same_run(lease, &now)
	    && (now.again == LEASE_WAITING || now.again == LEASE_STOPPED))
		lease_end(&l, &now, NULL, &unused);
	ledger_close(&l);
}

// Those that end all of it, and those that are handed on to a program and mean nothing without one. Between a start and
// the next they wait to be asked for: a supervisor that one killed would leave a lease that waits.
static sigset_t taken(void)
{
	static const int others[] = {SIGUSR1, SIGUSR2};
	sigset_t set;

	sigemptyset(&set);
	for (int sig = 1; sig < NSIG; sig++) {
		if (watch_is_end(sig))
			sigaddset(&set, sig);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		sigaddset(&set, others[i]);
	return set;
}

// The one that ends the waiting, 0: its time is over.
static int wait_seconds(unsigned seconds)
{
	const sigset_t set = taken();
	int64_t limit = clock_ms() + seconds * INT64_C(1000), left;
	int sig = 0;

	while (!watch_is_end(sig) && (left = limit - clock_ms()) > 0) {
		const struct timespec t = {left / 1000, left % 1000 * 1000000};

		sig = sigtimedwait(&set, NULL, &t);
	}
	return watch_is_end(sig) ? sig : 0;
}

// One start and its end, or a start that failed. *lease: what it had.
static int run_once(
	const struct start_request *req,
	const struct hostfs *fs,
	struct restarts *restarts,
	int ready,
	struct lease *lease,
	struct outcome *ret,
	struct err *err
)
{
	const bool waited = req->again != NULL && req->again->again == LEASE_WAITING;
	const struct lease former = waited ? *req->again : (struct lease){0};
	const struct restarts before = *restarts;
	const sigset_t set = taken();
	struct start s;
	struct lease now;
	int r = start_prepare(req, fs, &s, err);

	if (r < 0) {
		*ret = (struct outcome){.status = STATUS_FAILED, .waits = waited};
		// it is another's, or nobody's
		if (r != -ECANCELED)
			ret->again = restart_next(restarts, &req->launch.restart, ret, 0);
		return r;
	}
	if (req->launch.restart.when != RESTART_NO) {
		s.restarts = restarts;
		sigprocmask(SIG_BLOCK, &set, NULL); // until all is over
	}
	r = run_workload(&s, &req->launch, NULL, ready, ret, err);
	*lease = s.plan.lease;
	lease->again = ret->waits ? LEASE_WAITING : LEASE_AGAIN;
	if (r < 0 && waited && !ret->told && waits_still(&s.ledger, &former, &now)) {
		// it failed before it wrote a lease of its own
		*lease = former;
		*restarts = before; // it may have been counted
		ret->waits = true;
		ret->again = restart_next(restarts, &req->launch.restart, ret, 0);
	}
	if (r == 0 && lease->detached)
		event_log("'%s' has ended with status %d", lease->grant.name, ret->status);
	start_done(&s);
	return r;
}

int run_again_and_again(
	const struct start_request *req,
	const struct hostfs *fs,
	int ready,
	struct outcome *ret,
	struct err *err
)
{
	struct start_request next = *req;
	struct restarts restarts = {0};
	// a supervisor leaves its caller's output to the program: the next start is to have it, too
	_cleanup_close_ int output = -1;
	struct lease lease = {0};
	const struct timespec now = {0};
	const sigset_t set = taken();
	sigset_t old;
	int r, sig;

	sigprocmask(SIG_SETMASK, NULL, &old);
	if (req->launch.restart.when != RESTART_NO)
		output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	for (;;) {
		r = run_once(&next, fs, &restarts, ready, &lease, ret, err);
		if (ret->again > 0 || restarts.over)
			say_next(&lease, &restarts, ret, err);
		if (ret->again == 0)
			break;
		sig = ret->told ? SIGTERM : wait_seconds(ret->again);
		if (sig != 0) {
			// told after its end: the status is the program's
			if (!ret->told)
				ret->status = 128 + sig;
			break;
		}
		if (output >= 0)
			dup2(output, STDOUT_FILENO);
		ready = -1;
		next.launch.again = true;
		next.again = &lease;
	}
	if (ret->waits || next.again != NULL)
		give_up_waiting(fs, &lease);
	while (sigtimedwait(&set, NULL, &now) > 0)
		; // told to end, and it does
	sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}

bool restart_tell(const struct ledger *l, const struct lease *lease)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, lease->supervisor, 0);

	// the process that was opened is the very one
	return fd >= 0 && lease_supervised(l, lease)
	       && syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) == 0;
}

int restart_stop(struct ledger *l, const struct lease *lease, struct err *err)
{
	int64_t limit = clock_ms() + STOP_MILLISECONDS;
	int r;

	restart_tell(l, lease);
	while (clock_ms() < limit && lease_exists(l, lease->grant.name)
	       && lease_supervised(l, lease))
		nap_ms(TICK_MILLISECONDS);
	if (!lease_exists(l, lease->grant.name))
		return 0;
	r = lease_end_soon(l, lease, NULL, err);
	return r > 0 ? -err->code : r;
}
