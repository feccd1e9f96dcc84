// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A container is made: its lease is written, its fence stands around the runtime, and then the runtime does it.

#include "apply/apply.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/status.h"
#include "run/run.h"
#include "runtime/child.h"
#include "runtime/container.h"
#include "runtime/derive.h"
#include "runtime/engine_cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

// What the child tells before it becomes the runtime: it has its mounts; it is in its cgroup; or a struct err.
enum {
	WORD_MOUNTED = 'm',
	WORD_ENTERED = 'e',
	WORD_FAILED = 'f'
};

// Tells who started this process, and waits until that lets it go on.
static int tell(int parent, char word, struct err *err)
{
	char answer;

	if (write(parent, &word, 1) == 1 && read(parent, &answer, 1) == 1)
		return 0;
	return err_set(err, EPIPE, "start a process: who started it is gone");
}

static int enter(const struct plan *p, pid_t parent, int report, struct err *err)
{
	// until its lease is in use nobody may start in it
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		return err_set(err, ESRCH, "start a process: who started it is gone");
	// answered when its cgroups are made, and when its mounts are noted
	if (site_unshare(err) < 0 || apply_steps(p, STEP_FENCE, err) < 0
	    || tell(report, WORD_MOUNTED, err) < 0 || apply_steps(p, STEP_ENTER, err) < 0
	    || tell(report, WORD_ENTERED, err) < 0)
		return -err->code;
	prctl(PR_SET_PDEATHSIG, 0);
	return 0;
}

// The umask, the descriptors, the environment and all else are the engine's.
static _Noreturn void become(
	const struct plan *p,
	const struct below *below,
	const struct command *c,
	pid_t parent,
	int report,
	mode_t mask,
	const sigset_t *old
)
{
	const char word = WORD_FAILED;
	struct err err;

	if (enter(p, parent, report, &err) == 0) {
		// but for where crun copies itself to for a moment: what it leaves there when it is killed goes
		runtime_state_in(FENCE_DIR);
		sigprocmask(SIG_SETMASK, old, NULL);
		umask(mask);
		if (site_has(&p->lease.site, SITE_LEASE))
			below_exec_cgroupfs(below, c->argv, &err);
		else
			below_exec(below, c->argv, &err);
	}
	if (write(report, &word, 1) != 1 || write(report, &err, sizeof(err)) != sizeof(err))
		_exit(STATUS_FAILED);
	_exit(STATUS_FAILED);
}

static int hear(int fd, char *word, struct err *err)
{
	struct err theirs;

	if (read(fd, word, 1) != 1)
		return 0; // it has become the runtime
	if (*word != WORD_FAILED)
		return 1;
	if (read(fd, &theirs, sizeof(theirs)) != (ssize_t)sizeof(theirs))
		return err_set(err, EPIPE, "start a process: it ended without a word");
	*err = theirs;
	return -err->code;
}

static int write_file(const char *file, const char *name, struct err *err)
{
	_cleanup_close_ int dir = fs_mkdirs(ENGINES_DIR, 0711, err);

	if (dir < 0)
		return dir;
	return fs_write_atomic(dir, strrchr(file, '/') + 1, name, strlen(name), 0600, err);
}

// The undo is on disk before the first step that changes the host is taken, and the container's file, by which its lease
// is found, before there is one.
static int begin_lease(struct start *s, const char *file, struct err *err)
{
	if (lease_write(&s->ledger, &s->plan.lease, err) < 0
	    || write_file(file, s->plan.lease.grant.name, err) < 0)
		return -err->code;
	return apply_host(&s->plan, false, err);
}

// One that is gone has said why, or is heard no more.
static int let(int child, struct err *err)
{
	return send(child, "g", 1, MSG_NOSIGNAL) == 1 || errno == EPIPE
		       ? 0
		       : err_sys(err, errno, "let a process go on");
}

