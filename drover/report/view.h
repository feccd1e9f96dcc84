// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Tables of tasks, ports and latencies, from the JSON of a report (report_json) or of a sample of
// `drover top`, whose objects have an "interval" with the rates of now on top of the same figures.
#pragma once

#include "text/lines.h"

#include <jansson.h>

// width: characters of a line, 0: as many as it takes. The tag of a task's row is its index.
void view_tasks(const json_t *tasks, size_t width, struct lines *l);
void view_ports(const json_t *ports, size_t width, struct lines *l);
// Nothing when there are none.
void view_rings(const json_t *rings, size_t width, struct lines *l);
// The tasks that report a latency.
void view_latency(const json_t *tasks, size_t width, struct lines *l);
// The tasks that report gaps (irq).
void view_jitter(const json_t *tasks, size_t width, struct lines *l);
// What other modes report, and the verdicts, marked.
void view_modes(const json_t *tasks, size_t width, struct lines *l);
