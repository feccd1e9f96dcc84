// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Unix sockets by paths of any length: the kernel takes 107 characters.
#pragma once

#include "base/err.h"

#define UNIX_NAME 24

// Connects to a socket of the type (SOCK_STREAM…, perhaps | SOCK_NONBLOCK). Each send and receive, and the
// connecting, take at most so many milliseconds; 0: no limit. Returns a descriptor, or -1 with errno:
// ECONNREFUSED: nobody listens on it any more; ENOTSOCK: it is a file of another kind.
int unix_connect(const char *path, int type, unsigned milliseconds);

// Listens (SOCK_STREAM, not blocking) on NAME in the directory, for its owner alone, or on NAME:1, NAME:2…
// where somebody does already. What a process left that was killed is replaced. Returns a descriptor.
int unix_listen(int dir, const char *name, char ret[static UNIX_NAME], struct err *err);
