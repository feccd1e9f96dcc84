// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What kubelet calls for one resource: the service v1beta1.DevicePlugin on a Unix socket.
#pragma once

#include "deviceplugin/events.h"

#include <sys/types.h>
#include <time.h>

#define CALLS_MAX 32 // at once, of one resource

// Which file it is: its number comes again, when it was made does not.
struct identity {
	dev_t device;
	ino_t number;
	struct timespec made;
};

// False: there is none.
bool identity_read(const char *path, struct identity *ret);
bool identity_equal(const struct identity *a, const struct identity *b);

struct server {
	const struct resource *resource; // as it is now
	unsigned edition;		 // counts its changes
	char path[108];
	struct identity socket;
	grpc_server *grpc; // NULL: closed
	grpc_completion_queue *queue;
	struct call *calls;
	unsigned ncalls;
	struct event stopped;
	bool is_stopped;
};

int server_open(struct server *s, grpc_completion_queue *queue, struct err *err);
// Tells those who watch that the resource has changed.
void server_tell(struct server *s);
// Ends calls that have not said for long what they want.
void server_tick(struct server *s);
// Ends all calls and waits for their end; false: they do not end.
bool server_close(struct server *s);
