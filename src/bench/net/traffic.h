// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The tester of a rig: what it is told, and what both programs have counted.
#pragma once

#include "bench/net/rig.h"

// Of one generator by its place.
int traffic_rate(struct rig *rig, unsigned gen, double pps, struct err *err);
int traffic_start(struct rig *rig, unsigned gen, struct err *err);

// All generators.
int traffic_stop(struct rig *rig, struct err *err);

// All counters since they were cleared; no times of the CPUs.
int traffic_read(struct rig *rig, struct window *ret, struct err *err);

// The same once nothing more arrives.
int traffic_settle(struct rig *rig, struct window *ret, struct err *err);
