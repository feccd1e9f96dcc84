// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Answers of telemetry. Each takes what followed the command's first comma ("" when nothing did), which it
// may change, and returns a new object, or NULL with err set. Under report_lock.
#pragma once

#include "base/err.h"

#include <jansson.h>

struct plane;
struct task;

// ---- show.c. TASK and PORT may be left out: all of them
json_t *answer_tasks(struct plane *p, char *param, struct err *err);
json_t *answer_stats(struct plane *p, char *param, struct err *err); // TASK
json_t *answer_ports(struct plane *p, char *param, struct err *err); // PORT
json_t *answer_rings(struct plane *p, char *param, struct err *err); // TASK
json_t *answer_lat(struct plane *p, char *param, struct err *err);   // TASK
json_t *answer_irq(struct plane *p, char *param, struct err *err);   // TASK
json_t *answer_modes(struct plane *p, char *param, struct err *err);
json_t *answer_info(struct plane *p, char *param, struct err *err);

// ---- control.c. For start and stop TASK may be left out: all of them
json_t *answer_start(struct plane *p, char *param, struct err *err);	     // TASK
json_t *answer_stop(struct plane *p, char *param, struct err *err);	     // TASK
json_t *answer_rate(struct plane *p, char *param, struct err *err);	     // TASK,PPS
json_t *answer_trace(struct plane *p, char *param, struct err *err);	     // TASK,NUMBER
json_t *answer_trace_packets(struct plane *p, char *param, struct err *err); // TASK,FROM
json_t *answer_trace_stop(struct plane *p, char *param, struct err *err);    // TASK
json_t *answer_clear(struct plane *p, char *param, struct err *err);

// ---- tables.c
json_t *answer_tables(struct plane *p, char *param, struct err *err);
json_t *answer_cpes(struct plane *p, char *param, struct err *err);    // TABLE
json_t *answer_hop_add(struct plane *p, char *param, struct err *err); // TABLE,ID,IP,MAC,LABEL,PORT
json_t *answer_route_add(struct plane *p, char *param, struct err *err); // TABLE,PREFIX/DEPTH,HOP
json_t *answer_route_del(struct plane *p, char *param, struct err *err); // TABLE,PREFIX/DEPTH
json_t *answer_user_add(struct plane *p, char *param, struct err *err);	 // TABLE,SVLAN,CVLAN,GRE-ID
json_t *answer_user_del(struct plane *p, char *param, struct err *err);	 // TABLE,GRE-ID
json_t *answer_reload(struct plane *p, char *param, struct err *err);	 // TABLE,FILE

// A task by its name; NULL: err is set, with the name that was meant, if there is one like it.
struct task *answer_find_task(struct plane *p, const char *name, struct err *err);
