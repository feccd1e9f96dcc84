// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The command line's side of a keeper's socket.

#include "keeper/client.h"
#include "apply/apply.h"
#include "base/scope.h"
#include "base/socket.h"
#include "base/status.h"
#include "keeper/keeper.h"
#include "run/watch_runtime.h"

#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define START_SECONDS 90 // longer than any wait of the keeper for a start
#define CONNECT_SECONDS 2

static int look(const char *name, struct stat *ret)
{
	char path[128];

	snprintf(path, sizeof(path), KEEPERS_DIR "/%s.sock", name);
	if (lstat(path, ret) < 0)
		return -errno;
	return S_ISSOCK(ret->st_mode) ? 0 : -ENOTSOCK;
}

bool keeper_serves(const char *name)
{
	struct err unused;
	struct stat st;

	return name_check("a grant", name, &unused) == 0 && look(name, &st) == 0;
}

bool keeper_frozen(const char *name)
{
	struct hostfs fs;
	struct err unused;
	bool frozen;

	if (hostfs_open("/", &fs, &unused) < 0)
		return false;
	frozen = offline_frozen(&fs, name);
	hostfs_close(&fs);
	return frozen;
}

// A keeper believes its owner alone: root asks as the owner.
int keeper_connect(const char *name, bool fds, struct err *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const struct timeval limit = {.tv_sec = CONNECT_SECONDS};
	struct stat st;
	int r;

	if (name_check("a grant", name, err) < 0)
		return -err->code;
	r = look(name, &st);
	if (r < 0 || fd < 0)
		return err_set(
			err,
			ENOENT,
			"grant '%s' has no keeper here; root starts it: pinfold grant start %s",
			name,
			name
		);
	if (geteuid() != 0 && geteuid() != st.st_uid)
		return err_set(err, EACCES, "grant '%s' belongs to another user", name);
	if (keeper_frozen(name))
		return err_set(
			err,
			EAGAIN,
			"grant '%s' is frozen: its CPUs or nodes are offline; as root: pinfold ps, "
			"or pinfold grant stop %s",
			name,
			name
		);
	snprintf(to.sun_path, sizeof(to.sun_path), KEEPERS_DIR "/%s.sock", name);
	if (!fds)
		socket_refuse_fds(fd);
	// the owner may have stopped it: its queue is full then, and nobody takes from it
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (geteuid() == 0 && seteuid(st.st_uid) < 0)
		return err_sys(err, errno, "ask as user %u", st.st_uid);
	r = connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
	if (getuid() == 0 && seteuid(0) < 0)
		return err_sys(err, errno, "be root again");
	if (r == -ECONNREFUSED)
		return err_set(
			err,
			ECONNREFUSED,
			"the keeper of grant '%s' has ended; root starts it: pinfold grant start "
			"%s",
			name,
			name
		);
	return r < 0 ? err_sys(err, -r, "reach the keeper of grant '%s'", name) : steal_fd(&fd);
}

