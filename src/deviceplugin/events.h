// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// gRPC's C core tells on one queue what has happened: each tag on it is a struct event.
#pragma once

#include "deviceplugin/answer.h"

#include <grpc/grpc.h>
#include <stdbool.h>
#include <stdint.h>

#define MESSAGE_MAX (1 << 20) // bytes, of others

struct event {
	void (*fn)(void *arg, bool ok);
	void *arg;
};

// Waits for one and does what is to be done; false: there was none for so long.
bool events_next(grpc_completion_queue *queue, unsigned milliseconds);

gpr_timespec events_deadline(unsigned milliseconds);

// A message to be sent, to be destroyed; the bytes of one that came (NULL: none did).
grpc_byte_buffer *events_pack(const struct bytes *b);
int events_unpack(grpc_byte_buffer *from, struct bytes *ret, struct err *err);
