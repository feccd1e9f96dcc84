// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "run/watch_limit_hits.h"

#include "base/clock.h"
#include "base/scope.h"
#include "run/say.h"

#include <signal.h>

#define SETTLE_MILLISECONDS 300 // until then its end may come of it, which is said then
#define END_MILLISECONDS \
	10000 // the same where all of it is killed: it does end, when a busy machine lets it
#define AGAIN_MILLISECONDS 10000 // between two words about what goes on and on

void limit_watch_open(struct limit_watch *w, const struct hostfs *fs, const struct lease *lease)
{
	*w = (struct limit_watch){
		.fs = fs,
		.lease = lease,
		.on = {hits_on_memory(fs, lease), HITS_NO_EVENT},
	};
	// a keeper had others in its cgroup before
	if (!site_has(&lease->site, SITE_LEASE))
		hits_read(fs, lease, &w->said);
	w->now = w->first = w->said;
}

void limit_watch_started(struct limit_watch *w)
{
	if (w->fs != NULL)
		w->on[1] = hits_on_pids(w->fs, w->lease);
}

void limit_watch_close(struct limit_watch *w)
{
	for (int i = 0; w->fs != NULL && i < LIMIT_FDS; i++)
		hits_event_close(&w->on[i]);
	w->fs = NULL;
}

void limit_watch_poll(const struct limit_watch *w, struct pollfd fds[static LIMIT_FDS])
{
	for (int i = 0; i < LIMIT_FDS; i++) {
		fds[i].fd = w->fs != NULL ? w->on[i].fd : -1;
		fds[i].events = w->on[i].events;
	}
}

int limit_watch_timeout(const struct limit_watch *w)
{
	int64_t left = w->due - clock_ms();

	return w->due == 0 ? -1 : left > 0 ? (int)left : 0;
}

// What has come since the last look: at once, for on v1 the counters go with the runtime's cgroup.
static bool gather(struct limit_watch *w, const struct pollfd fds[static LIMIT_FDS])
{
	bool told = false;

	for (int i = 0; i < LIMIT_FDS; i++)
		told = hits_told(&w->on[i], fds[i].revents, &w->now) || told;
	return told;
}

// Its limits may have been changed since it started (pinfold update). A keeper reads no leases, and they stay there.
static struct grant granted(const struct limit_watch *w)
{
	struct grant g = w->lease->grant;
	struct ledger l;
	struct lease now;
	struct err unused;

	if (ledger_open(w->fs, false, &l, &unused) < 0)
		return g;
	if (lease_read(&l, g.name, &now, &unused) == 0 && lease_same_run(w->lease, &now))
		g = now.grant;
	ledger_close(&l);
	return g;
}

void limit_watch_ask(struct limit_watch *w)
{
	const short readable = POLLPRI;

	if (w->fs != NULL)
		hits_told(&w->on[1], readable, &w->now);
}

void limit_watch_look(struct limit_watch *w, const struct pollfd fds[static LIMIT_FDS])
{
	int64_t soon = clock_ms() + SETTLE_MILLISECONDS;
	char line[HITS_LINE];
	struct grant g;

	if (w->fs == NULL)
		return;
	if (gather(w, fds) && w->due == 0) {
		w->due = w->said_at != 0 ? w->said_at + AGAIN_MILLISECONDS : 0;
		if (w->due < soon)
			w->due = soon;
	}
	if (limit_watch_timeout(w) != 0)
		return;
	if (w->now.all && w->now.killed > w->said.killed && !w->ends) {
		w->ends = true;
		w->due = clock_ms() + END_MILLISECONDS;
		return;
	}
	w->ends = false;
	w->due = 0;
	g = granted(w);
	hits_text(&w->now, &w->said, &g, -1, line);
	if (line[0] == '\0')
		return;
	say_of(w->lease, line);
	w->said = w->now;
	w->said_at = clock_ms();
}

const char *limit_watch_end(struct limit_watch *w, int status, char line[static HITS_LINE])
{
	struct pollfd fds[LIMIT_FDS] = {0};
	struct hits read;
	struct grant g;

	line[0] = '\0';
	if (w->fs == NULL)
		return "";
	limit_watch_poll(w, fds);
	if (poll(fds, LIMIT_FDS, 0) > 0)
		gather(w, fds);
	// what nobody is told of
	if (status == 128 + SIGKILL || status == 128 + SIGBUS) {
		hits_read(w->fs, w->lease, &read);
		w->now.hugepages = read.hugepages;
		if (read.killed > w->now.killed) {
			w->now.killed = read.killed;
			w->now.over = read.over;
		}
		// what was said already, as the end took its time, is what it ended of
		if (status == 128 + SIGKILL && read.all) {
			w->said.killed = w->first.killed;
			w->said.over = w->first.over;
		}
	}
	g = granted(w);
	return hits_text(&w->now, &w->said, &g, status, line);
}
