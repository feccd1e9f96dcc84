// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A client of DPDK's telemetry socket (version 2: SOCK_SEQPACKET, one message a command and one an
// answer; DPDK's guide "Telemetry Library").
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stddef.h>
#include <sys/un.h>

struct client {
	int fd;	    // -1: not connected
	int pid;    // of the other side, as it says; in a container: its own number
	size_t max; // bytes of the longest answer
	char *buf;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

#define CLIENT_INIT ((struct client){.fd = -1})

// Which socket. Both NULL: the only drover there is.
struct client_target {
	const char *prefix; // EAL's --file-prefix
	const char *path;   // of the socket itself
};

// Finds the socket, connects and makes sure that it is a drover: *ret is to be closed. ENOENT: none is
// there; EEXIST: several, which the message names.
int client_open(const struct client_target *target, struct client *ret, struct err *err);
void client_close(struct client *c);

// Sends a command ("/drover/stats,core1") and gives its answer, decoded (telform.h), as a new
// reference. An answer that says {"error": …} fails with that message and EINVAL; everything else
// that fails means that the connection is of no more use.
int client_ask(struct client *c, const char *command, json_t **ret, struct err *err);
