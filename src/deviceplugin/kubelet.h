// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Kubelet is told of a resource: v1beta1.Registration on its socket.
#pragma once

#include "deviceplugin/events.h"

#define KUBELET_DIR "/var/lib/kubelet/device-plugins"
#define KUBELET_SOCKET "kubelet.sock"

struct registration {
	const char *resource; // for messages
	grpc_channel *channel;
	grpc_call *call; // NULL: none is on its way
	grpc_metadata_array first, last;
	grpc_status_code status;
	grpc_slice details;
	grpc_byte_buffer *answer;
	struct event done;
	bool registered;
	int64_t next;	  // when it is tried again (clock_ms)
	unsigned wait_ms; // after the next failure
};

// As if it had never been tried.
void registration_reset(struct registration *r);
// Tries, where it is time to and there is none on its way. request: RegisterRequest; socket: kubelet's.
void registration_try(
	struct registration *r,
	const char *socket,
	const struct bytes *request,
	grpc_completion_queue *queue
);
// Ends one that is on its way; false: it does not end.
bool registration_cancel(struct registration *r, grpc_completion_queue *queue);