// The child makes its fence meanwhile, which is its own and goes with it; and it enters its cgroup while its mounts are
// noted. unwritten: as below.
static int let_go(struct start *s, const char *unwritten, pid_t pid, int child, struct err *err)
{
	// enters its cgroup without waiting for a grace period (join in apply/cgroup.c), if nobody else waits for one
	const bool at_once = s->host.cgroup.version == HOST_CGROUP_V1;
	struct lease *lease = &s->plan.lease;
	char word;
	int r;

	if ((unwritten != NULL && begin_lease(s, unwritten, err) < 0)
	    || apply_host(&s->plan, true, err) < 0)
		return -err->code;
	if (!at_once)
		cgroup_begin_grace();
	if (let(child, err) < 0)
		return -err->code;
	r = hear(child, &word, err);
	if (r > 0
	    && (pinned_note(lease, (int)pid, err) < 0 || lease_write(&s->ledger, lease, err) < 0))
		return -err->code;
	if (r > 0)
		r = hear(child, &word, err);
	if (r <= 0)
		return r;
	ledger_unlock(&s->ledger);
	if (let(child, err) < 0)
		return -err->code;
	if (at_once)
		cgroup_begin_grace();
	return hear(child, &word, err);
}

// unwritten: the container's file, where that and the lease are not on disk yet; else NULL.
static int run_below(
	struct start *s,
	const struct below *below,
	const struct command *c,
	const char *unwritten,
	mode_t mask,
	int *ret_status,
	struct err *err
)
{
	_cleanup_close_ int here = -1, there = -1, sfd = -1;
	pid_t parent = getpid(), child;
	sigset_t old;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, errno, "make a socket");
	here = pair[0];
	there = pair[1];
	sfd = child_signals(&old);
	child = sfd >= 0 ? fork() : -1;
	if (child < 0)
		return err_sys(err, errno, "start a process");
	if (child == 0)
		become(&s->plan, below, c, parent, there, mask, &old);
	close(steal_fd(&there));
	r = let_go(s, unwritten, child, here, err);
	if (r < 0)
		kill(child, SIGKILL);
	*ret_status = child_wait(child, sfd);
	return r;
}

static int check_claim(
	const struct start_claim *c, const struct ledger *l, const struct grant *g, struct err *err
)
{
	return claim_check(c->arg, l, g, err);
}

// The host's id of the program's user.
static uint32_t host_id(const json_t *spec, const char *which, const char *maps)
{
	const json_t *user = json_object_get(json_object_get(spec, "process"), "user"), *e;
	json_int_t id = json_integer_value(json_object_get(user, which));
	size_t i;

	json_array_foreach (json_object_get(json_object_get(spec, "linux"), maps), i, e) {
		json_int_t inside = json_integer_value(json_object_get(e, "containerID"));
		json_int_t n = json_integer_value(json_object_get(e, "size"));

		if (id >= inside && id - inside < n)
			return (uint32_t
			)(id - inside + json_integer_value(json_object_get(e, "hostID")));
	}
	return (uint32_t)id;
}

// What ps shows: whose container it is.
static void fill_launch(
	struct launch *launch, const json_t *spec, const char *config, char **argv, const char *id
)
{
	argv[0] = (char *)LAUNCH_CONTAINER;
	argv[1] = (char *)id;
	argv[2] = NULL;
	launch->argv = argv;
	launch->site = site_of(PLACE_ENGINE);
	launch->spec = spec;
	launch->config = config;
	launch->uid = host_id(spec, "uid", "uidMappings");
	launch->gid = host_id(spec, "gid", "gidMappings");
}

// ---- where the engine limits it itself

// Of a container whose limits are the engine's: for people the beginning of its id, and a mark of all of it.
static void given_name(const struct command *c, const char *file, char ret[static NAME_MAX_LEN + 1])
{
	char id[13];
	size_t n;

	snprintf(id, sizeof(id), "%s", c->id);
	for (n = 0; id[n] != '\0'; n++) {
		if (id[n] >= 'A' && id[n] <= 'Z')
			id[n] = (char)(id[n] - 'A' + 'a');
		else if (id[n] == '+')
			id[n] = '-';
	}
	snprintf(
		ret,
		NAME_MAX_LEN + 1,
		"ctr-%s-%08x",
		id,
		(unsigned)(container_mark(file) & UINT32_MAX)
	);
}

static int make_given(
	const struct start_given *given,
	const struct host *host,
	const struct hostfs *fs,
	struct grant *ret,
	struct err *err
)
{
	return derive_grant(given->spec, host, fs, ret, err);
}

