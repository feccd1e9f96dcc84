// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Who answers questions about a running drover.
#pragma once

#include "drover.h"

// The /drover/… commands on DPDK's telemetry socket.
int telemetry_register(struct plane *p, struct err *err);
