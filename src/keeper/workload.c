// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The one workload of a keeper: its end, and what is left of it.

#include "base/clock.h"
#include "base/dir.h"
#include "base/fs.h"
#include "base/scope.h"
#include "keeper/loop.h"
#include "keeper/wire.h"
#include "plan/plan.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define REAP_MS 2000 // until killed processes are gone

// In the keeper's own process namespace. A number is nobody else's here: what this process does not reap it may
// kill, and what it has to wait for, those of the clients, keeps its number until then.
unsigned kill_rest(const struct loop *l)
{
	_cleanup_closedir_ DIR *d = opendir("/proc");
	struct dirent *e;
	unsigned n = 0;

	while ((e = dir_next(d)) != NULL) {
		pid_t pid = (pid_t)atoi(e->d_name);
		bool spare = pid <= 1;

		for (size_t i = 0; i < CLIENTS; i++)
			spare = spare || l->clients[i].pid == pid;
		if (!spare && kill(pid, SIGKILL) == 0)
			n++;
	}
	return d != NULL && errno == 0 ? n : 1; // else who is left cannot be told
}

// What the runtime keeps about it, and its hugepages: for the next one there is nothing of it.
static void clean_up(const struct keeper *k)
{
	_cleanup_close_ int state = open(k->lease.site.state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *sizes = opendir(k->lease.site.pages);
	struct dirent *e, *f;
	struct err unused;

	if (state >= 0)
		fs_remove_tree(state, k->lease.grant.name, &unused);
	while ((e = dir_next(sizes)) != NULL) {
		_cleanup_closedir_ DIR *files = dir_open(dirfd(sizes), e->d_name, 0);

		while ((f = dir_next(files)) != NULL)
			fs_remove_tree(dirfd(files), f->d_name, &unused);
	}
}

static void finish_run(struct loop *l)
{
	const struct news *end = &l->run.end;
	const char *error = NULL;
	int status = status_of_wait(l->run.status);

	// usually nothing is left; a runtime that was killed leaves its container
	for (int64_t until = clock_ms() + REAP_MS; kill_rest(l) > 0 && clock_ms() < until;) {
		nap_ms(2);
		reap(l);
	}
	clean_up(l->k);
	if (l->run.detached)
		scribe_end(&l->k->scribe);
	if (end->what == NEWS_ENDED) {
		status = end->status;
		error = end->err.code != 0 ? end->err.msg : NULL;
	}
	if (error != NULL)
		scribe_tell(&l->k->scribe, "%s", error);
	scribe_tell(&l->k->scribe, "its workload has ended with status %d", status);
	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *c = &l->clients[i];

		if (c->stage == STAGE_RUN)
			answer(c, status, error);
		else if (c->stage == STAGE_STOP)
			answer(c, 0, NULL);
	}
	close(l->run.report);
	l->run = (struct workload){.report = -1};
}

static void tell_started(struct loop *l)
{
	struct keeper_reply started = {.started = true};
	struct err unused;

	l->run.running = true;
	if (l->run.detached)
		scribe_started(&l->k->scribe);
	scribe_tell(&l->k->scribe, "started: %s", l->run.command);
	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *c = &l->clients[i];

		if (c->stage != STAGE_RUN)
			continue;
		wire_send(c->fd, keeper_reply_to_json(&started), NULL, 0, &unused);
		if (l->run.detached)
			drop_client(c);
	}
}

void read_report(struct loop *l)
{
	struct news n;

	while (news_hear(l->run.report, &n)) {
		switch (n.what) {
		case NEWS_USER:
			l->k->lease.uid = n.uid;
			l->k->lease.gid = n.gid;
			l->run.image_dev = n.image_dev;
			l->run.image_ino = n.image_ino;
			break;
		case NEWS_STARTED:
			tell_started(l);
			break;
		case NEWS_ENDED:
			l->run.end = n;
			break;
		}
	}
}

void reap(struct loop *l)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < CLIENTS; i++) {
			struct client *c = &l->clients[i];

			if (c->stage == STAGE_EXEC && c->pid == pid)
				answer(c, status_of_wait(status), NULL);
		}
		if (pid != l->run.pid)
			continue; // an orphan
		l->run.status = status;
		read_report(l);
		l->run.pid = 0;
		finish_run(l);
	}
}

void end_run(struct loop *l, int64_t milliseconds)
{
	int64_t at = clock_ms() + milliseconds;

	if (l->run.pid == 0)
		return;
	kill(l->run.pid, SIGTERM);
	if (l->run.kill_at == 0 || at < l->run.kill_at)
		l->run.kill_at = at;
}
