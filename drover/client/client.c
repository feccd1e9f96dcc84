// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "client/client.h"

#include "base/clock.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "unix.h"

#include <glob.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#define SOCKET_NAME "drover.sock"
#define ANSWER_MS 2000 // without a byte: a drover answers at once; one that is stopped, never
#define ANSWER_ROOM (8 << 20) // a drover's answers have half of it at most
#define PIECE 16384
#define ALL_MS 100000 // for the whole of an answer

int client_target_check(const struct client_target *t, struct err *err)
{
	if (t->path != NULL && t->prefix != NULL)
		return err_set(err, EINVAL, "--socket and --file-prefix say the same: give one");
	return 0;
}

void client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->path);
	*c = CLIENT_INIT;
}

void client_wait(struct client *c, unsigned seconds)
{
	const struct timeval limit = {.tv_sec = seconds};

	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

// More of the line at the end of what is there. Returns its length, or negative.
static ssize_t receive_some(struct client *c, char *buf, size_t room, struct err *err)
{
	ssize_t n;

	do
		n = recv(c->fd, buf, room, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return err_set(err, ETIMEDOUT, "'%s' does not answer; is drover stopped?", c->path);
	if (n < 0)
		return err_sys(err, errno, "read from '%s'", c->path);
	return n > 0 ? n : err_set(err, ECONNRESET, "'%s' was closed", c->path);
}

static int receive(struct client *c, char **ret, struct err *err)
{
	const int64_t until = clock_ms() + ALL_MS;
	_cleanup_free_ char *line = NULL;
	size_t len = 0, room = 0;

	do {
		char *more;
		ssize_t n;

		if (room - len < PIECE) {
			room = room > 0 ? 2 * room : 4 * PIECE;
			more = room <= ANSWER_ROOM ? realloc(line, room) : NULL;
			if (more == NULL)
				return err_set(
					err, EMSGSIZE, "an answer of '%s' is too long", c->path
				);
			line = more;
		}
		n = receive_some(c, line + len, room - len - 1, err);
		if (n < 0)
			return (int)n;
		len += (size_t)n;
		line[len] = '\0';
		if (clock_ms() > until)
			return err_set(err, ETIMEDOUT, "an answer of '%s' has no end", c->path);
	} while (line[len - 1] != '\n');
	*ret = steal_ptr(line);
	return 0;
}

// What becomes of strings, and of keys, may go to a terminal: str_plain, and no \u001b that would be a
// control character again. Those that are left are of quotes and backslashes.
static void make_plain(char *json)
{
	str_plain(json);
	for (char *c = strchr(json, '\\'); c != NULL; c = strchr(c + 1, '\\')) {
		if (c[1] == '"' || c[1] == '\\')
			c++;
		else
			*c = '?';
	}
}

json_t *client_request(const char *name, const char *task)
{
	return json_pack("{s:s, s:s*}", "request", name, "task", task);
}

int client_ask(struct client *c, json_t *request, json_t **ret, struct err *err)
{
	_cleanup_free_ char *line = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
	_cleanup_free_ char *text = NULL,
			    *with_end = line != NULL ? str_printf("%s\n", line) : NULL;
	_cleanup_json_ json_t *answer = NULL;
	const char *error;

	json_decref(request);
	if (with_end == NULL)
		return err_oom(err);
	if (c->fd < 0)
		return err_set(err, ENOTCONN, "not connected");
	if (send(c->fd, with_end, strlen(with_end), MSG_NOSIGNAL) < 0 && errno != EPIPE)
		return err_sys(err, errno, "write to '%s'", c->path);
	if (receive(c, &text, err) < 0)
		return -err->code;
	make_plain(text);
	answer = json_loads(text, 0, NULL);
	if (!json_is_object(answer))
		return err_set(err, EPROTO, "'%s' does not answer as a drover", c->path);
	error = json_string_value(json_object_get(answer, "error"));
	if (error != NULL)
		return err_set(err, EINVAL, "%s", error);
	*ret = steal_ptr(answer);
	return 0;
}

static int open_path(const char *path, struct client *ret, struct err *err)
{
	__attribute__((cleanup(client_close))) struct client c = {
		.fd = unix_connect(path, SOCK_STREAM, ANSWER_MS), .path = strdup(path)};
	_cleanup_json_ json_t *info = NULL;

	if (c.fd < 0 && errno == EPROTOTYPE)
		return err_set(
			err,
			EPROTO,
			"'%s' is no socket of drover's own: beside that of DPDK's telemetry it "
			"is " SOCKET_NAME,
			path
		);
	if (c.fd < 0)
		return err_sys(err, errno, "connect to '%s'", path);
	if (c.path == NULL)
		return err_oom(err);
	if (client_ask(&c, client_request("info", NULL), &info, err) < 0)
		return -err->code;
	if (!json_is_string(json_object_get(info, "version")))
		return err_set(err, EPROTO, "'%s' does not answer as a drover", path);
	*ret = c;
	c = CLIENT_INIT;
	return 0;
}

// In a directory where anybody may put a socket, only one's own counts.
static bool trusted(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	return !str_starts(path, "/tmp/") || st.st_uid == geteuid();
}

// Directories may be others by another name: /var/run is /run, and XDG_RUNTIME_DIR may be any.
static bool seen_before(const glob_t *found, size_t at)
{
	struct stat a, b;

	for (size_t i = 0; i < at; i++) {
		if (stat(found->gl_pathv[i], &a) == 0 && stat(found->gl_pathv[at], &b) == 0
		    && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
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

#define ELSEWHERE                                                                                \
	"; one in a container is found there: pinfold top NAME, or pinfold exec NAME -- drover " \
	"...; "                                                                                  \
	"or name its socket with --socket"

static int none_there(const struct client_target *target, struct err *err)
{
	if (target->prefix != NULL)
		return err_set(
			err,
			ENOENT,
			"no drover runs with --file-prefix %.64s" ELSEWHERE,
			target->prefix
		);
	return err_set(err, ENOENT, "no drover runs here" ELSEWHERE);
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
