// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Signals for the processes of a cgroup. A number that was read from cgroup.procs may belong to somebody
// else by the time it is used. So the kernel kills the whole cgroup where it can (cgroup.kill, Linux
// 5.14), or a signal goes to a descriptor of the process, opened before a second look at who is in the
// cgroup: what the descriptor stands for is then one of those, or has ended.

#include "apply/apply.h"

#include "base/clock.h"
#include "base/dir.h"
#include "base/fs.h"
#include "base/scope.h"
#include "host/cgroup.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#define BATCH 128 // processes of which descriptors are open at a time
#define TICK_MILLISECONDS 5
#define LOOK_MILLISECONDS 1000
#define FIND_MILLISECONDS 2000

static bool listed(const int *pids, size_t n, int pid)
{
	for (size_t i = 0; i < n; i++) {
		if (pids[i] == pid)
			return true;
	}
	return false;
}

bool cgroup_process_ended(int process)
{
	struct pollfd p = {.fd = process, .events = POLLIN};

	return poll(&p, 1, 0) != 0;
}

static int signal_batch(int dir, const int *pids, size_t n, int sig, cgroup_pick_fn pick, void *arg)
{
	_cleanup_free_ int *now = NULL;
	int fds[BATCH];
	size_t present;
	int r;

	for (size_t i = 0; i < n; i++)
		fds[i] = (int)syscall(SYS_pidfd_open, pids[i], 0); // -1: it has ended
	r = host_cgroup_pids(dir, &now, &present);
	for (size_t i = 0; i < n; i++) {
		if (fds[i] < 0)
			continue;
		if (r == 0 && listed(now, present, pids[i])
		    && (pick == NULL || pick(pids[i], fds[i], arg)))
			syscall(SYS_pidfd_send_signal, fds[i], sig, NULL, 0);
		close(fds[i]);
	}
	return r;
}

int cgroup_signal_members(
	int dir, const int *pids, size_t n, int sig, cgroup_pick_fn pick, void *arg, int64_t limit
)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i += BATCH) {
		if (clock_ms() > limit)
			return -ETIME;
		r = signal_batch(dir, pids + i, n - i < BATCH ? n - i : BATCH, sig, pick, arg);
	}
	return r;
}

struct census {
	unsigned n;
	bool self; // this process is among them
};

static int count(int dir, const int *pids, size_t n, void *arg)
{
	struct census *c = arg;

	(void)dir;
	c->n += (unsigned)n;
	c->self = c->self || listed(pids, n, (int)getpid());
	return 0;
}

struct sending {
	int sig;
	cgroup_pick_fn pick;
	void *arg;
	int64_t limit; // as clock_ms()
	struct census seen;
};

static int send_in(int dir, const int *pids, size_t n, void *arg)
{
	struct sending *s = arg;

	count(dir, pids, n, &s->seen);
	return cgroup_signal_members(dir, pids, n, s->sig, s->pick, s->arg, s->limit);
}

static bool is_nobody(const struct census *c)
{
	return c->n <= (c->self ? 1u : 0u);
}

// The directory of a lease's cgroup; -1 with errno 0: it is gone.
static int open_cgroup(const struct hostfs *fs, const struct lease *lease)
{
	int fd = fs_open_in(fs->root, lease->cgroup, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0 && errno == ENOENT)
		errno = 0;
	return fd;
}

// The same for what is to be told or killed. Where the lease has ended meanwhile another one may have its name, and a
// cgroup there: a lease is on disk before its cgroup is made and after it is gone, so what was opened before the lease
// is seen to be the same is its own, and stays that.
static int open_own(const struct ledger *l, const struct lease *lease)
{
	_cleanup_close_ int fd = open_cgroup(&l->fs, lease);
	struct lease now;
	struct err unused;
	int r;

	if (fd < 0)
		return -1;
	r = lease_read(l, lease->grant.name, &now, &unused);
	if (r == 0 && lease_same_run(lease, &now))
		return steal_fd(&fd);
	errno = r == 0 || r == -ENOENT ? 0 : -r;
	return -1;
}

