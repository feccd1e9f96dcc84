// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A client of drover's own socket (docs/drover-stats.md): a line with a request, a line with its answer.
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

struct client {
	int fd; // -1: not connected
	char *path;
};

#define CLIENT_INIT ((struct client){.fd = -1})

// Which socket. Both NULL: the only drover there is.
struct client_target {
	const char *prefix; // EAL's --file-prefix
	const char *path;   // of the socket itself
};

// Refuses both.
int client_target_check(const struct client_target *t, struct err *err);

// Finds the socket, connects and makes sure that it is a drover: *ret is to be closed. ENOENT: none is
// there; EEXIST: several, which the message names.
int client_open(const struct client_target *target, struct client *ret, struct err *err);
void client_close(struct client *c);
// How long an answer may take to begin; two seconds otherwise.
void client_wait(struct client *c, unsigned seconds);

// A request of that name, about a task (NULL: about none).
json_t *client_request(const char *name, const char *task);

// Sends a request, which is released (NULL: out of memory), and gives its answer as a new reference. What it says
// may go to a terminal, whoever answers. An answer that says {"error": ...} fails with that message and EINVAL;
// everything else that fails means that the connection is of no more use.
int client_ask(struct client *c, json_t *request, json_t **ret, struct err *err);
