// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// gen: sends packets at a rate, numbered and stamped for the latency meter.
//
// Token time: a packet is due every 1/rate seconds of TSC. What the output does not take when it is
// due, and what the generator is too late for, is not offered: it is counted as "behind" and takes
// no sequence number, so that the meter does not call it lost. With a capture's own timing all of it is
// offered, later than it should be.
//
// Packets that are all alike have a data path of their own: nothing is chosen or counted for each.

#include "task/gen/gen.h"

#include "task/gen/conf.h"
#include "task/meter/meter.h"
#include "tsc.h"

#include <rte_cycles.h>
#include <rte_memcpy.h>

// Bits below the cycle, of times between packets: 64 bits hold those of BURST packets at PPS_MIN and 10 GHz.
#define FRACTION 22
#define FRACTION_MASK ((UINT64_C(1) << FRACTION) - 1)

static __rte_noinline void gen_start(struct gen *g, const struct task_control *c, uint64_t now)
{
	struct gen_many *m = g->many;
	double rate;

	g->epoch = __atomic_load_n(&c->epoch, __ATOMIC_ACQUIRE);
	rate = task_rate(c);
	if (rate > 0)
		g->interval =
			RTE_MAX((uint64_t)(tsc_rate().hz * (double)(FRACTION_MASK + 1) / rate), 1u);
	else
		g->interval = 0;
	g->burst_cycles = (g->interval * g->burst) >> FRACTION;
	if (m != NULL) {
		// a rate that is asked for at run time takes the place of the capture's times
		m->timed = m->gap != NULL && rate == 0;
		m->per_byte = m->by_bytes ? (uint64_t)((double)g->interval / m->wire) : 0;
	}
	if (g->started)
		g->n.active += g->last - g->since;
	else if (g->duration > 0)
		g->end = now + g->duration;
	g->started = true;
	g->since = g->last = g->next = now;
	g->fraction = 0;
}

static __rte_always_inline void gen_pass(struct gen *g, uint16_t packets)
{
	uint64_t t = g->fraction + packets * g->interval;

	g->next += t >> FRACTION;
	g->fraction = t & FRACTION_MASK;
}

// The generator was held up for too long to make up for it.
static __rte_noinline void gen_skip(struct gen *g, uint64_t late)
{
	unsigned __int128 t = (unsigned __int128)(late - g->catch_up) << FRACTION;
	uint64_t packets = (uint64_t)(t / g->interval);

	t = (unsigned __int128)packets * g->interval + g->fraction;
	g->next += (uint64_t)(t >> FRACTION);
	g->fraction = (uint64_t)t & FRACTION_MASK;
	g->n.late += packets;
}

static __rte_always_inline uint16_t gen_due(struct gen *g, uint64_t now)
{
	uint64_t late = now - g->next, due = g->burst;

	if (g->interval > 0) {
		if ((int64_t)late < 0)
			return 0;
		if (unlikely(late > g->catch_up)) {
			gen_skip(g, late);
			late = now - g->next;
		}
		if (late < g->burst_cycles) {
			due = 1 + (late << FRACTION) / g->interval;
			due = RTE_MIN(due, g->burst);
		}
	}
	return (uint16_t)RTE_MIN(due, g->left);
}

static __rte_always_inline void gen_fill(const struct gen *g, struct rte_mbuf *m)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);

	m->data_len = g->size;
	m->pkt_len = g->size;
	rte_mov64(p, g->head);
	if (g->size > 64)
		rte_mov64(p + 64, g->head + 64);
}

// ---- packets that differ

static __rte_always_inline uint32_t many_after(const struct gen_many *m, uint32_t at)
{
	return at + 1 < m->n ? at + 1 : 0;
}

// From when a packet is due to when the next one is.
static __rte_always_inline void many_pass(
	const struct gen *g,
	const struct gen_many *m,
	uint32_t at,
	uint64_t *next,
	uint64_t *fraction
)
{
	if (m->timed) {
		*next += m->gap[at];
		return;
	}
	if (m->per_byte > 0)
		*fraction += m->per_byte * (m->packet[at].len + WIRE_OVERHEAD);
	else
		*fraction += g->interval;
	*next += *fraction >> FRACTION;
	*fraction &= FRACTION_MASK;
}

static __rte_noinline void many_late(struct gen *g, const struct gen_many *m, uint64_t late)
{
	if (!m->timed) {
		gen_skip(g, late);
		return;
	}
	g->n.delayed += late - g->catch_up;
	g->next += late - g->catch_up;
}

static __rte_always_inline uint16_t many_due(struct gen *g, uint64_t now)
{
	const struct gen_many *m = g->many;
	uint64_t most = RTE_MIN(g->left, g->burst), next = g->next, fraction, due = 0;

	if (g->interval == 0 && !m->timed)
		return (uint16_t)most;
	if (unlikely((int64_t)(now - next) > 0 && now - next > g->catch_up)) {
		many_late(g, m, now - next);
		next = g->next;
	}
	fraction = g->fraction;
	for (uint32_t at = m->head; due < most && (int64_t)(now - next) >= 0; due++) {
		many_pass(g, m, at, &next, &fraction);
		at = many_after(m, at);
	}
	return (uint16_t)due;
}

