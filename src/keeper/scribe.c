// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "keeper/scribe.h"

#include "base/clock.h"
#include "base/event_log.h"
#include "base/fs.h"
#include "base/scope.h"
#include "run/beside.h"
#include "run/log.h"
#include "run/log_times.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define END_MS 2000   // for the last words of a workload
#define TELL_BURST 32 // lines for the log of events, and the system's, at once,
#define TELL_MS 2000  // and then one in so long

// What the keeper says, a byte each, and text behind one of them.
enum {
	WORD_BEGIN = 'b', // with the pipe of a new workload
	WORD_STARTED = 's',
	WORD_END = 'e',	 // answered with the same
	WORD_TELL = 't', // with a line for the log of events
};

// ---- the writer, root's. What it hears and reads is the owner's.

struct writer {
	int sock, from; // from: the pipe of the workload, -1: none
	struct log_pair log;
	bool due;	  // the log is still that of a former workload
	const char *name; // of the grant
	uid_t owner;
	int64_t told; // its owner has as many lines as the time allows
	struct log_flow flow;
};

static void begin_log(struct writer *w)
{
	if (!w->due)
		return;
	if (ftruncate(w->log.now, 0) == 0 && ftruncate(w->log.before, 0) == 0)
		w->due = false;
	times_clear(w->log.now_times);
	times_clear(w->log.before_times);
}

// The owner may say what he wants, but not so much that nothing else is left in the system's log.
static void tell(struct writer *w, const char *line)
{
	int64_t now = clock_ms();

	if (w->told < now - TELL_BURST * TELL_MS)
		w->told = now - TELL_BURST * TELL_MS;
	if (w->told > now - TELL_MS)
		return;
	w->told += TELL_MS;
	event_log_of(w->owner, "the keeper of '%s': %s", w->name, line);
}

static void put(void *arg, const char *data, size_t len)
{
	struct writer *w = arg;
	char line[128];

	begin_log(w);
	if (!log_append(&w->log, data, len))
		return;
	snprintf(line, sizeof(line), "its log cannot be written: %s", strerror(errno));
	tell(w, line);
}

// What there is, without waiting for more. At the rate, too: the keeper may say as often as it wants that there was
// an end.
static void end_pipe(struct writer *w)
{
	if (w->from >= 0)
		log_flow_rest(&w->flow, w->from);
	log_flow_finish(&w->flow, put, w);
}

// A word of the keeper's. False: it has gone.
static bool hear(struct writer *w)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char text[1 + SCRIBE_TELL + 1] = "", word;
	struct iovec iov = {text, sizeof(text) - 1};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen =
			CMSG_LEN(sizeof(int)), // room for one: the kernel installs no other
	};
	_cleanup_close_ int fd = -1;
	struct cmsghdr *c;
	struct stat st;

	if (recvmsg(w->sock, &msg, MSG_CMSG_CLOEXEC) <= 0)
		return false;
	c = CMSG_FIRSTHDR(&msg);
	if (c != NULL && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	word = text[0];
	if (word == WORD_TELL)
		tell(w, text + 1);
	if (word == WORD_STARTED)
		begin_log(w);
	if (word == WORD_END || word == WORD_BEGIN)
		end_pipe(w);
	if (word == WORD_END)
		send(w->sock, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	// nothing else is read: another file might not come back
	if (word == WORD_BEGIN && fd >= 0 && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode)
	    && fcntl(fd, F_SETFL, O_NONBLOCK) == 0) {
		scope_close(&w->from);
		w->from = steal_fd(&fd);
		w->due = true;
	}
	return true;
}

static void serve(struct writer *w)
{
	bool there = true;

	log_flow_begin(
		&w->flow, LOG_RATE / 2
	); // what fills a file is written once more: log_append
	while (there) {
		struct pollfd p[] = {
			{.fd = w->sock, .events = POLLIN},
			{.fd = w->from, .events = POLLIN},
		};

		log_flow_write(&w->flow, put, w);
		poll(p, ARRAY_LEN(p), log_flow_wait(&w->flow));
		if (p[0].revents != 0)
			there = hear(w);
		if (p[1].revents != 0 && p[1].fd == w->from
		    && log_flow_read(&w->flow, w->from, SIZE_MAX) == 0)
			close(steal_fd(&w->from));
	}
	end_pipe(w);
}

