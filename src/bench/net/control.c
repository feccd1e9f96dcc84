// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/net/control.h"

#include "base/clock.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/socket.h"
#include "base/str.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define ANSWER_MAX (4 << 20) // drover's own limit
#define PIECE 65536

int control_open(const char *path, struct err *err)
{
	const struct timeval limit = {.tv_sec = CONTROL_MS / 1000};
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = -1;

	if (strlen(path) >= sizeof(a.sun_path))
		return err_set(err, ENAMETOOLONG, "'%s' is too long for a socket", path);
	strcpy(a.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, errno, "make a socket");
	socket_refuse_fds(fd);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return err_sys(err, errno, "connect to '%s'", path);
	return steal_fd(&fd);
}

static int receive_line(int fd, const char *what, char **ret, struct err *err)
{
	const int64_t until = clock_ms() + CONTROL_MS;
	_cleanup_free_ char *line = NULL;
	size_t len = 0, room = 0;

	for (;;) {
		ssize_t n;

		if (room - len < PIECE) {
			char *more = room < ANSWER_MAX ? realloc(line, room + 4 * PIECE) : NULL;

			if (more == NULL)
				return err_set(err, EMSGSIZE, "%s: its answer is too long", what);
			line = more;
			room += 4 * PIECE;
		}
		n = recv(fd, line + len, room - len - 1, 0);
		if (n < 0 && errno == EINTR && clock_ms() < until)
			continue;
		if (n <= 0 || clock_ms() > until)
			return err_set(
				err,
				n == 0 ? ECONNRESET : ETIMEDOUT,
				"%s %s",
				what,
				n == 0 ? "has ended" : "does not answer"
			);
		len += (size_t)n;
		line[len] = '\0';
		if (line[len - 1] == '\n')
			break;
	}
	*ret = steal_ptr(line);
	return 0;
}

int control_ask(int fd, const char *what, json_t *request, json_t **ret, struct err *err)
{
	_cleanup_free_ char *text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
	_cleanup_free_ char *sent = text != NULL ? str_printf("%s\n", text) : NULL, *line = NULL;
	_cleanup_json_ json_t *answer = NULL;
	const char *error;

	json_decref(request);
	if (sent == NULL)
		return err_oom(err);
	if (send(fd, sent, strlen(sent), MSG_NOSIGNAL) != (ssize_t)strlen(sent))
		return err_set(err, EPIPE, "%s has ended", what);
	if (receive_line(fd, what, &line, err) < 0)
		return -err->code;
	answer = json_loads(line, 0, NULL);
	if (!json_is_object(answer))
		return err_set(err, EPROTO, "%s does not answer as a drover", what);
	error = json_string_value(json_object_get(answer, "error"));
	if (error != NULL)
		return err_set(err, EINVAL, "%s: %s: %s", what, text, error);
	*ret = steal_ptr(answer);
	return 0;
}

int control_tell(int fd, const char *what, json_t *request, struct err *err)
{
	_cleanup_json_ json_t *answer = NULL;

	return control_ask(fd, what, request, &answer, err);
}
