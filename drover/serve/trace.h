// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The trace (task/trace.h) over telemetry. The answers want the report's lock.
#pragma once

#include "drover.h"

#include <jansson.h>

#define TRACE_ANSWER 16 // packets in one answer at most

// "TASK,N": traces the task's next N packets. The caller finds the task, and cuts it off.
json_t *trace_start_json(struct task *t, const char *count, struct err *err);

// {"task", "wanted", "seen", "over", "packets": {NUMBER: packet…}}: those from number `from`, as many as
// an answer has room for.
json_t *trace_packets_json(
	const struct plane *p, const struct task *t, const char *from, struct err *err
);

json_t *trace_stop_json(const struct task *t, struct err *err);