// Of those that were due, `sent` are. The others' time passes all the same, unless it is the capture's.
static __rte_always_inline void many_sent(struct gen *g, uint16_t due, uint16_t sent)
{
	struct gen_many *m = g->many;

	for (uint16_t i = 0; i < sent; i++) {
		if (g->interval > 0 || m->timed)
			many_pass(g, m, m->head, &g->next, &g->fraction);
		m->head = many_after(m, m->head);
	}
	if (g->interval > 0) {
		gen_pass(g, (uint16_t)(due - sent));
		g->n.full += due - sent;
	}
}

static __rte_always_inline void many_fill(struct gen_many *m, struct rte_mbuf *b)
{
	const struct gen_packet *packet = &m->packet[m->fill];
	const uint8_t *from = m->data + packet->at;
	uint8_t *p = rte_pktmbuf_mtod(b, uint8_t *);

	m->fill = many_after(m, m->fill);
	b->data_len = packet->len;
	b->pkt_len = packet->len;
	if (m->whole) {
		rte_memcpy(p, from, packet->len);
		return;
	}
	rte_mov64(p, from);
	if (packet->len > 64)
		rte_mov64(p + 64, from + 64);
	if (m->vary.n > 0)
		vary_write(&m->vary, &m->base[packet->size], p);
}

static uint64_t bytes_of(struct rte_mbuf *const *m, uint16_t n)
{
	uint64_t bytes = 0;

	for (uint16_t i = 0; i < n; i++)
		bytes += m[i]->data_len;
	return bytes;
}

// ---- both

static __rte_always_inline uint16_t send_due(struct task *t, struct gen *g, uint16_t due, bool many)
{
	uint64_t id = g->id, bytes = 0;
	uint16_t n, sent;

	if (g->nheld < due
	    && rte_pktmbuf_alloc_bulk(g->pool, g->held + g->nheld, due - g->nheld) == 0) {
		for (; g->nheld < due; g->nheld++) {
			if (many)
				many_fill(g->many, g->held[g->nheld]);
			else
				gen_fill(g, g->held[g->nheld]);
		}
	}
	n = (uint16_t)RTE_MIN(due, g->nheld);
	if (g->meter) {
		uint64_t stamp = rte_rdtsc();

		for (uint16_t i = 0; i < n; i++, id += METER_NEXT) {
			unsigned pos = g->pos;

			if (many && g->meter_last)
				pos = g->held[i]->data_len - METER_SIZE;
			meter_write(rte_pktmbuf_mtod_offset(g->held[i], void *, pos), id, stamp);
		}
	}
	if (many)
		bytes = bytes_of(g->held, n);
	sent = task_offer(&t->out[0], g->held, n);
	g->nheld -= sent;
	if (unlikely(g->nheld > 0))
		memmove(g->held, g->held + sent, g->nheld * sizeof(g->held[0]));
	if (many) {
		bytes -= bytes_of(g->held, (uint16_t)(n - sent));
		g->n.bytes += bytes;
		t->counters.tx_bytes += bytes;
	} else {
		t->counters.tx_bytes += (uint64_t)sent * g->size;
	}
	return sent;
}

static __rte_always_inline uint16_t gen_poll(struct task *t, bool many)
{
	struct gen *g = t->state;
	uint64_t now = rte_rdtsc();
	uint16_t due, sent;

	if (unlikely(
		    __atomic_load_n(&t->control.epoch, __ATOMIC_RELAXED) != g->epoch || !g->started
	    ))
		gen_start(g, &t->control, now);
	if (unlikely(g->left == 0 || now >= g->end))
		return 0;
	g->last = now;
	due = many ? many_due(g, now) : gen_due(g, now);
	if (due == 0)
		return 0;
	sent = send_due(t, g, due, many);
	if (many) {
		many_sent(g, due, sent);
	} else if (g->interval > 0) {
		gen_pass(g, due);
		g->n.full += due - sent;
	}
	g->id += sent * METER_NEXT;
	g->left -= sent;
	g->n.sent += sent;
	t->counters.tx += sent;
	return sent;
}

uint16_t poll_gen(struct task *t)
{
	return gen_poll(t, false);
}

uint16_t poll_gen_many(struct task *t)
{
	return gen_poll(t, true);
}

uint16_t poll_gen_later(struct task *t)
{
	struct gen *g = t->state;
	uint64_t now = rte_rdtsc();

	if (g->begin == 0)
		g->begin = now + g->delay;
	if (now < g->begin)
		return 0;
	t->poll = g->many != NULL ? poll_gen_many : poll_gen;
	return t->poll(t);
}

static struct task_mode gen = {
	.name = "gen",
	.help = "sends packets at a rate, numbered and stamped for the latency meter",
	.wants_tx = true,
	.keys = gen_keys,
	.conf_size = sizeof(struct gen_conf),
	.defaults = gen_defaults,
	.state_size = sizeof(struct gen),
	.init = gen_make,
	.done = gen_done,
	.report = gen_report,
	.clear = gen_clear,
	.verdict = gen_verdict,
};
TASK_MODE(gen)
