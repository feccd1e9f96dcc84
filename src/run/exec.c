// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Another program in a workload that runs. It lands on the shared CPUs of the grant, if there are any:
// those do not poll.

#include "apply/apply.h"
#include "base/begin.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/status.h"
#include "host/cgroup.h"
#include "plan/plan.h"
#include "run/beside.h"
#include "run/child.h"
#include "run/run.h"
#include "run/watch_runtime.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define END_MILLISECONDS 3000 // for the first process, after one that was killed with it
#define PROCESS_FD_MIN 64     // above those that a caller has still to put in their places

// Our init says 126 and 127 as container tools do, which the runtime's exec does not.
static json_t *arguments(
	const struct lease *lease, const struct launch *launch, uint32_t uid, uint32_t gid
)
{
	const struct site *site = &lease->site;
	const char *more[4 + PROCESS_USER], **m = more;
	char cpus[IDSET_STR], user[32];

	// a guest has numbers of its own
	if (site_has(site, SITE_GUEST)) {
		m[process_user(site, uid, gid, user, m)] = NULL;
		return process_args(site, site->execs, launch->terminal, more, launch->argv);
	}
	idset_format(&lease->grant.shared_cpus, cpus, sizeof(cpus));
	// it becomes the program: a workload that has taken its processes leaves none to fork, but the
	// kernel lets a process be moved to where the limit is reached. The size of a terminal comes later
	// too: somebody must be there to set it
	if (!launch->terminal)
		*m++ = "--become";
	if (cpus[0] != '\0') {
		*m++ = "--cpus";
		*m++ = cpus;
	}
	*m = NULL;
	return process_args(site, site->execs, launch->terminal, more, launch->argv);
}

// A file of the memory that says which process is meant: the options of crun's exec know no groups.
static int process_file(
	const struct lease *lease,
	const struct launch *launch,
	const struct host_limits *limits,
	struct err *err
)
{
	_cleanup_close_ int fd = -1;
	_cleanup_json_ json_t *doc = NULL;
	uint32_t uid = lease->uid, gid = lease->gid;
	bool guest;
	int file;

	if (process_check(launch->argv, launch->nenv, launch->env, err) < 0
	    || (launch->workdir != NULL && process_check_text("directory", launch->workdir, err) < 0
	    ))
		return -err->code;
	if (launch->user != NULL && launch_parse_ids(launch->user, &uid, &gid) < 0)
		return err_set(
			err,
			EINVAL,
			"user '%s': write UID or UID:GID, each below %u",
			launch->user,
			IDS_PER_LEASE
		);
	guest = site_has(&lease->site, SITE_GUEST);
	if (guest && launch->workdir != NULL)
		return err_set(
			err, EINVAL, "exec in '%s': --workdir is for containers", lease->grant.name
		);
	doc = process_of(
		lease,
		limits,
		launch->terminal,
		guest ? 0 : uid,
		guest ? 0 : gid,
		launch->workdir,
		arguments(lease, launch, uid, gid),
		process_env(&lease->site, NULL, launch->terminal, launch->nenv, launch->env)
	);
	if (doc == NULL)
		return err_oom(err);
	fd = memfd_create("process", MFD_CLOEXEC);
	if (fd < 0 || json_dumpfd(doc, fd, JSON_COMPACT) < 0)
		return err_sys(err, fd < 0 ? errno : EIO, "write down the process to start");
	// the runtime opens it by its name here, and does not hand it on
	file = fcntl(fd, F_DUPFD, PROCESS_FD_MIN);
	return file >= 0 ? file : err_sys(err, errno, "hand on a file");
}

// crun lets the program go before it has written down that it runs. What a workload that ended leaves
// missing, its directory or all of it, is for the runtime to say.
bool exec_wait_for_runtime(const struct lease *lease, unsigned milliseconds)
{
	_cleanup_free_ char *dir = str_printf("%s/%s", lease->site.state, lease->grant.name);
	_cleanup_free_ char *file = str_printf("%s/%s", dir, lease->site.runtime.kind->started);

	if (dir == NULL || file == NULL)
		return false;
	for (; milliseconds > 0 && access(file, F_OK) < 0 && access(dir, F_OK) == 0;
	     milliseconds -= 10)
		nap_ms(10);
	return access(file, F_OK) == 0;
}

