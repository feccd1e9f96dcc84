// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Loss, duplicates and reordering of a stream of numbered packets, by RFC 4737 and RFC 5560:
//
// * A packet is in order when its number is not below the next expected one, which is one more than
//   the highest that came; else, if it came for the first time, it is reordered (RFC 4737, 3.3).
// * A number that comes again is a duplicate (RFC 5560), never a reordered packet.
// * A number below the highest that has not come is lost; when it does come it is no longer lost.
//   What was lost after the last packet that came cannot be seen here.
// * What came is remembered for SEQ_WINDOW numbers below the next expected one. A packet further
//   behind is "stale": duplicate or late, nobody knows; its number stays lost.
// * Numbers begin with 0. What is missing before the very first packet is not loss, as the meter
//   may have been started later: it is "before".
// * A restart of the generator is a packet that is behind, or of another run, and yet was sent
//   after all others: a packet that is merely late carries an older time. What is missing from the
//   new run's 0 on is lost. An older packet of another run is stale.
#pragma once

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <stdint.h>
#include <string.h>

#define SEQ_WINDOW 65536

// What is counted; only ever grows.
struct seq_figures {
	uint64_t received; // all of the stream, also duplicates and stale ones
	uint64_t expected; // numbers from the first of each run to its highest
	uint64_t duplicates, reordered, stale;
	uint64_t early; // of the reordered: they precede the very first packet
	uint64_t before;
	uint64_t restarts;
};

// One writer. All zero to begin with.
struct seq {
	uint32_t next;	 // expected
	uint16_t run;	 // SEQ_RUN | run; 0: nothing came yet
	uint64_t newest; // stamp of the highest number that came
	uint64_t span;	 // numbers of this run, from the first that came to the highest
	struct seq_figures n;
	uint64_t came[SEQ_WINDOW / 64]; // one bit a number, modulo the window
};

#define SEQ_RUN 0x100

static inline uint64_t seq_lost(const struct seq_figures *n)
{
	uint64_t distinct = n->received - n->duplicates - n->stale - n->early;

	// a reader beside the writer may see one of them before the other
	return n->expected > distinct ? n->expected - distinct : 0;
}

// Numbers below the very first packet's that have not come since.
static inline uint64_t seq_before(const struct seq_figures *n)
{
	return n->before > n->early ? n->before - n->early : 0;
}

static inline void seq_mark(struct seq *s, uint32_t seq)
{
	s->came[seq % SEQ_WINDOW / 64] |= UINT64_C(1) << seq % 64;
}

// Forgets the marks of n numbers from `from` on.
static inline void seq_unmark(struct seq *s, uint32_t from, uint32_t n)
{
	if (n >= SEQ_WINDOW) {
		memset(s->came, 0, sizeof(s->came));
		return;
	}
	while (n > 0) {
		unsigned bit = from % 64, many = RTE_MIN(64 - bit, n);
		uint64_t ones = many == 64 ? UINT64_MAX : (UINT64_C(1) << many) - 1;

		s->came[from % SEQ_WINDOW / 64] &= ~(ones << bit);
		from += many;
		n -= many;
	}
}

// A packet that is `ahead` numbers beyond the next expected one.
static inline void seq_advance(struct seq *s, uint32_t seq, uint32_t ahead, uint64_t stamp)
{
	seq_unmark(s, s->next, ahead);
	seq_mark(s, seq);
	s->n.expected += (uint64_t)ahead + 1;
	s->span += (uint64_t)ahead + 1;
	s->next = seq + 1;
	s->newest = stamp;
}

static __rte_noinline void seq_odd(struct seq *s, uint8_t run, uint32_t seq, uint64_t stamp)
{
	uint32_t behind = s->next - seq;

	if (s->run == 0) {
		s->run = SEQ_RUN | run;
		s->n.before = seq;
		s->next = seq;
		seq_advance(s, seq, 0, stamp);
		return;
	}
	if (s->run == (SEQ_RUN | run) && (int32_t)behind <= 0) {
		seq_advance(s, seq, seq - s->next, stamp);
		return;
	}
	if ((int64_t)(stamp - s->newest) > 0) {
		s->run = SEQ_RUN | run;
		s->n.restarts++;
		s->span = 0;
		s->next = 0;
		memset(s->came, 0, sizeof(s->came));
		seq_advance(s, seq, seq, stamp);
		return;
	}
	if (s->run != (SEQ_RUN | run) || behind > SEQ_WINDOW) {
		s->n.stale++;
		return;
	}
	if (s->came[seq % SEQ_WINDOW / 64] >> seq % 64 & 1) {
		s->n.duplicates++;
		return;
	}
	seq_mark(s, seq);
	s->n.reordered++;
	s->n.early += behind > s->span;
}

// Takes a packet into account, in the order of arrival.
static __rte_always_inline void seq_add(struct seq *s, uint8_t run, uint32_t seq, uint64_t stamp)
{
	s->n.received++;
	if (likely(seq == s->next && s->run == (SEQ_RUN | run))) {
		seq_mark(s, seq);
		s->n.expected++;
		s->span++;
		s->next = seq + 1;
		s->newest = stamp;
		return;
	}
	seq_odd(s, run, seq, stamp);
}