// The cgroup of an engine's container is all its own, whatever it calls those that it makes.
static bool has_runtime(const struct lease *lease)
{
	return site_has(&lease->site, SITE_LEASE);
}

int cgroup_signal(
	const struct ledger *l,
	const struct lease *lease,
	int sig,
	cgroup_pick_fn pick,
	void *arg,
	int64_t limit,
	struct err *err
)
{
	struct sending s = {.sig = sig, .pick = pick, .arg = arg, .limit = limit};
	_cleanup_close_ int dir = open_own(l, lease);
	int64_t left = limit - clock_ms();
	unsigned ms = left < 0 ? 0 : left < HOST_CGROUP_WALK ? (unsigned)left : HOST_CGROUP_WALK;
	int r = dir >= 0 ? host_cgroup_walk(dir, has_runtime(lease), ms, send_in, &s) : -errno;

	return r < 0 ? err_sys(err, -r, "signal the processes in '%s'", lease->cgroup) : 0;
}

struct search {
	cgroup_pick_fn pick;
	void *arg;
	int64_t limit;
	int found;
};

// Who is in the cgroup is looked up again for one that was picked alone: there may be many.
static int find_in(int dir, const int *pids, size_t n, void *arg)
{
	struct search *s = arg;

	for (size_t i = 0; i < n && s->found < 0; i++) {
		_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pids[i], 0);
		_cleanup_free_ int *now = NULL;
		size_t present;
		int r;

		if (clock_ms() > s->limit)
			return -ETIME;
		if (fd < 0 || (s->pick != NULL && !s->pick(pids[i], fd, s->arg)))
			continue;
		r = host_cgroup_pids(dir, &now, &present);
		if (r < 0)
			return r;
		if (listed(now, present, pids[i]) && !cgroup_process_ended(fd))
			s->found = steal_fd(&fd);
	}
	return s->found >= 0;
}

int cgroup_open_process(
	const struct hostfs *fs, const char *dir, bool skip_runtime, cgroup_pick_fn pick, void *arg
)
{
	_cleanup_close_ int fd = fs_open_in(fs->root, dir, O_RDONLY | O_DIRECTORY, 0);
	struct search s = {
		.pick = pick, .arg = arg, .limit = clock_ms() + FIND_MILLISECONDS, .found = -1};
	int r = fd >= 0 ? host_cgroup_walk(fd, skip_runtime, FIND_MILLISECONDS, find_in, &s)
			: -errno;

	return r > 0 ? s.found : r < 0 && r != -ENOENT ? r : -ESRCH;
}

int cgroup_count(
	const struct hostfs *fs,
	const struct lease *lease,
	bool skip_runtime,
	unsigned *ret,
	struct err *err
)
{
	_cleanup_close_ int dir = open_cgroup(fs, lease);
	struct census c = {0};
	int r = dir >= 0 ? host_cgroup_walk(
			dir, skip_runtime && has_runtime(lease), HOST_CGROUP_WALK, count, &c
		)
			 : -errno;

	if (r < 0)
		return err_sys(err, -r, "look for processes in '%s'", lease->cgroup);
	*ret = c.n;
	return 0;
}

// Where this process is, or may be: "" where it cannot be told.
static char *own_cgroup(const struct hostfs *fs)
{
	_cleanup_free_ char *own = NULL;
	struct host_cgroup cg = {0};

	host_cgroup_mounts(fs, &cg);
	own = host_cgroup_of(fs, &cg, (int)getpid());
	return own != NULL && strstr(own, "/..") == NULL ? steal_ptr(own) : strdup("");
}

static bool is_within(const char *own, const char *dir)
{
	size_t n = strlen(dir);

	return own[0] == '\0' || (strncmp(own, dir, n) == 0 && (own[n] == '\0' || own[n] == '/'));
}

