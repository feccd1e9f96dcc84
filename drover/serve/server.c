// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// drover's own socket: a line with a request, a line with its answer, as JSON. One thread has all clients. What
// a client can have of it is bounded: in bytes, in time, and in how many there are.

#include "serve/serve.h"

#include "base/clock.h"
#include "base/jread.h"
#include "base/scope.h"
#include "serve/requests.h"
#include "unix.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define CLIENTS 32
#define ANSWER_MAX (4 << 20)   // bytes of one
#define ANSWERS_MAX (16 << 20) // of all that wait for their clients
#define LIMIT_MS 5000	       // for the rest of a line, and to read an answer
#define NOBODY 65534	       // who has no number here, where the kernel has not been told another
#define QUIET_MS 1000	       // who was silent so long makes room for another

struct client {
	int fd;	       // -1: nobody
	int64_t since; // ms: of its last bytes, or of the answer that waits for it
	size_t got;    // of a line
	char line[REQUEST_MAX];
	char *answer; // NULL: none waits
	size_t len, sent;
	bool leaves; // after the answer
};

static struct {
	int directory, listener, wake;
	char name[UNIX_NAME];
	pthread_t thread;
	bool running;
	struct client clients[CLIENTS];
	size_t waiting; // bytes of answers
} server;

static void drop(struct client *c)
{
	close(c->fd);
	server.waiting -= c->answer != NULL ? c->len : 0;
	free(c->answer);
	c->answer = NULL;
	c->fd = -1;
}

// A line of it, and its length; NULL: no memory. The object is released.
static char *as_line(json_t *doc, size_t *len)
{
	char *text = json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(12));

	json_decref(doc);
	if (text != NULL) {
		*len = strlen(text) + 1;
		text[*len - 1] = '\n'; // in place of its end
	}
	return text;
}

static char *refusal(const char *why, size_t *len)
{
	struct err err;

	err_set(&err, EINVAL, "%s", why);
	return as_line(request_refusal(&err), len);
}

static char *make_answer(const char *line, size_t line_len, size_t *len)
{
	_cleanup_json_ json_t *q = NULL;
	const struct request *r;
	struct err err;
	char *text;

	if (request_parse(line, line_len, requests, &r, &q, &err) < 0)
		return as_line(request_refusal(&err), len);
	text = as_line(request_answer(r, q), len);
	if (text == NULL || (*len <= ANSWER_MAX && *len + server.waiting <= ANSWERS_MAX))
		return text;
	free(text);
	return *len > ANSWER_MAX
		       ? refusal("the answer has more than 4 MiB: ask for one task or port", len)
		       : refusal("other clients do not read their answers: try again", len);
}

static void put_answer(struct client *c, char *text, size_t len)
{
	if (text == NULL) {
		drop(c);
		return;
	}
	c->answer = text;
	c->len = len;
	c->sent = 0;
	c->since = clock_ms();
	server.waiting += len;
}

// Answers the first line that is complete, if there is one.
static void take_line(struct client *c)
{
	const char *end = memchr(c->line, '\n', c->got);
	size_t len = 0;
	char *text;

	if (end == NULL && c->got == sizeof(c->line)) {
		c->leaves = true;
		text = refusal("a request is a line of at most 8191 bytes", &len);
		put_answer(c, text, len);
	} else if (end != NULL) {
		text = make_answer(c->line, (size_t)(end - c->line), &len);
		c->got -= (size_t)(end + 1 - c->line);
		memmove(c->line, end + 1, c->got);
		put_answer(c, text, len);
	}
}

static void receive(struct client *c)
{
	ssize_t n = recv(c->fd, c->line + c->got, sizeof(c->line) - c->got, 0);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		drop(c);
	} else if (n > 0) {
		// the time that a line may take begins with its first byte
		c->since = c->got == 0 ? clock_ms() : c->since;
		c->got += (size_t)n;
		take_line(c);
	}
}

