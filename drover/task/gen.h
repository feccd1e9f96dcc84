// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The generator between its data path (gen.c) and its control side (gen_report.c).
#pragma once

#include "task/gen_random.h"
#include "task/task.h"

// Of every packet so many bytes are written anew: who gets our buffers may have changed them. What
// follows is written once.
#define HEAD 128u

// What clear remembers.
struct gen_figures {
	uint64_t sent, full, late;
	uint64_t active; // cycles
};

struct gen {
	uint64_t id; // of the meter of the next packet
	// the next packet is due at next + fraction * 2^-FRACTION
	uint64_t next, fraction;
	uint64_t interval; // 2^-FRACTION cycles; 0: as fast as it can
	uint64_t burst_cycles;
	uint64_t catch_up;    // cycles: what is due for longer is not offered
	uint64_t left, end;   // packets; TSC
	uint64_t duration;    // cycles
	uint64_t since, last; // the rate holds since; the last poll
	uint32_t epoch;
	uint16_t size, pos, burst, nheld;
	bool meter, started;
	struct gen_random random;
	struct gen_figures n; // active: until `since`
	struct rte_mempool *pool;
	struct rte_mbuf *held[BURST]; // ready to go but for the meter
	uint8_t head[HEAD] __rte_cache_aligned;
	// of the control side
	struct gen_figures base;
	unsigned stream;
};

// As struct task_mode says.
void gen_report(struct task *t, void *object);
void gen_clear(struct task *t);
bool gen_verdict(struct task *t, char *line, size_t len);
