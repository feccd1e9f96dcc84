// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A generator is made, and its end.

#include "task/gen/make.h"

#include "dpdk.h"
#include "task/meter/meter.h"
#include "task/meter/source.h"
#include "tsc.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <stdlib.h>

#define POOL_SPARE 8191
#define POOL_CACHE 256
#define POOL_TAILROOM 64

uint64_t gen_cycles(uint64_t ns)
{
	return (uint64_t)((double)ns * (double)tsc_hz() / 1e9);
}

// Room for all of a frame and its head.
uint8_t *gen_frame(unsigned size)
{
	return calloc(1, size + HEAD);
}

void *gen_take(struct task *t, size_t size)
{
	return rte_malloc_socket("gen", size, RTE_CACHE_LINE_SIZE, t->socket);
}

struct gen_many *gen_new_many(struct task *t, struct gen *g)
{
	g->many = rte_zmalloc_socket("gen", sizeof(*g->many), RTE_CACHE_LINE_SIZE, t->socket);
	return g->many;
}

int gen_check_mtu(const struct task *t, unsigned size, struct err *err)
{
	uint16_t mtu;

	// a VLAN tag or two do not count
	if (rte_eth_dev_get_mtu(t->out[0].port, &mtu) == 0
	    && size > mtu + RTE_ETHER_HDR_LEN + 2u * RTE_VLAN_HLEN)
		return err_set(
			err,
			EINVAL,
			"pkt size %u does not fit the MTU %u of the output: set mtu= of the port",
			size,
			mtu
		);
	return 0;
}

void gen_fix_sums(
	const struct gen_conf *c,
	const struct vary *v,
	bool all,
	uint8_t *frame,
	uint8_t *like,
	unsigned size,
	struct sums *sums
)
{
	unsigned pos = gen_meter_pos(c, size), meter = gen_meter_wanted(c) ? METER_SIZE : 0;

	sums_part(frame, sums, pos, meter);
	memcpy(like, frame, size);
	vary_blank(v, like);
	memset(like + pos, 0, meter);
	for (unsigned i = 0; i < sums->n; i++) {
		const struct sum_place *s = &sums->of[i];

		if (!s->none && (all || sum_counts(s, pos, meter) > 0))
			sum_write(s, frame, like);
	}
}

struct fill {
	const uint8_t *frame;
	unsigned size;
};

static void fill_object(struct rte_mempool *pool, void *arg, void *object, unsigned index)
{
	const struct fill *f = arg;
	struct rte_mbuf *m = object;

	(void)pool;
	(void)index;
	memcpy((uint8_t *)m->buf_addr + RTE_PKTMBUF_HEADROOM, f->frame, f->size);
}

static int make_pool(struct task *t, struct gen *g, const uint8_t *frame, struct err *err)
{
	static unsigned serial;
	struct fill fill = {frame, g->size};
	struct rte_eth_dev_info info;
	struct rte_eth_txq_info queue;
	unsigned room = RTE_PKTMBUF_HEADROOM + RTE_MAX((unsigned)g->size, HEAD) + POOL_TAILROOM;
	unsigned n = POOL_SPARE; // in the output's memory, and in what reads it
	char name[RTE_MEMPOOL_NAMESIZE];

	if (rte_eth_tx_queue_info_get(t->out[0].port, t->out[0].queue, &queue) == 0)
		n += queue.nb_desc;
	else if (rte_eth_dev_info_get(t->out[0].port, &info) == 0)
		n += info.default_txportconf.ring_size;
	snprintf(name, sizeof(name), "gen%u.%u", t->index, serial++);
	room = RTE_ALIGN(room, RTE_CACHE_LINE_SIZE);
	g->pool = rte_pktmbuf_pool_create(name, n, POOL_CACHE, 0, (uint16_t)room, t->socket);
	if (g->pool == NULL)
		return err_set(
			err,
			rte_errno,
			"make a pool of %u packets of %u bytes: %s; grant more hugepages",
			n,
			room,
			dpdk_why(rte_errno)
		);
	rte_mempool_obj_iter(g->pool, fill_object, &fill);
	return 0;
}

