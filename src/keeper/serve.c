// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The keeper: one loop over its socket, its clients and its children. It is process 1 of its own
// process namespace: when it ends, however, the kernel ends all that it started.

#include "base/clock.h"
#include "base/scope.h"
#include "keeper/loop.h"
#include "keeper/wire.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#define ASK_MS 10000  // from the connection to the request
#define GONE_MS 10000 // from SIGTERM to SIGKILL when a client has gone
#define LEAVE_MS 5000 // the same when the keeper itself is told to end
#define OWN_FDS 3     // that are polled beside the clients

// ---- answers

void drop_client(struct client *c)
{
	close(c->fd);
	*c = (struct client){.stage = STAGE_FREE, .fd = -1};
}

void answer(struct client *c, int status, const char *error)
{
	struct keeper_reply reply = {.status = status};
	struct err unused;

	snprintf(reply.error, sizeof(reply.error), "%s", error != NULL ? error : "");
	if (c->fd >= 0)
		wire_send(c->fd, keeper_reply_to_json(&reply), NULL, 0, &unused);
	drop_client(c);
}

static void refuse(const struct loop *l, struct client *c, const char *why)
{
	scribe_tell(&l->k->scribe, "refused: %s", why);
	answer(c, STATUS_FAILED, why);
}

static void answer_ps(struct loop *l, struct client *c)
{
	struct lease lease = l->k->lease;
	struct keeper_reply reply = {0};
	struct err unused;

	lease.detached = l->run.pid != 0 && l->run.detached;
	if (l->run.pid != 0)
		strcpy(lease.image, l->run.image);
	reply.row = lease_row(
		&lease,
		l->run.pid != 0 ? "running" : "idle",
		l->run.pid != 0 ? l->run.command : "",
		l->run.pid != 0 ? l->run.started : (int64_t)time(NULL)
	);
	// for who is about to remove an image
	if (l->run.pid != 0 && l->run.image_ino != 0) {
		json_object_set_new(
			reply.row, "image-device", json_integer((json_int_t)l->run.image_dev)
		);
		json_object_set_new(
			reply.row, "image-inode", json_integer((json_int_t)l->run.image_ino)
		);
	}
	wire_send(c->fd, keeper_reply_to_json(&reply), NULL, 0, &unused);
	json_decref(reply.row);
	drop_client(c);
}

static void answer_log(struct loop *l, struct client *c)
{
	const struct log_pair *log = &l->k->scribe.log;
	const int fds[KEEPER_LOG_FDS] = {log->now, log->before, log->now_times, log->before_times};
	struct keeper_reply reply = {0};
	struct err unused;

	wire_send(c->fd, keeper_reply_to_json(&reply), fds, ARRAY_LEN(fds), &unused);
	drop_client(c);
}

// ---- requests

static void describe(struct workload *w, const struct keeper_request *req)
{
	snprintf(w->image, sizeof(w->image), "%s", req->image != NULL ? req->image : "");
	str_plain(w->image);
	for (char *const *argv = req->argv; *argv != NULL; argv++)
		str_add(w->command, sizeof(w->command), " ", "%s", *argv);
	// for people, in a table, and JSON
	str_plain(w->command);
}

static unsigned waiting(const struct loop *l, enum stage stage)
{
	unsigned n = 0;

	for (size_t i = 0; i < CLIENTS; i++)
		n += l->clients[i].stage == stage;
	return n;
}

// In the child: what belongs to the keeper and its other clients is not for it.
static void forget_clients(const struct loop *l)
{
	for (size_t i = 0; i < CLIENTS; i++) {
		if (l->clients[i].fd >= 0)
			close(l->clients[i].fd);
	}
	close(l->k->listen);
	scribe_done(&l->k->scribe);
	close(l->sfd);
}

// What a detached workload writes to; the other end is the scribe's.
static int make_output(const struct scribe *s, int *ret)
{
	int fds[2];

	// the program may open it again by name, but not read what it has said
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	*ret = fds[1];
	return fchmod(fds[1], 0222) < 0 ? -1 : scribe_begin(s, &fds[0]);
}

