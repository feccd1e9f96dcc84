// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "deviceplugin/events.h"

#include "base/scope.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <stdlib.h>
#include <string.h>

gpr_timespec events_deadline(unsigned milliseconds)
{
	return gpr_time_add(
		gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(milliseconds, GPR_TIMESPAN)
	);
}

bool events_next(grpc_completion_queue *queue, unsigned milliseconds)
{
	grpc_event e = grpc_completion_queue_next(queue, events_deadline(milliseconds), NULL);
	const struct event *event = e.tag;

	if (e.type != GRPC_OP_COMPLETE)
		return false;
	event->fn(event->arg, e.success != 0);
	return true;
}

grpc_byte_buffer *events_pack(const struct bytes *b)
{
	grpc_slice slice = grpc_slice_from_copied_buffer((const char *)b->data, b->len);
	grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);

	grpc_slice_unref(slice);
	return buffer;
}

int events_unpack(grpc_byte_buffer *from, struct bytes *ret, struct err *err)
{
	grpc_byte_buffer_reader reader;
	struct bytes b = {0};
	grpc_slice all;

	if (from == NULL || !grpc_byte_buffer_reader_init(&reader, from))
		return err_set(err, EINVAL, "a request without a message");
	all = grpc_byte_buffer_reader_readall(&reader);
	b.len = GRPC_SLICE_LENGTH(all);
	b.data = malloc(b.len + 1);
	if (b.data != NULL)
		memcpy(b.data, GRPC_SLICE_START_PTR(all), b.len);
	grpc_slice_unref(all);
	grpc_byte_buffer_reader_destroy(&reader);
	if (b.data == NULL)
		return err_oom(err);
	*ret = b;
	return 0;
}