// The container has ended: its first process is gone, or has no memory any more and waits for those that end with it,
// as one that has a guest's memory to give back; or the runtime has taken all of it away. Soon: what was executed may be
// killed a moment before.
static bool ended_by_now(const struct lease *lease)
{
	const struct runtime_kind *kind = lease->site.runtime.kind;
	_cleanup_free_ char *dir = str_printf("%s/%s", lease->site.state, lease->grant.name);
	_cleanup_free_ char *file = str_printf("%s/%s", dir, kind->started);
	int64_t limit = clock_ms() + END_MILLISECONDS;

	while (dir != NULL && file != NULL) {
		_cleanup_json_ json_t *state = NULL;
		char program[32], to;
		struct err unused;

		if (access(dir, F_OK) < 0)
			return true;
		if (jread_own(AT_FDCWD, file, "the runtime's state", &state, &unused) == 0) {
			snprintf(
				program,
				sizeof(program),
				"/proc/%d/exe",
				(int)json_integer_value(json_object_get(state, kind->init))
			);
			if (readlink(program, &to, 1) < 0 && (errno == ENOENT || errno == ESRCH))
				return true;
		}
		if (clock_ms() >= limit)
			break;
		nap_ms(10);
	}
	return false;
}

// The runtime's command that enters a container.
struct command {
	const char *words[16]; // NULL-terminated; borrowed, but for the two
	char process[32], preserve[32];
};

// It names a descriptor that stays open for the runtime; sets the umask as well.
static int make_command(
	const struct lease *lease,
	const struct launch *launch,
	const struct host_limits *limits,
	struct command *ret,
	struct err *err
)
{
	const struct site *site = &lease->site;
	int fd = process_file(lease, launch, limits, err);
	const char **w = ret->words;

	if (fd < 0)
		return fd;
	exec_wait_for_runtime(lease, RUNTIME_MILLISECONDS);
	// runc's exec has its caller's
	umask(process_umask(&lease->grant));
	snprintf(ret->process, sizeof(ret->process), "/proc/self/fd/%d", fd);
	*w++ = site->runtime.path;
	*w++ = "--root";
	*w++ = site->state;
	if (site->runtime.kind->manager != NULL) {
		*w++ = site->runtime.kind->manager;
		*w++ = site->manager;
	}
	*w++ = "exec";
	snprintf(ret->preserve, sizeof(ret->preserve), "--preserve-fds=%u", 1 + site->njoins);
	*w++ = ret->preserve;
	*w++ = "--process";
	*w++ = ret->process;
	*w++ = lease->grant.name;
	*w = NULL;
	return 0;
}

// Enters the cgroups and the mount namespace of a workload on the bare host.
static int enter_bare(const struct hostfs *fs, const struct lease *lease, struct err *err)
{
	int mounts = enter_open(fs, lease);

	if (mounts >= 0 && cgroup_join_box(fs, lease, err) < 0) {
		close(mounts);
		return -err->code;
	}
	return enter_fence(lease, mounts, err);
}

// On the bare host it takes the place of this process: signals, job control and the exit status are the
// program's.
static int become_bare(
	const struct hostfs *fs,
	const struct lease *lease,
	const struct launch *launch,
	struct outcome *ret,
	struct err *err
)
{
	_cleanup_close_ int empty = -1;

	if (enter_bare(fs, lease, err) < 0)
		return err_wrap(err, "exec in '%s'", lease->grant.name);
	for (const char *const *e = lease->site.environment; *e != NULL; e++)
		putenv((char *)*e);
	for (unsigned i = 0; i < launch->nenv; i++)
		putenv((char *)launch->env[i]);
	if (!launch->interactive && !launch->terminal) {
		empty = streams_no_input();
		if (empty < 0 || dup2(empty, STDIN_FILENO) < 0)
			return err_sys(err, errno, "make an empty input");
	}
	if (launch->workdir != NULL && chdir(launch->workdir) < 0)
		return err_sys(err, errno, "go to directory '%s'", launch->workdir);
	begin_undo();
	execvp(launch->argv[0], launch->argv);
	ret->status = site_exec_failed(&lease->site, errno);
	return err_sys(err, errno, "run '%s'", launch->argv[0]);
}