static void start_run(
	struct loop *l, struct client *c, const struct keeper_request *req, const int *fds
)
{
	char text[256];
	_cleanup_close_ int to = -1;
	int report[2];
	pid_t pid;

	if (l->run.pid != 0 || l->leaving) {
		snprintf(
			text,
			sizeof(text),
			"grant '%s' is in use; see pinfold ps, or pinfold stop %s",
			l->k->lease.grant.name,
			l->k->lease.grant.name
		);
		refuse(l, c, text);
		return;
	}
	if (req->detached && make_output(&l->k->scribe, &to) < 0) {
		refuse(l, c, "start a process: nobody writes its log");
		return;
	}
	if (pipe2(report, O_CLOEXEC | O_NONBLOCK) < 0) {
		refuse(l, c, "start a process: no pipe");
		return;
	}
	pid = fork();
	if (pid == 0) {
		forget_clients(l);
		l->k->output = to;
		keeper_job_run(l->k, req, req->detached ? NULL : fds, report[1]);
	}
	close(report[1]);
	if (pid < 0) {
		snprintf(text, sizeof(text), "start a process: %s", strerror(errno));
		close(report[0]);
		refuse(l, c, text);
		return;
	}
	l->run = (struct workload){
		.pid = pid,
		.report = report[0],
		.detached = req->detached,
		.started = (int64_t)time(NULL),
	};
	describe(&l->run, req);
	c->stage = STAGE_RUN;
	c->until = 0;
}

static void start_exec(
	struct loop *l, struct client *c, const struct keeper_request *req, const int *fds
)
{
	char text[128];

	if (l->run.pid == 0 || !l->run.running) {
		snprintf(
			text,
			sizeof(text),
			"'%s' does not run; see pinfold ps",
			l->k->lease.grant.name
		);
		refuse(l, c, text);
		return;
	}
	if (waiting(l, STAGE_EXEC) >= EXECS) {
		snprintf(
			text,
			sizeof(text),
			"exec in '%s': %d run there already; wait for one to end",
			l->k->lease.grant.name,
			EXECS
		);
		refuse(l, c, text);
		return;
	}
	c->pid = fork();
	if (c->pid == 0) {
		forget_clients(l);
		keeper_job_exec(l->k, req, fds);
	}
	if (c->pid < 0) {
		snprintf(text, sizeof(text), "start a process: %s", strerror(errno));
		refuse(l, c, text);
		return;
	}
	c->stage = STAGE_EXEC;
	c->until = 0;
}

static void first_request(
	struct loop *l, struct client *c, const struct keeper_request *req, const int *fds
)
{
	char text[128];

	switch (req->op) {
	case KEEPER_RUN:
		start_run(l, c, req, fds);
		break;
	case KEEPER_EXEC:
		start_exec(l, c, req, fds);
		break;
	case KEEPER_PS:
		answer_ps(l, c);
		break;
	case KEEPER_LOGS:
		answer_log(l, c);
		break;
	case KEEPER_STOP:
		if (l->run.pid == 0) {
			snprintf(
				text,
				sizeof(text),
				"'%s' does not run; see pinfold ps",
				l->k->lease.grant.name
			);
			refuse(l, c, text);
			break;
		}
		for (size_t i = 0; i < CLIENTS && waiting(l, STAGE_STOP) >= STOPS; i++) {
			if (l->clients[i].stage == STAGE_STOP)
				refuse(l, &l->clients[i], "others stop it too; see pinfold ps");
		}
		c->stage = STAGE_STOP;
		c->until = 0;
		end_run(l, (int64_t)req->seconds * 1000);
		break;
	default:
		refuse(l, c, "request: nothing runs that could get a signal");
	}
}

// A client that goes takes with it what it waits for, but for a detached workload.
static void client_gone(struct loop *l, struct client *c)
{
	if (c->stage == STAGE_RUN && !l->run.detached)
		end_run(l, GONE_MS);
	if (c->stage == STAGE_EXEC) {
		kill(c->pid, SIGTERM);
		close(c->fd);
		c->fd = -1;
		c->until = clock_ms() + GONE_MS;
		return;
	}
	drop_client(c);
}

static void hear(struct loop *l, struct client *c)
{
	static struct message m; // 64 KiB: not on the stack
	struct keeper_request req = {0};
	struct err err;

	if (wire_receive(c->fd, true, &m, &err) < 0) {
		if (err.code == EMSGSIZE && c->stage == STAGE_ASK)
			refuse(l, c, err.msg);
		else if (err.code != EAGAIN && err.code != EINTR)
			client_gone(l, c);
		return;
	}
	if (m.len == 0) {
		message_close(&m);
		client_gone(l, c);
		return;
	}
	if (keeper_request_parse(m.text, m.len, &req, &err) == 0) {
		if (m.nfds != keeper_request_fds(&req))
			err_set(&err, EINVAL, "request: it comes with the wrong descriptors");
		else
			err.code = 0;
	}
	if (c->stage == STAGE_ASK && err.code != 0)
		refuse(l, c, err.msg);
	else if (c->stage == STAGE_ASK)
		first_request(l, c, &req, m.fds);
	else if (err.code == 0 && req.op == KEEPER_SIGNAL && c->stage == STAGE_RUN && l->run.pid > 0)
		kill(l->run.pid, req.signal);
	else if (err.code == 0 && req.op == KEEPER_SIGNAL && c->stage == STAGE_EXEC)
		kill(c->pid, req.signal);
	keeper_request_done(&req);
	message_close(&m);
}

