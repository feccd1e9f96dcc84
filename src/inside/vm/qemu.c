// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "inside/vm/qemu.h"

#include "base/idset.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/status.h"
#include "base/str.h"

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define QMP_FD 10 // of QEMU, as its arguments have it
#define PROGRAM_FD 11
#define WORDS_MAX 1024
#define NODES_MAX 1024	    // MAX_NUMNODES at most
#define CONSOLE_PART 32768u // bytes
#define CONSOLE_PARTS \
	3 // it keeps 64 KiB (plan/vm_args.c), which others than ASCII make longer here

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

// A file without a policy of its own has its pages as the task that makes them has its memory.
int qemu_files(const json_t *files, struct err *err)
{
	const json_t *e;
	size_t i;

	json_array_foreach (files, i, e) {
		const char *path = json_string_value(json_object_get(e, "file"));
		uint64_t node = (uint64_t)json_integer_value(json_object_get(e, "node"));
		off_t bytes = (off_t)json_integer_value(json_object_get(e, "bytes"));
		unsigned long mask[NODES_MAX / (8 * sizeof(unsigned long))] = {0};
		_cleanup_close_ int fd = -1;

		if (path == NULL || node >= NODES_MAX)
			return err_set(err, EPROTO, "a file of hugepages without a name or node");
		mask[node / (8 * sizeof(*mask))] = 1ul << node % (8 * sizeof(*mask));
		if (syscall(SYS_set_mempolicy, MPOL_BIND, mask, NODES_MAX + 1) < 0)
			return err_sys(err, errno, "take memory of node %u", (unsigned)node);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || fallocate(fd, 0, 0, bytes) < 0)
			return err_sys(err, errno, "take hugepages as '%s'", path);
	}
	if (syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0) < 0)
		return err_sys(err, errno, "take memory of any node again");
	return 0;
}

static _Noreturn void become(const json_t *list, const char *cpus, int qmp, int program, int output)
{
	static char *argv[WORDS_MAX];
	static char *const env[] = {(char *)"PATH=/usr/local/bin:/usr/bin:/bin", NULL};
	const json_t *e;
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
	if (affinity(0, cpus, &err) < 0)
		dprintf(2, "%s\n", err.msg);
	else if (argv[0] != NULL)
		execve(argv[0], argv, env);
	dprintf(2, "%s: %s\n", argv[0] != NULL ? argv[0] : "no program", strerror(errno));
	_exit(STATUS_FAILED);
}

int qemu_start(struct qemu *q, const json_t *argv, const char *cpus, int *ret_port, struct err *err)
{
	int qmp[2], program[2], output[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, qmp) < 0
	    || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, program) < 0
	    || pipe2(output, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(err, errno, "make a socket");
	q->ncomplaint = 0;
	q->pid = fork();
	if (q->pid < 0)
		return err_sys(err, errno, "fork");
	if (q->pid == 0)
		become(argv, cpus, qmp[1], program[1], output[1]);
	close(qmp[1]);
	close(program[1]);
	close(output[1]);
	q->output = output[0];
	fcntl(program[0], F_SETFL, O_RDWR | O_NONBLOCK);
	*ret_port = program[0];
	return qmp_open(&q->qmp, qmp[0], err);
}

void qemu_end(struct qemu *q)
{
	if (q->pid > 0) {
		kill(q->pid, SIGKILL);
		waitpid(q->pid, NULL, 0);
	}
	q->pid = 0;
	qmp_done(&q->qmp);
	scope_close(&q->output);
	q->output = -1;
}

void qemu_read(struct qemu *q)
{
	ssize_t n;

	for (int i = 0; i < 16; i++) {
		if (q->ncomplaint == sizeof(q->complaint) - 1) {
			memmove(q->complaint,
				q->complaint + sizeof(q->complaint) / 2,
				sizeof(q->complaint) / 2);
			q->ncomplaint -= sizeof(q->complaint) / 2;
		}
		n =
			read(q->output,
			     q->complaint + q->ncomplaint,
			     sizeof(q->complaint) - 1 - q->ncomplaint);
		if (n <= 0)
			break;
		q->ncomplaint += (size_t)n;
	}
	q->complaint[q->ncomplaint] = '\0';
}

