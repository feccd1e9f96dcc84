// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Figures of a running plane.
#pragma once

#include "drover.h"

#include <jansson.h>

// The figures of all tasks and ports as one JSON object (new reference), since the start or the last clear; and
// as text for people.
json_t *report_json(struct plane *p);
void report_print(struct plane *p);

// ---- Piece by piece: what follows wants the lock held.

// One reader at a time: modes expect it, and telemetry answers on a thread a client, beside drover's own.
void report_lock(void);
void report_unlock(void);

// All of them: what report_json gives.
json_t *report_all(struct plane *p);

// One task: who it is, its counters since the start or the last clear, what follows from them, and
// what its mode adds ("report", "verdict"). NULL: out of memory.
json_t *report_task_json(struct plane *p, struct task *t);

// One port: ethdev's counters since the start or the last clear, link and address.
json_t *report_port_json(struct plane *p, unsigned i);

// One ring between tasks: its two ends, how much is in it, and what its sender sent and dropped since
// the start or the last clear.
json_t *report_ring_json(const struct plane *p, unsigned i);

void report_clear(struct plane *p);

// Nanoseconds of TSC time: now, and where the figures begin (0: traffic has not started).
uint64_t report_now(void);
uint64_t report_since(const struct plane *p);
