// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/child.h"

#include "base/clock.h"
#include "base/dir.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/status.h"
#include "base/str.h"
#include "bench/bench.h"
#include "bench/leases.h"
#include "bench/need.h"

#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define STOP_MS 5000
#define OUTPUT_MAX (16u << 20)
#define LOG_TAIL (64 << 10) // of a log, what is looked at for its last line

// Those that run, so that none is forgotten. A child is copied into it.
struct children {
	struct child *first;
};

static struct children *table(struct bench *b)
{
	if (b->children == NULL)
		b->children = need(calloc(1, sizeof(*b->children)));
	return b->children;
}

static void remember(struct bench *b, const struct child *c)
{
	struct child *copy = need(malloc(sizeof(*copy)));

	*copy = *c;
	copy->next = table(b)->first;
	table(b)->first = copy;
}

static void forget(struct bench *b, pid_t pid)
{
	for (struct child **p = &table(b)->first; *p != NULL; p = &(*p)->next) {
		if ((*p)->pid == pid) {
			struct child *gone = *p;

			*p = gone->next;
			free(gone);
			return;
		}
	}
}

// ---- in the child

// A controller without this process's CPUs or threads says no: it is then where it was.
static void leave_groups(void)
{
	_cleanup_closedir_ DIR *d = dir_open(AT_FDCWD, "/sys/fs/cgroup", 0);
	struct dirent *e;

	fs_write_value("/sys/fs/cgroup/cgroup.procs", "0");
	while ((e = dir_next(d)) != NULL) {
		char path[sizeof(e->d_name) + 40];

		if (e->d_name[0] == '.' || e->d_type != DT_DIR)
			continue;
		// of v2 these are groups of others
		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/release_agent", e->d_name);
		if (access(path, F_OK) != 0)
			continue;
		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/cgroup.procs", e->d_name);
		fs_write_value(path, "0");
	}
}

static void pin(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((unsigned)cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		_exit(STATUS_FAILED);
}

static _Noreturn void become(const struct child_how *how, pid_t parent, int in, int out)
{
	struct rlimit size;
	int null = open("/dev/null", O_RDWR), log = null;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(STATUS_FAILED);
	if (how->log != NULL)
		log = open(how->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (null < 0 || log < 0 || dup2(in >= 0 ? in : null, 0) < 0
	    || dup2(out >= 0 ? out : log, 1) < 0
	    || dup2(how->stderr_too && out >= 0 ? out : log, 2) < 0)
		_exit(STATUS_FAILED);
	close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	for (const char *const *e = how->env; e != NULL && *e != NULL; e++)
		putenv((char *)*e);
	if (how->dir != NULL && chdir(how->dir) < 0)
		_exit(STATUS_FAILED);
	if (how->bare)
		leave_groups();
	if (how->cpu > 0)
		pin(how->cpu - 1);
	// the soft one: what it starts may have reason to raise it again
	if (how->bounded && getrlimit(RLIMIT_FSIZE, &size) == 0 && size.rlim_cur > OUTPUT_MAX) {
		size.rlim_cur = OUTPUT_MAX;
		setrlimit(RLIMIT_FSIZE, &size);
	}
	execvp(how->argv[0], (char *const *)how->argv);
	_exit(status_of_exec(errno));
}

// ---- in the benchmark

int child_start(struct bench *b, const struct child_how *how, struct child *ret, struct err *err)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1};
	struct child c = {.in = -1, .out = -1, .pidfd = -1};
	pid_t parent = getpid();

	if ((how->stdin_pipe && pipe2(in, O_CLOEXEC) < 0)
	    || (how->stdout_pipe && pipe2(out, O_CLOEXEC) < 0))
		return err_sys(err, errno, "start '%s'", how->argv[0]);
	snprintf(c.what, sizeof(c.what), "%s", strrchr(how->argv[0], '/') ?: how->argv[0]);
	if (c.what[0] == '/')
		memmove(c.what, c.what + 1, strlen(c.what));
	fflush(NULL);
	c.began_ns = clock_ns();
	c.always = how->always;
	c.pid = fork();
	if (c.pid == 0)
		become(how, parent, in[0], out[1]);
	scope_close(&in[0]);
	scope_close(&out[1]);
	if (c.pid > 0)
		c.pidfd = (int)syscall(SYS_pidfd_open, c.pid, 0);
	c.in = in[1];
	c.out = out[0];
	if (c.pid < 0 || c.pidfd < 0) {
		err_sys(err, errno, "start '%s'", how->argv[0]);
		if (c.pid > 0)
			child_stop(b, &c, 0);
		scope_close(&c.in);
		scope_close(&c.out);
		return -err->code;
	}
	setpgid(c.pid, c.pid); // whoever is first
	remember(b, &c);
	*ret = c;
	return 0;
}

static void let_go(int *fd)
{
	scope_close(fd);
	*fd = -1;
}

static void reap(struct bench *b, struct child *c)
{
	int status = 0;

	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	c->status = status_of_wait(status);
	forget(b, c->pid);
	let_go(&c->in);
	let_go(&c->out);
	let_go(&c->pidfd);
	c->pid = 0;
}

static bool ended_within(const struct child *c, int milliseconds)
{
	struct pollfd p = {.fd = c->pidfd, .events = POLLIN};

	return poll(&p, 1, milliseconds) > 0;
}

