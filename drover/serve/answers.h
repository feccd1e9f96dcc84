// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What is answered to each request (serve/requests.c has what they take). Under report_lock.
#pragma once

#include "base/err.h"

#include <jansson.h>

struct plane;
struct task;

// Returns a new object, or NULL with err set.
typedef json_t *answer_fn(struct plane *p, const json_t *q, struct err *err);

// ---- show.c
answer_fn answer_tasks, answer_stats, answer_ports, answer_rings, answer_lat, answer_irq,
	answer_report;
answer_fn answer_modes, answer_info;

// ---- control.c
answer_fn answer_start, answer_stop, answer_rate, answer_clear;

// ---- trace.c
answer_fn answer_trace, answer_trace_packets, answer_trace_stop;

// ---- tables.c
answer_fn answer_tables, answer_cpes, answer_reload;
answer_fn answer_hop_add, answer_route_add, answer_route_del, answer_user_add, answer_user_del;

// The string of an argument, or NULL: it was not given.
const char *answer_text(const json_t *q, const char *key);

// Of the argument "task": the task, NULL where none is named. Fails where there is none of that name: err says
// which one may be meant.
int answer_task(struct plane *p, const json_t *q, struct task **ret, struct err *err);
