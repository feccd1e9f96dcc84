// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The guest's end of one program. It is started as in a container, by pinfold-inside init.

#include "base/clock.h"
#include "base/scope.h"
#include "base/str.h"
#include "inside/inside.h"
#include "inside/vm/vm.h"

#include <fcntl.h>
#include <grp.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define STATUS_FD 9
#define OVER_MILLISECONDS 10000 // from its end until nobody of the host is at the port any more

struct attendant {
	struct pump pump;
	pid_t init;   // 0: not yet
	int status;   // pipe from it
	bool first;   // the program is the guest's first process
	bool another; // it is one of pinfold exec
	bool over;    // nobody is at the other end any more
	bool ended, said, failed, terminal;
	int code; // exit status
};

static int number_of(const json_t *doc, const char *key)
{
	return (int)json_integer_value(json_object_get(doc, key));
}

// Borrowed strings, NULL-terminated, after those of before. NULL: no memory.
static char **words(const json_t *list, char *const *before, size_t nbefore)
{
	char **ret = calloc(nbefore + json_array_size(list) + 1, sizeof(*ret));
	const json_t *e;
	size_t i, n = nbefore;

	if (ret == NULL)
		return NULL;
	for (i = 0; i < nbefore; i++)
		ret[i] = before[i];
	json_array_foreach (list, i, e) {
		if (json_is_string(e))
			ret[n++] = (char *)json_string_value(e);
	}
	return ret;
}

