// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The first process of a container: starts the program, hands signals on, reaps orphans.
//
// All signals stay blocked in this process and are taken one by one with sigwaitinfo(2), so none is
// lost: what arrives before the program has been executed waits until it has.

#include "base/idset.h"
#include "base/scope.h"
#include "inside/inside.h"
#include "site/site.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define STREAMS 3 // as in run/relay.h

struct init {
	bool become;   // be replaced by the program
	int status_fd; // -1: none
	const char *cpus;
	struct idset set; // of cpus
	char **argv;	  // the program
	pid_t program;
	int tty; // descriptor of the controlling terminal, -1: none
};

// What the child tells over the pipe when it does not get to be the program. Closed without a word:
// the program was executed.
struct failure {
	enum {
		FAILED_CPUS = 1,
		FAILED_EXEC
	} step;
	int code;
};

// As execvp(3), but a file of unknown format is ENOEXEC and not handed to a shell: that shell may
// be missing, and its ENOENT would be reported for a program that is there. Returns errno.
static int exec_path(char **argv)
{
	const char *path = getenv("PATH"), *name = argv[0];
	bool denied = false;
	char file[4096];

	if (*name == '\0')
		return ENOENT;
	if (strchr(name, '/') != NULL) {
		execv(name, argv);
		return errno;
	}
	if (path == NULL || *path == '\0')
		path = SITE_PATH;
	for (;;) {
		size_t len = strcspn(path, ":");
		int n = snprintf(
			file, sizeof(file), "%.*s%s%s", (int)len, path, len > 0 ? "/" : "./", name
		);

		if (n > 0 && (size_t)n < sizeof(file)) {
			execv(file, argv);
			if (errno == EACCES)
				denied = true;
			else if (errno != ENOENT && errno != ENOTDIR)
				return errno;
		}
		if (path[len] == '\0')
			return denied ? EACCES : ENOENT;
		path += len + 1;
	}
}

// The kernel cuts a mask to the cpuset in silence: look at what came out.
static int set_cpus(const struct idset *want)
{
	struct idset got = {0};

	if (sched_setaffinity(0, sizeof(want->word), (const cpu_set_t *)want->word) < 0)
		return errno;
	if (sched_getaffinity(0, sizeof(got.word), (cpu_set_t *)got.word) < 0)
		return errno;
	return idset_equal(want, &got) ? 0 : EINVAL;
}

// The program is given the terminal when this process has it. With the program in a group of its
// own, Ctrl-C reaches it once from the terminal, and not a second time from here.
static void give_terminal(const struct init *in, pid_t group)
{
	if (in->tty >= 0 && tcgetpgrp(in->tty) == getpgrp())
		tcsetpgrp(in->tty, group);
}

static void take_terminal(const struct init *in)
{
	if (in->tty >= 0 && tcgetpgrp(in->tty) == in->program)
		tcsetpgrp(in->tty, getpgrp());
}

static _Noreturn void child(const struct init *in, int pipe_fd)
{
	bool foreground = in->tty >= 0 && tcgetpgrp(in->tty) == getpgrp();
	struct failure f = {0};
	sigset_t none;

	// SIGTTOU is still blocked: a process of another group may set the foreground group then.
	setpgid(0, 0);
	if (foreground)
		tcsetpgrp(in->tty, getpid());
	if (in->cpus != NULL && (f.code = set_cpus(&in->set)) != 0) {
		f.step = FAILED_CPUS;
	} else {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		f.code = exec_path(in->argv);
		f.step = FAILED_EXEC;
	}
	if (write(pipe_fd, &f, sizeof(f)) < 0)
		_exit(STATUS_FAILED);
	_exit(STATUS_CANNOT_RUN);
}

static void say_status(const struct init *in, const char *word, int number)
{
	if (in->status_fd < 0)
		return;
	if (dprintf(in->status_fd, "%s %d\n", word, number) >= 0)
		return;
	// A reader that went away leaves a SIGPIPE pending, which is not for the program. Ignoring
	// a signal discards it.
	signal(SIGPIPE, SIG_IGN);
	signal(SIGPIPE, SIG_DFL);
}

