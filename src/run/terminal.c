// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "run/terminal.h"

#include "base/scope.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

// Which of the standard descriptors is a terminal; -1: none.
static int find_terminal(void)
{
	for (int fd = 0; fd < STREAMS; fd++) {
		if (isatty(fd))
			return fd;
	}
	return -1;
}

static void copy_size(int master)
{
	struct winsize size;
	int fd = find_terminal();

	if (fd >= 0 && ioctl(fd, TIOCGWINSZ, &size) == 0)
		ioctl(master, TIOCSWINSZ, &size);
}

int terminal_open(bool input, struct streams *ret_streams, struct terminal *ret, struct err *err)
{
	struct terminal t = NO_TERMINAL;
	struct streams s = NO_STREAMS;
	struct termios raw;

	s.terminal = true;
	t.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (t.master < 0 || unlockpt(t.master) < 0
	    || (s.program[0] = ioctl(t.master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0
	    || (s.ours[1] = fcntl(t.master, F_DUPFD_CLOEXEC, 0)) < 0
	    || (input && (s.ours[0] = fcntl(t.master, F_DUPFD_CLOEXEC, 0)) < 0)
	    // as the runtime does, only later: what was typed ahead is not to be echoed by this one too
	    || tcgetattr(s.program[0], &raw) < 0) {
		err_sys(err, errno, "make a terminal");
		streams_done(&s);
		terminal_done(&t);
		return -err->code;
	}
	cfmakeraw(&raw);
	tcsetattr(s.program[0], TCSANOW, &raw);
	copy_size(t.master);
	if (input && isatty(STDIN_FILENO))
		t.caller = STDIN_FILENO;
	*ret_streams = s;
	*ret = t;
	return 0;
}

void terminal_take(struct terminal *t)
{
	struct termios raw;

	if (t->caller < 0 || (!t->known && tcgetattr(t->caller, &t->saved) < 0))
		return;
	t->known = true;
	raw = t->saved;
	cfmakeraw(&raw);
	t->raw = tcsetattr(t->caller, TCSANOW, &raw) == 0;
}

// True if the terminal is another's just now, whose settings these are then.
static bool in_background(const struct terminal *t)
{
	pid_t front = tcgetpgrp(t->caller);

	return front >= 0 && front != getpgrp();
}

void terminal_give_back(struct terminal *t)
{
	if (t->raw && !in_background(t))
		tcsetattr(t->caller, TCSANOW, &t->saved);
	t->raw = false;
}

bool terminal_signal(struct terminal *t, int number)
{
	if (t->master < 0)
		return false;
	switch (number) {
	case SIGWINCH:
		copy_size(t->master);
		return false; // the program is told as well
	case SIGTSTP:	      // sent by somebody: the key is the program's
		terminal_give_back(t);
		raise(SIGSTOP);
		return true;
	case SIGCONT:
		if (t->caller >= 0 && !in_background(t))
			terminal_take(t); // a shell may have had it meanwhile
		copy_size(t->master);
		return true;
	default:
		return false;
	}
}

void terminal_send_size(int fd, int sock)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) == 0)
		send(sock, &size, sizeof(size), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void terminal_hang_up(struct terminal *t)
{
	scope_close(&t->master);
	t->master = -1;
}

void terminal_done(struct terminal *t)
{
	terminal_give_back(t);
	terminal_hang_up(t);
}
