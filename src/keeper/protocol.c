// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "keeper/protocol.h"

#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define STOP_SECONDS_MAX 3600
#define WORDS_MAX 4096

static const struct op {
	const char *name;
	const char *keys[12];
} ops[KEEPER_OPS] = {
	[KEEPER_RUN] =
		{"run",
		 {"op",
		  "argv",
		  "env",
		  "volumes",
		  "image",
		  "user",
		  "hostname",
		  "interactive",
		  "terminal",
		  "detached",
		  NULL}},
	[KEEPER_EXEC] = {"exec", {"op", "argv", "env", "user", "interactive", "terminal", NULL}},
	[KEEPER_PS] = {"ps", {"op", NULL}},
	[KEEPER_STOP] = {"stop", {"op", "seconds", NULL}},
	[KEEPER_LOGS] = {"logs", {"op", NULL}},
	[KEEPER_SIGNAL] = {"signal", {"op", "number", NULL}},
};

bool keeper_signal_allowed(int number)
{
	static const int allowed[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};

	for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
		if (allowed[i] == number)
			return true;
	}
	return false;
}

unsigned keeper_request_fds(const struct keeper_request *req)
{
	return req->op == KEEPER_EXEC || (req->op == KEEPER_RUN && !req->detached) ? KEEPER_FDS : 0;
}

void keeper_request_done(struct keeper_request *req)
{
	free(req->argv);
	json_decref(req->doc);
	*req = (struct keeper_request){0};
}

static int words(const json_t *doc, struct keeper_request *req, struct err *err)
{
	json_t *list = NULL, *e;
	size_t i;

	if (jread_array(doc, "request", "argv", &list, err) < 0)
		return -err->code;
	if (json_array_size(list) == 0 || json_array_size(list) > WORDS_MAX)
		return err_set(err, EINVAL, "request: 'argv' must have 1 to %d words", WORDS_MAX);
	req->argv = calloc(json_array_size(list) + 1, sizeof(*req->argv));
	if (req->argv == NULL)
		return err_oom(err);
	json_array_foreach (list, i, e) {
		if (!json_is_string(e))
			return err_set(err, EINVAL, "request: a word of 'argv' is no string");
		req->argv[i] = (char *)json_string_value(e);
	}
	return 0;
}

// A list of strings, each with `needed` in it after its first character.
static int list_of(
	const json_t *doc,
	const char *key,
	const char *needed,
	const char *ret[static LAUNCH_LISTS],
	unsigned *ret_n,
	struct err *err
)
{
	json_t *list = NULL, *e;
	size_t i;

	if (jread_array(doc, "request", key, &list, err) < 0)
		return -err->code;
	if (json_array_size(list) > LAUNCH_LISTS)
		return err_set(err, E2BIG, "request: '%s' has more than %d", key, LAUNCH_LISTS);
	json_array_foreach (list, i, e) {
		const char *s = json_string_value(e);

		if (s == NULL || s[0] == '\0' || strstr(s + 1, needed) == NULL)
			return err_set(err, EINVAL, "request: '%s' has a bad entry", key);
		ret[(*ret_n)++] = s;
	}
	return 0;
}

static int program(const json_t *doc, struct keeper_request *req, struct err *err)
{
	if (words(doc, req, err) < 0 || list_of(doc, "env", "=", req->env, &req->nenv, err) < 0
	    || jread_str(doc, "request", "user", false, &req->user, err) < 0
	    || jread_bool(doc, "request", "interactive", &req->interactive, err) < 0
	    || jread_bool(doc, "request", "terminal", &req->terminal, err) < 0)
		return -err->code;
	if (req->op == KEEPER_EXEC)
		return 0;
	if (list_of(doc, "volumes", ":/", req->volumes, &req->nvolumes, err) < 0
	    || jread_str(doc, "request", "image", false, &req->image, err) < 0
	    || jread_str(doc, "request", "hostname", false, &req->hostname, err) < 0
	    || jread_bool(doc, "request", "detached", &req->detached, err) < 0)
		return -err->code;
	for (unsigned i = 0; i < req->nvolumes; i++) {
		if (req->volumes[i][0] != '/')
			return err_set(err, EINVAL, "request: a volume is not absolute");
	}
	if (req->image != NULL && req->image[0] != '/')
		return err_set(err, EINVAL, "request: 'image' is not absolute");
	if (req->detached && (req->terminal || req->interactive))
		return err_set(err, EINVAL, "request: 'detached' with a terminal or input");
	return 0;
}

static int fields(const json_t *doc, struct keeper_request *req, struct err *err)
{
	uint64_t seconds = 0, number = 0;

	switch (req->op) {
	case KEEPER_RUN:
	case KEEPER_EXEC:
		return program(doc, req, err);
	case KEEPER_STOP:
		if (jread_u64(doc, "request", "seconds", true, STOP_SECONDS_MAX, &seconds, err) < 0)
			return -err->code;
		req->seconds = (unsigned)seconds;
		break;
	case KEEPER_SIGNAL:
		if (jread_u64(doc, "request", "number", true, NSIG, &number, err) < 0)
			return -err->code;
		if (!keeper_signal_allowed((int)number))
			return err_set(
				err, EINVAL, "request: signal %d is not passed on", (int)number
			);
		req->signal = (int)number;
		break;
	default:
		break;
	}
	return 0;
}

