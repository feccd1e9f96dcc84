// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "inside/vm/end.h"

#include "base/scope.h"
#include "inside/inside.h"
#include "site/site.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#define ID_MAX 65535u // of a container

static int number(const char *s, uint32_t max, uint32_t *ret)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(s, &end, 10);
	if (errno != 0 || end == s || *end != '\0' || v > max)
		return -1;
	*ret = (uint32_t)v;
	return 0;
}

int end_options(int argc, char **argv, struct end *ret)
{
	static const struct option longs[] = {
		{"status-fd", required_argument, NULL, 's'},
		{"streams", no_argument, NULL, 'r'},
		{"uid", required_argument, NULL, 'u'},
		{"gid", required_argument, NULL, 'g'},
		{0},
	};
	struct end e = {.status_fd = -1, .input = -1};
	uint32_t fd;
	sigset_t all;
	int opt;

	prctl(PR_SET_DUMPABLE, 0);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	prctl(PR_SET_NAME, INSIDE_NAME);
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:", longs, NULL)) != -1) {
		int r = 0;

		if (opt == 's') {
			r = number(optarg, 1u << 20, &fd);
			e.status_fd = r == 0 ? (int)fd : -1;
		} else if (opt == 'r') {
			e.streams = true;
		} else if (opt == 'u') {
			r = number(optarg, ID_MAX, &e.uid);
		} else if (opt == 'g') {
			r = number(optarg, ID_MAX, &e.gid);
		} else {
			r = -1;
		}
		if (r < 0)
			return inside_fail("%s: bad option '%s'", argv[0], argv[optind - 1]);
	}
	if (optind >= argc)
		return inside_fail("%s: no program given", argv[0]);
	if (e.status_fd >= 0 && fcntl(e.status_fd, F_SETFD, FD_CLOEXEC) < 0)
		return inside_fail("%s: --status-fd %d is not open", argv[0], e.status_fd);
	e.argv = argv + optind;
	if (e.streams && inside_streams(e.status_fd) != 0)
		return STATUS_FAILED;
	e.terminal = !e.streams && isatty(0);
	*ret = e;
	return 0;
}

int end_open(struct end *e, int port, struct err *err)
{
	pump_open(&e->pump, port, PUMP_WORD);
	fcntl(port, F_SETFL, O_RDWR | O_NONBLOCK);
	e->input = fcntl(0, F_DUPFD_CLOEXEC, 10);
	if (pump_sink(&e->pump, 1, fcntl(1, F_DUPFD_CLOEXEC, 10), err) < 0)
		return -err->code;
	if (!e->terminal && pump_sink(&e->pump, 2, fcntl(2, F_DUPFD_CLOEXEC, 10), err) < 0)
		return -err->code;
	// the pump's alone: when the program closes one, the other side is told
	for (int fd = 0; !e->terminal && e->streams && fd <= STDERR_FILENO; fd++)
		close(fd);
	return 0;
}

// The size of the terminal: what the supervisor sent last, before SIGWINCH (init.c). Each is sent once, and one
// signal may stand for two of them. 0: nobody has said it, and our own terminal has none, as the runtime made it.
static uint32_t terminal_size(struct end *e)
{
	struct winsize w;

	if (!e->terminal)
		return 0;
	while (e->status_fd >= 0
	       && recv(e->status_fd, &w, sizeof(w), MSG_DONTWAIT) == (ssize_t)sizeof(w))
		e->size = (uint32_t)w.ws_row << 16 | w.ws_col;
	if (e->size == 0 && ioctl(0, TIOCGWINSZ, &w) == 0)
		return (uint32_t)w.ws_row << 16 | w.ws_col;
	return e->size;
}

static json_t *strings(char *const *list)
{
	json_t *array = json_array();

	for (; *list != NULL; list++)
		json_array_append_new(array, json_string(*list));
	return array;
}