static int failed(const struct init *in, const struct failure *f)
{
	if (f->step == FAILED_CPUS)
		return inside_fail(
			"cannot run on CPUs '%s': %s; they must be online and granted",
			in->cpus,
			strerror(f->code)
		);
	if (in->status_fd < 0) // nobody else tells
		inside_fail("cannot run '%s': %s", in->argv[0], strerror(f->code));
	say_status(in, "failed", f->code);
	return status_of_exec(f->code);
}

// Forks and waits until the program was executed or was not. Returns 0, or the exit status.
static int start(struct init *in)
{
	_cleanup_close_ int r = -1;
	struct failure f;
	int fds[2];
	ssize_t n;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return inside_fail("cannot make a pipe: %s", strerror(errno));
	r = fds[0];
	in->program = fork();
	if (in->program == 0)
		child(in, fds[1]);
	close(fds[1]);
	if (in->program < 0)
		return inside_fail(
			"cannot fork: %s; is the limit of processes too low?", strerror(errno)
		);

	do {
		n = read(r, &f, sizeof(f));
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(f)) {
		say_status(in, "started", in->program);
		return 0;
	}
	waitpid(in->program, NULL, 0);
	take_terminal(in);
	return failed(in, &f);
}

// In place of this process. Returns the exit status.
static int become(const struct init *in)
{
	struct failure f = {.step = FAILED_CPUS};
	sigset_t none;

	if (in->cpus == NULL || (f.code = set_cpus(&in->set)) == 0) {
		// nobody is left to say so afterwards
		say_status(in, "started", getpid());
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		f.code = exec_path(in->argv);
		f.step = FAILED_EXEC;
	}
	return failed(in, &f);
}

// The program stopped. A shell that started us must see a stopped job. Without one above us, as in
// a container, there is nobody to continue it: there Ctrl-Z has no effect, as for any program that
// is the first of its session.
static void stopped(const struct init *in, int sig)
{
	if (getpid() == 1 || getsid(0) == getpid()) {
		if (sig == SIGTSTP)
			kill(-in->program, SIGCONT);
	} else if (in->tty >= 0 && sig != SIGSTOP) {
		take_terminal(in);
		raise(SIGSTOP);
	}
}

// Reaps all that ended. Returns true, with the exit status, when the program is among them.
static bool reap(const struct init *in, int *ret_status)
{
	bool ended = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (pid != in->program)
			continue;
		if (WIFSTOPPED(status)) {
			stopped(in, WSTOPSIG(status));
			continue;
		}
		*ret_status = status_of_wait(status);
		ended = true;
	}
	return ended;
}

// The size of the caller's terminal, as the supervisor sends it over the status descriptor, before SIGWINCH:
// not every runtime copies it. The last one counts.
static void take_size(const struct init *in)
{
	struct winsize size;
	bool any = false;

	while (in->tty >= 0 && in->status_fd >= 0
	       && recv(in->status_fd, &size, sizeof(size), MSG_DONTWAIT) == (ssize_t)sizeof(size))
		any = true;
	if (any)
		ioctl(in->tty, TIOCSWINSZ, &size); // tells what is in front
}

static int supervise(const struct init *in)
{
	int status = 0;
	sigset_t all;

	sigfillset(&all);
	for (;;) {
		siginfo_t si;
		int sig = sigwaitinfo(&all, &si);

		switch (sig) {
		case -1:
			// EINTR: it was stopped. Else no signal can be taken any more, as when
			// the listener of a recording was killed (ENOSYS): all ends with it
			if (errno != EINTR)
				return 128 + SIGKILL;
			break;
		case SIGTTIN:
		case SIGTTOU:
			break;
		case SIGWINCH:
			take_size(in);
			kill(in->program, sig);
			break;
		case SIGCHLD:
			if (reap(in, &status)) {
				take_terminal(in);
				return status;
			}
			break;
		case SIGCONT:
			give_terminal(in, in->program);
			kill(in->tty >= 0 ? -in->program : in->program, SIGCONT);
			break;
		default:
			kill(in->program, sig);
		}
	}
}

static int number(const char *s, int *ret)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(s, &end, 10);
	if (errno != 0 || end == s || *end != '\0' || v < 0 || v > 1 << 20)
		return -1;
	*ret = (int)v;
	return 0;
}

