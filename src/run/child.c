// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "run/child.h"

#include "apply/apply.h"
#include "base/begin.h"
#include "base/scope.h"
#include "base/socket.h"
#include "base/status.h"
#include "run/beside.h"
#include "run/run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

void channels_done(struct channels *c)
{
	for (int i = 0; i < 2; i++) {
		scope_close(&c->go[i]);
		scope_close(&c->setup[i]);
		scope_close(&c->status[i]);
	}
	scope_close(&c->errors);
	log_close(&c->log);
	streams_done(&c->streams);
	terminal_done(&c->terminal);
}

// Of a program in a container, never the caller's own. A detached one has its log, and no input.
static int open_streams(struct channels *c, const struct launch *launch, struct err *err)
{
	struct streams *s = &c->streams;

	if (launch->terminal)
		return terminal_open(launch->interactive, s, &c->terminal, err);
	if (!launch->detached)
		return streams_open(launch->interactive, s, err);
	s->program[0] = streams_no_input();
	s->program[1] = fcntl(c->log.to, F_DUPFD_CLOEXEC, 0);
	s->program[2] = fcntl(c->log.to, F_DUPFD_CLOEXEC, 0);
	// the program may open them again by name, but not read what it has said
	return fchmod(c->log.to, 0222) == 0 ? 0 : err_sys(err, errno, "make pipes for the output");
}

int channels_open(
	struct channels *ret,
	const struct lease *lease,
	const struct launch *launch,
	struct streams *given,
	struct err *err
)
{
	bool container = site_has(&lease->site, SITE_CONTAINER);
	struct channels c = NO_CHANNELS;
	int r = 0;

	if (pipe2(c.go, O_CLOEXEC) < 0 || pipe2(c.setup, O_CLOEXEC) < 0
	    || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, c.status) < 0
	    // read without waiting: whoever is left of the container has its other end as well
	    || fcntl(c.status[0], F_SETFL, O_NONBLOCK) < 0
	    || (c.errors = memfd_create("runtime-errors", MFD_CLOEXEC)) < 0) {
		channels_done(&c);
		return err_sys(err, errno, "make a pipe");
	}
	socket_refuse_fds(c.status[0]); // whoever is left, too
	if (given != NULL) {
		c.streams = *given;
		*given = (struct streams)NO_STREAMS;
	}
	if (launch->detached && given == NULL)
		r = log_open(lease->grant.name, launch->again, &c.log, err);
	if (r == 0 && container && given == NULL)
		r = open_streams(&c, launch, err);
	if (r == 0 && container && launch->terminal)
		terminal_send_size(given != NULL ? c.streams.size : c.terminal.master, c.status[0]);
	else if (r == 0 && container)
		r = streams_send(&c.streams, c.status[0], err);
	if (r < 0) {
		log_discard(&c.log);
		channels_done(&c);
		return r;
	}
	*ret = c;
	return 0;
}

// On the bare host the caller's, or the log; input is empty unless asked for.
static int place_bare(const struct launch *launch, const struct channels *c)
{
	int in = launch->interactive || launch->terminal ? STDIN_FILENO : streams_no_input();
	int out = c->log.to >= 0 ? c->log.to : STDOUT_FILENO;
	int error = c->log.to >= 0 ? c->log.to : STDERR_FILENO;

	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0
	    || dup2(error, STDERR_FILENO) < 0)
		return -errno;
	return 0;
}

// The runtime's, which are not the program's, but for a terminal that it copies to another. What it has to say
// goes apart; and it gives its own to the container's user: no file of the host may be one.
int place_runtime(const struct site *site, const struct streams *s, int errors, int status_fd)
{
	int in = fcntl(s->terminal ? s->program[0] : streams_no_input(), F_DUPFD_CLOEXEC, 10);
	int out = fcntl(s->terminal ? s->program[0] : errors, F_DUPFD_CLOEXEC, 10);
	int error = fcntl(errors, F_DUPFD_CLOEXEC, 10);
	int status = fcntl(status_fd, F_DUPFD_CLOEXEC, 10);

	// whoever has them keeps them out of the way
	for (unsigned i = 0; i < site->njoins; i++) {
		if (dup2(site->joins[i], site->join_fd + (int)i) < 0)
			return -errno;
	}
	// its terminal is to be told of a new size, and hung up
	if (s->terminal && (setsid() < 0 || ioctl(in, TIOCSCTTY, 0) < 0))
		return -errno;
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0
	    || dup2(error, STDERR_FILENO) < 0 || dup2(status, site->status_fd) < 0)
		return -errno;
	return 0;
}

