// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Starting a keeper, as root: the lease, the cgroup with its limits, the socket, then a process that
// enters the cgroup and namespaces, and drops to the owner.
//
// The user namespace is made by an id that no process has (so nobody but root can enter it from outside),
// and maps the owner and one range of ids that nobody else has: the keeper has capabilities over those
// alone.

#include "apply/apply.h"
#include "base/debug.h"
#include "base/event_log.h"
#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/socket.h"
#include "base/status.h"
#include "keeper/drop.h"
#include "keeper/keeper.h"
#include "run/run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#define READY_SECONDS 20
#define BACKLOG 8

// What the processes on the way to the keeper tell root's, and its answer to the first.
struct word {
	enum {
		WORD_MAP,    // it has a user namespace without ids; answered when they are there
		WORD_KEEPER, // the keeper's process id
		WORD_READY,  // it serves
		WORD_FAILED,
	} what;
	pid_t pid;
	struct err err;
};

static int say(int fd, struct word w)
{
	return send(fd, &w, sizeof(w), MSG_NOSIGNAL) == (ssize_t)sizeof(w) ? 0 : -EPIPE;
}

// ---- what root makes

// The owner may connect, and nobody else; the directory is root's, so nobody else takes the name.
static int open_socket(const struct grant *g, int *ret, struct err *err)
{
	_cleanup_close_ int dir = fs_mkdirs(KEEPERS_DIR, 0755, err);
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	mode_t mask;
	int r;

	if (dir < 0)
		return dir;
	if (fd < 0 || fchmod(dir, 0755) < 0)
		return err_sys(err, errno, "make socket of '%s'", g->name);
	snprintf(to.sun_path, sizeof(to.sun_path), KEEPERS_DIR "/%s.sock", g->name);
	if (unlink(to.sun_path) < 0 && errno != ENOENT)
		return err_sys(err, errno, "replace socket '%s'", to.sun_path);
	mask = umask(0177);
	r = bind(fd, (const struct sockaddr *)&to, sizeof(to));
	umask(mask);
	if (r < 0 || lchown(to.sun_path, g->owner_uid, g->owner_gid) < 0 || listen(fd, BACKLOG) < 0)
		return err_sys(err, errno, "make socket '%s'", to.sun_path);
	*ret = steal_fd(&fd);
	return 0;
}

static int write_map(
	pid_t pid, const char *file, uint32_t own, const struct lease *lease, bool links
)
{
	const struct grant *g = &lease->grant;
	char path[64], map[64 + GRANT_LINKS * 40];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	snprintf(
		map,
		sizeof(map),
		"0 %u 1\n%u %u %u\n",
		own,
		PEN_RANGE_FIRST,
		lease->uid_base,
		IDS_PER_LEASE
	);
	for (unsigned i = 0; links && i < g->nlinks; i++)
		str_add(map, sizeof(map), "", "%u %u 1\n", PEN_LINK_FIRST + i, g->links[i].gid);
	return fs_write_value(path, map);
}

static int map_ids(pid_t pid, const struct lease *lease, struct err *err)
{
	int r = write_map(pid, "uid_map", lease->grant.owner_uid, lease, false);

	if (r == 0)
		r = write_map(pid, "gid_map", lease->grant.owner_gid, lease, true);
	return r < 0 ? err_sys(err, -r, "map the ids of '%s'", lease->grant.name) : 0;
}

// ---- on the way to the keeper

// Into the cgroup, and into a mount namespace with what root makes there.
static int enter(
	const struct plan *p, const struct host_limits *host, pid_t parent, struct err *err
)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		return err_set(err, ESRCH, "start a keeper: who started it is gone");
	if (apply_steps(p, STEP_ENTER, err) < 0 || site_unshare(err) < 0
	    || apply_steps(p, STEP_FENCE, err) < 0)
		return -err->code;
	return drop_inherited(&p->lease.grant, host, err);
}

// From here on there is no way back to root of the host: its id is not in this namespace.
static int drop(const struct lease *lease, int fd, struct err *err)
{
	struct word w = {.what = WORD_MAP};

	if (drop_root(ids_namespace_owner(lease->uid_base), err) < 0)
		return -err->code;
	if (say(fd, w) < 0 || recv(fd, &w, sizeof(w), 0) != (ssize_t)sizeof(w))
		return err_set(err, EPIPE, "start a keeper: who started it is gone");
	return drop_to_owner(err);
}