int keeper_request_parse(const char *text, size_t len, struct keeper_request *ret, struct err *err)
{
	struct keeper_request req = {0};
	const char *op = NULL;
	unsigned i;

	if (len > KEEPER_MESSAGE_MAX)
		return err_set(err, EMSGSIZE, "request: over %d bytes", KEEPER_MESSAGE_MAX);
	if (jread_parse(text, len, "request", &req.doc, err) < 0)
		return -err->code;
	if (jread_str(req.doc, "request", "op", true, &op, err) < 0)
		goto failed;
	for (i = 0; i < KEEPER_OPS && !str_eq(ops[i].name, op); i++)
		;
	if (i == KEEPER_OPS) {
		err_set(err, EINVAL, "request: unknown operation '%.32s'", op);
		goto failed;
	}
	req.op = (enum keeper_op)i;
	if (jread_keys(req.doc, "request", ops[i].keys, err) < 0 || fields(req.doc, &req, err) < 0)
		goto failed;
	*ret = req;
	return 0;
failed:
	keeper_request_done(&req);
	return -err->code;
}

// NULL when one is not UTF-8.
static json_t *to_array(const char *const *list, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		if (json_array_append_new(array, json_string(list[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

json_t *keeper_request_to_json(const struct keeper_request *req)
{
	json_t *doc = json_pack("{s:s}", "op", ops[req->op].name);
	size_t n = 0;
	int r = 0;

	if (req->op == KEEPER_STOP)
		r = json_object_set_new(doc, "seconds", json_integer(req->seconds));
	if (req->op == KEEPER_SIGNAL)
		r = json_object_set_new(doc, "number", json_integer(req->signal));
	if (req->op == KEEPER_RUN || req->op == KEEPER_EXEC) {
		while (req->argv[n] != NULL)
			n++;
		r |= json_object_set_new(doc, "argv", to_array((const char *const *)req->argv, n));
		r |= json_object_set_new(doc, "env", to_array(req->env, req->nenv));
		if (req->user != NULL)
			r |= json_object_set_new(doc, "user", json_string(req->user));
		r |= json_object_set_new(doc, "interactive", json_boolean(req->interactive));
		r |= json_object_set_new(doc, "terminal", json_boolean(req->terminal));
	}
	if (req->op == KEEPER_RUN) {
		r |= json_object_set_new(doc, "volumes", to_array(req->volumes, req->nvolumes));
		if (req->image != NULL)
			r |= json_object_set_new(doc, "image", json_string(req->image));
		if (req->hostname != NULL)
			r |= json_object_set_new(doc, "hostname", json_string(req->hostname));
		r |= json_object_set_new(doc, "detached", json_boolean(req->detached));
	}
	if (r != 0) {
		json_decref(doc);
		return NULL;
	}
	return doc;
}

// ---- replies

int keeper_reply_parse(const char *text, size_t len, struct keeper_reply *ret, struct err *err)
{
	static const char *const keys[] = {"started", "status", "error", "row", NULL};
	_cleanup_json_ json_t *doc = NULL;
	struct keeper_reply reply = {0};
	const char *error = "";
	uint64_t status = 0;
	json_t *row;

	if (len > KEEPER_MESSAGE_MAX)
		return err_set(err, EMSGSIZE, "reply: over %d bytes", KEEPER_MESSAGE_MAX);
	if (jread_parse(text, len, "reply", &doc, err) < 0
	    || jread_keys(doc, "reply", keys, err) < 0
	    || jread_bool(doc, "reply", "started", &reply.started, err) < 0
	    || jread_u64(doc, "reply", "status", !reply.started, 255, &status, err) < 0
	    || jread_str(doc, "reply", "error", false, &error, err) < 0)
		return -err->code;
	row = json_object_get(doc, "row");
	if (row != NULL && !json_is_object(row))
		return err_set(err, EINVAL, "reply: 'row' is no object");
	reply.status = (int)status;
	snprintf(reply.error, sizeof(reply.error), "%s", error);
	// what is printed by others than who wrote it holds no orders to their terminal
	str_plain(reply.error);
	json_plain(row);
	reply.row = json_incref(row);
	*ret = reply;
	return 0;
}

json_t *keeper_reply_to_json(const struct keeper_reply *reply)
{
	json_t *doc;

	if (reply->started)
		return json_pack("{s:b}", "started", 1);
	doc = json_pack("{s:i}", "status", reply->status);
	if (reply->error[0] != '\0') {
		// what a runtime said may be cut in the middle of a character
		json_t *text = json_string(reply->error);

		json_object_set_new(
			doc, "error", text != NULL ? text : json_string("it failed; see the log")
		);
	}
	if (reply->row != NULL)
		json_object_set(doc, "row", reply->row);
	return doc;
}