static _Noreturn void become(
	const struct attendant *a, const json_t *job, const int fds[static PUMP_STREAMS], int status
)
{
	char *before[8], **argv, **env;
	const char *cpus = json_string_value(json_object_get(job, "cpus"));
	gid_t gid = (gid_t)number_of(job, "gid");
	const struct rlimit locked = {RLIM_INFINITY, RLIM_INFINITY};
	char fd[16];
	size_t n = 0;
	sigset_t none;

	if (!a->first) {
		before[n++] = (char *)"pinfold-inside";
		before[n++] = (char *)"init";
		before[n++] = (char *)"--status-fd";
		snprintf(fd, sizeof(fd), "%d", STATUS_FD);
		before[n++] = fd;
		if (cpus != NULL && cpus[0] != '\0') {
			before[n++] = (char *)"--cpus";
			before[n++] = (char *)cpus;
		}
		before[n++] = (char *)"--";
	}
	argv = words(json_object_get(job, "argv"), before, n);
	env = words(json_object_get(job, "env"), NULL, 0);
	setsid();
	for (int i = 0; i < PUMP_STREAMS; i++)
		dup2(fds[i], i);
	dup2(status, STATUS_FD);
	// nobody is left who could say more than that it was executed
	if (a->first)
		fcntl(STATUS_FD, F_SETFD, FD_CLOEXEC);
	if (a->terminal)
		ioctl(0, TIOCSCTTY, 0);
	close_range(STATUS_FD + 1, ~0u, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	setrlimit(RLIMIT_MEMLOCK, &locked);
	errno = ENOMEM;
	if (argv != NULL && env != NULL && chdir("/") == 0 && setgroups(0, NULL) == 0
	    && setgid(gid) == 0 && setuid((uid_t)number_of(job, "uid")) == 0)
		execve(a->first ? argv[0] : "/proc/self/exe", argv, env);
	dprintf(STATUS_FD, "failed %d\n", errno);
	// its end would be a panic, before anybody could be told
	while (a->first)
		pause();
	_exit(STATUS_FAILED);
}

// The program's ends in fds, ours handed to the pump.
static int open_pipes(struct attendant *a, int fds[static PUMP_STREAMS], struct err *err)
{
	for (unsigned i = 0; i < PUMP_STREAMS; i++) {
		int p[2];

		if (pipe2(p, O_CLOEXEC) < 0)
			return err_sys(err, errno, "make a pipe");
		// the program may open them again by name
		fchmod(p[i == 0 ? 0 : 1], i == 0 ? 0444 : 0222);
		fds[i] = p[i == 0 ? 0 : 1];
		if (i > 0)
			pump_source(&a->pump, i, p[0]);
		else if (pump_sink(&a->pump, i, p[1], err) < 0)
			return -err->code;
	}
	return 0;
}

static int open_terminal(
	struct attendant *a, const json_t *job, int fds[static PUMP_STREAMS], struct err *err
)
{
	uint32_t size = (uint32_t)number_of(job, "size");
	struct winsize w = {.ws_row = (uint16_t)(size >> 16), .ws_col = (uint16_t)size};
	int master, slave;

	if (openpty(&master, &slave, NULL, NULL, &w) < 0)
		return err_sys(err, errno, "make a terminal");
	fcntl(master, F_SETFD, FD_CLOEXEC);
	if (fchown(slave, (uid_t)number_of(job, "uid"), (gid_t)-1) < 0)
		return err_sys(err, errno, "give the terminal away");
	for (int i = 0; i < PUMP_STREAMS; i++)
		fds[i] = fcntl(slave, F_DUPFD_CLOEXEC, 0);
	close(slave);
	pump_source(&a->pump, 1, fcntl(master, F_DUPFD_CLOEXEC, 0));
	return pump_sink(&a->pump, 0, master, err);
}

static int start(struct attendant *a, const char *text, size_t len, struct err *err)
{
	_cleanup_json_ json_t *job = NULL;
	int fds[PUMP_STREAMS] = {-1, -1, -1}, status[2], r;

	if (a->init != 0)
		return err_set(err, EPROTO, "a second program");
	if (jread_parse(text, len, "the program", &job, err) < 0)
		return -err->code;
	a->terminal = json_is_true(json_object_get(job, "terminal"));
	r = a->terminal ? open_terminal(a, job, fds, err) : open_pipes(a, fds, err);
	if (r < 0)
		return r;
	if (pipe2(status, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(err, errno, "make a pipe");
	a->init = fork();
	if (a->init < 0)
		return err_sys(err, errno, "fork");
	if (a->first ? a->init > 0 : a->init == 0)
		become(a, job, fds, status[1]);
	if (a->first)
		a->init = 1;
	for (int i = 0; i < PUMP_STREAMS; i++)
		close(fds[i]);
	close(status[1]);
	a->status = status[0];
	return 0;
}

static int take(void *arg, enum frame_type type, const char *text, size_t len, struct err *err)
{
	struct attendant *a = arg;
	uint32_t n = 0;

	if (type == FRAME_START)
		return start(a, text, len, err);
	if (type == FRAME_OVER) {
		a->over = true;
		// it was not waited for
		if (!a->ended && !a->first && a->init > 0)
			kill(a->init, SIGKILL);
	}
	if (pump_number(text, len, &n, err) < 0)
		return -err->code;
	// what ends a program has systemd switch the machine off (systemd(1))
	if (type == FRAME_SIGNAL && a->first && (n == SIGTERM || n == SIGINT))
		n = (uint32_t)SIGRTMIN + 4;
	if (type == FRAME_SIGNAL && a->init > 0 && n < NSIG)
		kill(a->init, (int)n);
	if (type == FRAME_SIZE && a->terminal && a->pump.source[1].fd >= 0) {
		struct winsize w = {.ws_row = (uint16_t)(n >> 16), .ws_col = (uint16_t)n};

		ioctl(a->pump.source[1].fd, TIOCSWINSZ, &w);
	}
	return 0;
}

// What the program's init says of it: as run/supervise.c reads it of a container's.
static int read_status(struct attendant *a, struct err *err)
{
	char buf[512], *save = NULL;
	ssize_t n = read(a->status, buf, sizeof(buf) - 1);
	int v, r = 0;

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN) {
			close(a->status);
			a->status = -1;
			if (a->first && !a->failed)
				return pump_send(&a->pump, FRAME_STARTED, NULL, 0, err);
		}
		return 0;
	}
	buf[n] = '\0';
	for (char *line = strtok_r(buf, "\n", &save); r == 0 && line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		if (str_starts(line, "started"))
			r = pump_send(&a->pump, FRAME_STARTED, NULL, 0, err);
		else if (sscanf(line, "failed %d", &v) == 1)
			a->failed = true,
			r = pump_send_number(&a->pump, FRAME_FAILED, (uint32_t)v, err);
		else if (sscanf(line, "ended %d", &v) == 1)
			a->said = true, a->code = v & 0xff;
	}
	return r;
}

static int reap(struct attendant *a, struct err *err)
{
	int status;

	if (a->init <= 0 || waitpid(a->init, &status, WNOHANG) != a->init)
		return 0;
	a->ended = true;
	while (a->status >= 0 && read_status(a, err) == 0 && a->status >= 0) {
		struct pollfd p = {.fd = a->status, .events = POLLIN};

		if (poll(&p, 1, 0) <= 0)
			break;
	}
	if (!a->said)
		a->code = status_of_wait(status);
	return 0;
}

// What it has said, and no more: those that it has left behind may write on, for ever.
static void last_words(struct attendant *a, size_t left[static PUMP_STREAMS])
{
	// with the first process of a container all others end too
	if (!a->another)
		kill(-1, SIGKILL);
	for (unsigned i = 0; i < PUMP_STREAMS; i++) {
		int fd = a->pump.source[i].fd, n = 0;

		left[i] = a->terminal				  ? PUMP_WINDOW
			  : fd < 0 || ioctl(fd, FIONREAD, &n) < 0 ? 0
								  : (size_t)n;
	}
}

// All that the program has said, then its status, then an end.
static int finish(struct attendant *a, struct err *err)
{
	size_t left[PUMP_STREAMS];
	bool said = false;

	last_words(a, left);
	for (;;) {
		struct pollfd fds[PUMP_FDS];

		if (!said && !pump_drain(&a->pump, left, err)) {
			said = true;
			if (pump_send_number(&a->pump, FRAME_ENDED, (uint32_t)a->code, err) < 0)
				return -err->code;
		}
		if (said && pump_sent(&a->pump))
			return 0;
		pump_wait(&a->pump, fds);
		if (poll(fds, 1, -1) < 0 && errno != EINTR)
			return -errno;
		if (pump_work(&a->pump, fds, take, a, err) < 0)
			return -err->code;
	}
}

// What is on its way still, until the other end says that it was all or is gone: the next one at this port begins anew.
static void leave(struct attendant *a)
{
	int64_t limit = clock_ms() + OVER_MILLISECONDS;
	struct err err = {0};
	char buf[4096];
	int r = 0;

	while (r == 0 && !a->over && clock_ms() < limit) {
		struct pollfd fds[PUMP_FDS];

		pump_wait(&a->pump, fds);
		poll(fds, 1, 100);
		r = pump_work(&a->pump, fds, take, a, &err);
	}
	if (r == 0 && a->over)
		r = pump_send_number(&a->pump, FRAME_OVER, 0, &err);
	while (r == 0 && !pump_sent(&a->pump) && clock_ms() < limit) {
		struct pollfd fds[PUMP_FDS] = {{.fd = a->pump.port, .events = POLLOUT}};

		poll(fds, 1, 100);
		if ((fds[0].revents & POLLHUP) != 0)
			break;
		fds[0].revents = 0; // what comes now is the next one's
		r = pump_work(&a->pump, fds, take, a, &err);
	}
	// it does not keep to the rules
	while (r < 0 && r != -EPIPE && clock_ms() < limit) {
		ssize_t n = read(a->pump.port, buf, sizeof(buf));

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			break;
		if (n < 0)
			nap_ms(10);
	}
}

static int attend_as(struct pump *p, bool first, bool another)
{
	struct attendant a = {.pump = *p, .status = -1, .first = first, .another = another};
	struct err err = {0};
	sigset_t set;
	int sfd, r = 0;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_SETMASK, &set, NULL);
	sfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	while (r == 0 && !a.ended) {
		struct pollfd fds[PUMP_FDS + 2];
		struct signalfd_siginfo si;

		pump_wait(&a.pump, fds);
		fds[PUMP_FDS] = (struct pollfd){.fd = sfd, .events = POLLIN};
		fds[PUMP_FDS + 1] = (struct pollfd){.fd = a.status, .events = POLLIN};
		poll(fds, PUMP_FDS + 2, -1);
		while (read(sfd, &si, sizeof(si)) > 0)
			;
		if (fds[PUMP_FDS + 1].revents != 0)
			r = read_status(&a, &err);
		if (r == 0)
			r = pump_work(&a.pump, fds, take, &a, &err);
		if (r == 0)
			r = reap(&a, &err);
	}
	if (r == 0)
		r = finish(&a, &err);
	// what runs when the host's end has gone goes on without streams, as in a container
	if (r < 0 && r != -EPIPE)
		dprintf(STDERR_FILENO, "pinfold-inside: attend: %s\n", err.msg);
	if (another && r != -EPIPE)
		leave(&a);
	return a.code;
}

int attend(struct pump *p, bool another)
{
	return attend_as(p, false, another);
}

void attend_first(struct pump *p)
{
	attend_as(p, true, false);
	if (getpid() != 1)
		_exit(0);
}
