// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "deviceplugin/server.h"

#include "base/clock.h"
#include "base/scope.h"

#include <grpc/byte_buffer.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SILENT_MS 10000 // a call that says nothing is ended
#define CLOSE_MS 5000

struct call {
	struct server *server;
	struct call *next;
	grpc_call *grpc; // NULL: it is not called yet
	grpc_call_details details;
	grpc_metadata_array metadata;
	grpc_byte_buffer *message; // the request
	int cancelled;
	int64_t since;
	bool answered, watches; // watches: ListAndWatch
	bool sending, over;	// of a watch: a list is on its way; its other end is gone
	unsigned edition;	// that it was told
	struct event made, heard, done, sent, closed;
};

static const struct method {
	const char *name;
	answer_fn answer;
} methods[] = {
	{"/v1beta1.DevicePlugin/Allocate", answer_allocate},
	{"/v1beta1.DevicePlugin/GetDevicePluginOptions", answer_options},
	{"/v1beta1.DevicePlugin/GetPreferredAllocation", answer_preferred},
	{"/v1beta1.DevicePlugin/ListAndWatch", answer_list},
	{"/v1beta1.DevicePlugin/PreStartContainer", answer_nothing},
};

static const struct method *method_of(const struct call *c)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (grpc_slice_str_cmp(c->details.method, methods[i].name) == 0)
			return &methods[i];
	}
	return NULL;
}

static void free_call(struct call *c)
{
	struct call **at = &c->server->calls;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->server->ncalls--;
	if (c->message != NULL)
		grpc_byte_buffer_destroy(c->message);
	grpc_call_details_destroy(&c->details);
	grpc_metadata_array_destroy(&c->metadata);
	if (c->grpc != NULL)
		grpc_call_unref(c->grpc);
	free(c);
}

// ---- the end of a call, with or without an answer

static grpc_status_code status_of(int code)
{
	switch (code) {
	case 0:
		return GRPC_STATUS_OK;
	case EINVAL:
		return GRPC_STATUS_INVALID_ARGUMENT;
	case ENOENT:
		return GRPC_STATUS_NOT_FOUND;
	case EBUSY:
		return GRPC_STATUS_FAILED_PRECONDITION;
	case ENOSYS:
		return GRPC_STATUS_UNIMPLEMENTED;
	case EAGAIN:
		return GRPC_STATUS_RESOURCE_EXHAUSTED;
	default:
		return GRPC_STATUS_INTERNAL;
	}
}

static void is_done(void *arg, bool)
{
	free_call(arg);
}

// b: what is answered, NULL with err set.
static void end_call(struct call *c, const struct bytes *b, const struct err *err)
{
	grpc_byte_buffer *message = b != NULL ? events_pack(b) : NULL;
	grpc_slice details = grpc_slice_from_copied_string(b != NULL ? "" : err->msg);
	grpc_op ops[4] = {0};
	size_t n = 0;

	ops[n++].op = GRPC_OP_SEND_INITIAL_METADATA;
	if (message != NULL) {
		ops[n].data.send_message.send_message = message;
		ops[n++].op = GRPC_OP_SEND_MESSAGE;
	}
	ops[n].data.send_status_from_server.status = status_of(b != NULL ? 0 : err->code);
	ops[n].data.send_status_from_server.status_details = &details;
	ops[n++].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
	ops[n].data.recv_close_on_server.cancelled = &c->cancelled;
	ops[n++].op = GRPC_OP_RECV_CLOSE_ON_SERVER;
	c->answered = true;
	c->done = (struct event){is_done, c};
	if (grpc_call_start_batch(c->grpc, ops, n, &c->done, NULL) != GRPC_CALL_OK)
		free_call(c);
	grpc_slice_unref(details);
	if (message != NULL)
		grpc_byte_buffer_destroy(message);
}

static void refuse_call(struct call *c, int code, const char *why)
{
	struct err err;

	err_set(&err, code, "%s", why);
	end_call(c, NULL, &err);
}

// ---- one that watches: it gets the list, and again whenever it changes, until its other end is gone

static void tell(struct call *c);

static void is_sent(void *arg, bool ok)
{
	struct call *c = arg;

	c->sending = false;
	if (c->over)
		free_call(c);
	else if (ok)
		tell(c);
}

static void is_closed(void *arg, bool)
{
	struct call *c = arg;

	c->over = true;
	if (!c->sending)
		free_call(c);
}

static void tell(struct call *c)
{
	bool first = c->edition == 0;
	grpc_byte_buffer *message;
	struct bytes b = {0};
	grpc_op ops[2] = {0};
	struct err err;
	size_t n = 0;

	if (c->sending || c->over || c->edition == c->server->edition)
		return;
	if (answer_list(c->server->resource, NULL, &b, &err) < 0)
		return; // with the next change
	message = events_pack(&b);
	free(b.data);
	if (first)
		ops[n++].op = GRPC_OP_SEND_INITIAL_METADATA;
	ops[n].data.send_message.send_message = message;
	ops[n++].op = GRPC_OP_SEND_MESSAGE;
	c->edition = c->server->edition;
	c->sent = (struct event){is_sent, c};
	c->sending = grpc_call_start_batch(c->grpc, ops, n, &c->sent, NULL) == GRPC_CALL_OK;
	grpc_byte_buffer_destroy(message);
}