// A log and its times, for writing and for reading.
static int open_file(
	const struct grant *g, const char *ending, int ret[2], int ret_read[2], struct err *err
)
{
	_cleanup_close_ int dir = fs_mkdirs(LOG_DIR, 0755, err), fd = -1, reading = -1;
	_cleanup_close_ int times = -1, times_reading = -1;
	_cleanup_free_ char *file = str_printf("%s%s", g->name, ending);

	if (dir < 0)
		return dir;
	if (file == NULL)
		return err_oom(err);
	if (unlinkat(dir, file, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "replace log '" LOG_DIR "/%s'", file);
	fd = log_new_file(dir, file);
	// log_append lets the one grow at its end, whatever its size was cut to
	if (str_eq(ending, ".log") && fd >= 0 && fcntl(fd, F_SETFL, O_APPEND) < 0)
		return err_sys(err, errno, "make log '" LOG_DIR "/%s'", file);
	reading = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	times = fd >= 0 ? times_make(dir, file, fd) : -1;
	times_reading = times >= 0 ? times_open(dir, file, fd, O_RDONLY) : -1;
	if (fd < 0 || reading < 0 || times_reading < 0)
		return err_sys(err, errno, "make log '" LOG_DIR "/%s'", file);
	ret[0] = steal_fd(&fd);
	ret[1] = steal_fd(&times);
	ret_read[0] = steal_fd(&reading);
	ret_read[1] = steal_fd(&times_reading);
	return 0;
}

static _Noreturn void writer_main(
	struct writer *w, const struct hostfs *fs, const struct lease *lease
)
{
	int *const mine[] = {
		&w->sock, &w->log.now, &w->log.before, &w->log.now_times, &w->log.before_times};
	struct err err;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, "pinfold-log");
	if (beside_enter(fs, lease, &err) < 0)
		_exit(125);
	beside_detach();
	beside_keep(mine, ARRAY_LEN(mine));
	if (chdir("/") == 0)
		serve(w);
	_exit(0);
}

int scribe_start(
	const struct hostfs *fs, const struct lease *lease, struct scribe *ret, struct err *err
)
{
	static struct writer w;
	struct scribe s = NO_SCRIBE;
	int now[] = {-1, -1}, before[] = {-1, -1};
	int now_reading[] = {-1, -1}, before_reading[] = {-1, -1};
	int fds[2] = {-1, -1}, r;
	pid_t pid = -1;

	w = (struct writer){
		.sock = -1,
		.from = -1,
		.log = NO_LOG_PAIR,
		.name = lease->grant.name,
		.owner = lease->grant.owner_uid,
		.told = INT64_MIN / 2,
	};
	r = open_file(&lease->grant, ".log", now, now_reading, err);
	if (r == 0)
		r = open_file(&lease->grant, ".log.1", before, before_reading, err);
	w.log = (struct log_pair){now[0], before[0], now[1], before[1]};
	s.log = (struct log_pair){
		now_reading[0], before_reading[0], now_reading[1], before_reading[1]};
	if (r == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		r = err_sys(err, errno, "make a socket");
	if (r == 0) {
		s.sock = fds[0];
		w.sock = fds[1];
		pid = fork();
		if (pid == 0)
			writer_main(&w, fs, lease);
		if (pid < 0)
			r = err_sys(err, errno, "start a process");
	}
	scope_close(&w.sock);
	log_pair_close(&w.log);
	if (r < 0)
		scribe_done(&s);
	else
		*ret = s;
	return r;
}

void scribe_done(struct scribe *s)
{
	scope_close(&s->sock);
	log_pair_close(&s->log);
	*s = (struct scribe)NO_SCRIBE;
}

// ---- the keeper's side

static int say(const struct scribe *s, char word, const int *fd)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {&word, 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd != NULL) {
		struct cmsghdr *c;

		msg.msg_control = control.room;
		msg.msg_controllen = sizeof(control.room);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), fd, sizeof(int));
	}
	return sendmsg(s->sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : -1;
}

int scribe_begin(const struct scribe *s, int *from)
{
	int r = say(s, WORD_BEGIN, from);

	close(steal_fd(from));
	return r;
}

void scribe_started(const struct scribe *s)
{
	say(s, WORD_STARTED, NULL);
}

void scribe_end(const struct scribe *s)
{
	struct pollfd p = {.fd = s->sock, .events = POLLIN};
	char word;

	if (say(s, WORD_END, NULL) == 0 && poll(&p, 1, END_MS) > 0)
		recv(s->sock, &word, 1, MSG_DONTWAIT);
}

void scribe_tell(const struct scribe *s, const char *fmt, ...)
{
	char text[1 + SCRIBE_TELL] = {WORD_TELL};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + 1, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	send(s->sock, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}
