// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The latency meter between its data path (lat.c) and its control side (lat_report.c).
#pragma once

#include "record/hdr_pair.h"
#include "task/meter/sequence.h"
#include "task/task.h"

#define DROPS(DROP)                \
	DROP(SHORT, "too short")   \
	DROP(NO_METER, "no meter") \
	DROP(CHECK, "check wrong") \
	DROP(STREAM, "unknown stream")

TASK_DROP_REASONS(DROPS);

// What clear remembers.
struct lat_base {
	uint64_t negative;
	uint64_t drops[DROP_END];
};

struct lat {
	uint32_t pos, nstreams;
	bool last; // the meter is the last bytes of a packet, not at pos
	struct seq *streams;
	uint64_t negative; // sent after they came, by the TSC
	struct hdr_pair times;

	// of the control side
	bool buckets;
	uint64_t count;	  // packets of each stream, where no generator here says it; 0: not known
	struct hdr error; // of the meter itself
	struct lat_base base;
	struct seq_figures *stream_base;
};

// As struct task_mode says.
void lat_report(struct task *t, void *object);
void lat_clear(struct task *t);
bool lat_verdict(struct task *t, char *line, size_t len);
