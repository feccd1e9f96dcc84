// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The first process of the container that a virtual machine runs in: starts QEMU as the plan says, tells the guest
// what it is, and stands for the program in it.

#include "base/clock.h"
#include "base/fs.h"
#include "base/idset.h"
#include "base/scope.h"
#include "base/str.h"
#include "inside/inside.h"
#include "inside/vm/end.h"
#include "inside/vm/qemu.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define INITRAMFS_MAX (64u << 20)

enum stage {
	STAGE_BOOT,  // until the guest's init says so
	STAGE_SETUP, // until it has its root
	STAGE_RUN,
};

struct machine {
	struct end end;
	json_t *job;
	const json_t *try;
	int errors; // where a start's failure is said
	int sfd;
	struct qemu qemu;
	enum stage stage;
	bool first; // the program is the guest's first process
	// ms: QEMU's start, that of the guest's first instruction, and what its init said
	int64_t begun, let_go, hello, ready;
	double booted,
		greeted; // as the guest's clock has it, s: its init was executed, and said so
};

static const char *accelerator(const struct machine *m)
{
	return json_string_value(json_object_get(m->try, "accel"));
}

static int too_late(struct machine *m, struct err *err)
{
	char reason[320];

	qemu_reason(&m->qemu, reason, sizeof(reason));
	return err_set(
		err,
		ETIMEDOUT,
		"the guest did not come up within %lld s: %s; %s",
		(long long)(clock_ms() - m->begun) / 1000,
		reason,
		str_eq(accelerator(m), "kvm") ? "--accel tcg emulates its CPU"
					      : "PINFOLD_GUEST_SECONDS gives it more time"
	);
}

// ---- the guest

static int send_setup(struct machine *m, struct err *err)
{
	json_t *setup = json_object_get(m->job, "setup");
	_cleanup_free_ char *text = NULL;

	// a program may want to know how fast the machine is that it measures
	json_object_set_new(
		json_object_get(setup, "grant"),
		"machine",
		json_pack(
			"{s:s, s:b}",
			"accel",
			accelerator(m),
			"emulated",
			str_eq(accelerator(m), "tcg")
		)
	);
	text = json_dumps(setup, JSON_COMPACT);
	if (text == NULL)
		return err_oom(err);
	return pump_send(&m->end.pump, FRAME_SETUP, text, strlen(text), err);
}

static int take_hello(struct machine *m, const char *text, size_t len, struct err *err)
{
	_cleanup_json_ json_t *doc = NULL;

	if (jread_parse(text, len, "the guest's word", &doc, err) < 0)
		return -err->code;
	m->booted = json_number_value(json_object_get(doc, "entered"));
	m->greeted = json_number_value(json_object_get(doc, "uptime"));
	m->hello = clock_ms();
	m->stage = STAGE_SETUP;
	return send_setup(m, err);
}

static double seconds(int64_t from, int64_t to)
{
	return (double)(to - from) / 1000;
}

static void say_phases(const struct machine *m)
{
	end_say(&m->end,
		"machine %s QEMU %.2f firmware %.2f kernel %.2f user %.2f program %.2f\n",
		accelerator(m),
		seconds(m->begun, m->let_go),
		seconds(m->let_go, m->hello) - m->greeted,
		m->booted,
		seconds(m->hello, m->ready) + m->greeted - m->booted,
		seconds(m->ready, clock_ms()));
}

static int take(void *arg, enum frame_type type, const char *text, size_t len, struct err *err)
{
	struct machine *m = arg;

	switch (type) {
	case FRAME_HELLO:
		if (m->stage != STAGE_BOOT)
			break;
		return take_hello(m, text, len, err);
	case FRAME_READY:
		if (m->stage != STAGE_SETUP)
			break;
		m->ready = clock_ms();
		m->stage = STAGE_RUN;
		return end_start(&m->end, json_string_value(json_object_get(m->job, "cpus")), err);
	default:
		if (m->stage != STAGE_RUN)
			break;
		// whoever is told that it runs knows by then what runs it
		if (type == FRAME_STARTED && !m->end.started && !m->end.over)
			say_phases(m);
		return end_frame(&m->end, type, text, len, err);
	}
	return err_set(err, EPROTO, "a frame of type %d", type);
}