// With what is in it by then, and without looking for that. Does nothing where the kernel has no such file.
static void kill_whole(int dir, bool all)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *e;
	struct err unused;

	if (all)
		fs_write_control(dir, "cgroup.kill", "1", &unused);
	else
		d = dir_open(dir, ".", 0);
	while ((e = dir_next(d)) != NULL) {
		_cleanup_close_ int sub = -1;

		if (e->d_type != DT_DIR || str_eq(e->d_name, CGROUP_RUNTIME))
			continue;
		sub = openat(dirfd(d), e->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			fs_write_control(sub, "cgroup.kill", "1", &unused);
	}
}

// From here on nobody in there makes processes or cgroups any more, so that there is an end to looking for them.
static void stop_growth(const struct hostfs *fs, const struct lease *lease, int dir, bool all)
{
	_cleanup_free_ char *own = own_cgroup(fs);
	_cleanup_free_ char *runtime = str_printf("%s/" CGROUP_RUNTIME, lease->cgroup);
	bool beside = own != NULL && runtime != NULL && own[0] != '\0' && has_runtime(lease)
		      && is_within(own, runtime);

	if (own == NULL || (!beside && is_within(own, lease->cgroup)))
		return;
	kill_whole(dir, all && !beside);
	offline_hold(fs, lease);
}

static bool not_this_process(int pid, int process, void *arg)
{
	(void)process;
	(void)arg;
	return pid != (int)getpid();
}

// 1: nobody is left; 0: who was there has been told; or -errno. A signal that would end this process waits: what is held
// on v1 is let go again.
static int kill_once(const struct hostfs *fs, const struct lease *lease, int dir, bool skip)
{
	struct sending s = {.sig = SIGKILL, .pick = not_this_process, .limit = INT64_MAX};
	struct census c = {0};
	sigset_t ends, before;
	int r = host_cgroup_walk(dir, skip, LOOK_MILLISECONDS, count, &c);

	if (r == 0 && is_nobody(&c))
		return 1;
	sigemptyset(&ends);
	sigaddset(&ends, SIGHUP);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGQUIT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, &before);
	stop_growth(fs, lease, dir, !skip);
	if (r == 0 || r == -ETIME)
		r = host_cgroup_walk(dir, skip, HOST_CGROUP_WALK, send_in, &s);
	offline_let_die(fs, lease);
	sigprocmask(SIG_SETMASK, &before, NULL);
	// there may have been many to look through
	return r == 0 && is_nobody(&s.seen) ? 1 : r;
}

static int kill_until(
	const struct hostfs *fs,
	const struct lease *lease,
	int dir,
	bool skip,
	int64_t limit,
	struct err *err
)
{
	bool last;
	int r;

	do {
		// however many there are to look through, v2 knows it at once
		if (!skip && host_cgroup_populated(dir) == 0)
			return 1;
		last = clock_ms() >= limit;
		r = kill_once(fs, lease, dir, skip);
		if (r < 0)
			return err_sys(
				err, -r, "kill '%s' in '%s'", lease->grant.name, lease->cgroup
			);
		if (r > 0)
			return 1;
		nap_ms(TICK_MILLISECONDS);
	} while (!last);
	return 0;
}

int cgroup_kill(
	const struct ledger *l,
	const struct lease *lease,
	bool all,
	unsigned milliseconds,
	struct err *err
)
{
	const bool skip = !all && has_runtime(lease);
	_cleanup_close_ int dir = open_own(l, lease);
	int r;

	if (dir < 0)
		return errno == 0 ? 0 : err_sys(err, errno, "open cgroup '%s'", lease->cgroup);
	r = kill_until(&l->fs, lease, dir, skip, clock_ms() + milliseconds, err);
	// a process that waits for a server of its owner's, or for one that does, is not to be killed before that
	if (r == 0 && milliseconds > 0 && lease->grant.owner_uid != 0
	    && fuse_abort(lease->grant.owner_uid) > 0)
		r = kill_until(&l->fs, lease, dir, skip, clock_ms() + milliseconds, err);
	if (r != 0)
		return r < 0 ? r : 0;
	return err_set(
		err,
		EBUSY,
		"kill '%s': processes are still there after %u ms; see %s",
		lease->grant.name,
		milliseconds,
		lease->cgroup
	);
}
