// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the rest of drover calls of its figures. From any thread.
#pragma once

#include "drover.h"

// stats/telemetry.c: /drover/… commands on DPDK's telemetry socket
int telemetry_register(struct plane *p, struct err *err);

// stats/report.c: the figures of all tasks and ports as one JSON object (new reference), since the
// start or the last clear; and as text for people.
struct json_t;
struct json_t *report_json(struct plane *p);
void report_print(struct plane *p);
void report_clear(struct plane *p);

// stats/top.c
int top_main(int argc, char **argv);