int qemu_pin(struct qemu *q, const json_t *want, struct err *err)
{
	_cleanup_json_ json_t *cpus = NULL;
	const json_t *e;
	size_t i;

	if (qmp_command(&q->qmp, "query-cpus-fast", NULL, &cpus, err) < 0)
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

// All of the console that QEMU keeps, in parts that fit in a line of QMP with each byte escaped: the first are the oldest.
static char *read_console(struct qemu *q)
{
	_cleanup_free_ char *all = calloc(CONSOLE_PARTS * CONSOLE_PART + 1, 1);
	struct err unused;
	size_t len = 0;

	if (all == NULL)
		return NULL;
	for (int i = 0; i < CONSOLE_PARTS; i++) {
		_cleanup_json_ json_t *text = NULL;
		size_t part;

		if (qmp_command(
			    &q->qmp,
			    "ringbuf-read",
			    json_pack("{s:s, s:i}", "device", "console", "size", CONSOLE_PART),
			    &text,
			    &unused
		    )
		    < 0)
			return i > 0 ? steal_ptr(all) : NULL;
		part = strlen(json_is_string(text) ? json_string_value(text) : "");
		if (part == 0 || len + part > CONSOLE_PARTS * CONSOLE_PART)
			break;
		memcpy(all + len, json_string_value(text), part);
		len += part;
	}
	return steal_ptr(all);
}

// The line of the console that tells most: a panic, what our init said, else the last.
static bool console(struct qemu *q, char *ret, size_t len)
{
	_cleanup_free_ char *text = read_console(q);
	const char *best = NULL;

	if (text == NULL)
		return false;
	str_foreach (line, text, "\r\n") {
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
static void complaint(struct qemu *q, char *ret, size_t len)
{
	char *line, *end;

	qemu_read(q);
	end = q->complaint + q->ncomplaint;
	while (end > q->complaint && (end[-1] == '\n' || end[-1] == ' '))
		*--end = '\0';
	line = strrchr(q->complaint, '\n');
	line = line != NULL ? line + 1 : q->complaint;
	snprintf(ret, len, "%.300s", line[0] != '\0' ? line : "it says nothing");
	str_plain(ret);
}

int qemu_ended(struct qemu *q, struct err *err)
{
	char reason[320];
	int status;

	if (q->pid <= 0 || waitpid(q->pid, &status, WNOHANG) != q->pid)
		return 0;
	q->pid = 0;
	complaint(q, reason, sizeof(reason));
	if (WIFSIGNALED(status))
		return err_set(
			err, EPIPE, "QEMU was killed by signal %d (%s)", WTERMSIG(status), reason
		);
	return err_set(err, EPIPE, "QEMU ended with status %d: %s", WEXITSTATUS(status), reason);
}

int qemu_stopped(struct qemu *q, struct err *err)
{
	_cleanup_json_ json_t *status = NULL;
	const char *word = NULL;
	struct err unused;
	char reason[320];

	if (!q->qmp.stopped)
		return 0;
	if (qmp_command(&q->qmp, "query-status", NULL, &status, &unused) == 0)
		word = json_string_value(json_object_get(status, "status"));
	if (!console(q, reason, sizeof(reason)))
		snprintf(reason, sizeof(reason), "it does not tell why");
	if (word != NULL && str_eq(word, "internal-error")) {
		complaint(q, reason, sizeof(reason));
		return err_set(err, EIO, "QEMU cannot run it: internal error: %s", reason);
	}
	return err_set(err, EIO, "the guest stopped: %s", reason);
}

void qemu_reason(struct qemu *q, char *ret, size_t len)
{
	if (!console(q, ret, len))
		complaint(q, ret, len);
}
