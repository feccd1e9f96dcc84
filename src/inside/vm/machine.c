// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The first process of the container that a virtual machine runs in: starts QEMU as the plan says, pins each of
// its virtual CPUs to a granted one before the first instruction, and stands for the program in the guest.

#include "base/clock.h"
#include "base/idset.h"
#include "base/scope.h"
#include "base/str.h"
#include "inside/inside.h"
#include "inside/vm/end.h"
#include "inside/vm/qmp.h"

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

#define QMP_FD 10 // of QEMU, as its arguments have it
#define PROGRAM_FD 11
#define WORDS_MAX 1024
#define COMPLAINT 4096

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
	pid_t qemu;
	int output; // what QEMU complains about
	char complaint[COMPLAINT];
	size_t ncomplaint;
	struct qmp qmp;
	enum stage stage;
	int64_t begun, hello, ready; // ms
	double booted, mounted;	     // as the guest's clock has it, s
};

static const char *accelerator(const struct machine *m)
{
	return json_string_value(json_object_get(m->try, "accel"));
}

// ---- QEMU

static int affinity(pid_t thread, const char *cpus, struct err *err)
{
	struct idset want, got = {0};

	if (idset_parse(cpus, &want, err) < 0)
		return -err->code;
	if (sched_setaffinity(thread, sizeof(want.word), (const cpu_set_t *)want.word) < 0
	    || sched_getaffinity(thread, sizeof(got.word), (cpu_set_t *)got.word) < 0)
		return err_sys(err, errno, "run QEMU on CPUs %s", cpus);
	// the kernel cuts a mask to the cpuset in silence
	if (!idset_equal(&want, &got))
		return err_set(err, EINVAL, "run QEMU on CPUs %s: not all can be had", cpus);
	return 0;
}

