// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "client/client.h"

#include "base/scope.h"
#include "base/str.h"
#include "serve/telform.h"

#include <glob.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#define SOCKET_NAME "dpdk_telemetry.v2"
#define ANSWER_SECONDS 2    // a drover that polls answers at once; one that is stopped never
#define MAX_LIMIT (1 << 20) // of what the other side says its longest answer is
#define HELLO_MAX 1024

void client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->buf);
	*c = CLIENT_INIT;
}

// One message. Returns its length; 0: the other side is gone.
static ssize_t receive(struct client *c, char *buf, size_t size, struct err *err)
{
	struct iovec iov = {.iov_base = buf, .iov_len = size - 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	do
		n = recvmsg(c->fd, &msg, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return err_set(err, ETIMEDOUT, "'%s' does not answer; is drover stopped?", c->path);
	if (n < 0)
		return err_sys(err, errno, "read from '%s'", c->path);
	if (n == 0)
		return err_set(err, ECONNRESET, "'%s' was closed", c->path);
	if ((msg.msg_flags & MSG_TRUNC) != 0)
		return err_set(err, EMSGSIZE, "an answer of '%s' is longer than it said", c->path);
	buf[n] = '\0';
	return n;
}

static int receive_hello(struct client *c, struct err *err)
{
	char hello[HELLO_MAX];
	ssize_t n = receive(c, hello, sizeof(hello), err);
	json_t *doc;
	json_int_t max;

	if (n < 0)
		return (int)n;
	doc = json_loadb(hello, (size_t)n, 0, NULL);
	max = json_integer_value(json_object_get(doc, "max_output_len"));
	c->pid = (int)json_integer_value(json_object_get(doc, "pid"));
	json_decref(doc);
	if (max <= 0 || max > MAX_LIMIT)
		return err_set(err, EPROTO, "'%s' does not speak DPDK's telemetry", c->path);
	c->max = (size_t)max;
	c->buf = malloc(c->max + 1);
	return c->buf != NULL ? 0 : err_oom(err);
}

static int connect_to(const char *path, struct client *ret, struct err *err)
{
	const struct timeval limit = {.tv_sec = ANSWER_SECONDS};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct client c = CLIENT_INIT;

	if (strlen(path) >= sizeof(addr.sun_path))
		return err_set(
			err,
			ENAMETOOLONG,
			"socket '%.200s': longer than %zu characters; use a link to it",
			path,
			sizeof(addr.sun_path) - 1
		);
	strcpy(addr.sun_path, path);
	strcpy(c.path, path);
	c.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (c.fd < 0)
		return err_sys(err, errno, "make a socket");
	setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(c.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(c.fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		err_sys(err, errno, "connect to '%s'", path);
		client_close(&c);
		return -err->code;
	}
	if (receive_hello(&c, err) < 0) {
		if (err->code == ECONNRESET)
			err_set(err, EBUSY, "'%s' has as many clients as it takes", path);
		client_close(&c);
		return -err->code;
	}
	*ret = c;
	return 0;
}

// The answer without the frame {"COMMAND": answer}. A borrowed reference.
static json_t *unwrap(json_t *doc, const char *command)
{
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(command, ","), command);
	return json_object_get(doc, name);
}

int client_ask(struct client *c, const char *command, json_t **ret, struct err *err)
{
	json_t *doc, *answer, *error;
	ssize_t n;

	if (c->fd < 0)
		return err_set(err, ENOTCONN, "not connected");
	if (send(c->fd, command, strlen(command), MSG_NOSIGNAL) < 0)
		return err_sys(err, errno, "write to '%s'", c->path);
	n = receive(c, c->buf, c->max + 1, err);
	if (n < 0)
		return (int)n;
	doc = json_loadb(c->buf, (size_t)n, 0, NULL);
	answer = json_incref(unwrap(doc, command));
	json_decref(doc);
	if (answer == NULL || json_is_null(answer)) {
		json_decref(answer);
		return err_set(
			err,
			EPROTO,
			"'%s' gives no answer to '%.60s'; is it a drover?",
			c->path,
			command
		);
	}
	if (telform_decode(answer) < 0) {
		json_decref(answer);
		return err_oom(err);
	}
	error = json_object_get(answer, "error");
	if (json_is_string(error)) {
		err_set(err, EINVAL, "%s", json_string_value(error));
		json_decref(answer);
		return -EINVAL;
	}
	*ret = answer;
	return 0;
}

static int check_drover(struct client *c, struct err *err)
{
	json_t *info = NULL;
	int r = client_ask(c, "/drover/info", &info, err);
	bool yes = r == 0 && json_is_string(json_object_get(info, "version"));

	json_decref(info);
	if (yes || (r < 0 && r != -EPROTO))
		return r;
	return err_set(err, EPROTO, "'%s' belongs to a DPDK program that is not drover", c->path);
}

static int open_path(const char *path, struct client *ret, struct err *err)
{
	struct client c = CLIENT_INIT;
	int r = connect_to(path, &c, err);

	if (r < 0)
		return r;
	r = check_drover(&c, err);
	if (r < 0)
		client_close(&c);
	else
		*ret = c;
	return r;
}

// In a directory where anybody may put a socket, only one's own counts.
static bool trusted(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	return !str_starts(path, "/tmp/") || st.st_uid == geteuid();
}

// XDG_RUNTIME_DIR may name a directory that is searched anyway.
static bool seen_before(const glob_t *found, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (strcmp(found->gl_pathv[i], found->gl_pathv[at]) == 0)
			return true;
	}
	return false;
}

// All sockets below EAL's runtime directories: of root, of a user with and without a session.
static void find_sockets(const char *prefix, glob_t *found)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR"), *unit = getenv("RUNTIME_DIRECTORY");
	const char *dirs[] = {unit, "/var/run", xdg, "/tmp"};
	int flags = GLOB_NOSORT;

	*found = (glob_t){0};
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		_cleanup_free_ char *pattern = NULL;

		if (dirs[i] == NULL || dirs[i][0] != '/')
			continue;
		// a second instance of the same prefix has ":1" behind the name
		pattern = str_printf("%s/dpdk/%s/" SOCKET_NAME "*", dirs[i], prefix);
		if (pattern != NULL && glob(pattern, flags, NULL, found) == 0)
			flags |= GLOB_APPEND;
	}
}