// ---- the runtime's exec, and its supervisor

struct execution {
	const struct hostfs
		*fs; // NULL: a keeper, which is in the cgroup and the namespaces it needs
	const struct lease *lease;
	const struct launch *launch;
	struct command command;
	struct channels channels;
};

// Nothing of this process but what it needs. One that copies what its terminal says works at
// the cost of the grant.
static int enter_container(const struct execution *x, struct err *err)
{
	const struct grant *g = &x->lease->grant;
	struct idset cpus = grant_all_cpus(g);
	struct right_limit all[HOST_RLIMITS];
	struct host_limits limits;

	runtime_environment(NULL);
	if (x->fs == NULL)
		return 0;
	if (x->launch->terminal
	    && (cgroup_join_beside(x->fs, x->lease, err) < 0 || beside_run_on(g, &cpus) < 0))
		return err_sys(err, errno, "enter the cgroup of '%s'", g->name);
	host_read_limits(x->fs, &limits);
	if (run_limit(all, plan_rlimits(g, &limits, 0, all), err) < 0)
		return -err->code;
	// runc wants to see the bundle
	if (!x->lease->site.runtime.kind->sees_bundle)
		return runtime_scratch(err);
	return enter_fence(x->lease, enter_open(x->fs, x->lease), err);
}

static _Noreturn void become_runtime(const struct execution *x)
{
	const struct channels *c = &x->channels;
	const char *program = x->command.words[0];
	struct err err;
	sigset_t none;

	if (enter_container(x, &err) == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		if (place_runtime(&x->lease->site, &c->streams, c->errors, c->status[1]) == 0)
			execv(program, (char *const *)x->command.words);
		err_sys(&err, errno, "run '%s'", program);
	}
	dprintf(c->errors, "%s\n", err.msg); // for watch_reason
	_exit(STATUS_FAILED);
}

static int conclude(
	const struct watch *w, const struct execution *x, struct outcome *ret, struct err *err
)
{
	char reason[512];

	if (w->phase == PHASE_RUNNING) {
		ret->program_ran = true;
		ret->status = status_of_wait(w->status);
		if (w->hung_up)
			ret->status = 128 + SIGHUP;
		return 0;
	}
	if (w->phase == PHASE_FAILED) {
		ret->status = status_of_exec(w->exec_errno);
		if (w->exec_errno == ENOENT)
			return err_set(
				err,
				ENOENT,
				"run '%s': there is no such program in '%s', or not its loader; it "
				"has what its image has, else /usr, /etc and /opt of the host",
				x->launch->argv[0],
				x->lease->grant.name
			);
		return err_sys(err, w->exec_errno, "run '%s'", x->launch->argv[0]);
	}
	// a signal came before there was a program: whoever sent it does not want it any more
	if (w->told && !watch_heard(&x->channels)) {
		ret->status = status_of_wait(w->status);
		return 0;
	}
	if (ended_by_now(x->lease))
		return err_set(
			err,
			ESRCH,
			"exec in '%s': it has ended; see pinfold ps",
			x->lease->grant.name
		);
	watch_reason(&x->channels, reason, sizeof(reason));
	// what is in the container may have written it
	return err_set(err, EIO, "exec in '%s': said there: %s", x->lease->grant.name, reason);
}

static int watch_exec(struct execution *x, int sfd, struct outcome *ret, struct err *err)
{
	struct channels *c = &x->channels;
	struct watch w = {
		.phase = PHASE_STARTING,
		.ended = -1,
		.limit = watch_limit(x->lease),
		.ready = -1,
		.name = x->lease->grant.name,
		.relay = NO_RELAY,
		.fs = x->fs,
		.lease = x->lease,
		.size = c->streams.size,
		.terminal = c->terminal.master >= 0 ? &c->terminal : NULL,
	};
	struct err lost;
	int r;

	w.child = fork();
	if (w.child < 0)
		return err_sys(err, errno, "start a process");
	if (w.child == 0)
		become_runtime(x);
	streams_handed_over(&c->streams);
	scope_close(&c->status[1]);
	c->status[1] = -1;
	terminal_take(&c->terminal);
	if (c->streams.ours[1] >= 0)
		w.streams = &c->streams;
	r = watch_child(&w, sfd, c->status[0], err);
	if (r == 0)
		r = conclude(&w, x, ret, err);
	if (relay_end(&w.relay, sfd, NULL, &lost) < 0 && r == 0) {
		*err = lost;
		ret->status = STATUS_FAILED;
		r = -err->code;
	}
	terminal_give_back(&c->terminal);
	return r;
}