void gen_done(struct task *t)
{
	struct gen *g = t->state;

	source_remove((uint8_t)g->stream, &g->n.sent);
	rte_pktmbuf_free_bulk(g->held, g->nheld);
	// packets that are still in a ring belong to whoever empties it
	if (g->pool != NULL && rte_mempool_full(g->pool))
		rte_mempool_free(g->pool);
	if (g->many != NULL) {
		rte_free((void *)(uintptr_t)g->many->packet);
		rte_free((void *)(uintptr_t)g->many->data);
		rte_free((void *)(uintptr_t)g->many->gap);
		rte_free((void *)(uintptr_t)g->many->base);
		rte_free(g->many);
	}
}

// Bytes that a packet takes on the wire, mean.
static double wire_mean(const struct gen *g)
{
	double sum = 0;

	if (g->many == NULL)
		return g->size + WIRE_OVERHEAD;
	for (uint32_t i = 0; i < g->many->n; i++)
		sum += g->many->packet[i].len + WIRE_OVERHEAD;
	return sum / g->many->n;
}

static int set_rate(struct task *t, struct gen *g, const struct gen_conf *c, struct err *err)
{
	double wire = wire_mean(g);

	t->control.rate = c->bps > 0 ? (double)c->bps / wire : c->rate.pps;
	if (c->bps > 0 && (double)c->bps < PPS_MIN * (g->size + WIRE_OVERHEAD))
		return err_set(
			err,
			EINVAL,
			"bps=%llu is less than a packet of %u bytes in %.0f seconds: ask for more",
			(unsigned long long)c->bps,
			g->size,
			1 / PPS_MIN
		);
	if (t->control.rate > PPS_MAX)
		return err_set(
			err,
			EINVAL,
			"bps=%llu is more than %.0f packets a second: ask for less",
			(unsigned long long)c->bps,
			PPS_MAX
		);
	if (g->many != NULL) {
		g->many->by_bytes = c->bps > 0;
		g->many->wire = wire;
	}
	return 0;
}

int gen_make(struct task *t, const void *arg, struct err *err)
{
	const struct gen_conf *c = arg;
	struct gen *g = t->state;
	uint8_t stream = (uint8_t)(c->stream == STREAM_UNSET ? t->index : c->stream);
	uint8_t run = (uint8_t)(rte_rdtsc() >> 8);
	struct making m = {.task = t, .g = g, .c = c};
	int r;

	g->left = UINT64_MAX;
	r = gen_check(c, err);
	if (r == 0)
		r = c->capture[0] != '\0' ? gen_make_capture(&m, err) : gen_make_template(&m, err);
	if (r == 0) {
		g->size = (uint16_t)m.largest;
		r = make_pool(t, g, m.body, err);
	}
	free(m.body);
	if (r < 0)
		return r;
	g->pos = (uint16_t)gen_meter_pos(c, m.largest);
	g->meter = gen_meter_wanted(c);
	g->meter_last = c->pos == KEY_POS_END;
	g->burst = (uint16_t)c->burst;
	g->stream = stream;
	g->id = meter_id(stream, run, 0);
	if (c->count > 0)
		g->left = RTE_MIN(g->left, c->count);
	g->end = UINT64_MAX;
	g->duration = gen_cycles(c->duration);
	g->catch_up = gen_cycles(c->catch_up);
	if (set_rate(t, g, c, err) < 0
	    || (g->meter
		&& source_add(stream, &(struct meter_source){run, &g->n.sent, t->name}, err) < 0))
		return -err->code;
	g->delay = gen_cycles(c->delay);
	t->poll = poll_gen_later;
	if (g->delay == 0)
		t->poll = g->many != NULL ? poll_gen_many : poll_gen;
	return 0;
}