// Nothing of the command line that started it: descriptors, environment, session, directory.
static int settle(struct keeper *k, int *fd, struct err *err)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct log_pair *log = &k->scribe.log;
	int *const kept[] = {
		&k->listen,
		&k->scribe.sock,
		&log->now,
		&log->before,
		&log->now_times,
		&log->before_times,
		fd,
	};
	const int n = (int)ARRAY_LEN(kept);

	debug_end();
	for (int i = 0; i < n; i++) {
		*kept[i] = fcntl(*kept[i], F_DUPFD_CLOEXEC, 16);
		if (*kept[i] < 0)
			return err_sys(err, errno, "put descriptors in order");
	}
	for (int i = 0; i < 3; i++) {
		if (dup2(null, i) < 0)
			return err_sys(err, errno, "put descriptors in order");
	}
	syscall(SYS_close_range, 3, 15, 0);
	for (int i = 0; i < n; i++) {
		*kept[i] = dup3(*kept[i], 3 + i, O_CLOEXEC);
		if (*kept[i] < 0)
			return err_sys(err, errno, "put descriptors in order");
	}
	syscall(SYS_close_range, 3 + n, ~0u, 0);
	clearenv();
	setsid();
	umask(022);
	if (chdir("/") < 0
	    || mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return err_sys(err, errno, "mount /proc for the keeper");
	return hostfs_open("/", &k->fs, err);
}

static _Noreturn void keep(struct keeper *k, int fd)
{
	struct word w = {.what = WORD_READY};

	if (settle(k, &fd, &w.err) < 0 || keeper_make_cgroup_ns(k, &w.err) < 0
	    || keeper_filter(k->lease.grant.caps, k->calls, &w.err) < 0) {
		w.what = WORD_FAILED;
		say(fd, w);
		_exit(STATUS_FAILED);
	}
	say(fd, w);
	close(fd);
	_exit(keeper_serve(k));
}

static _Noreturn void become_keeper(
	const struct plan *p, struct keeper *k, pid_t parent, int fd, int lock
)
{
	struct word w = {.what = WORD_FAILED};
	bool entered = enter(p, &k->host.limits, parent, &w.err) == 0;

	close(lock); // the lease is in use now, or will not be
	if (entered && drop(&p->lease, fd, &w.err) == 0) {
		// the next child is the first of the new process namespace
		w.pid = fork();
		if (w.pid == 0)
			keep(k, fd);
		if (w.pid > 0) {
			w.what = WORD_KEEPER;
			say(fd, w);
			_exit(0);
		}
		err_sys(&w.err, errno, "start the keeper");
	}
	say(fd, w);
	_exit(STATUS_FAILED);
}

// ---- root again

// Until it serves. Returns its process id.
static int wait_ready(struct start *s, int fd, pid_t child, pid_t *ret, struct err *err)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	bool ready = false;
	struct word w;

	// two processes say the last two, in any order
	while (!ready || *ret == 0) {
		int n = poll(&p, 1, READY_SECONDS * 1000);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			return err_set(err, ETIMEDOUT, "no word from it after %d s", READY_SECONDS);
		if (recv(fd, &w, sizeof(w), 0) != (ssize_t)sizeof(w))
			return err_set(err, EPIPE, "it ended without a word");
		switch (w.what) {
		case WORD_MAP:
			if (map_ids(child, &s->plan.lease, err) < 0)
				return -err->code;
			// it is in its cgroup: the lease counts as in use. What comes now depends on
			// processes that their owner can stop: nobody else waits for them.
			ledger_unlock(&s->ledger);
			say(fd, w);
			break;
		case WORD_KEEPER:
			*ret = w.pid;
			break;
		case WORD_READY:
			ready = true;
			break;
		case WORD_FAILED:
			*err = w.err;
			return -err->code;
		}
	}
	return 0;
}

// The ids of links and of the range as they are in the keeper's user namespace.
static struct keeper knowledge(const struct start *s)
{
	struct keeper k = {
		.host = s->host,
		.lease = s->plan.lease,
		.inside = PEN_DIR "/tools/pinfold-inside",
		.calls = s->plan.filter,
		.cgroup_ns = -1,
		.output = -1,
	};

