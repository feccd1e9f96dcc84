// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the parts of the command line's side share.
#pragma once

#include "base/err.h"
#include "keeper/wire.h"

#include <stdbool.h>

// fds: it may send descriptors. Waits two seconds at most.
int keeper_connect(const char *name, bool fds, struct err *err);

// Waits for a message and reads it. Without fds one with descriptors is refused.
int keeper_hear(int sock, int milliseconds, bool fds, struct message *ret, struct err *err);