int child_wait(struct bench *b, struct child *c, unsigned milliseconds, struct err *err)
{
	int64_t until = clock_ms() + milliseconds;

	if (c->pid == 0)
		return 0;
	while (c->always || !bench_cancelled()) {
		int64_t left = until - clock_ms();

		if (ended_within(c, left > 0 ? (int)left : 0)) {
			reap(b, c);
			return 0;
		}
		if (left <= 0)
			return err_set(
				err,
				ETIMEDOUT,
				"%s: still runs after %.1f s",
				c->what,
				milliseconds / 1e3
			);
	}
	return bench_check(err);
}

bool child_known(const struct bench *b, pid_t pid)
{
	const struct child *c = b->children != NULL ? b->children->first : NULL;

	while (c != NULL && c->pid != pid)
		c = c->next;
	return c != NULL;
}

bool child_runs(struct bench *b, struct child *c)
{
	if (c->pid != 0 && ended_within(c, 0))
		reap(b, c);
	return c->pid != 0;
}

void child_stop(struct bench *b, struct child *c, unsigned milliseconds)
{
	int64_t until = clock_ms() + milliseconds, left;
	bool ended = false;
	pid_t pid;

	if (c->pid == 0)
		return;
	kill(c->pid, SIGTERM);
	// ctrl-C does not cut this short: what was started is to be put away in order
	while (!ended && (left = until - clock_ms()) > 0)
		ended = ended_within(c, (int)left);
	// also of a group whose first process has ended
	kill(-c->pid, SIGKILL);
	kill(c->pid, SIGKILL);
	pid = c->pid;
	reap(b, c);
	if (!ended)
		leases_stop(b, pid);
}

void children_stop(struct bench *b)
{
	while (table(b)->first != NULL) {
		struct child c = *table(b)->first;

		child_stop(b, &c, STOP_MS);
	}
	leases_stop(b, 0);
}

void child_last_line(const char *log, char *buf, size_t len)
{
	_cleanup_close_ int fd = log != NULL ? open(log, O_RDONLY | O_CLOEXEC) : -1;
	off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
	_cleanup_free_ char *text = need(malloc(LOG_TAIL + 1));
	const char *from = "";
	ssize_t n = 0;

	if (fd >= 0)
		n = pread(fd, text, LOG_TAIL, size > LOG_TAIL ? size - LOG_TAIL : 0);
	text[n > 0 ? n : 0] = '\0';
	for (ssize_t i = 0; i < n; i++)
		text[i] = text[i] != '\0' ? text[i] : ' ';
	str_foreach (line, text, "\n") {
		if (line[strspn(line, " \t\r")] != '\0')
			from = line;
	}
	snprintf(buf, len, "%s", from);
	str_plain(buf);
}

// Reads until the end of the pipe, or the time. Returns what there was, NULL for ctrl-C and the time, with err.
static char *drain(struct child *c, unsigned milliseconds, struct err *err)
{
	int64_t until = clock_ms() + milliseconds;
	_cleanup_free_ char *text = need(malloc(4097));
	size_t n = 0, room = 4096;

	for (;;) {
		struct pollfd p = {.fd = c->out, .events = POLLIN};
		int64_t left = until - clock_ms();
		ssize_t got;

		if (!c->always && bench_cancelled()) {
			bench_check(err);
			return NULL;
		}
		if (left <= 0) {
			err_set(err,
				ETIMEDOUT,
				"%s: still runs after %.1f s",
				c->what,
				milliseconds / 1e3);
			return NULL;
		}
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		if (n == room)
			text = need(realloc(text, (room *= 2) + 1));
		got = read(c->out, text + n, room - n);
		if (got <= 0 || n > OUTPUT_MAX)
			break;
		n += (size_t)got;
	}
	text[n] = '\0';
	return steal_ptr(text);
}

int child_run(
	struct bench *b,
	const struct child_how *how,
	unsigned milliseconds,
	int expect,
	char **ret_out,
	int64_t *ret_ns,
	struct err *err
)
{
	_cleanup_free_ char *own_log = how->log == NULL ? bench_path(b, "run.log") : NULL,
			    *out = NULL;
	const char *log = own_log != NULL ? own_log : how->log;
	struct child_how h = *how;
	int64_t began, took;
	struct child c;

	h.log = log;
	h.stdout_pipe = ret_out != NULL;
	if (own_log != NULL)
		unlink(own_log);
	began = clock_ms();
	if (child_start(b, &h, &c, err) < 0)
		return -err->code;
	if (ret_out != NULL && (out = drain(&c, milliseconds, err)) == NULL) {
		child_stop(b, &c, STOP_MS);
		return -err->code;
	}
	took = clock_ms() - began;
	if (child_wait(b, &c, took < milliseconds ? milliseconds - (unsigned)took : 1, err) < 0) {
		child_stop(b, &c, STOP_MS);
		return -err->code;
	}
	if (ret_ns != NULL)
		*ret_ns = clock_ns() - c.began_ns;
	if (expect >= 0 && c.status != expect) {
		char line[512];

		child_last_line(log, line, sizeof(line));
		return err_set(
			err,
			c.status == STATUS_NOT_FOUND ? ENOENT : EIO,
			"%s: ended with status %d%s%s",
			c.what,
			c.status,
			line[0] != '\0' ? ": " : "",
			line
		);
	}
	if (ret_out != NULL)
		*ret_out = steal_ptr(out);
	return 0;
}
