// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The host's end of another program in a guest that runs: takes a free virtio-serial port.

#include "base/clock.h"
#include "base/scope.h"
#include "base/str.h"
#include "inside/inside.h"
#include "inside/vm/end.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define START_MILLISECONDS 50000 // within those that pinfold exec waits
#define LEAVE_MILLISECONDS 5000

// Whoever had it before could not end what is read there in the guest.
static bool is_lost(int lock)
{
	struct stat st;

	return fstat(lock, &st) == 0 && st.st_size > 0;
}

// A lock says that a slot is used: QEMU takes one connection and lets others wait.
static int connect_free(int *ret_lock, struct err *err)
{
	// one that was lost at last: a guest that was only slow has ended it by now
	for (unsigned n = 0; n < 2 * (VM_SLOTS - 1); n++) {
		unsigned i = n % (VM_SLOTS - 1) + 1; // the first is the program's own
		struct sockaddr_un a = {.sun_family = AF_UNIX};
		_cleanup_free_ char *lock = str_printf(VM_SOCKETS "/%u.lock", i);
		_cleanup_close_ int held = -1, fd = -1;

		snprintf(a.sun_path, sizeof(a.sun_path), VM_SOCKETS "/%u", i);
		held = lock != NULL ? open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
		if (held < 0)
			return err_sys(err, errno, "find a free port: there is no machine here");
		if (flock(held, LOCK_EX | LOCK_NB) < 0 || (n < VM_SLOTS - 1 && is_lost(held)))
			continue;
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		(void)!ftruncate(held, 0);
		if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
			return err_sys(err, errno, "connect to '%s'", a.sun_path);
		*ret_lock = steal_fd(&held);
		return steal_fd(&fd);
	}
	return err_set(
		err,
		EBUSY,
		"%d other programs have been started with pinfold exec, no more can be",
		VM_SLOTS - 1
	);
}

static int take(void *arg, enum frame_type type, const char *text, size_t len, struct err *err)
{
	return end_frame(arg, type, text, len, err);
}

static int take_signals(struct end *e, int sfd, struct err *err)
{
	struct signalfd_siginfo si;

	while (read(sfd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		// whoever asked for it does not want it any more
		if (end_before_start(e, (int)si.ssi_signo))
			return 0;
		if (end_signal(e, (int)si.ssi_signo, err) < 0)
			return -err->code;
	}
	return 0;
}

static int watch(struct end *e, int sfd, struct err *err)
{
	int64_t limit = clock_ms() + START_MILLISECONDS;

	while (!e->over) {
		struct pollfd fds[PUMP_FDS + 1];
		int64_t left = e->started ? -1 : limit - clock_ms();
		int r;

		if (!e->started && left <= 0)
			return err_set(
				err,
				ETIMEDOUT,
				"the guest did not start the program within %d s",
				START_MILLISECONDS / 1000
			);
		pump_wait(&e->pump, fds);
		fds[PUMP_FDS] = (struct pollfd){.fd = sfd, .events = POLLIN};
		poll(fds, PUMP_FDS + 1, (int)left);
		r = take_signals(e, sfd, err);
		if (r == 0 && !e->over)
			r = pump_work(&e->pump, fds, take, e, err);
		// the machine has ended, and with it all programs, as in a container
		if (r == -EPIPE && e->started) {
			e->over = true;
			e->code = 128 + SIGKILL;
		} else if (r == -EPIPE) {
			return err_set(err, EPIPE, "the machine ended before the program began");
		} else if (r < 0) {
			return r;
		}
	}
	return 0;
}

// Nothing that is said here, or there of this one, may be left for the next one at this port: it would wait for an answer
// to what another has taken. In a guest that does not answer in time the port is nobody's any more.
static void leave(struct end *e, int lock)
{
	int64_t limit = clock_ms() + LEAVE_MILLISECONDS;
	struct err err = {0};
	int r = pump_send_number(&e->pump, FRAME_OVER, 0, &err);

	e->over = true; // also of one that failed
	while (r == 0 && !e->left && clock_ms() < limit) {
		struct pollfd fds[PUMP_FDS];

		pump_wait(&e->pump, fds);
		for (int i = 1; i < PUMP_FDS; i++)
			fds[i].fd = -1;
		poll(fds, PUMP_FDS, 100);
		r = pump_work(&e->pump, fds, take, e, &err);
	}
	if (r == 0 && !e->left)
		(void)!ftruncate(lock, 1);
}

int inside_attach(int argc, char **argv)
{
	int errors = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 30), lock = -1, port, sfd, r;
	_cleanup_json_ json_t *job = NULL;
	struct err err = {0};
	struct end e;
	sigset_t all;

	r = end_options(argc, argv, &e);
	if (r != 0)
		return r;
	sigfillset(&all);
	sfd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	r = jread_file(AT_FDCWD, VM_DIR "/job.json", "the machine's description", &job, &err);
	port = r == 0 ? connect_free(&lock, &err) : -1;
	if (port < 0 || end_open(&e, port, &err) < 0
	    || end_start(&e, json_string_value(json_object_get(job, "shared")), &err) < 0
	    || watch(&e, sfd, &err) < 0) {
		dprintf(errors, "pinfold-inside: %s\n", err.msg);
		// whoever started it reads this
		if (port >= 0 && e.started && e.pump.sink[2].fd >= 0)
			dprintf(e.pump.sink[2].fd, "pinfold-inside: %s\n", err.msg);
		e.code = STATUS_FAILED;
	}
	if (port >= 0)
		leave(&e, lock);
	if (!e.started)
		return e.code;
	return end_finish(&e, sfd);
}