int exec_in_container(
	const struct hostfs *fs,
	const struct lease *lease,
	const struct launch *launch,
	const struct host_limits *limits,
	struct streams *given,
	struct outcome *ret,
	struct err *err
)
{
	struct execution x = {.fs = fs, .lease = lease, .launch = launch, .channels = NO_CHANNELS};
	sigset_t old;
	int r, sfd;

	*ret = (struct outcome){.status = STATUS_FAILED};
	if (make_command(lease, launch, limits, &x.command, err) < 0)
		return -err->code;
	sfd = watch_signals(launch->terminal, &old);
	if (sfd < 0)
		return err_sys(err, errno, "wait for signals");
	r = channels_open(&x.channels, lease, launch, given, err);
	if (r == 0)
		r = watch_exec(&x, sfd, ret, err);
	channels_done(&x.channels);
	watch_end(sfd, &old);
	return r;
}

void exec_note(
	const struct hostfs *fs,
	const struct lease *lease,
	const struct hits *before,
	struct outcome *out
)
{
	struct hits now;

	// what else the workload ran into meanwhile, its supervisor says
	if (out->status != 128 + SIGKILL && out->status != 128 + SIGBUS)
		return;
	hits_read(fs, lease, &now);
	hits_text(&now, before, &lease->grant, out->status, out->note);
}

int exec_in_workload(
	struct ledger *l,
	const char *name,
	const struct launch *launch,
	struct outcome *ret,
	struct err *err
)
{
	struct host_limits limits;
	struct hits before;
	struct offline o;
	struct lease lease;
	char line[OFFLINE_LINE];
	int r;

	*ret = (struct outcome){.status = STATUS_FAILED};
	r = lease_read(l, name, &lease, err);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r < 0 || !lease_in_use(l, &lease))
		return err_set(err, ENOENT, "'%s' does not run; see pinfold ps", name);
	if (launch->outside && !site_has(&lease.site, SITE_GUEST))
		return err_set(err, EINVAL, "'%s' is no virtual machine: it has no QEMU", name);
	if (launch->outside) {
		const struct site inner = site_of(PLACE_CONTAINER);

		lease.site.has &= ~(unsigned)SITE_GUEST;
		lease.site.execs = inner.execs;
		lease.uid = lease.gid = 0; // QEMU's, in there
	}
	if (lease.again == LEASE_WAITING)
		return err_set(
			err,
			EAGAIN,
			"exec in '%s': it has ended, and waits for its next start",
			name
		);
	if (lease.site.place == PLACE_KEEPER)
		return err_set(
			err,
			EPERM,
			"exec in '%s': it belongs to user %u; as root: setpriv --reuid %u --regid "
			"%u "
			"--clear-groups pinfold exec ...",
			name,
			lease.grant.owner_uid,
			lease.grant.owner_uid,
			lease.grant.owner_gid
		);
	if (site_has(&lease.site, SITE_SPEC))
		return err_set(
			err, EPERM, "exec in '%s': its container is an engine's; ask that one", name
		);
	offline_look(&l->fs, &lease, &o);
	if (o.frozen) { // the program would be too, before it had begun
		offline_say(&o, line, sizeof(line));
		return err_set(err, EAGAIN, "exec in '%s': %s", name, line);
	}
	if (launch->argv[0] == NULL)
		return err_set(err, EINVAL, "exec in '%s': no program given", name);
	if (!site_has(&lease.site, SITE_CONTAINER))
		return become_bare(&l->fs, &lease, launch, ret, err);
	host_read_limits(&l->fs, &limits);
	hits_read(&l->fs, &lease, &before);
	r = exec_in_container(&l->fs, &lease, launch, &limits, NULL, ret, err);
	exec_note(&l->fs, &lease, &before, ret);
	return r;
}
