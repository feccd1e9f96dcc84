// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "run/record.h"

#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "base/wait.h"
#include "ledger/ledger.h"
#include "plan/seccomp.h"

#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define CALLS_MAX 1024 // numbers of the 64-bit table end below 500
#define LISTENERS 32   // one for the container and one for each pinfold exec into it
#define END_SECONDS 20

struct recording {
	bool call[CALLS_MAX];
	bool condition
		[SECCOMP_CONDITIONS_MAX]; // a line of seccomp_conditions that let a call through
	bool lost;			  // a filter could not be listened to
};

// ---- the listener

struct listener {
	int fd[LISTENERS];
	unsigned n;
	struct seccomp_notif *req;
	struct seccomp_notif_resp *resp;
	struct recording *seen;
};

static bool condition_holds(const struct seccomp_condition *c, const struct seccomp_data *d)
{
	for (unsigned i = 0; i < SECCOMP_COMPARES && c->compares[i].op != NULL; i++) {
		const struct seccomp_compare *one = &c->compares[i];
		uint64_t value = d->args[one->argument];
		bool holds = str_eq(one->op, "SCMP_CMP_MASKED_EQ")
				     ? (value & one->value) == one->value_two
				     : value == one->value;

		if (!holds)
			return false;
	}
	return true;
}

static void note(struct recording *seen, const struct seccomp_data *d)
{
	if (d->nr < 0 || d->nr >= CALLS_MAX)
		return;
	seen->call[d->nr] = true;
	for (unsigned i = 0; seccomp_conditions[i].call != NULL; i++) {
		const struct seccomp_condition *c = &seccomp_conditions[i];

		// the default profile has no line that needs more
		if (c->needs == 0 && seccomp_syscall_resolve_name(c->call) == d->nr
		    && condition_holds(c, d))
			seen->condition[i] = true;
	}
}

// The arguments were looked at by the filter, in registers, where no thread can change them meanwhile.
static void answer(struct listener *l, int fd)
{
	memset(l->req, 0, sizeof(*l->req));
	if (seccomp_notify_receive(fd, l->req) < 0)
		return; // whoever called was killed meanwhile
	note(l->seen, &l->req->data);
	memset(l->resp, 0, sizeof(*l->resp));
	l->resp->id = l->req->id;
	l->resp->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	if (seccomp_notify_respond(fd, l->resp) == 0 || seccomp_notify_id_valid(fd, l->req->id) < 0)
		return;
	// not killed meanwhile, so it is a kernel before 5.5; no caller may wait for ever
	l->seen->lost = true;
	l->resp->flags = 0;
	l->resp->error = -ENOSYS;
	seccomp_notify_respond(fd, l->resp);
}

// The descriptor that the runtime hands over, with a message about the container that is not needed.
static int receive_listener(int conn)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char text[1u << 14];
	struct iovec iov = {text, sizeof(text)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	const struct timeval limit = {.tv_sec = 10};
	struct cmsghdr *c;
	int fd = -1;

	setsockopt(conn, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (recvmsg(conn, &msg, MSG_CMSG_CLOEXEC) <= 0)
		return -1;
	for (c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS
		    && c->cmsg_len == CMSG_LEN(sizeof(int)))
			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	}
	return fd;
}

static void take_listener(struct listener *l, int sock)
{
	_cleanup_close_ int conn = accept4(sock, NULL, NULL, SOCK_CLOEXEC);
	struct ucred who;
	socklen_t len = sizeof(who);
	int fd;

	if (conn < 0 || getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 || who.uid != 0)
		return;
	fd = receive_listener(conn);
	if (fd < 0 || l->n == LISTENERS) {
		// without an answer its calls fail with ENOSYS: the fence holds, the recording not
		l->seen->lost = true;
		if (fd >= 0)
			close(fd);
		return;
	}
	l->fd[l->n++] = fd;
}

// Until the workload has ended (control is closed, and no process has a filter any more).
static void listen_until_end(struct listener *l, int sock, int control)
{
	bool ended = false;

	while (!ended || l->n > 0) {
		struct pollfd p[LISTENERS + 2];

		p[0] = (struct pollfd){.fd = sock, .events = POLLIN};
		p[1] = (struct pollfd){.fd = ended ? -1 : control, .events = POLLIN};
		for (unsigned i = 0; i < l->n; i++)
			p[2 + i] = (struct pollfd){.fd = l->fd[i], .events = POLLIN};
		if (poll(p, l->n + 2, -1) < 0 && errno != EINTR)
			return;
		for (unsigned i = l->n; i-- > 0;) {
			if ((p[2 + i].revents & POLLIN) != 0) {
				answer(l, l->fd[i]);
			} else if ((p[2 + i].revents & (POLLHUP | POLLERR)) != 0) {
				close(l->fd[i]);
				l->fd[i] = l->fd[--l->n];
			}
		}
		if (p[0].revents != 0)
			take_listener(l, sock);
		if (p[1].revents != 0)
			ended = true;
	}
}

