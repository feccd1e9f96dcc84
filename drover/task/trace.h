// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What becomes of the next packets of some tasks, one by one. A task that is traced has another poll function, which
// gives the mode's own one packet at a time and rings in place of its outputs, and looks what comes of
// it. One that is not is as it was: the data path knows nothing of this.
#pragma once

#include "task/task.h"

#define TRACE_TASKS 8 // at once
#define TRACE_PACKETS 128
#define TRACE_BYTES 96
#define TRACE_OUTPUTS 8
#define TRACE_KEPT UINT8_MAX // neither sent nor dropped: taken by the task

struct trace_packet {
	uint64_t tsc; // when it was taken in
	uint32_t len;
	uint16_t port;		     // that it came in by, as its buffer says; UINT16_MAX: none
	uint8_t data[TRACE_BYTES];   // its beginning, as it came in
	uint8_t drop;		     // the first drop reason that counted it; TRACE_KEPT: none
	uint16_t nsent;		     // packets that went out for it
	uint16_t out[TRACE_OUTPUTS]; // where the first of them went to
	uint32_t out_len;	     // of the first of them
	uint8_t out_data[TRACE_BYTES];
};

struct trace {
	struct task *task; // NULL: there was none yet
	uint16_t (*poll)(struct task *t);
	uint32_t wanted;
	bool stop;     // asks the lcore to end it
	uint32_t seen; // packets that are filled in
	bool over;     // the lcore has nothing to do with it any more
	struct trace_packet packet[TRACE_PACKETS];
	// of the lcore
	struct rte_ring *in_ring, *out_ring[TASK_OUTPUTS];
	struct trace_packet spare;
};

// Only the control side calls these, one thread at a time.
// The last trace of a task; NULL: there is none any more.
const struct trace *trace_of(const struct task *t);
// From the next packet on. Fails while the task is traced, or TRACE_TASKS others are, and for a task that
// receives nothing.
int trace_begin(struct task *t, uint32_t wanted, struct err *err);
void trace_stop(const struct task *t);