// An array of borrowed strings from a JSON array.
static char **to_argv(const json_t *list)
{
	size_t n = json_array_size(list);
	char **argv = calloc(n + 1, sizeof(*argv));

	for (size_t i = 0; argv != NULL && i < n; i++)
		argv[i] = (char *)json_string_value(json_array_get(list, i));
	return argv;
}

static void child_environment(const struct plan *p)
{
	size_t i;
	json_t *e;

	// crun puts a file for a copy of itself there for a moment; elsewhere it would stay
	// if the runtime were killed just then
	if (site_has(&p->lease.site, SITE_CONTAINER))
		runtime_environment(FENCE_DIR);
	json_array_foreach (p->env, i, e)
		putenv((char *)json_string_value(e));
}

// The mask of whoever called pinfold (taskset) must not narrow the grant: in a container the cpuset
// alone says where it runs. A runtime that copies what its terminal says does so on the grant's CPUs.
static int set_affinity(const struct plan *p, const struct launch *launch)
{
	struct idset cpus = p->cpus;

	bool container = site_has(&p->lease.site, SITE_CONTAINER);

	if (container && launch->terminal)
		cpus = grant_all_cpus(&p->lease.grant);
	else if (container)
		memset(cpus.word, 0xff, sizeof(cpus.word));
	return idset_empty(&cpus) ? 0 : beside_run_on(&p->lease.grant, &cpus);
}

// Until it is in its cgroup the child must not outlive its supervisor: the lease would look unused, be
// collected, and something would start in it all the same. What is its own alone it makes before the
// limits are there, while the supervisor makes those.
static int enter(
	const struct plan *p,
	pid_t supervisor,
	const struct channels *c,
	int report,
	int lock,
	struct err *err
)
{
	const char entered = CHILD_ENTERED;
	char go;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != supervisor)
		return err_set(err, ESRCH, "start a process: its supervisor is gone");
	if (site_unshare(err) < 0 || apply_steps(p, STEP_FENCE, err) < 0)
		return -err->code;
	close(c->go[1]);
	if (read(c->go[0], &go, 1) != 1)
		_exit(STATUS_FAILED); // the supervisor knows why
	if (apply_steps(p, STEP_ENTER, err) < 0)
		return -err->code;
	prctl(PR_SET_PDEATHSIG, 0);
	if (write(report, &entered, 1) != 1)
		return err_sys(err, errno, "tell the supervisor");
	// the lease is in use now, whatever becomes of this process: others may have the lock
	close(lock);
	return 0;
}

// ret: the exit status when it fails; the program's own where it cannot be executed.
static int become(
	const struct plan *p,
	const struct launch *launch,
	const struct channels *c,
	int *ret,
	struct err *err
)
{
	const struct site *site = &p->lease.site;
	bool container = site_has(site, SITE_CONTAINER);
	char **argv = to_argv(p->argv);
	sigset_t none;
	int r;

	if (argv == NULL || argv[0] == NULL)
		return err_oom(err);
	if (launch->detached && setsid() < 0 && errno != EPERM)
		return err_sys(err, errno, "make a session");
	if (set_affinity(p, launch) < 0)
		return err_sys(err, errno, "run on the granted CPUs");
	r = container ? place_runtime(site, &c->streams, c->errors, c->status[1])
		      : place_bare(launch, c);
	if (r < 0)
		return err_sys(err, -r, "redirect input and output");
	child_environment(p);
	if (container) {
		if (run_limit(p->limits, p->nlimits, err) < 0)
			return -err->code;
		umask(022); // what the runtime makes in the root must be passable for every user
	}
	if (!container)
		begin_undo();
	if (!container && launch->workdir != NULL && chdir(launch->workdir) < 0)
		return err_sys(err, errno, "go to directory '%s'", launch->workdir);
	// what was ignored when we were started (nohup, a shell's "&") stays so across exec: the program is to hear what
	// is handed on
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[0], argv);
	*ret = site_exec_failed(site, errno);
	return err_sys(err, errno, "run '%s'", argv[0]);
}

pid_t start_child(
	const struct plan *p, const struct launch *launch, const struct channels *c, int lock
)
{
	pid_t supervisor = getpid(), pid = fork();
	const char failed = CHILD_FAILED;
	int report, status = STATUS_FAILED;
	struct err err;

	if (pid != 0)
		return pid;
	report = fcntl(c->setup[1], F_DUPFD_CLOEXEC, 10); // out of the way of place_runtime
	if (enter(p, supervisor, c, report, lock, &err) == 0)
		become(p, launch, c, &status, &err);
	if (write(report, &failed, 1) != 1
	    || write(report, &err, sizeof(err)) != (ssize_t)sizeof(err))
		_exit(STATUS_FAILED);
	_exit(status);
}
