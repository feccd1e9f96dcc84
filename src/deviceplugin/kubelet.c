// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "deviceplugin/kubelet.h"

#include "base/clock.h"
#include "base/scope.h"
#include "base/str.h"
#include "deviceplugin/say.h"

#include <grpc/byte_buffer.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <stdio.h>
#include <stdlib.h>

#define METHOD "/v1beta1.Registration/Register"
#define ANSWER_MS 10000
#define CANCEL_MS 5000
#define WAIT_FIRST_MS 500
#define WAIT_MOST_MS 30000

void registration_reset(struct registration *r)
{
	r->registered = false;
	r->next = 0;
	r->wait_ms = WAIT_FIRST_MS;
}

static void is_answered(void *arg, bool)
{
	struct registration *r = arg;
	_cleanup_free_ char *why = str_printf(
		"%.*s",
		(int)GRPC_SLICE_LENGTH(r->details),
		(const char *)GRPC_SLICE_START_PTR(r->details)
	);

	if (why != NULL)
		str_plain(why);
	r->registered = r->status == GRPC_STATUS_OK;
	if (r->registered) {
		say("%s: kubelet knows it", r->resource);
	} else if (r->status != GRPC_STATUS_CANCELLED) {
		say("%s: kubelet does not take it, again in %u ms: %s",
		    r->resource,
		    r->wait_ms,
		    why != NULL ? why : "");
		r->next = clock_ms() + r->wait_ms;
		r->wait_ms = r->wait_ms * 2 < WAIT_MOST_MS ? r->wait_ms * 2 : WAIT_MOST_MS;
	}
	if (r->answer != NULL)
		grpc_byte_buffer_destroy(r->answer);
	r->answer = NULL;
	grpc_slice_unref(r->details);
	grpc_metadata_array_destroy(&r->first);
	grpc_metadata_array_destroy(&r->last);
	grpc_call_unref(r->call);
	grpc_channel_destroy(r->channel);
	r->call = NULL;
	r->channel = NULL;
}

static grpc_channel *open_channel(const char *socket)
{
	grpc_arg args[] = {
		{
			.type = GRPC_ARG_INTEGER,
			.key = (char *)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
			.value.integer = MESSAGE_MAX,
		},
		// or it would be waited for a socket that failed before
		{
			.type = GRPC_ARG_INTEGER,
			.key = (char *)GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL,
			.value.integer = 1,
		},
		{
			.type = GRPC_ARG_INTEGER,
			.key = (char *)GRPC_ARG_ENABLE_HTTP_PROXY,
			.value.integer = 0,
		},
	};
	const grpc_channel_args all = {ARRAY_LEN(args), args};
	_cleanup_free_ char *address = str_printf("unix:%s", socket);
	grpc_channel_credentials *open = grpc_insecure_credentials_create();
	grpc_channel *channel = address != NULL ? grpc_channel_create(address, open, &all) : NULL;

	grpc_channel_credentials_release(open);
	return channel;
}

static grpc_call_error start(struct registration *r, const struct bytes *request)
{
	grpc_byte_buffer *message = events_pack(request);
	grpc_op ops[6] = {0};
	grpc_call_error e;
	size_t n = 0;

	ops[n++].op = GRPC_OP_SEND_INITIAL_METADATA;
	ops[n].data.send_message.send_message = message;
	ops[n++].op = GRPC_OP_SEND_MESSAGE;
	ops[n++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
	ops[n].data.recv_initial_metadata.recv_initial_metadata = &r->first;
	ops[n++].op = GRPC_OP_RECV_INITIAL_METADATA;
	ops[n].data.recv_message.recv_message = &r->answer;
	ops[n++].op = GRPC_OP_RECV_MESSAGE;
	ops[n].data.recv_status_on_client.trailing_metadata = &r->last;
	ops[n].data.recv_status_on_client.status = &r->status;
	ops[n].data.recv_status_on_client.status_details = &r->details;
	ops[n++].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
	r->done = (struct event){is_answered, r};
	e = grpc_call_start_batch(r->call, ops, n, &r->done, NULL);
	grpc_byte_buffer_destroy(message);
	return e;
}

void registration_try(
	struct registration *r,
	const char *socket,
	const struct bytes *request,
	grpc_completion_queue *queue
)
{
	if (r->registered || r->call != NULL || clock_ms() < r->next)
		return;
	r->channel = open_channel(socket);
	if (r->channel == NULL)
		return;
	grpc_metadata_array_init(&r->first);
	grpc_metadata_array_init(&r->last);
	r->details = grpc_empty_slice();
	r->call = grpc_channel_create_call(
		r->channel,
		NULL,
		GRPC_PROPAGATE_DEFAULTS,
		queue,
		grpc_slice_from_static_string(METHOD),
		NULL,
		events_deadline(ANSWER_MS),
		NULL
	);
	if (start(r, request) != GRPC_CALL_OK) {
		r->status = GRPC_STATUS_INTERNAL;
		is_answered(r, false);
	}
}

bool registration_cancel(struct registration *r, grpc_completion_queue *queue)
{
	int64_t until = clock_ms() + CANCEL_MS;

	if (r->call != NULL)
		grpc_call_cancel(r->call, NULL);
	while (r->call != NULL && clock_ms() < until)
		events_next(queue, 100);
	return r->call == NULL;
}
