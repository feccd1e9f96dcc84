// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "inside/vm/qmp.h"

#include "base/clock.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define EVENTS_READS 16		  // of what came meanwhile, at a time
#define ANSWER_MILLISECONDS 15000 // on a busy machine

int qmp_open(struct qmp *q, int fd, struct err *err)
{
	*q = (struct qmp){.fd = fd, .buf = malloc(QMP_LINE)};
	return q->buf != NULL ? 0 : err_oom(err);
}

void qmp_done(struct qmp *q)
{
	scope_close(&q->fd);
	free(q->buf);
	*q = (struct qmp){.fd = -1};
}

// The next whole line as a document, waiting until limit (milliseconds of CLOCK_MONOTONIC). -ETIMEDOUT, also where one is there by
// then: whoever says one after the other is not listened to for ever. limit 0: what is there, without waiting.
static int next(struct qmp *q, int64_t limit, json_t **ret, struct err *err)
{
	for (;;) {
		char *end = memchr(q->buf, '\n', q->len);
		int64_t left = limit - clock_ms();
		struct pollfd p = {.fd = q->fd, .events = POLLIN};
		ssize_t n;

		if (limit > 0 && left <= 0)
			return err_set(err, ETIMEDOUT, "QEMU does not answer");
		if (end != NULL) {
			size_t len = (size_t)(end - q->buf);
			int r = jread_parse(q->buf, len, "QEMU's answer", ret, err);

			memmove(q->buf, end + 1, q->len - len - 1);
			q->len -= len + 1;
			return r;
		}
		if (q->len == QMP_LINE)
			return err_set(err, EPROTO, "QEMU says a line without an end");
		if (poll(&p, 1, limit > 0 ? (int)left : 0) <= 0) {
			if (limit > 0)
				continue;
			return err_set(err, ETIMEDOUT, "QEMU says nothing");
		}
		n = recv(q->fd, q->buf + q->len, QMP_LINE - q->len, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0) {
			scope_close(&q->fd);
			q->fd = -1;
			return err_set(err, EPIPE, "QEMU has ended");
		}
		q->len += (size_t)n;
	}
}

static void note_event(struct qmp *q, const char *event, const json_t *doc)
{
	static const char *const final[] = {"STOP", "SHUTDOWN", "GUEST_PANICKED", "RESET"};
	const char *reason =
		json_string_value(json_object_get(json_object_get(doc, "data"), "reason"));

	for (size_t i = 0; i < ARRAY_LEN(final); i++) {
		if (!str_eq(event, final[i]))
			continue;
		// the first is the reason
		if (!q->stopped && reason != NULL && str_eq(reason, "guest-shutdown"))
			q->off = true;
		if (!q->stopped)
			snprintf(q->event, sizeof(q->event), "%s", event);
		q->stopped = true;
	}
}

static int64_t patience(const struct qmp *q)
{
	return clock_ms() + ANSWER_MILLISECONDS + q->fill * INT64_C(1000);
}

int qmp_command(struct qmp *q, const char *name, json_t *arguments, json_t **ret, struct err *err)
{
	_cleanup_json_ json_t *doc =
		json_pack("{s:s, s:o*}", "execute", name, "arguments", arguments);
	_cleanup_free_ char *text = json_dumps(doc, JSON_COMPACT);
	int64_t limit = patience(q);

	if (text == NULL)
		return err_oom(err);
	if (send(q->fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
		return err_set(err, EPIPE, "QEMU has ended");
	for (;;) {
		_cleanup_json_ json_t *answer = NULL;
		const char *event, *why;
		json_t *value;

		if (next(q, limit, &answer, err) < 0)
			return err_wrap(err, "QMP %s", name);
		event = json_string_value(json_object_get(answer, "event"));
		if (event != NULL) {
			note_event(q, event, answer);
			continue;
		}
		value = json_object_get(answer, "return");
		if (value != NULL) {
			if (ret != NULL)
				*ret = json_incref(value);
			return 0;
		}
		why = json_string_value(json_object_get(json_object_get(answer, "error"), "desc"));
		return err_set(err, EIO, "QMP %s: %.200s", name, why != NULL ? why : "no answer");
	}
}

int qmp_begin(struct qmp *q, int fill, struct err *err)
{
	_cleanup_json_ json_t *greeting = NULL;

	q->fill = fill;
	if (next(q, patience(q), &greeting, err) < 0)
		return -err->code;
	if (json_object_get(greeting, "QMP") == NULL)
		return err_set(err, EPROTO, "QEMU does not greet");
	return qmp_command(q, "qmp_capabilities", NULL, NULL, err);
}

int qmp_events(struct qmp *q, struct err *err)
{
	for (int reads = 0;;) {
		_cleanup_json_ json_t *doc = NULL;
		const char *event;

		if (memchr(q->buf, '\n', q->len) == NULL && reads++ == EVENTS_READS)
			return 0;

		if (next(q, 0, &doc, err) < 0)
			return err->code == ETIMEDOUT ? 0 : -err->code;
		event = json_string_value(json_object_get(doc, "event"));
		if (event != NULL)
			note_event(q, event, doc);
	}
}
