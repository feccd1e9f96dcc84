// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The generator between its data path (gen.c), what is made at the start (make.c) and its control side
// (report.c).
#pragma once

#include "task/gen/vary.h"
#include "task/task.h"

// Of every packet so many bytes are written anew: who gets our buffers may have changed them. What
// follows is written once. Captured packets are written whole.
#define HEAD 128u

#define WIRE_OVERHEAD 24 // bytes: preamble, gap and CRC

// What clear remembers.
struct gen_figures {
	uint64_t sent, full, late;
	uint64_t bytes;	  // of packets that are not all of one size
	uint64_t active;  // cycles
	uint64_t delayed; // cycles: a capture's packets go out later than its times say
};

struct gen_packet {
	uint32_t at;	    // in data
	uint16_t len, size; // size: its place in base
};

// Packets of several sizes, with fields that vary, or out of a capture.
struct gen_many {
	uint32_t n, head, fill;		 // packets in a round; the next one to be sent, to be made
	const struct gen_packet *packet; // in the order in which they are sent
	const uint8_t *data;		 // heads of HEAD bytes, or whole packets
	bool whole;
	bool by_bytes;	     // a packet has the time that its bytes take
	bool timed;	     // now: when packets are due is what gap says
	uint64_t per_byte;   // 2^-FRACTION cycles; 0: all packets have the same time
	const uint64_t *gap; // cycles until the next packet; NULL: no times of its own
	uint32_t odd;	     // times of the capture that cannot be: no time passes until them
	const struct vary_base *base; // by size
	double wire;		      // bytes on the wire, mean
	struct vary vary;
	unsigned sizes;
};

struct gen {
	uint64_t id; // of the meter of the next packet
	// the next packet is due at next + fraction * 2^-FRACTION
	uint64_t next, fraction;
	uint64_t interval; // 2^-FRACTION cycles, mean; 0: as fast as it can
	uint64_t burst_cycles;
	uint64_t catch_up;     // cycles: what is due for longer is not offered
	uint64_t left, end;    // packets; TSC
	uint64_t duration;     // cycles
	uint64_t delay, begin; // cycles; TSC of the first packet, 0: not known yet
	uint64_t since, last;  // the rate holds since; the last poll
	uint32_t epoch;
	uint16_t size, pos, burst, nheld; // size: with many, the largest
	bool meter, started;
	bool meter_last;       // the meter is the last bytes of the packet, not at pos
	struct gen_many *many; // NULL: all packets are alike
	struct gen_figures n;  // active: until `since`
	struct rte_mempool *pool;
	struct rte_mbuf *held[BURST]; // ready to go but for the meter
	uint8_t head[HEAD] __rte_cache_aligned;
	// of the control side
	struct gen_figures base;
	unsigned stream;
};

// gen.c: the data path.
uint16_t poll_gen(struct task *t);
uint16_t poll_gen_many(struct task *t);
uint16_t poll_gen_later(struct task *t); // until g->delay is over

// make.c: as struct task_mode says.
int gen_make(struct task *t, const void *conf, struct err *err);
void gen_done(struct task *t);

// report.c: as struct task_mode says.
void gen_report(struct task *t, void *object);
void gen_clear(struct task *t);
bool gen_verdict(struct task *t, char *line, size_t len);
