// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/scope.h"
#include "run/relay.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

// The modes of the pipes, which stay root's: a program may open them again as what they are, but not read
// what it has said, nor keep its own input from ending.
#define MODE_READ 0444
#define MODE_WRITE 0222

int streams_no_input(void)
{
	int fd = memfd_create("no-input", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0)
		fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_SEAL);
	return fd;
}

// Our end never waits: the program may read what was ready, or fill what was empty.
static int make_pipe(int *program, int *ours, bool input)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	*program = fds[input ? 0 : 1];
	*ours = fds[input ? 1 : 0];
	if (fchmod(*program, input ? MODE_READ : MODE_WRITE) < 0
	    || fcntl(*ours, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int streams_open(bool input, struct streams *ret, struct err *err)
{
	struct streams s = NO_STREAMS;
	int r = 0;

	for (int i = 0; r == 0 && i < STREAMS; i++) {
		if (i > 0 || input)
			r = make_pipe(&s.program[i], &s.ours[i], i == 0);
		else if ((s.program[i] = streams_no_input()) < 0)
			r = -errno;
	}
	if (r < 0) {
		streams_done(&s);
		return err_sys(err, -r, "make pipes for input and output");
	}
	*ret = s;
	return 0;
}

static bool fits(int fd, bool terminal)
{
	struct stat st;

	if (terminal)
		return isatty(fd);
	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

int streams_of(const int *fds, bool input, bool terminal, struct streams *ret, struct err *err)
{
	struct streams s = NO_STREAMS;

	s.terminal = terminal;
	for (int i = 0; i < STREAMS; i++) {
		if ((i > 0 || input || terminal) && !fits(fds[i], terminal))
			return err_set(
				err,
				EINVAL,
				"input and output: they must come over %s",
				terminal ? "a terminal" : "pipes"
			);
	}
	for (int i = 0; i < STREAMS; i++) {
		if (terminal ? i > 0 : i == 0 && !input)
			close(fds[i]);
		else
			s.program[i] = fds[i];
	}
	if (terminal)
		s.size = fcntl(s.program[0], F_DUPFD_CLOEXEC, 0);
	if (!terminal && !input && (s.program[0] = streams_no_input()) < 0)
		return err_sys(err, errno, "make an empty input");
	*ret = s;
	return 0;
}

int streams_send(const struct streams *s, int sock, struct err *err)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(STREAMS * sizeof(int))];
	} control = {0};
	char byte = 's';
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(STREAMS * sizeof(int));
	memcpy(CMSG_DATA(c), s->program, STREAMS * sizeof(int));
	if (sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
		return err_sys(err, errno, "hand over input and output");
	return 0;
}

static void close_all(int fds[static STREAMS])
{
	for (int i = 0; i < STREAMS; i++) {
		scope_close(&fds[i]);
		fds[i] = -1;
	}
}

void streams_handed_over(struct streams *s)
{
	close_all(s->program);
}

void streams_done(struct streams *s)
{
	close_all(s->program);
	close_all(s->ours);
	scope_close(&s->size);
	s->size = -1;
}