// A free place, or that of who has connected first and not asked yet. NULL: none, which EXECS and STOPS forbid.
static struct client *place_for_one(struct loop *l)
{
	struct client *first = NULL;

	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *c = &l->clients[i];

		if (c->stage == STAGE_FREE)
			return c;
		if (c->stage == STAGE_ASK && (first == NULL || c->until < first->until))
			first = c;
	}
	if (first != NULL)
		refuse(l, first, "request: none came, and others wait");
	return first;
}

// The owner alone: the socket's mode says so already.
static void take_client(struct loop *l)
{
	_cleanup_close_ int fd = accept4(l->k->listen, NULL, NULL, SOCK_CLOEXEC);
	struct ucred who = {.uid = (uid_t)-1};
	socklen_t len = sizeof(who);
	struct client *c;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 || who.uid != 0)
		return; // 0 is the owner here; root of the host has no number
	c = place_for_one(l);
	if (c != NULL)
		*c = (struct client){
			.stage = STAGE_ASK,
			.fd = steal_fd(&fd),
			.until = clock_ms() + ASK_MS,
		};
}

// ---- time

static int timeout_of(const struct loop *l)
{
	int64_t first = l->run.kill_at, left;

	for (size_t i = 0; i < CLIENTS; i++) {
		int64_t until = l->clients[i].until;

		if (until != 0 && (first == 0 || until < first))
			first = until;
	}
	left = first - clock_ms();
	return first == 0 ? -1 : left < 0 ? 0 : (int)left;
}

static void act_on_time(struct loop *l)
{
	int64_t now = clock_ms();

	if (l->run.kill_at != 0 && now >= l->run.kill_at) {
		l->run.kill_at = now + 100; // again, for what was just being started
		kill_rest(l);
	}
	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *c = &l->clients[i];

		if (c->until == 0 || now < c->until)
			continue;
		if (c->stage == STAGE_ASK) {
			refuse(l, c, "request: none came in time");
		} else if (c->stage == STAGE_EXEC) {
			kill(c->pid, SIGKILL);
			c->until = now + GONE_MS;
		}
	}
}

static void take_signals(struct loop *l)
{
	struct signalfd_siginfo si;

	while (read(l->sfd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			continue;
		l->leaving = true;
		end_run(l, LEAVE_MS);
	}
	reap(l);
}

int keeper_serve(struct keeper *k)
{
	static struct loop l;
	sigset_t set;

	l = (struct loop){.k = k, .run = {.report = -1}};
	for (size_t i = 0; i < CLIENTS; i++)
		l.clients[i].fd = -1;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	l.sfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l.sfd < 0)
		return STATUS_FAILED;
	while (!l.leaving || l.run.pid != 0) {
		struct pollfd fds[OWN_FDS + CLIENTS] = {
			{.fd = l.sfd, .events = POLLIN},
			{.fd = k->listen, .events = POLLIN},
			{.fd = l.run.report, .events = POLLIN},
		};

		for (size_t i = 0; i < CLIENTS; i++)
			fds[OWN_FDS + i] = (struct pollfd){.fd = l.clients[i].fd, .events = POLLIN};
		if (poll(fds, ARRAY_LEN(fds), timeout_of(&l)) < 0 && errno != EINTR)
			return STATUS_FAILED;
		for (size_t i = 0; i < CLIENTS; i++) {
			// a slot that has become another client's meanwhile is not ready yet: no harm
			if (fds[OWN_FDS + i].revents != 0 && fds[OWN_FDS + i].fd == l.clients[i].fd)
				hear(&l, &l.clients[i]);
		}
		if (fds[2].revents != 0 && fds[2].fd == l.run.report)
			read_report(&l);
		take_signals(&l);
		act_on_time(&l);
		if (fds[1].revents != 0)
			take_client(&l);
	}
	return 0;
}
