// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The socket of a drover is a file in its workload, and who answers on it may be anybody. So each workload is
// asked by a process of its own, which is killed when its time is over, and gives numbers to show or none.

#include "stats/packets.h"

#include "apply/apply.h"
#include "base/clock.h"
#include "base/dir.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/socket.h"
#include "base/str.h"
#include "run/beside.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET \
	"drover.sock" // of the drover with that --file-prefix; "drover.sock:1" of a second one
#define REQUEST "{\"request\":\"report\"}\n"
#define ROOM (1u << 20) // of all answers of a workload
#define DIRECTORIES 64	// of EAL's runtime files that are looked into
#define SOCKETS 16	// of a workload that are asked
#define ASK_MS 1000
#define END_MS 20 // for a process that was killed

// ---- the process that asks

struct asking {
	const struct hostfs *fs;
	const struct lease *lease;
	struct host_cgroup cg;
	int root;	     // of the workload
	size_t room, values; // that may be read yet, of all answers
	unsigned sockets;    // to be asked yet
};

// The kernel says who listens: nobody but a process of the workload.
static bool is_its_own(const struct asking *a, int fd)
{
	_cleanup_free_ char *cgroup = NULL;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	size_t n = strlen(a->lease->cgroup);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.pid <= 0)
		return false;
	cgroup = host_cgroup_of(a->fs, &a->cg, peer.pid);
	// an engine's container is in that one itself
	return cgroup != NULL && strncmp(cgroup, a->lease->cgroup, n) == 0
	       && (cgroup[n] == '\0' || cgroup[n] == '/') && strstr(cgroup, "/..") == NULL;
}

static int connect_to(int dir, const char *name)
{
	_cleanup_close_ int file = fs_open_here(dir, name, O_PATH);
	_cleanup_close_ int fd = file >= 0 ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct stat st;

	if (fd < 0 || fstat(file, &st) < 0 || !S_ISSOCK(st.st_mode))
		return -1;
	socket_refuse_fds(fd);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d", file);
	return connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 ? steal_fd(&fd) : -1;
}

static void ask(struct asking *a, int dir, const char *name, struct stats_packets *ret)
{
	_cleanup_close_ int fd = a->sockets > 0 ? connect_to(dir, name) : -1;
	_cleanup_free_ char *answer = fd >= 0 && a->room > 0 ? malloc(a->room) : NULL;
	size_t len = 0;
	ssize_t n;

	if (answer == NULL)
		return;
	a->sockets--;
	if (!is_its_own(a, fd) || send(fd, REQUEST, strlen(REQUEST), MSG_NOSIGNAL) < 0)
		return;
	do {
		n = recv(fd, answer + len, a->room - len, 0);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0 && answer[len - 1] != '\n' && len < a->room);
	a->room -= len;
	if (n > 0 && packets_in_report(answer, len, &a->values, ret))
		ret->at = clock_ns();
}

// All of them in the runtime directory of one prefix.
static void ask_all(struct asking *a, int fd, struct stats_packets *ret)
{
	_cleanup_closedir_ DIR *d = dir_take(fd);
	const struct dirent *e;

	for (unsigned i = 0; i < DIRECTORIES && (e = dir_next(d)) != NULL; i++) {
		if (str_starts(e->d_name, SOCKET))
			ask(a, dirfd(d), e->d_name, ret);
	}
}

// Below the directory where EAL has its runtime files: of root, of others.
static void look_below(struct asking *a, const char *name, struct stats_packets *ret)
{
	_cleanup_close_ int top = fs_open_below(a->root, name, O_PATH | O_DIRECTORY, 0, false);
	_cleanup_closedir_ DIR *d =
		dir_take(top >= 0 ? fs_open_here(top, "dpdk", O_RDONLY | O_DIRECTORY) : -1);
	const struct dirent *e;

	for (unsigned i = 0; i < DIRECTORIES && (e = dir_next(d)) != NULL; i++)
		ask_all(a, fs_open_here(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY), ret);
}

static bool take_root(int pid, int process, void *arg)
{
	struct asking *a = arg;
	char path[64];

	(void)process; // cgroup_open_process looks whether it was this one's
	if (a->root >= 0)
		close(a->root);
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	a->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return a->root >= 0;
}

static _Noreturn void ask_workload(
	const struct ledger *l, const struct lease *lease, pid_t parent, int out
)
{
	struct hostfs fs = l->fs;
	struct asking a = {
		.fs = &fs,
		.lease = lease,
		.root = -1,
		.room = ROOM,
		.values = PACKETS_VALUES,
		.sockets = SOCKETS,
	};
	bool runtime = site_has(&lease->site, SITE_LEASE);
	struct stats_packets found = {0};
	int *const keep[] = {&out, &fs.root};

	beside_apart(keep, ARRAY_LEN(keep));
	alarm(ASK_MS / 1000 + 1);
	if (beside_end_with(parent) < 0)
		_exit(1);
	host_cgroup_mounts(a.fs, &a.cg);
	if (cgroup_open_process(a.fs, lease->cgroup, runtime, take_root, &a) >= 0) {
		look_below(&a, "run", &found);
		look_below(&a, "tmp", &found);
	}
	send(out, &found, sizeof(found), MSG_NOSIGNAL);
	_exit(0);
}

// ---- who has them asked

struct asked {
	pid_t pid;
	int fd;
	struct stats_packets *to;
};

// What its program does is none of root's to ask where it is a user's own, or behind a kernel of its own.
static bool has_drover(const struct lease *lease)
{
	return !site_has(&lease->site, SITE_PEN | SITE_GUEST);
}

static void take_answer(struct asked *a, int64_t until)
{
	struct pollfd in = {.fd = a->fd, .events = POLLIN};
	int64_t left = until - clock_ms();

	if (poll(&in, 1, left > 0 ? (int)left : 0) > 0
	    && recv(a->fd, a->to, sizeof(*a->to), MSG_DONTWAIT) != sizeof(*a->to))
		*a->to = (struct stats_packets){0};
	close(a->fd);
	beside_ask_end(a->pid, END_MS);
}

void packets_ask(const struct ledger *l, struct stats *s)
{
	_cleanup_free_ struct asked *all = calloc(s->n > 0 ? s->n : 1, sizeof(*all));
	const int64_t until = clock_ms() + ASK_MS;
	const pid_t parent = getpid();
	unsigned n = 0;
	struct err unused;

	for (unsigned i = 0; all != NULL && i < s->n; i++) {
		struct stats_workload *w = &s->workloads[i];
		struct asked *a = &all[n];

		if (!has_drover(&w->lease))
			continue;
		a->to = &w->packets;
		a->pid = beside_ask(w->lease.grant.name, &a->fd, &unused);
		if (a->pid == 0)
			ask_workload(l, &w->lease, parent, a->fd);
		if (a->pid > 0)
			n++;
	}
	for (unsigned i = 0; i < n; i++)
		take_answer(&all[i], until);
}
