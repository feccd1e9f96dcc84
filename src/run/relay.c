// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A thread for each stream: the caller's descriptors are shared with others and may not be made
// non-blocking, and a standard output that nobody reads must not hold up standard error.

#include "run/relay.h"

#include "base/scope.h"
#include "run/beside.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define CHUNK 65536	   // what a pipe holds
#define STACK 65536	   // of a thread
#define LAST_WORDS_MS 1000 // for what a terminal has not handed over when its program ends
#define END_OF_FILE "\x04" // as typed at a terminal
#define GONE (POLLERR | POLLHUP | POLLNVAL)

// A ring, which the threads of both streams write.
struct relay_last {
	atomic_size_t said; // bytes, of which the last are here
	char text[RELAY_LAST];
};

// One stream: from the program or to it.
struct way {
	struct relay_last *last; // NULL: nobody wants to know
	int from, to;
	int control; // shared by all
	int done[2]; // of the input: [1] is closed at its end
	bool begun;
	pthread_t thread;
	bool terminal;
	int lost;  // errno of what could not be delivered
	char *buf; // CHUNK bytes
};

// A byte says that the program has ended, and stays there for the other threads. Closed without one: whoever
// started us is gone, and it goes on.
static bool told_the_end(struct way *w, short revents)
{
	char byte;

	if (revents == 0)
		return false;
	if (recv(w->control, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1)
		return true;
	w->control = -1;
	return false;
}

// What the program says may wait as long as the caller wants; what it is told, until it has ended.
static int deliver(struct way *w, bool until_end, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(w->to, data, len);
		struct pollfd p[] = {
			{.fd = w->to, .events = POLLOUT},
			{.fd = until_end ? w->control : -1, .events = POLLIN},
		};

		if (n > 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			// somebody whom it is shared with has made it non-blocking, or it is our own
			poll(p, ARRAY_LEN(p), -1);
			if (until_end && told_the_end(w, p[1].revents))
				return EPIPE;
		} else if (errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

static void remember(struct relay_last *last, const char *data, size_t len)
{
	size_t at;

	if (last == NULL)
		return;
	if (len > RELAY_LAST) {
		data += len - RELAY_LAST;
		len = RELAY_LAST;
	}
	at = atomic_fetch_add(&last->said, len);
	for (size_t i = 0; i < len; i++)
		last->text[(at + i) % RELAY_LAST] = data[i];
}

// Gives the ring back.
static void recall(struct relay_last *last, char ret[RELAY_LAST + 1])
{
	size_t said, len, n = 0;

	if (ret != NULL)
		ret[0] = '\0';
	if (last == NULL)
		return;
	said = atomic_load(&last->said);
	len = said < RELAY_LAST ? said : RELAY_LAST;
	for (size_t i = said - len; ret != NULL && i < said; i++) {
		char c = last->text[i % RELAY_LAST];

		ret[n++] = c != '\0' ? c : ' ';
	}
	if (ret != NULL)
		ret[n] = '\0';
	munmap(last, sizeof(*last));
}

// Nobody is there any more who could read it; a terminal that has hung up says EIO.
static bool nobody(int fd, int e)
{
	struct stat st;

	return e == EPIPE || e == ECONNRESET || e == EBADF
	       || (e == EIO && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode));
}

// From the program to the caller. At the end no more is delivered than there is just then: what others
// have of the pipe they may fill for ever.
static void carry_out(struct way *w)
{
	bool ending = false;
	size_t left = CHUNK;
	int e = 0;

	while (e == 0 && left > 0) {
		struct pollfd p[] = {
			{.fd = w->from, .events = POLLIN},
			{.fd = w->to}, // nobody reads there any more: the program is told at once
			{.fd = ending ? -1 : w->control, .events = POLLIN},
		};
		int n = poll(p, ARRAY_LEN(p), ending ? w->terminal ? LAST_WORDS_MS : 0 : -1), have;
		ssize_t got;

		if ((p[1].revents & GONE) != 0) {
			e = EPIPE;
			break;
		}
		if (p[0].revents == 0 && ending && n == 0)
			break;
		if (told_the_end(w, p[2].revents)) {
			ending = true;
			// a terminal is read until it hangs up: nobody has it any more
			left = w->terminal			     ? SIZE_MAX
			       : ioctl(w->from, FIONREAD, &have) < 0 ? 0
								     : (size_t)have;
			continue;
		}
		if (p[0].revents == 0)
			continue;
		got = read(w->from, w->buf, left < CHUNK ? left : CHUNK);
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
			break; // a terminal says EIO
		if (got < 0)
			continue;
		remember(w->last, w->buf, (size_t)got);
		e = deliver(w, false, w->buf, (size_t)got);
		left -= ending && !w->terminal ? (size_t)got : 0;
	}
	w->lost = e != 0 && nobody(w->to, e) ? EPIPE : e;
}

// From the caller to the program, as long as that may read it.
static void carry_in(struct way *w)
{
	for (;;) {
		struct pollfd p[] = {
			{.fd = w->from, .events = POLLIN},
			{.fd = w->to},
			{.fd = w->control, .events = POLLIN},
		};
		ssize_t n;

		poll(p, ARRAY_LEN(p), -1);
		if ((p[1].revents & GONE) != 0 || told_the_end(w, p[2].revents))
			return;
		if (p[0].revents == 0)
			continue;
		n = read(w->from, w->buf, CHUNK);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0 && w->terminal)
			deliver(w, true, END_OF_FILE, strlen(END_OF_FILE));
		if (n <= 0 || deliver(w, true, w->buf, (size_t)n) != 0)
			return;
	}
}

// The program sees it when its end is closed: that its input is at its end, that nobody hears it.
static void *out_main(void *arg)
{
	struct way *w = arg;

	carry_out(w);
	close(w->from);
	close(w->to); // nobody else of pinfold's has it
	return NULL;
}

static void *in_main(void *arg)
{
	struct way *w = arg;

	carry_in(w);
	close(w->to);
	close(w->from);
	close(w->done[1]);
	return NULL;
}

static void begin(struct way *w, bool input)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	w->begun = pthread_create(&w->thread, &attr, input ? in_main : out_main, w) == 0;
	if (!w->begun)
		_exit(EAGAIN);
}

