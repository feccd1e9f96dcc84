// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A tester on a second machine (struct remote), for functions with ports of their own.
#pragma once

#include "bench/net/argv.h"
#include "bench/net/rig.h"

// Whether the rig's tester is there.
bool remote_tests(const struct bench *b, const struct rig_how *how);

// Its socket as it is here, brought by ssh. To be freed.
char *remote_socket(const struct bench *b, const struct rig_how *how);

// Starts drover there with these arguments and the text of a configuration, as rig->tester. It ends when the child's
// standard input is closed, or the connection is lost.
int remote_start(
	struct bench *b, struct rig *rig, const char *text, const struct argv *own, struct err *err
);
