// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the parts that make a generator's packets share.
#pragma once

#include "task/gen/conf.h"
#include "task/gen/frame.h"
#include "task/gen/gen.h"

struct making {
	struct task *task;
	struct gen *g; // packets go into g->head or g->many
	const struct gen_conf *c;
	struct frame frame;
	struct sums sums; // of the size at hand
	uint8_t *body;	  // the largest frame: what the pool's buffers are filled with. To be freed
	unsigned largest, smallest;
};

// template.c: packets of a template= or pkt inline=, of one size or several.
int gen_make_template(struct making *m, struct err *err);
// replay.c: those of pcap file=.
int gen_make_capture(struct making *m, struct err *err);

// Room for all of a frame and its head, zero; NULL: memory is out.
uint8_t *gen_frame(unsigned size);
// Of DPDK, on the task's socket, for as long as the task; NULL: memory is out.
void *gen_take(struct task *t, size_t size);
// Sets g->many, zero; NULL: memory is out.
struct gen_many *gen_new_many(struct task *t, struct gen *g);
int gen_check_mtu(const struct task *t, unsigned size, struct err *err);
uint64_t gen_cycles(uint64_t ns);

// Makes checksums right that fields which vary or the meter change, or all of them. like: becomes the same
// frame with zeros there. sums: as sums_find found them; some may be given up.
void gen_fix_sums(
	const struct gen_conf *c,
	const struct vary *v,
	bool all,
	uint8_t *frame,
	uint8_t *like,
	unsigned size,
	struct sums *sums
);
