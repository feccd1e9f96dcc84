// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Messages with descriptors over a socket of type SOCK_SEQPACKET.
#pragma once

#include "base/err.h"
#include "keeper/protocol.h"

#include <stddef.h>

struct message {
	char text[KEEPER_MESSAGE_MAX + 1];
	size_t len; // 0: the other side has gone
	unsigned nfds;
	int fds[WIRE_FDS]; // owned by who received it
};

// Takes doc over. Never waits long: a peer that does not read is an error (EAGAIN).
int wire_send(int sock, json_t *doc, const int *fds, unsigned nfds, struct err *err);

// One message. Refuses one that is too long or has too many descriptors; those are closed. Without `fds` none is taken:
// to close a file may wait for ever for whoever serves its file system (FUSE), and gives the caller's locks of it back.
int wire_receive(int sock, bool fds, struct message *ret, struct err *err);
void message_close(struct message *m);