int keeper_hear(int sock, int milliseconds, bool fds, struct message *ret, struct err *err)
{
	struct pollfd p = {.fd = sock, .events = POLLIN};
	int n, r;

	do {
		n = poll(&p, 1, milliseconds);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return err_set(err, ETIMEDOUT, "the keeper does not answer");
	r = wire_receive(sock, fds, ret, err);
	if (r == 0 && ret->len > 0)
		return 0;
	message_close(ret);
	return r == -EMSGSIZE ? err_wrap(err, "the keeper")
			      : err_set(err, EPIPE, "the keeper ended");
}

int keeper_log(const char *name, struct log_pair *ret, struct err *err)
{
	const struct keeper_request req = {.op = KEEPER_LOGS};
	_cleanup_close_ int sock = keeper_connect(name, true, err);
	static struct message m;
	struct keeper_reply reply = {0};

	if (sock < 0)
		return sock;
	if (wire_send(sock, keeper_request_to_json(&req), NULL, 0, err) < 0
	    || keeper_hear(sock, 5000, true, &m, err) < 0
	    || keeper_reply_parse(m.text, m.len, &reply, err) < 0) {
		message_close(&m);
		return err_wrap(err, "grant '%s'", name);
	}
	json_decref(reply.row);
	// one that was started before there were times has two
	if (m.nfds != 2 && m.nfds != KEEPER_LOG_FDS) {
		message_close(&m);
		return err_set(
			err,
			EIO,
			"logs of '%s': %s",
			name,
			reply.error[0] != '\0' ? reply.error : "none"
		);
	}
	*ret = (struct log_pair){m.fds[0], m.fds[1], -1, -1};
	if (m.nfds == KEEPER_LOG_FDS) {
		ret->now_times = m.fds[2];
		ret->before_times = m.fds[3];
	}
	m.nfds = 0;
	return 0;
}

// ---- run and exec

// The caller's side of a program: this process relays what is its caller's, with its rights.
struct session {
	int sock, sfd;
	struct streams streams;
	struct terminal terminal;
	struct relay relay;
};

static int pass_signal(struct session *s, struct err *err)
{
	struct keeper_request req = {.op = KEEPER_SIGNAL};
	struct signalfd_siginfo si;

	if (read(s->sfd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return 0;
	req.signal = (int)si.ssi_signo;
	if (req.signal == SIGCHLD && relay_gone(&s->relay) && s->relay.nobody)
		terminal_hang_up(&s->terminal);
	if (terminal_signal(&s->terminal, req.signal) || !keeper_signal_allowed(req.signal))
		return 0;
	return wire_send(s->sock, keeper_request_to_json(&req), NULL, 0, err);
}

// Until the end, or for what is detached until it runs.
static int follow(
	struct session *s,
	const struct keeper_request *req,
	struct keeper_reply *ret,
	struct err *err
)
{
	static struct message m;
	bool started = req->op == KEEPER_EXEC;

	for (;;) {
		struct pollfd p[] = {
			{.fd = s->sock, .events = POLLIN},
			{.fd = s->sfd, .events = POLLIN},
		};
		int n = poll(p, 2, started ? -1 : START_SECONDS * 1000);

		if (n == 0)
			return err_set(err, ETIMEDOUT, "the keeper does not answer");
		if (n > 0 && p[1].revents != 0 && pass_signal(s, err) < 0 && err->code != EPIPE
		    && err->code != EAGAIN)
			return -err->code;
		if (n <= 0 || p[0].revents == 0)
			continue;
		if (keeper_hear(s->sock, 0, false, &m, err) < 0
		    || keeper_reply_parse(m.text, m.len, ret, err) < 0)
			return -err->code;
		if (!ret->started || req->detached)
			return 0;
		started = true;
	}
}

// What carries the program's bytes is its caller's process, at his cost. It runs where the grant's own would, if he may
// use those CPUs: what a program says takes nothing from who has others.
static int start_relay(struct session *s, const char *name, struct err *err)
{
	struct idset before = {0}, cpus;
	bool moved = false;
	struct err unused;
	struct hostfs fs;
	int r;

	if (hostfs_open("/", &fs, &unused) == 0) {
		moved = offline_cpus(&fs, name, &cpus)
			&& sched_getaffinity(0, sizeof(before), (cpu_set_t *)before.word) == 0
			&& sched_setaffinity(0, sizeof(cpus), (cpu_set_t *)cpus.word) == 0;
		hostfs_close(&fs);
	}
	r = relay_start(&s->relay, &s->streams, NULL, NULL, err);
	if (moved)
		sched_setaffinity(0, sizeof(before), (cpu_set_t *)before.word);
	return r;
}

// Asks, with the program's ends of its streams.
static int ask(
	struct session *s, const char *name, const struct keeper_request *req, struct err *err
)
{
	unsigned n = keeper_request_fds(req);
	int fds[KEEPER_FDS];

	if (n > 0 && req->terminal
	    && terminal_open(req->interactive, &s->streams, &s->terminal, err) < 0)
		return -err->code;
	if (n > 0 && !req->terminal && streams_open(req->interactive, &s->streams, err) < 0)
		return -err->code;
	for (int i = 0; i < KEEPER_FDS; i++)
		fds[i] = s->streams.program[req->terminal ? 0 : i];
	if (wire_send(s->sock, keeper_request_to_json(req), fds, n, err) < 0)
		return -err->code;
	streams_handed_over(&s->streams);
	if (n == 0)
		return 0;
	terminal_take(&s->terminal);
	return start_relay(s, name, err);
}

int keeper_run(const char *name, const struct keeper_request *req, int *ret_status, struct err *err)
{
	struct session s = {
		.sock = keeper_connect(name, false, err),
		.streams = NO_STREAMS,
		.terminal = NO_TERMINAL,
		.relay = NO_RELAY,
	};
	struct keeper_reply reply = {0};
	struct err lost;
	sigset_t old;
	int r;

	*ret_status = STATUS_FAILED;
	if (s.sock < 0)
		return s.sock;
	s.sfd = watch_signals(req->terminal, &old);
	r = ask(&s, name, req, err);
	if (r == 0)
		r = follow(&s, req, &reply, err);
	close(s.sock);
	if (relay_end(&s.relay, s.sfd, NULL, &lost) < 0 && r == 0) {
		*err = lost;
		r = -err->code;
	}
	streams_done(&s.streams);
	terminal_done(&s.terminal);
	watch_end(s.sfd, &old);
	if (r < 0)
		return err_wrap(err, "grant '%s'", name);
	json_decref(reply.row);
	*ret_status = reply.started ? 0 : reply.status;
	return reply.error[0] != '\0' && !reply.started ? err_set(err, EIO, "%s", reply.error) : 0;
}

// ---- which there are

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*a)->d_name, (*b)->d_name);
}

int keeper_each(keeper_fn fn, void *arg, struct err *err)
{
	struct dirent **list = NULL;
	int n = scandir(KEEPERS_DIR, &list, NULL, by_name);

	if (n < 0 && errno != ENOENT)
		return err_sys(err, errno, "list '%s'", KEEPERS_DIR);
	for (int i = 0; i < n; i++) {
		char name[NAME_MAX_LEN + 8];
		size_t len = strlen(list[i]->d_name);
		struct stat st;

		if (len > 5 && len < sizeof(name) && str_eq(list[i]->d_name + len - 5, ".sock")) {
			snprintf(name, sizeof(name), "%.*s", (int)len - 5, list[i]->d_name);
			if (look(name, &st) == 0 && (geteuid() == 0 || st.st_uid == geteuid()))
				fn(name, arg);
		}
		free(list[i]);
	}
	free(list);
	return 0;
}