	k.lease.site = site_of(PLACE_KEPT);
	k.lease.site.runtime = s->plan.lease.site.runtime;
	k.lease.nundo = 0;
	k.lease.uid_base = PEN_RANGE_FIRST;
	for (unsigned i = 0; i < k.lease.grant.nlinks; i++)
		k.lease.grant.links[i].gid = PEN_LINK_FIRST + i;
	return k;
}

// It may have been stopped, and another one started, while others had the lock.
static int lock_again(struct start *s, struct err *err)
{
	const char *name = s->plan.lease.grant.name;
	struct lease now;

	if (ledger_lock(&s->ledger, err) < 0)
		return -err->code;
	if (lease_read(&s->ledger, name, &now, err) == 0 && lease_same_run(&now, &s->plan.lease))
		return 0;
	ledger_unlock(&s->ledger);
	return err_set(err, ECANCELED, "it was stopped meanwhile");
}

static int launch_keeper(struct start *s, struct err *err)
{
	scope_cleanup(scribe_done) struct scribe scribe = NO_SCRIBE;
	_cleanup_close_ int listen_fd = -1, fd = -1;
	struct keeper k = knowledge(s);
	pid_t parent = getpid(), child, keeper = 0;
	struct err lost;
	int r;

	if (apply_host(&s->plan, false, err) < 0 || apply_host(&s->plan, true, err) < 0
	    || open_socket(&s->plan.lease.grant, &listen_fd, err) < 0
	    || scribe_start(&s->ledger.fs, &s->plan.lease, &scribe, err) < 0)
		return -err->code;
	k.listen = listen_fd;
	k.scribe = scribe;
	child = socket_fork(&fd, err);
	if (child < 0)
		return child;
	if (child == 0)
		become_keeper(&s->plan, &k, parent, fd, s->ledger.lock);
	r = wait_ready(s, fd, child, &keeper, err);
	kill(child, SIGKILL); // it has no more to do
	waitpid(child, NULL, 0);
	if (s->ledger.lock < 0 && lock_again(s, r == 0 ? err : &lost) < 0)
		return r == 0 ? -err->code : r;
	s->plan.lease.supervisor = (int)keeper;
	s->plan.lease.supervisor_start = process_start(&s->ledger.fs, (int)keeper);
	return r;
}

int keeper_start(const char *name, struct err *err)
{
	static char *const nothing[] = {(char *)"(keeper)", NULL};
	struct start_request req = {
		.definition = name,
		.launch = {.site = site_of(PLACE_KEEPER), .argv = nothing},
	};
	struct hostfs fs;
	struct start s;
	struct err undo;
	int r;

	if (drop_keys(err) < 0 || launch_find_tools(&req.launch, err) < 0
	    || hostfs_open("/", &fs, err) < 0) {
		launch_done(&req.launch);
		return -err->code;
	}
	r = req.launch.site.runtime.kind->manager == NULL ? err_set(
		    err,
		    ENOTSUP,
		    "keepers need crun; %s cannot do without cgroups",
		    req.launch.site.runtime.kind->name
	    )
							  : start_prepare(&req, &fs, &s, err);
	if (r == 0) {
		if (s.lease.grant.owner_uid == 0)
			r = err_set(
				err,
				EINVAL,
				"it has no owner; make it with pinfold grant create --owner USER"
			);
		if (r == 0) // the undo is on disk before the first step is taken
			r = lease_write(&s.ledger, &s.plan.lease, err);
		if (r == 0) {
			r = launch_keeper(&s, err);
			if (r == 0)
				r = pinned_note(&s.plan.lease, s.plan.lease.supervisor, err);
			if (r == 0)
				r = lease_write(&s.ledger, &s.plan.lease, err);
			if (r == 0)
				r = keeper_watch(&s.ledger.fs, &s.plan.lease, err);
			if (r < 0 && s.ledger.lock >= 0)
				lease_end(&s.ledger, &s.plan.lease, NULL, &undo);
		}
		start_done(&s);
	}
	hostfs_close(&fs);
	launch_done(&req.launch);
	if (r == 0) {
		event_log("the keeper of '%s' has started", name);
		return 0;
	}
	err_wrap(err, "start the keeper of '%s'", name);
	event_log("%s", err->msg);
	return -err->code;
}