// A program may have closed its output and read on. Once it has ended its input is nobody's business, and in
// the hands of a caller who may say nothing for ever. A terminal that nobody sees has hung up.
static void wait_input(struct way *in, const struct streams *s)
{
	struct pollfd p[] = {{.fd = in->done[0]}, {.fd = in->control, .events = POLLIN}};

	while (in->begun && !s->terminal && p[0].revents == 0) {
		poll(p, ARRAY_LEN(p), -1);
		if (told_the_end(in, p[1].revents))
			return;
		p[1].fd = in->control;
	}
}

// Whether one of our outputs is a stream of systemd's journal, systemd.exec(5).
static bool is_journals(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (stream == NULL || sscanf(stream, "%llu:%llu", &dev, &ino) != 2)
		return false;
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fstat(fd, &st) == 0 && st.st_dev == dev && st.st_ino == ino)
			return true;
	}
	return false;
}

// A program that has ended is in no cgroup: any pinfold may have taken its lease back. What it said last is
// bounded by what a pipe holds, and is carried from here. The journal puts a line down to the unit in whose cgroup its
// writer is: to be found there, this one stays in it, and runs on the same CPUs, if the unit has them.
static int enter(const struct hostfs *fs, const struct lease *lease)
{
	struct err err;

	if (is_journals())
		return beside_stay(lease, &err) < 0 && err.code != EINVAL ? err.code : 0;
	return beside_enter(fs, lease, &err) < 0 && err.code != ENOENT && err.code != ENODEV
		       ? err.code
		       : 0;
}

static _Noreturn void relay_main(
	struct streams *s,
	int control,
	struct relay_last *last,
	const struct hostfs *fs,
	const struct lease *lease
)
{
	static char bufs[STREAMS][CHUNK]; // not touched before it is used
	static struct way ways[STREAMS];
	int *const mine[] = {&control, &s->ours[0], &s->ours[1], &s->ours[2]};
	sigset_t set;
	int e;

	// what stops the command line stops this as well, for a terminal that is another's just now
	sigfillset(&set);
	sigdelset(&set, SIGTSTP);
	sigdelset(&set, SIGTTIN);
	sigdelset(&set, SIGTTOU);
	sigprocmask(SIG_SETMASK, &set, NULL);
	prctl(PR_SET_NAME, "pinfold-relay");
	e = lease != NULL ? enter(fs, lease) : 0;
	if (e != 0)
		_exit(e);
	beside_keep(mine, ARRAY_LEN(mine));
	for (int i = 0; i < STREAMS; i++) {
		struct way *w = &ways[i];

		*w = (struct way){
			.last = last, .control = control, .terminal = s->terminal, .buf = bufs[i]};
		if (s->ours[i] < 0)
			continue;
		w->from = i == 0 ? STDIN_FILENO : s->ours[i];
		w->to = i == 0 ? s->ours[i] : i;
		if (i == 0 && pipe2(w->done, O_CLOEXEC) < 0)
			_exit(errno);
		begin(w, i == 0);
	}
	for (int i = 1; i < STREAMS; i++) {
		if (ways[i].begun)
			pthread_join(ways[i].thread, NULL);
	}
	wait_input(&ways[0], s);
	_exit(ways[1].lost != 0 && ways[1].lost != EPIPE ? ways[1].lost
	      : ways[2].lost != 0			 ? ways[2].lost
							 : ways[1].lost);
}