static void watch(struct call *c)
{
	grpc_op op = {0};

	op.op = GRPC_OP_RECV_CLOSE_ON_SERVER;
	op.data.recv_close_on_server.cancelled = &c->cancelled;
	c->answered = c->watches = true;
	c->closed = (struct event){is_closed, c};
	if (grpc_call_start_batch(c->grpc, &op, 1, &c->closed, NULL) != GRPC_CALL_OK) {
		free_call(c);
		return;
	}
	tell(c);
}

// ---- a call begins

static void is_heard(void *arg, bool ok)
{
	struct call *c = arg;
	const struct method *m = method_of(c);
	struct bytes request = {0}, b = {0};
	struct err err;

	if (!ok || m == NULL) {
		refuse_call(c, ENOSYS, "there is no such method");
		return;
	}
	if (events_unpack(c->message, &request, &err) < 0) {
		end_call(c, NULL, &err);
		return;
	}
	if (m->answer == answer_list)
		watch(c);
	else
		end_call(
			c, m->answer(c->server->resource, &request, &b, &err) == 0 ? &b : NULL, &err
		);
	free(request.data);
	free(b.data);
}

static void await_call(struct server *s);

static void is_made(void *arg, bool ok)
{
	struct call *c = arg;
	grpc_op op = {0};

	if (!ok) { // the server ends
		free_call(c);
		return;
	}
	await_call(c->server);
	c->since = clock_ms();
	if (c->server->ncalls > CALLS_MAX) {
		refuse_call(c, EAGAIN, "too many calls at once");
		return;
	}
	if (method_of(c) == NULL) {
		refuse_call(c, ENOSYS, "there is no such method");
		return;
	}
	op.op = GRPC_OP_RECV_MESSAGE;
	op.data.recv_message.recv_message = &c->message;
	c->heard = (struct event){is_heard, c};
	if (grpc_call_start_batch(c->grpc, &op, 1, &c->heard, NULL) != GRPC_CALL_OK)
		refuse_call(c, EINVAL, "a request without a message");
}

static void await_call(struct server *s)
{
	struct call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return; // server_tick asks again
	c->server = s;
	c->next = s->calls;
	s->calls = c;
	s->ncalls++;
	grpc_call_details_init(&c->details);
	grpc_metadata_array_init(&c->metadata);
	c->made = (struct event){is_made, c};
	if (grpc_server_request_call(
		    s->grpc, &c->grpc, &c->details, &c->metadata, s->queue, s->queue, &c->made
	    )
	    != GRPC_CALL_OK)
		free_call(c);
}

// ---- the server

bool identity_read(const char *path, struct identity *ret)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	*ret = (struct identity){st.st_dev, st.st_ino, st.st_ctim};
	return true;
}

bool identity_equal(const struct identity *a, const struct identity *b)
{
	return a->device == b->device && a->number == b->number && a->made.tv_sec == b->made.tv_sec
	       && a->made.tv_nsec == b->made.tv_nsec;
}

static void has_stopped(void *arg, bool)
{
	((struct server *)arg)->is_stopped = true;
}

int server_open(struct server *s, grpc_completion_queue *queue, struct err *err)
{
	grpc_arg args[] = {
		{
			.type = GRPC_ARG_INTEGER,
			.key = (char *)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
			.value.integer = MESSAGE_MAX,
		},
		{
			.type = GRPC_ARG_INTEGER,
			.key = (char *)GRPC_ARG_MAX_CONCURRENT_STREAMS,
			.value.integer = CALLS_MAX,
		},
	};
	const grpc_channel_args channel = {ARRAY_LEN(args), args};
	_cleanup_free_ char *address = str_printf("unix:%s", s->path);
	grpc_server_credentials *open;
	int port;

	if (address == NULL)
		return err_oom(err);
	s->queue = queue;
	s->edition++; // of a call that was told nothing it is 0
	s->is_stopped = false;
	s->grpc = grpc_server_create(&channel, NULL);
	grpc_server_register_completion_queue(s->grpc, queue, NULL);
	open = grpc_insecure_server_credentials_create();
	port = grpc_server_add_http2_port(s->grpc, address, open);
	grpc_server_credentials_release(open);
	grpc_server_start(s->grpc);
	if (port == 0 || !identity_read(s->path, &s->socket)) {
		server_close(s);
		return err_set(
			err, EIO, "make socket '%s': may its directory be written?", s->path
		);
	}
	await_call(s);
	return 0;
}

void server_tell(struct server *s)
{
	s->edition++;
	for (struct call *c = s->calls; c != NULL; c = c->next) {
		if (c->watches)
			tell(c);
	}
}

void server_tick(struct server *s)
{
	bool waits = false;

	if (s->grpc == NULL)
		return;
	for (struct call *c = s->calls; c != NULL; c = c->next) {
		waits = waits || c->grpc == NULL;
		if (c->grpc != NULL && !c->answered && clock_ms() - c->since > SILENT_MS)
			grpc_call_cancel(c->grpc, NULL);
	}
	if (!waits)
		await_call(s);
}

bool server_close(struct server *s)
{
	int64_t until = clock_ms() + CLOSE_MS;

	if (s->grpc == NULL)
		return true;
	s->stopped = (struct event){has_stopped, s};
	grpc_server_shutdown_and_notify(s->grpc, s->queue, &s->stopped);
	grpc_server_cancel_all_calls(s->grpc);
	while ((!s->is_stopped || s->ncalls > 0) && clock_ms() < until)
		events_next(s->queue, 100);
	if (!s->is_stopped || s->ncalls > 0)
		return false;
	grpc_server_destroy(s->grpc);
	s->grpc = NULL;
	return true;
}
