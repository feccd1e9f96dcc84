// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Who answers questions about a running drover, and does what it is asked for.
#pragma once

#include "drover.h"

#define SERVE_SOCKET "drover.sock"

// server.c: a thread that answers on a socket in the directory, for its owner and root. It runs on the CPU
// of the caller.
int serve_start(const char *directory, struct err *err);
void serve_stop(void);

// telemetry.c: /drover/… on DPDK's telemetry socket, which only shows. For ever: DPDK has no way back.
int telemetry_register(struct err *err);