// Engines have it written into a file, which costs nothing.
static int first_process(
	const struct below *below, const struct command *c, int *ret, struct err *err
)
{
	_cleanup_free_ char *text = NULL;
	int r;

	if (c->pid_file == NULL)
		return container_process(below, c, ret, err);
	r = fs_read_file(c->pid_file, 64, &text, NULL);
	if (r < 0)
		return err_sys(err, -r, "read '%.200s'", c->pid_file);
	*ret = atoi(text);
	return *ret > 0 ? 0 : err_set(err, EINVAL, "read '%.200s': no process", c->pid_file);
}

// It is made, and not started yet.
static int settle_given(
	struct start *s,
	const struct below *below,
	const struct command *c,
	const json_t *spec,
	struct err *err
)
{
	struct lease now;
	int pid = 0;

	if (first_process(below, c, &pid, err) < 0
	    || place_note(pid, &s->host, &s->ledger.fs, spec, &s->plan.lease, err) < 0
	    || ledger_lock(&s->ledger, err) < 0)
		return -err->code;
	// it may have been killed by now, and its lease taken back
	if (lease_read(&s->ledger, s->plan.lease.grant.name, &now, err) < 0)
		return -err->code;
	if (!lease_same_run(&s->plan.lease, &now))
		return err_set(err, ECANCELED, "container '%s': it was taken back", c->id);
	if (lease_write(&s->ledger, &s->plan.lease, err) < 0)
		return -err->code;
	ledger_unlock(&s->ledger);
	return 0;
}

// ---- all of it

static int make_leased(
	struct start *s,
	const struct below *below,
	const struct command *c,
	const char *file,
	const json_t *spec,
	int *ret_status,
	struct err *err
)
{
	struct lease *lease = &s->plan.lease;
	const mode_t mask = umask(022); // what is made here must be passable for every user
	const bool first = apply_host_first(&s->plan);
	bool stays;
	struct err unused;
	int r = site_has(&lease->site, SITE_LEASE)
			? 0
			: place_check(&s->host, &s->ledger.fs, spec, err);

	if (r == 0)
		r = lease_note(lease, CONTAINER_NOTE, file, err);
	if (r < 0)
		return r;
	r = first ? begin_lease(s, file, err) : 0;
	if (r == 0)
		r = run_below(s, below, c, first ? NULL : file, mask, ret_status, err);
	stays = r == 0 && *ret_status == 0 && (command_is(c, "create") || c->detached);
	if (stays && !site_has(&lease->site, SITE_LEASE)) {
		r = settle_given(s, below, c, spec, err);
		stays = r == 0;
		if (r < 0)
			container_unmake(below, c);
	}
	if (!stays && s->ledger.lock < 0 && ledger_lock(&s->ledger, &unused) < 0)
		return r; // the next collection does it
	if (!stays)
		lease_end(&s->ledger, lease, NULL, r == 0 ? &unused : &(struct err){0});
	return r;
}

int container_make(
	const struct below *below,
	const struct command *c,
	const char *config,
	json_t *spec,
	const struct claim *claim,
	int *ret_status,
	struct err *err
)
{
	const struct start_claim may = {.check = check_claim, .arg = claim};
	struct start_request req = {.definition = claim->name, .claim = &may};
	struct start_given given = {.make = make_given, .spec = spec};
	char name[NAME_MAX_LEN + 1];
	_cleanup_free_ char *file = NULL;
	char *words[3];
	struct hostfs fs;
	struct start s;
	int r;

	if (!container_by_root())
		return err_set(err, EPERM, "grant '%s' is for engines that are root", claim->name);
	if (container_file(c, &file, err) < 0)
		return -err->code;
	fill_launch(&req.launch, spec, config, words, c->id);
	if (claim->name == NULL) {
		given_name(c, file, name);
		given.name = name;
		req.given = &given;
		req.launch.site = site_of(PLACE_GIVEN);
	}
	if (below_site(below, &req.launch.site, err) < 0)
		return -err->code;
	req.launch.inside = launch_find_inside();
	if (req.launch.inside == NULL)
		return launch_missing("pinfold-inside", err);
	if (hostfs_open("/", &fs, err) < 0)
		return -err->code;
	given.pci = claim->name == NULL && derive_has_devices(spec, &fs);
	r = start_prepare(&req, &fs, &s, err);
	if (r == 0) {
		r = make_leased(&s, below, c, file, spec, ret_status, err);
		start_done(&s);
	}
	hostfs_close(&fs);
	return r;
}