static _Noreturn void listener_main(int sock, int control, const struct recorder *r)
{
	struct listener l = {.seen = r->seen};
	sigset_t all;

	// an interrupt from the terminal is for the program, which still needs its answers
	setsid();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (seccomp_notify_alloc(&l.req, &l.resp) == 0)
		listen_until_end(&l, sock, control);
	else
		l.seen->lost = true;
	unlink(r->socket);
	_exit(0);
}

// ---- its parent

static int open_socket(struct recorder *r, struct err *err)
{
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_close_ int dir = fs_mkdirs(RUN_DIR, 0755, err);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	mode_t mask;
	int n;

	if (dir < 0)
		return dir;
	n = snprintf(r->socket, sizeof(r->socket), RECORD_SOCKET "%d.sock", (int)getpid());
	if (n < 0 || (size_t)n >= sizeof(addr.sun_path))
		return err_set(err, ENAMETOOLONG, "make a socket below " RUN_DIR);
	strcpy(addr.sun_path, r->socket);
	unlink(r->socket); // of a process with our number that was killed
	mask = umask(077);
	n = sock < 0 ? -1 : bind(sock, (const struct sockaddr *)&addr, sizeof(addr));
	umask(mask);
	if (n < 0 || listen(sock, 8) < 0)
		return err_sys(err, errno, "make the socket '%s'", r->socket);
	return steal_fd(&sock);
}

int recorder_start(struct recorder *ret, struct err *err)
{
	struct recorder r = {.pid = -1, .control = -1};
	_cleanup_close_ int sock = -1;
	int fds[2];

	if (seccomp_api_get() < 5)
		return err_set(
			err,
			ENOTSUP,
			"record: this kernel cannot let calls go on after asking (Linux 5.5 or "
			"newer is needed)"
		);
	r.seen = mmap(
		NULL, sizeof(*r.seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0
	);
	if (r.seen == MAP_FAILED)
		return err_oom(err);
	sock = open_socket(&r, err);
	if (sock < 0 || pipe2(fds, O_CLOEXEC) < 0) {
		if (sock >= 0) {
			err_sys(err, errno, "make a pipe");
			unlink(r.socket);
		}
		munmap(r.seen, sizeof(*r.seen));
		return -err->code;
	}
	r.control = fds[1];
	r.pid = fork();
	if (r.pid == 0) {
		close(fds[1]);
		listener_main(sock, fds[0], &r);
	}
	close(fds[0]);
	if (r.pid < 0) {
		err_sys(err, errno, "start a process");
		close(r.control);
		unlink(r.socket);
		munmap(r.seen, sizeof(*r.seen));
		return -err->code;
	}
	*ret = r;
	return 0;
}

static bool conditional(const char *call)
{
	for (const struct seccomp_condition *c = seccomp_conditions; c->call != NULL; c++) {
		if (str_eq(c->call, call))
			return true;
	}
	return false;
}

static json_t *names_of(const struct recording *seen, unsigned *ret_calls)
{
	json_t *names = json_array();

	for (int i = 0; i < CALLS_MAX; i++) {
		char *name = seen->call[i] ? seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, i)
					   : NULL;

		if (name == NULL)
			continue;
		(*ret_calls)++;
		if (!conditional(name))
			json_array_append_new(names, json_string(name));
		free(name);
	}
	return names;
}

static int stop_listener(struct recorder *r, struct err *err)
{
	bool ended;

	close(r->control);
	ended = wait_for_end(r->pid, NULL, END_SECONDS * 1000);
	unlink(r->socket);
	if (ended)
		return 0;
	// something still runs under the filter; without a listener its calls fail
	return err_set(
		err,
		ETIMEDOUT,
		"record: processes of the workload still run after %d s, listened to by process "
		"%d; see pinfold ps",
		END_SECONDS,
		(int)r->pid
	);
}

int recorder_end(struct recorder *r, json_t **ret, unsigned *ret_calls, struct err *err)
{
	_cleanup_json_ json_t *names = NULL;
	unsigned calls = 0;
	int e = stop_listener(r, err);

	if (e == 0 && r->seen->lost)
		e = err_set(err, EIO, "record: a filter could not be listened to");
	if (e == 0) {
		names = names_of(r->seen, &calls);
		*ret = calls > 0 ? seccomp_of_calls(names, r->seen->condition) : NULL;
		*ret_calls = calls;
	}
	munmap(r->seen, sizeof(*r->seen));
	return e;
}