// Whoever is at the other end of the caller's descriptors is to see what the program does with its own.
static void leave(int stream)
{
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0)
		dup2(null, stream);
}

bool streams_wanted(struct streams *s, bool ended)
{
	bool wanted = s->terminal || (!ended && s->ours[0] >= 0);

	for (int i = 1; i < STREAMS; i++) {
		struct pollfd p[] = {
			{.fd = s->ours[i], .events = POLLIN},
			{.fd = s->ours[i] >= 0 && !ended ? i : -1},
		};

		poll(p, ARRAY_LEN(p), 0);
		if ((p[0].revents & POLLIN) != 0 || (p[1].revents & GONE) != 0) {
			wanted = true;
		} else if ((p[0].revents & GONE) != 0 && !wanted) {
			scope_close(&s->ours[i]);
			s->ours[i] = -1;
			if (i == STDOUT_FILENO)
				leave(i);
		}
	}
	return wanted;
}

bool streams_closed(const struct streams *s)
{
	for (int i = 0; i < STREAMS; i++) {
		if (s->ours[i] >= 0)
			return false;
	}
	return true;
}

int relay_start(
	struct relay *ret,
	struct streams *s,
	const struct hostfs *fs,
	const struct lease *lease,
	struct err *err
)
{
	struct relay_last *last;
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return err_sys(err, errno, "make a socket");
	last = mmap(NULL, sizeof(*last), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (last == MAP_FAILED)
		last = NULL; // it is no more than a help
	pid = fork();
	if (pid == 0) {
		close(fds[1]);
		streams_handed_over(s);
		relay_main(s, fds[0], last, fs, lease);
	}
	close(fds[0]);
	if (pid < 0) {
		err_sys(err, errno, "start a process");
		close(fds[1]);
		recall(last, NULL);
		return -err->code;
	}
	*ret = (struct relay){.pid = pid, .control = fds[1], .last = last};
	// standard error stays, for what pinfold itself has to say
	if (!s->terminal) {
		leave(STDIN_FILENO);
		leave(STDOUT_FILENO);
	}
	for (int i = 0; i < STREAMS; i++) {
		scope_close(&s->ours[i]);
		s->ours[i] = -1;
	}
	return 0;
}

bool relay_gone(struct relay *r)
{
	if (r->pid <= 0 || waitpid(r->pid, &r->status, WNOHANG) != r->pid)
		return false;
	r->pid = -1;
	r->nobody = WIFEXITED(r->status) && WEXITSTATUS(r->status) == EPIPE;
	return true;
}

// A signal that ends programs while the last is delivered: nobody wants to wait any longer.
static bool told_to_end(int sfd)
{
	struct signalfd_siginfo si;

	return read(sfd, &si, sizeof(si)) == (ssize_t)sizeof(si)
	       && (si.ssi_signo == SIGTERM || si.ssi_signo == SIGINT || si.ssi_signo == SIGHUP
		   || si.ssi_signo == SIGQUIT);
}

int relay_end(struct relay *r, int sfd, char last[RELAY_LAST + 1], struct err *err)
{
	struct pollfd p = {.fd = sfd, .events = POLLIN};
	bool told = false;
	int status;

	if (last != NULL)
		last[0] = '\0';
	if (r->pid == 0)
		return 0;
	// it may have ended by itself
	send(r->control, "e", 1, MSG_NOSIGNAL);
	while (r->pid > 0 && !relay_gone(r)) {
		poll(&p, 1, -1);
		if ((p.revents & POLLIN) == 0 || !told_to_end(sfd))
			continue;
		told = true;
		if (r->pid > 0)
			kill(r->pid, SIGKILL);
	}
	status = r->status;
	scope_close(&r->control);
	recall(r->last, last);
	*r = (struct relay)NO_RELAY;
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != EPIPE)
		return err_sys(err, WEXITSTATUS(status), "write what the program said");
	return told;
}