int end_start(struct end *e, const char *cpus, struct err *err)
{
	_cleanup_json_ json_t *job = json_pack(
		"{s:o, s:o, s:I, s:I, s:b, s:I, s:s}",
		"argv",
		strings(e->argv),
		"env",
		strings(environ),
		"uid",
		(json_int_t)e->uid,
		"gid",
		(json_int_t)e->gid,
		"terminal",
		e->terminal,
		"size",
		(json_int_t)terminal_size(e),
		"cpus",
		cpus
	);
	_cleanup_free_ char *text = json_dumps(job, JSON_COMPACT);

	if (text == NULL)
		return err_oom(err);
	if (strlen(text) > PUMP_MAX)
		return err_set(err, E2BIG, "arguments and environment are more than 1 MiB");
	if (e->terminal) {
		struct termios t;

		// lines are made by the guest's terminal
		if (tcgetattr(0, &t) == 0) {
			cfmakeraw(&t);
			tcsetattr(0, TCSANOW, &t);
		}
	}
	if (pump_send(&e->pump, FRAME_START, text, strlen(text), err) < 0)
		return -err->code;
	pump_source(&e->pump, 0, e->input);
	e->input = -1;
	return 0;
}

void end_say(const struct end *e, const char *fmt, ...)
{
	va_list ap;

	if (e->status_fd < 0)
		return;
	va_start(ap, fmt);
	vdprintf(e->status_fd, fmt, ap);
	va_end(ap);
}

// As they would have been sent: a size with SIGWINCH.
static int send_held(struct end *e, struct err *err)
{
	uint64_t held = e->held;

	e->held = 0;
	for (int sig = 1; sig < 64; sig++) {
		if ((held >> sig & 1) != 0 && end_signal(e, sig, err) < 0)
			return -err->code;
	}
	return 0;
}

int end_frame(struct end *e, enum frame_type type, const char *text, size_t len, struct err *err)
{
	uint32_t n = 0;

	switch (type) {
	case FRAME_STARTED:
		if (e->started || e->over)
			break;
		e->started = true;
		end_say(e, "started 1\n");
		return send_held(e, err);
	case FRAME_FAILED:
		if (e->started || e->over || pump_number(text, len, &n, err) < 0)
			break;
		end_say(e, "failed %d\n", (int)(n & 0xfff));
		e->over = true;
		e->code = status_of_exec((int)(n & 0xfff));
		return 0;
	case FRAME_ENDED:
		if (e->over || pump_number(text, len, &n, err) < 0)
			break;
		e->over = true;
		e->code = (int)(n & 0xff);
		return 0;
	case FRAME_OVER:
		e->left = e->over;
		return 0;
	default:
		break;
	}
	// what comes after the end does not matter any more
	return e->over ? 0 : err_set(err, EPROTO, "a frame of type %d", type);
}

bool end_before_start(struct end *e, int sig)
{
	if (e->started || (sig != SIGTERM && sig != SIGINT && sig != SIGHUP && sig != SIGQUIT))
		return false;
	e->over = true;
	e->code = 128 + sig;
	return true;
}

int end_signal(struct end *e, int sig, struct err *err)
{
	uint32_t size;

	if (sig == SIGPIPE || sig == SIGCHLD || sig >= 64)
		return 0;
	if (!e->started) {
		e->held |= UINT64_C(1) << sig;
		return 0;
	}
	size = sig == SIGWINCH ? terminal_size(e) : 0;
	if (size != 0 && pump_send_number(&e->pump, FRAME_SIZE, size, err) < 0)
		return -err->code;
	return pump_send_number(&e->pump, FRAME_SIGNAL, (uint32_t)sig, err);
}

static int ignore(void *arg, enum frame_type type, const char *text, size_t len, struct err *err)
{
	(void)arg, (void)type, (void)text, (void)len, (void)err;
	return 0;
}

int end_finish(struct end *e, int sfd)
{
	struct err err = {0};

	while (!pump_written(&e->pump)) {
		struct pollfd fds[PUMP_FDS + 1];
		struct signalfd_siginfo si;

		pump_wait(&e->pump, fds);
		fds[0].fd = -1;
		fds[PUMP_FDS] = (struct pollfd){.fd = sfd, .events = POLLIN};
		if (poll(fds, PUMP_FDS + 1, -1) < 0 && errno != EINTR)
			break;
		if (fds[PUMP_FDS].revents != 0 && read(sfd, &si, sizeof(si)) == sizeof(si)
		    && (si.ssi_signo == SIGTERM || si.ssi_signo == SIGINT))
			break;
		fds[0].revents = 0;
		if (pump_work(&e->pump, fds, ignore, NULL, &err) < 0 && err.code != EPIPE)
			break;
	}
	// not to wait for a reader that does not read
	if (e->status_fd >= 0)
		fcntl(e->status_fd, F_SETFL, O_NONBLOCK);
	if (e->started)
		end_say(e, "ended %d\n", e->code);
	return e->code;
}
