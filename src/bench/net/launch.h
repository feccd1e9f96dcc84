// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// How the two programs of a rig are started.
#pragma once

#include "bench/net/rig.h"

int launch_vnf(struct bench *b, struct rig *rig, struct err *err);
int launch_tester(struct bench *b, struct rig *rig, struct err *err);

// The socket of the link at the function's end "in" or "out", as it is called on the host. To be freed.
char *launch_link(const struct bench *b, const struct rig_how *how, const char *end);
