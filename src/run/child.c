// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "run/child.h"

#include "apply/apply.h"
#include "base/scope.h"
#include "run/run.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define STATUS_FD 3 // as in plan/oci.c
#define STDERR_FD 4
#define STDOUT_FD 5
#define STDIN_FD 6

void channels_done(struct channels *c)
{
	for (int i = 0; i < 2; i++) {
		scope_close(&c->go[i]);
		scope_close(&c->setup[i]);
		scope_close(&c->status[i]);
	}
	scope_close(&c->errors);
	log_close(&c->log);
}

int channels_open(
	struct channels *ret, const struct plan *p, const struct launch *launch, struct err *err
)
{
	struct channels c = NO_CHANNELS;

	if (pipe2(c.go, O_CLOEXEC) < 0 || pipe2(c.setup, O_CLOEXEC) < 0
	    || pipe2(c.status, O_CLOEXEC) < 0
	    // read without waiting: whoever is left of the container has its other end as well
	    || fcntl(c.status[0], F_SETFL, O_NONBLOCK) < 0
	    || (c.errors = memfd_create("runtime-errors", MFD_CLOEXEC)) < 0) {
		channels_done(&c);
		return err_sys(err, errno, "make a pipe");
	}
	if (launch->detached && log_open(p->lease.grant.name, &c.log, err) < 0) {
		channels_done(&c);
		return -err->code;
	}
	*ret = c;
	return 0;
}

int empty_input(void)
{
	int fd = memfd_create("no-input", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0)
		fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_SEAL);
	return fd;
}

// A program may reopen /dev/stdout or /dev/stderr by name, which the owner of a pipe can do. Any other
// file of the host stays its owner's.
static void give_stream(int fd, const struct plan *p, const struct launch *launch)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode)
	    && fchown(fd, p->lease.uid_base + launch->uid, p->lease.uid_base + launch->gid) < 0)
		return; // it still has the descriptor
}

// The program's standard descriptors, and for a container those of the runtime. dup2 never collides
// with a descriptor that is still needed: the sources are moved up first.
static int place_fds(const struct plan *p, const struct launch *launch, const struct channels *c)
{
	bool container = p->oci != NULL, input = launch->interactive || launch->terminal;
	int in = fcntl(input ? STDIN_FILENO : empty_input(), F_DUPFD_CLOEXEC, 10);
	int out = fcntl(c->log.to >= 0 ? c->log.to : STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
	int error = fcntl(c->log.to >= 0 ? c->log.to : STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	int runtime = fcntl(c->errors, F_DUPFD_CLOEXEC, 10);
	int status = fcntl(c->status[1], F_DUPFD_CLOEXEC, 10);
	int null = fcntl(empty_input(), F_DUPFD_CLOEXEC, 10);
	int first = PLAN_FIRST_FD + (int)plan_passed_fds(launch);

	// whoever has them keeps them out of the way
	for (unsigned i = 0; i < launch->njoins; i++) {
		if (dup2(launch->joins[i], first + (int)i) < 0)
			return -errno;
	}
	// a terminal has one stream for all: the runtime's messages go there too
	if (!container || launch->terminal) {
		if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0
		    || dup2(error, STDERR_FILENO) < 0)
			return -errno;
		return container && dup2(status, STATUS_FD) < 0 ? -errno : 0;
	}
	give_stream(out, p, launch);
	give_stream(error, p, launch);
	if (dup2(null, STDIN_FILENO) < 0 || dup2(runtime, STDOUT_FILENO) < 0
	    || dup2(runtime, STDERR_FILENO) < 0 || dup2(status, STATUS_FD) < 0
	    || dup2(error, STDERR_FD) < 0 || dup2(out, STDOUT_FD) < 0)
		return -errno;
	return launch->interactive && dup2(in, STDIN_FD) < 0 ? -errno : 0;
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

	if (p->oci != NULL) {
		// the runtime needs nothing of ours, and reads some variables (LISTEN_FDS, XDG_…)
		clearenv();
		putenv((char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
		// crun puts a file for a copy of itself there for a moment; elsewhere it would stay
		// if the runtime were killed just then
		putenv((char *)"_LIBCONTAINER_STATEDIR=" BOX_DIR);
		return;
	}
	json_array_foreach (p->env, i, e)
		putenv((char *)json_string_value(e));
}

// The mask of whoever called pinfold (taskset) must not narrow the grant: in a container the cpuset
// alone says where it runs.
static int set_affinity(const struct plan *p)
{
	struct idset cpus = p->cpus;

	if (p->oci != NULL)
		memset(cpus.word, 0xff, sizeof(cpus.word));
	if (idset_empty(&cpus))
		return 0;
	return sched_setaffinity(0, sizeof(cpus.word), (const cpu_set_t *)cpus.word);
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
	if (apply_unshare(err) < 0 || apply_steps(p, STEP_FENCE, err) < 0)
		return -err->code;
	close(c->go[1]);
	if (read(c->go[0], &go, 1) != 1)
		_exit(125); // the supervisor knows why
	if (apply_steps(p, STEP_ENTER, err) < 0)
		return -err->code;
	prctl(PR_SET_PDEATHSIG, 0);
	if (write(report, &entered, 1) != 1)
		return err_sys(err, errno, "tell the supervisor");
	// the lease is in use now, whatever becomes of this process: others may have the lock
	close(lock);
	return 0;
}

static int become(
	const struct plan *p, const struct launch *launch, const struct channels *c, struct err *err
)
{
	char **argv = to_argv(p->argv);
	sigset_t none;
	int r;

	if (argv == NULL || argv[0] == NULL)
		return err_oom(err);
	if (launch->detached && setsid() < 0 && errno != EPERM)
		return err_sys(err, errno, "make a session");
	if (set_affinity(p) < 0)
		return err_sys(err, errno, "run on the granted CPUs");
	r = place_fds(p, launch, c);
	if (r < 0)
		return err_sys(err, -r, "redirect input and output");
	child_environment(p);
	if (p->oci != NULL) {
		if (run_limit(p->limits, p->nlimits, err) < 0)
			return -err->code;
		umask(022); // what the runtime makes in the root must be passable for every user
	}
	signal(SIGPIPE, SIG_DFL); // ignored while nobody may read what a detached start says
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[0], argv);
	return err_sys(err, errno, "run '%s'", argv[0]);
}

pid_t start_child(
	const struct plan *p, const struct launch *launch, const struct channels *c, int lock
)
{
	pid_t supervisor = getpid(), pid = fork();
	const char failed = CHILD_FAILED;
	struct err err;
	int report;

	if (pid != 0)
		return pid;
	report = fcntl(c->setup[1], F_DUPFD_CLOEXEC, 10); // out of the way of place_fds
	if (enter(p, supervisor, c, report, lock, &err) == 0)
		become(p, launch, c, &err);
	if (write(report, &failed, 1) != 1
	    || write(report, &err, sizeof(err)) != (ssize_t)sizeof(err))
		_exit(125);
	_exit(err.code == ENOENT ? 127 : 126);
}