static void send_answer(struct client *c)
{
	ssize_t n = send(c->fd, c->answer + c->sent, c->len - c->sent, MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	c->sent += n > 0 ? (size_t)n : 0;
	if (n < 0 || (c->sent == c->len && c->leaves)) {
		drop(c);
	} else if (c->sent == c->len) {
		server.waiting -= c->len;
		free(c->answer);
		c->answer = NULL;
		c->since = clock_ms();
		take_line(c);
	}
}

// The owner and root, whom the socket's mode lets in. Root of the host has no number in a container's user
// namespace, and his process none in that of its processes.
static bool permitted(int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0
	       && (who.uid == geteuid() || who.uid == 0 || (who.uid == NOBODY && who.pid == 0));
}

// A place for one more: a free one, or that of who has been silent for the longest time.
static struct client *place(void)
{
	struct client *silent = NULL;

	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *c = &server.clients[i];

		if (c->fd < 0)
			return c;
		if (c->got == 0 && c->answer == NULL && clock_ms() - c->since >= QUIET_MS
		    && (silent == NULL || c->since < silent->since))
			silent = c;
	}
	if (silent != NULL)
		drop(silent);
	return silent;
}

static void take_client(void)
{
	_cleanup_close_ int fd = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	_cleanup_free_ char *why = NULL;
	struct client *c = NULL;
	size_t len = 0;

	if (fd < 0) {
		nap_ms(errno == EAGAIN ? 0 : QUIET_MS / 10
		); // out of descriptors: it stays readable
		return;
	}
	if (!permitted(fd))
		why = refusal("only the user that runs drover, and root, may ask", &len);
	else if ((c = place()) == NULL)
		why = refusal("32 clients are busy: try again", &len);
	if (c == NULL) {
		send(fd, why, len, MSG_NOSIGNAL);
		return;
	}
	c->fd = steal_fd(&fd);
	c->since = clock_ms();
	c->got = 0;
	c->leaves = false;
}

static void look_at(struct client *c, short events)
{
	if ((c->got > 0 || c->answer != NULL) && clock_ms() - c->since > LIMIT_MS)
		drop(c);
	else if (events != 0 && c->answer != NULL)
		send_answer(c);
	else if (events != 0)
		receive(c);
}

static void *serve(void *)
{
	struct pollfd p[CLIENTS + 2] = {
		{.fd = server.wake, .events = POLLIN}, {.fd = server.listener, .events = POLLIN}};

	do {
		bool limit = false; // somebody's time runs

		for (size_t i = 0; i < CLIENTS; i++) {
			const struct client *c = &server.clients[i];

			limit = limit || (c->fd >= 0 && (c->got > 0 || c->answer != NULL));
			p[i + 2] = (struct pollfd){
				.fd = c->fd, .events = c->answer != NULL ? POLLOUT : POLLIN};
		}
		poll(p, ARRAY_LEN(p), limit ? LIMIT_MS / 10 : -1);
		for (size_t i = 0; i < CLIENTS; i++) {
			if (server.clients[i].fd >= 0)
				look_at(&server.clients[i], p[i + 2].revents);
		}
		if (p[1].revents != 0)
			take_client();
	} while (p[0].revents == 0);
	return NULL;
}

int serve_start(const char *directory, struct err *err)
{
	_cleanup_close_ int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int wake = eventfd(0, EFD_CLOEXEC);
	_cleanup_close_ int fd = -1;
	int r;

	if (dir < 0 || wake < 0)
		return err_sys(err, errno, "open '%s', for drover's socket", directory);
	fd = unix_listen(dir, SERVE_SOCKET, server.name, err);
	if (fd < 0)
		return err_wrap(err, "in '%s'", directory);
	for (size_t i = 0; i < CLIENTS; i++)
		server.clients[i] = (struct client){.fd = -1};
	server.directory = dir;
	server.listener = fd;
	server.wake = wake;
	r = pthread_create(&server.thread, NULL, serve, NULL);
	if (r != 0) {
		unlinkat(dir, server.name, 0);
		return err_sys(err, r, "start the thread that answers");
	}
	pthread_setname_np(server.thread, "drover-serve");
	server.running = true;
	steal_fd(&dir);
	steal_fd(&fd);
	steal_fd(&wake);
	return 0;
}

void serve_stop(void)
{
	if (!server.running)
		return;
	eventfd_write(server.wake, 1);
	pthread_join(server.thread, NULL);
	unlinkat(server.directory, server.name, 0);
	for (size_t i = 0; i < CLIENTS; i++) {
		if (server.clients[i].fd >= 0)
			drop(&server.clients[i]);
	}
	close(server.listener);
	close(server.wake);
	close(server.directory);
	server.running = false;
}