static int none_there(const struct client_target *target, struct err *err)
{
	if (target->prefix != NULL)
		return err_set(
			err,
			ENOENT,
			"no drover runs with --file-prefix %.64s; for one in a container name its "
			"socket with --socket",
			target->prefix
		);
	return err_set(
		err,
		ENOENT,
		"no drover runs here; for one in a container name its socket with --socket"
	);
}

// Of the sockets found, the one that a drover answers on.
static int open_only(const glob_t *found, struct client *ret, struct err *err)
{
	_cleanup_free_ char *names = NULL;
	struct client one = CLIENT_INIT;
	unsigned n = 0;

	for (size_t i = 0; i < found->gl_pathc; i++) {
		const char *path = found->gl_pathv[i];
		struct client c = CLIENT_INIT;
		char *more;

		if (seen_before(found, i) || !trusted(path) || open_path(path, &c, err) < 0)
			continue;
		more = str_printf("%s%s'%s'", names != NULL ? names : "", n > 0 ? ", " : "", path);
		free(names);
		names = more;
		if (n++ == 0)
			one = c;
		else
			client_close(&c);
	}
	if (n == 1) {
		*ret = one;
		return 0;
	}
	client_close(&one);
	if (n == 0)
		return -ENOENT;
	return err_set(
		err,
		EEXIST,
		"%u drovers run: choose with --socket PATH one of %.700s",
		n,
		names != NULL ? names : "them"
	);
}

int client_open(const struct client_target *target, struct client *ret, struct err *err)
{
	glob_t found;
	int r;

	if (target->path != NULL)
		return open_path(target->path, ret, err);
	if (target->prefix != NULL && strpbrk(target->prefix, "/*?[\\") != NULL)
		return err_set(
			err, EINVAL, "--file-prefix '%.64s': a name without '/'", target->prefix
		);
	find_sockets(target->prefix != NULL ? target->prefix : "*", &found);
	r = open_only(&found, ret, err);
	globfree(&found);
	return r == -ENOENT ? none_there(target, err) : r;
}