// Moves this process into the cgroup of a control file that is open. Nothing may run as a workload that
// has the descriptor.
static int join(const char *word)
{
	int fd, r;

	if (number(word, &fd) < 0 || fd <= STDERR_FILENO)
		return inside_fail("init: --join-fd '%s' is not an open descriptor", word);
	r = write(fd, "0", 1) == 1 ? 0 : errno;
	close(fd);
	if (r == 0)
		return 0;
	return inside_fail(
		"init: cannot enter the cgroup of the grant: %s%s",
		strerror(r),
		r == EACCES || r == ENOENT ? "; with cgroup v2 a keeper needs Linux 5.16" : ""
	);
}

// Standard input, output and error as a message over the status descriptor: the runtime has others, which it
// gives to the container's user whatever files they are, and keeps open as long as it runs.
int inside_streams(int sock)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(STREAMS * sizeof(int))];
	} control;
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *c;
	int fds[STREAMS];

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1)
		return inside_fail("init: no streams on descriptor %d: %s", sock, strerror(errno));
	c = CMSG_FIRSTHDR(&msg);
	if (c == NULL || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(fds)))
		return inside_fail("init: no streams on descriptor %d", sock);
	memcpy(fds, CMSG_DATA(c), sizeof(fds));
	for (int i = 0; i < STREAMS; i++) {
		if (dup2(fds[i], i) < 0)
			return inside_fail("init: take stream %d: %s", i, strerror(errno));
		close(fds[i]);
	}
	return 0;
}

static int options(int argc, char **argv, struct init *in)
{
	static const struct option longs[] = {
		{"become", no_argument, NULL, 'b'},
		{"join-fd", required_argument, NULL, 'j'},
		{"status-fd", required_argument, NULL, 's'},
		{"streams", no_argument, NULL, 'r'},
		{"cpus", required_argument, NULL, 'c'},
		{0},
	};
	struct err err;
	bool streams = false;
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:", longs, NULL)) != -1) {
		switch (opt) {
		case 'b':
			in->become = true;
			break;
		case 'j':
			if (join(optarg) != 0)
				return STATUS_FAILED;
			break;
		case 's':
			if (number(optarg, &in->status_fd) < 0
			    || fcntl(in->status_fd, F_SETFD, FD_CLOEXEC) < 0)
				return inside_fail(
					"init: --status-fd '%s' is not an open descriptor", optarg
				);
			break;
		case 'r':
			streams = true;
			break;
		case 'c':
			in->cpus = optarg;
			if (idset_parse(optarg, &in->set, &err) < 0)
				return inside_fail("init: --cpus: %s", err.msg);
			if (idset_empty(&in->set))
				return inside_fail("init: --cpus: the list is empty");
			break;
		case ':':
			return inside_fail("init: option '%s' needs a value", argv[optind - 1]);
		default:
			return inside_fail("init: unknown option '%s'", argv[optind - 1]);
		}
	}
	if (optind >= argc)
		return inside_fail("init: no program given");
	in->argv = argv + optind;
	return streams ? inside_streams(in->status_fd) : 0;
}

int inside_init(int argc, char **argv)
{
	struct init in = {.status_fd = -1, .tty = -1};
	sigset_t all;
	int r;

	// the program may be of the same user: it is not to write into this process, nor to take its
	// descriptors. What is executed can be dumped again.
	prctl(PR_SET_DUMPABLE, 0);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	// What was ignored when we were started stays ignored across exec, and an ignored SIGCHLD
	// leaves nothing to wait for.
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	prctl(PR_SET_NAME, INSIDE_NAME);

	r = options(argc, argv, &in);
	if (r != 0)
		return r;
	if (in.become)
		return become(&in);
	if (getpid() != 1)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int fd = 0; fd <= 2 && in.tty < 0; fd++)
		if (tcgetpgrp(fd) >= 0)
			in.tty = fd;
	take_size(&in);
	r = start(&in);
	if (r != 0)
		return r;
	// the program alone has them: when it closes one, the other side is told
	for (int fd = 0; in.tty < 0 && fd <= 2; fd++)
		close(fd);
	r = supervise(&in);
	// not to wait for a reader that does not read
	if (in.status_fd >= 0)
		fcntl(in.status_fd, F_SETFL, O_NONBLOCK);
	say_status(&in, "ended", r);
	return r;
}