static int take_signals(struct machine *m, struct err *err)
{
	struct signalfd_siginfo si;

	while (read(m->sfd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		// before there is a program it ends what would become one
		if (end_before_start(&m->end, (int)si.ssi_signo)) {
			end_say(&m->end, "started 1\n");
			m->end.started = true;
			return 0;
		}
		if (end_signal(&m->end, (int)si.ssi_signo, err) < 0)
			return -err->code;
	}
	return 0;
}

// Until the program has ended, or the guest, or QEMU, or the time for a start.
static int watch(struct machine *m, struct err *err)
{
	int64_t limit = m->begun + 1000 * json_integer_value(json_object_get(m->try, "seconds"));

	while (!m->end.over) {
		struct pollfd fds[PUMP_FDS + 3];
		int wait = -1, r;

		if (!m->end.started) {
			int64_t left = limit - clock_ms();

			if (left <= 0)
				return too_late(m, err);
			wait = (int)left;
		}
		pump_wait(&m->end.pump, fds);
		fds[PUMP_FDS] = (struct pollfd){.fd = m->sfd, .events = POLLIN};
		fds[PUMP_FDS + 1] = (struct pollfd){.fd = m->qemu.qmp.fd, .events = POLLIN};
		fds[PUMP_FDS + 2] = (struct pollfd){.fd = m->qemu.output, .events = POLLIN};
		poll(fds, PUMP_FDS + 3, wait);
		if (fds[PUMP_FDS + 2].revents != 0) {
			qemu_read(&m->qemu);
			if ((fds[PUMP_FDS + 2].revents & POLLHUP) != 0) {
				close(m->qemu.output);
				m->qemu.output = -1;
			}
		}
		r = take_signals(m, err);
		if (r == 0 && !m->end.over)
			r = pump_work(&m->end.pump, fds, take, m, err);
		// its end comes before its word about it
		if (r == -EPIPE) {
			for (int i = 0;
			     i < 200 && qemu_ended(&m->qemu, err) == 0 && m->qemu.pid > 0;
			     i++)
				nap_ms(10);
			return -EPIPE;
		}
		if (r == -EPROTO)
			return err_wrap(err, "the guest does not keep to the rules");
		if (r == 0 && !m->end.over && fds[PUMP_FDS + 1].revents != 0
		    && qmp_events(&m->qemu.qmp, err) < 0 && err->code != EPIPE)
			r = -err->code;
		// of a program that is the machine's first process that is its end
		if (m->first && m->qemu.qmp.off && m->end.started)
			m->end.over = true;
		if (r == 0 && !m->end.over)
			r = qemu_ended(&m->qemu, err);
		if (r == 0 && !m->end.over)
			r = qemu_stopped(&m->qemu, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static void end_try(struct machine *m)
{
	qemu_end(&m->qemu);
	scope_close(&m->end.pump.port);
	m->end.pump.port = -1;
	// nothing of this one is for the next
	m->end.pump.in_len = m->end.pump.out_len = 0;
}

static bool has_links(const struct machine *m)
{
	const json_t *setup = json_object_get(m->job, "setup");

	return json_array_size(json_object_get(json_object_get(setup, "grant"), "links")) > 0;
}

// What the plan has the kernel read before the initramfs, and that behind it: QEMU takes one file.
static int make_initramfs(const char *hex, struct err *err)
{
	_cleanup_close_ int to = -1;
	_cleanup_free_ char *rest = NULL;
	unsigned byte;
	size_t len;
	int r;

	if (hex == NULL || *hex == '\0')
		return 0;
	r = fs_read(AT_FDCWD, VM_DIR "/initramfs", INITRAMFS_MAX, &rest, &len);
	if (r < 0)
		return err_sys(err, -r, "read the guest's initramfs");
	to = open(VM_SOCKETS "/initramfs", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (to < 0)
		return err_sys(err, errno, "make the guest's initramfs");
	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2) {
		char c = (char)byte;

		if (write(to, &c, 1) != 1)
			return err_sys(err, errno, "write the guest's initramfs");
	}
	if (write(to, rest, len) != (ssize_t)len)
		return err_sys(err, errno, "write the guest's initramfs");
	return 0;
}

static int run(struct machine *m, struct err *err)
{
	struct err first;
	int r;

	m->begun = clock_ms();
	m->stage = STAGE_BOOT;
	if (qemu_start(
		    &m->qemu,
		    json_object_get(m->try, "argv"),
		    json_string_value(json_object_get(m->job, "emulator")),
		    &m->end.pump.port,
		    err
	    )
	    < 0)
		return -err->code;
	r = qmp_begin(&m->qemu.qmp, (int)json_integer_value(json_object_get(m->job, "fill")), err);
	if (r == 0)
		r = qemu_pin(&m->qemu, json_object_get(m->job, "pin"), err);
	m->let_go = clock_ms();
	if (r == 0)
		r = qmp_command(&m->qemu.qmp, "cont", NULL, NULL, err);
	if (r == 0)
		return watch(m, err);
	if (err->code == ETIMEDOUT && has_links(m))
		err_set(err,
			ETIMEDOUT,
			"QEMU does not answer: it waits for the other end of its links; start "
			"that first");
	// what it says itself is nearer to the cause
	first = *err;
	for (int i = 0; i < 100 && m->qemu.pid > 0; i++) {
		if (qemu_ended(&m->qemu, err) < 0)
			return -err->code;
		nap_ms(10);
	}
	*err = first;
	return r;
}

// Each accelerator in turn, until one has brought the guest to its program.
static int run_tries(struct machine *m, struct err *err)
{
	const json_t *tries = json_object_get(m->job, "tries");
	int r = err_set(err, EINVAL, "no way to run it");

	for (size_t i = 0; i < json_array_size(tries); i++) {
		m->try = json_array_get(tries, i);
		r = run(m, err);
		if (r == 0 || m->stage == STAGE_RUN || i + 1 == json_array_size(tries))
			break;
		end_say(&m->end, "fallback %s: %.300s\n", accelerator(m), err->msg);
		end_try(m);
	}
	return r;
}

int inside_machine(int argc, char **argv)
{
	struct machine m = {.qemu = {.output = -1, .qmp.fd = -1}};
	sigset_t all;
	struct err err = {0};
	int r;

	m.errors = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 30);
	r = end_options(argc, argv, &m.end);
	if (r != 0)
		return r;
	sigfillset(&all);
	m.sfd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (jread_file(AT_FDCWD, VM_DIR "/job.json", "the machine's description", &m.job, &err) < 0
	    || end_open(&m.end, -1, &err) < 0
	    || (mkdir(VM_SOCKETS, 0700) < 0 && errno != EEXIST
		&& err_sys(&err, errno, "make directory '%s'", VM_SOCKETS) < 0)
	    || qemu_files(json_object_get(m.job, "files"), &err) < 0
	    || make_initramfs(json_string_value(json_object_get(m.job, "early")), &err) < 0)
		return dprintf(m.errors, "pinfold-inside: %s\n", err.msg), STATUS_FAILED;
	m.first = json_is_true(json_object_get(json_object_get(m.job, "setup"), "first"));
	r = run_tries(&m, &err);
	if (r < 0) {
		dprintf(m.errors, "pinfold-inside: %s\n", err.msg);
		// whoever started it reads this
		if (m.end.started && m.end.pump.sink[2].fd >= 0)
			dprintf(m.end.pump.sink[2].fd, "pinfold-inside: %s\n", err.msg);
		m.end.code = STATUS_FAILED;
	}
	end_try(&m);
	return end_finish(&m.end, m.sfd);
}
