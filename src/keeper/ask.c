// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// One question to a keeper, and its answer. Root asks, too, and the keeper is its owner's: descriptors that it sends
// are closed in the process that receives them, and such a close may wait as long as their owner likes, or for
// whoever serves a file system (base/socket.h). So that is a process of its own, for which nobody waits any longer
// than for the answer.

#include "base/clock.h"
#include "base/scope.h"
#include "base/socket.h"
#include "keeper/client.h"
#include "keeper/keeper.h"
#include "run/beside.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define SLACK_MS 500 // for it to say by itself that there is no answer
#define END_MS 100   // for a process that was killed

static int left(int64_t limit)
{
	int64_t ms = limit - clock_ms();

	return ms > 0 ? (int)ms : 0;
}

// ---- the process that asks

static int ask(
	const char *name,
	const struct keeper_request *req,
	pid_t parent,
	int64_t limit,
	struct message *ret,
	struct err *err
)
{
	int sock = keeper_connect(name, false, err);

	if (sock < 0)
		return sock;
	// whose question it is may end before the answer; only now, as a change of ids takes it back
	if (beside_end_with(parent) < 0)
		return err_set(err, ESRCH, "who asked is gone");
	if (wire_send(sock, keeper_request_to_json(req), NULL, 0, err) < 0
	    || keeper_hear(sock, left(limit), false, ret, err) < 0)
		return err_wrap(err, "grant '%s'", name);
	return 0; // the socket is closed with the process: then nothing lingers
}

static _Noreturn void ask_main(
	const char *name, const struct keeper_request *req, pid_t parent, int64_t limit, int to
)
{
	static struct message m;
	struct err err = {0};
	struct iovec iov[] = {{&err, sizeof(err)}, {m.text, 0}};
	const struct msghdr msg = {.msg_iov = iov, .msg_iovlen = ARRAY_LEN(iov)};
	int *const keep[] = {&to};

	beside_apart(keep, ARRAY_LEN(keep));
	if (ask(name, req, parent, limit, &m, &err) == 0) {
		err = (struct err){0};
		iov[1].iov_len = m.len;
	}
	sendmsg(to, &msg, MSG_NOSIGNAL);
	_exit(0);
}

// ---- its parent

// The answer is text, or err is set.
static int wait_answer(
	int from, const char *name, int64_t limit, char *text, size_t *ret_len, struct err *err
)
{
	struct pollfd p = {.fd = from, .events = POLLIN};
	struct err theirs = {0};
	struct iovec iov[] = {{&theirs, sizeof(theirs)}, {text, KEEPER_MESSAGE_MAX}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = ARRAY_LEN(iov)};
	ssize_t n;

	while (poll(&p, 1, left(limit)) < 0 && errno == EINTR)
		;
	if (p.revents == 0)
		return err_set(err, ETIMEDOUT, "grant '%s': the keeper does not answer", name);
	n = recvmsg(from, &msg, MSG_DONTWAIT);
	if (n < (ssize_t)sizeof(theirs))
		return err_set(err, EPIPE, "grant '%s': who asked its keeper has ended", name);
	if (theirs.code != 0) {
		*err = theirs;
		return -err->code;
	}
	*ret_len = (size_t)n - sizeof(theirs);
	return 0;
}

static int receive(
	const char *name,
	const struct keeper_request *req,
	unsigned seconds,
	char *text,
	size_t *ret_len,
	struct err *err
)
{
	const int64_t limit = clock_ms() + seconds * INT64_C(1000);
	_cleanup_close_ int fd = -1;
	pid_t parent = getpid(), pid = beside_ask(name, &fd, err);
	int r;

	if (pid < 0)
		return pid;
	if (pid == 0)
		ask_main(name, req, parent, limit, fd);
	r = wait_answer(fd, name, limit + SLACK_MS, text, ret_len, err);
	beside_ask_end(pid, END_MS);
	return r;
}

int keeper_ask(
	const char *name,
	const struct keeper_request *req,
	unsigned seconds,
	struct keeper_reply *ret,
	struct err *err
)
{
	static char text[KEEPER_MESSAGE_MAX + 1];
	size_t len;

	if (receive(name, req, seconds, text, &len, err) < 0)
		return -err->code;
	if (keeper_reply_parse(text, len, ret, err) < 0)
		return err_wrap(err, "grant '%s'", name);
	if (ret->status != 0 || ret->started) {
		json_decref(ret->row);
		ret->row = NULL;
		return err_set(err, EIO, "%s", ret->error[0] != '\0' ? ret->error : "it failed");
	}
	return 0;
}