static _Noreturn void become_qemu(const struct machine *m, int qmp, int program, int output)
{
	static char *argv[WORDS_MAX];
	static char *const env[] = {(char *)"PATH=/usr/local/bin:/usr/bin:/bin", NULL};
	const json_t *list = json_object_get(m->try, "argv"), *e;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct err err;
	sigset_t none;
	size_t i, n = 0;

	json_array_foreach (list, i, e) {
		if (n + 1 < WORDS_MAX && json_is_string(e))
			argv[n++] = (char *)json_string_value(e);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	qmp = fcntl(qmp, F_DUPFD, 20);
	program = fcntl(program, F_DUPFD, 20);
	output = fcntl(output, F_DUPFD, 20);
	dup2(null, 0);
	dup2(output, 1);
	dup2(output, 2);
	dup2(qmp, QMP_FD);
	dup2(program, PROGRAM_FD);
	close_range(3, QMP_FD - 1, 0);
	close_range(PROGRAM_FD + 1, ~0u, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (affinity(0, json_string_value(json_object_get(m->job, "emulator")), &err) < 0)
		dprintf(2, "%s\n", err.msg);
	else if (argv[0] != NULL)
		execve(argv[0], argv, env);
	dprintf(2, "%s: %s\n", argv[0] != NULL ? argv[0] : "no program", strerror(errno));
	_exit(STATUS_FAILED);
}

static int start_qemu(struct machine *m, struct err *err)
{
	int qmp[2], program[2], output[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, qmp) < 0
	    || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, program) < 0
	    || pipe2(output, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(err, errno, "make a socket");
	m->begun = clock_ms();
	m->stage = STAGE_BOOT;
	m->ncomplaint = 0;
	m->qemu = fork();
	if (m->qemu < 0)
		return err_sys(err, errno, "fork");
	if (m->qemu == 0)
		become_qemu(m, qmp[1], program[1], output[1]);
	close(qmp[1]);
	close(program[1]);
	close(output[1]);
	m->output = output[0];
	m->end.pump.port = program[0];
	fcntl(program[0], F_SETFL, O_RDWR | O_NONBLOCK);
	return qmp_open(&m->qmp, qmp[0], err);
}

static void end_qemu(struct machine *m)
{
	if (m->qemu > 0) {
		kill(m->qemu, SIGKILL);
		waitpid(m->qemu, NULL, 0);
	}
	m->qemu = 0;
	qmp_done(&m->qmp);
	scope_close(&m->output);
	scope_close(&m->end.pump.port);
	m->output = m->end.pump.port = -1;
}

// The end of what it complains, kept for who asks why it ended.
static void read_complaint(struct machine *m)
{
	ssize_t n;

	for (int i = 0; i < 16; i++) {
		if (m->ncomplaint == COMPLAINT - 1) {
			memmove(m->complaint, m->complaint + COMPLAINT / 2, COMPLAINT / 2);
			m->ncomplaint -= COMPLAINT / 2;
		}
		n = read(m->output, m->complaint + m->ncomplaint, COMPLAINT - 1 - m->ncomplaint);
		if (n <= 0)
			break;
		m->ncomplaint += (size_t)n;
	}
	m->complaint[m->ncomplaint] = '\0';
}

// One virtual CPU to one CPU of the host, while none of them runs yet.
static int pin(struct machine *m, struct err *err)
{
	const json_t *want = json_object_get(m->job, "pin");
	_cleanup_json_ json_t *cpus = NULL;
	const json_t *e;
	size_t i;

	if (qmp_command(&m->qmp, "query-cpus-fast", NULL, &cpus, err) < 0)
		return -err->code;
	if (json_array_size(cpus) != json_array_size(want))
		return err_set(
			err,
			EPROTO,
			"QEMU has %zu CPUs, not %zu",
			json_array_size(cpus),
			json_array_size(want)
		);
	json_array_foreach (cpus, i, e) {
		json_int_t index = json_integer_value(json_object_get(e, "cpu-index"));
		json_int_t thread = json_integer_value(json_object_get(e, "thread-id"));
		const char *cpu = json_string_value(json_array_get(want, (size_t)index));

		if (thread <= 0 || cpu == NULL)
			return err_set(err, EPROTO, "QEMU names no thread of CPU %d", (int)index);
		if (affinity((pid_t)thread, cpu, err) < 0)
			return -err->code;
	}
	return 0;
}

// ---- reasons

// The line of the console that tells most: a panic, what our init said, else the last.
static bool console(struct machine *m, char *ret, size_t len)
{
	_cleanup_json_ json_t *text = NULL;
	_cleanup_free_ char *copy = NULL;
	const char *best = NULL;
	char *save = NULL;
	struct err unused;

	if (qmp_command(
		    &m->qmp,
		    "ringbuf-read",
		    json_pack("{s:s, s:i}", "device", "console", "size", 32768),
		    &text,
		    &unused
	    )
	    < 0)
		return false;
	copy = json_is_string(text) ? strdup(json_string_value(text)) : NULL;
	for (char *line = copy != NULL ? strtok_r(copy, "\r\n", &save) : NULL; line != NULL;
	     line = strtok_r(NULL, "\r\n", &save)) {
		bool telling = strstr(line, "pinfold-inside: ") != NULL
			       || strstr(line, "Kernel panic") != NULL;

		if (telling || best == NULL
		    || (strstr(best, "pinfold-inside: ") == NULL
			&& strstr(best, "Kernel panic") == NULL))
			best = line[0] != '\0' ? line : best;
	}
	snprintf(ret, len, "%.300s", best != NULL ? best : "its console is empty");
	str_plain(ret);
	return true;
}

// Why QEMU ended: the last line of its own.
static void complaint(struct machine *m, char *ret, size_t len)
{
	char *line, *end;

	read_complaint(m);
	end = m->complaint + m->ncomplaint;
	while (end > m->complaint && (end[-1] == '\n' || end[-1] == ' '))
		*--end = '\0';
	line = strrchr(m->complaint, '\n');
	line = line != NULL ? line + 1 : m->complaint;
	snprintf(ret, len, "%.300s", line[0] != '\0' ? line : "it says nothing");
	str_plain(ret);
}

static int ended(struct machine *m, struct err *err)
{
	char reason[320];
	int status;

	if (m->qemu <= 0 || waitpid(m->qemu, &status, WNOHANG) != m->qemu)
		return 0;
	m->qemu = 0;
	complaint(m, reason, sizeof(reason));
	if (WIFSIGNALED(status))
		return err_set(
			err, EPIPE, "QEMU was killed by signal %d (%s)", WTERMSIG(status), reason
		);
	return err_set(err, EPIPE, "QEMU ended with status %d: %s", WEXITSTATUS(status), reason);
}

// QEMU stays when its guest stops or cannot go on, so that it can be asked.
static int stopped(struct machine *m, struct err *err)
{
	_cleanup_json_ json_t *status = NULL;
	const char *word = NULL;
	struct err unused;
	char reason[320];

	if (!m->qmp.stopped || m->end.over)
		return 0;
	if (qmp_command(&m->qmp, "query-status", NULL, &status, &unused) == 0)
		word = json_string_value(json_object_get(status, "status"));
	if (!console(m, reason, sizeof(reason)))
		snprintf(reason, sizeof(reason), "it does not tell why");
	if (word != NULL && str_eq(word, "internal-error")) {
		complaint(m, reason, sizeof(reason));
		return err_set(err, EIO, "QEMU cannot run it: internal error: %s", reason);
	}
	return err_set(err, EIO, "the guest stopped: %s", reason);
}

static int too_late(struct machine *m, struct err *err)
{
	char reason[320];

	if (!console(m, reason, sizeof(reason)))
		complaint(m, reason, sizeof(reason));
	return err_set(
		err,
		ETIMEDOUT,
		"the guest did not come up within %lld s: %s",
		(long long)(clock_ms() - m->begun) / 1000,
		reason
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

static int uptime(const char *text, size_t len, double *ret, struct err *err)
{
	_cleanup_json_ json_t *doc = NULL;

	if (jread_parse(text, len, "the guest's word", &doc, err) < 0)
		return -err->code;
	*ret = json_number_value(json_object_get(doc, "uptime"));
	return 0;
}

static void say_phases(const struct machine *m)
{
	double hello = (double)(m->hello - m->begun) / 1000;
	double ready = (double)(m->ready - m->begun) / 1000;
	double began = (double)(clock_ms() - m->begun) / 1000;

	end_say(&m->end,
		"machine %s firmware %.2f kernel %.2f user %.2f program %.2f\n",
		accelerator(m),
		hello - m->booted,
		m->booted,
		ready - hello,
		began - ready);
}

static int take(void *arg, enum frame_type type, const char *text, size_t len, struct err *err)
{
	struct machine *m = arg;
	char line[320];

	switch (type) {
	case FRAME_HELLO:
		if (m->stage != STAGE_BOOT)
			break;
		m->hello = clock_ms();
		m->stage = STAGE_SETUP;
		return uptime(text, len, &m->booted, err) < 0 ? -err->code : send_setup(m, err);
	case FRAME_READY:
		if (m->stage != STAGE_SETUP)
			break;
		m->ready = clock_ms();
		m->stage = STAGE_RUN;
		if (uptime(text, len, &m->mounted, err) < 0)
			return -err->code;
		return end_start(&m->end, json_string_value(json_object_get(m->job, "cpus")), err);
	case FRAME_TROUBLE:
		snprintf(line, sizeof(line), "%.300s", text);
		str_plain(line);
		return err_set(err, EIO, "the guest: %s", line);
	default:
		if (m->stage != STAGE_RUN)
			break;
		if (end_frame(&m->end, type, text, len, err) < 0)
			return -err->code;
		if (type == FRAME_STARTED)
			say_phases(m);
		return 0;
	}
	return err_set(err, EPROTO, "a frame of type %d", type);
}

static int take_signals(struct machine *m, struct err *err)
{
	struct signalfd_siginfo si;

	while (read(m->sfd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		// before there is a program it ends what would become one
		if (!m->end.started
		    && (si.ssi_signo == SIGTERM || si.ssi_signo == SIGINT || si.ssi_signo == SIGHUP
			|| si.ssi_signo == SIGQUIT)) {
			end_say(&m->end, "started 1\n");
			m->end.started = m->end.over = true;
			m->end.code = 128 + (int)si.ssi_signo;
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
		fds[PUMP_FDS + 1] = (struct pollfd){.fd = m->qmp.fd, .events = POLLIN};
		fds[PUMP_FDS + 2] = (struct pollfd){.fd = m->output, .events = POLLIN};
		poll(fds, PUMP_FDS + 3, wait);
		if (fds[PUMP_FDS + 2].revents != 0) {
			read_complaint(m);
			if ((fds[PUMP_FDS + 2].revents & POLLHUP) != 0) {
				close(m->output);
				m->output = -1;
			}
		}
		r = take_signals(m, err);
		if (r == 0 && !m->end.over)
			r = pump_work(&m->end.pump, fds, take, m, err);
		// its end comes before its word about it
		if (r == -EPIPE) {
			for (int i = 0; i < 200 && ended(m, err) == 0 && m->qemu > 0; i++)
				nap_ms(10);
			return -EPIPE;
		}
		if (r == -EPROTO)
			return err_wrap(err, "the guest does not keep to the rules");
		if (r == 0 && !m->end.over && fds[PUMP_FDS + 1].revents != 0
		    && qmp_events(&m->qmp, err) < 0 && err->code != EPIPE)
			r = -err->code;
		if (r == 0 && !m->end.over)
			r = ended(m, err);
		if (r == 0 && !m->end.over)
			r = stopped(m, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int run(struct machine *m, struct err *err)
{
	struct err first;
	int r;

	if (start_qemu(m, err) < 0)
		return -err->code;
	r = qmp_begin(&m->qmp, err);
	if (r == 0)
		r = pin(m, err);
	if (r == 0)
		r = qmp_command(&m->qmp, "cont", NULL, NULL, err);
	if (r == 0)
		return watch(m, err);
	// what it says itself is nearer to the cause
	first = *err;
	for (int i = 0; i < 100 && m->qemu > 0; i++) {
		if (ended(m, err) < 0)
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
		if (r == 0 || m->stage != STAGE_BOOT || i + 1 == json_array_size(tries))
			break;
		dprintf(m->errors,
			"pinfold-inside: %s does not run the guest, so its CPU is emulated: %s\n",
			accelerator(m),
			err->msg);
		end_say(&m->end, "fallback %s: %.300s\n", accelerator(m), err->msg);
		end_qemu(m);
	}
	return r;
}

int inside_machine(int argc, char **argv)
{
	struct machine m = {.output = -1, .qmp.fd = -1};
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
	    || end_open(&m.end, -1, &err) < 0 || (mkdir(VM_SOCKETS, 0700) < 0 && errno != EEXIST))
		return dprintf(m.errors, "pinfold-inside: %s\n", err.msg), STATUS_FAILED;
	r = run_tries(&m, &err);
	if (r < 0) {
		dprintf(m.errors, "pinfold-inside: %s\n", err.msg);
		// whoever started it reads this
		if (m.end.started && m.end.pump.sink[2].fd >= 0)
			dprintf(m.end.pump.sink[2].fd, "pinfold-inside: %s\n", err.msg);
		m.end.code = STATUS_FAILED;
	}
	end_qemu(&m);
	return end_finish(&m.end, m.sfd);
}
