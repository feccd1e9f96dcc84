// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "keeper/wire.h"

#include "base/scope.h"

#include <string.h>
#include <sys/socket.h>

int wire_send(int sock, json_t *doc, const int *fds, unsigned nfds, struct err *err)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(WIRE_FDS * sizeof(int))];
	} control = {0};
	_cleanup_free_ char *text = doc != NULL ? json_dumps(doc, JSON_COMPACT) : NULL;
	struct iovec iov = {.iov_base = text, .iov_len = text != NULL ? strlen(text) : 0};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	json_decref(doc);
	if (text == NULL)
		return err_set(err, EINVAL, "talk to the keeper: a word is not UTF-8");
	if (iov.iov_len > KEEPER_MESSAGE_MAX)
		return err_set(
			err,
			E2BIG,
			"talk to the keeper: program and environment are over %d bytes",
			KEEPER_MESSAGE_MAX
		);
	if (nfds > 0) {
		struct cmsghdr *c;

		msg.msg_control = control.room;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	if (sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return err_sys(err, errno, "talk to the keeper");
	return 0;
}

// Every descriptor that came, also those there is no room for in the message.
static unsigned take_fds(struct msghdr *msg, struct message *m)
{
	unsigned n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (n < WIRE_FDS)
				m->fds[n] = fd;
			else
				close(fd);
			n++;
		}
	}
	m->nfds = n < WIRE_FDS ? n : WIRE_FDS;
	return n;
}

int wire_receive(int sock, bool fds, struct message *ret, struct err *err)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(WIRE_FDS * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = ret->text, .iov_len = KEEPER_MESSAGE_MAX};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = fds ? control.room : NULL,
		.msg_controllen = fds ? sizeof(control.room) : 0,
	};
	ssize_t n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	unsigned came;

	ret->nfds = 0;
	ret->len = 0;
	if (n < 0)
		return err_sys(err, errno, "hear from the other side");
	came = take_fds(&msg, ret);
	if (came > WIRE_FDS || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
		message_close(ret);
		return err_set(err, EMSGSIZE, "message: too long or too many descriptors");
	}
	ret->len = (size_t)n;
	ret->text[n] = '\0';
	return 0;
}

void message_close(struct message *m)
{
	for (unsigned i = 0; i < m->nfds; i++)
		close(m->fds[i]);
	m->nfds = 0;
}
