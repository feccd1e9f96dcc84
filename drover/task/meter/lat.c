// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// lat: takes in what a generator sent, and says what became of it: what was lost, came twice, late
// or damaged (task/meter/sequence.h says what these words mean), and how long it took.
//
// The time of a packet is from the generator's look at the TSC, just before it sent its burst, to
// ours just before we asked for a burst. It thus holds a part of the work of either; how much is
// measured at the start, through a ring, and reported as the meter's error.

#include "task/meter/lat.h"

#include "task/gen/frame.h"
#include "task/meter/meter.h"

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_ring.h>

#define PREFETCH 4
#define SELF_BURSTS 2048 // of the meter's own error
#define SELF_WARM 64

struct lat_conf {
	uint32_t pos, streams;
	bool buckets;
	uint64_t count;
};

// ---- the data path

// Sent after the burst was asked for: it came while we took it, and the time is known to be shorter
// than until now. Else the other side's TSC is ahead of ours.
static __rte_noinline void lat_negative(struct lat *l, struct hdr *h, uint64_t stamp)
{
	uint64_t time = rte_rdtsc() - stamp;

	if ((int64_t)time < 0)
		l->negative++;
	else
		hdr_record(h, time);
}

// Where the meter is; what is too short to have one has it behind its end.
static __rte_always_inline uint32_t lat_pos(const struct lat *l, const struct rte_mbuf *m)
{
	if (likely(!l->last))
		return l->pos;
	return m->pkt_len >= METER_SIZE ? m->pkt_len - METER_SIZE : m->pkt_len;
}

static __rte_always_inline void lat_packet(
	struct lat *l, uint64_t *dropped, struct hdr *h, const struct rte_mbuf *m, uint64_t now
)
{
	uint32_t pos = lat_pos(l, m);
	uint8_t copy[METER_SIZE];
	const void *at;
	struct meter meter;
	enum meter_state state;

	if (likely(m->data_len >= pos + METER_SIZE)) {
		at = rte_pktmbuf_mtod_offset(m, const void *, pos);
	} else {
		at = rte_pktmbuf_read(m, pos, METER_SIZE, copy); // across segments
		if (at == NULL) {
			dropped[DROP_SHORT]++;
			return;
		}
	}
	state = meter_read(at, &meter);
	if (unlikely(state != METER_OK)) {
		dropped[state == METER_NONE ? DROP_NO_METER : DROP_CHECK]++;
		return;
	}
	if (unlikely(meter.stream >= l->nstreams)) {
		dropped[DROP_STREAM]++;
		return;
	}
	seq_add(&l->streams[meter.stream], meter.run, meter.seq, meter.stamp);
	if (likely((int64_t)(now - meter.stamp) >= 0))
		hdr_record(h, now - meter.stamp);
	else
		lat_negative(l, h, meter.stamp);
}

static uint64_t lat_burst(
	struct lat *l, uint64_t *dropped, struct rte_mbuf **m, uint16_t n, uint64_t now
)
{
	struct hdr *h = hdr_pair_mine(&l->times);
	uint64_t bytes = 0;

	for (uint16_t i = 0; i < n && i < PREFETCH; i++)
		rte_prefetch0(rte_pktmbuf_mtod_offset(m[i], void *, lat_pos(l, m[i])));
	for (uint16_t i = 0; i < n; i++) {
		if (i + PREFETCH < n)
			rte_prefetch0(rte_pktmbuf_mtod_offset(
				m[i + PREFETCH], void *, lat_pos(l, m[i + PREFETCH])
			));
		bytes += m[i]->pkt_len;
		lat_packet(l, dropped, h, m[i], now);
	}
	return bytes;
}

static uint16_t poll_lat(struct task *t)
{
	struct lat *l = t->state;
	struct rte_mbuf *m[BURST];
	uint64_t now;
	uint16_t n;

	hdr_pair_swap(&l->times);
	now = rte_rdtsc();
	n = task_rx(t, m);
	if (n == 0)
		return 0;
	t->counters.rx_bytes += lat_burst(l, t->counters.drops, m, n, now);
	rte_pktmbuf_free_bulk(m, n);
	return n;
}

// ---- the meter's own error

// The generator's way of stamping, a ring, and our way of reading: what remains is the time that
// the measurement itself takes.
static void self_bursts(struct lat *l, struct rte_ring *ring, struct rte_mbuf **m)
{
	uint64_t dropped[DROP_END] = {0}, id = meter_id(0, 0, 0);
	struct rte_mbuf *got[BURST];

	for (unsigned k = 0; k < SELF_BURSTS + SELF_WARM; k++) {
		uint64_t stamp, now;
		unsigned n;

		if (k == SELF_WARM)
			hdr_clear(hdr_pair_mine(&l->times));
		stamp = rte_rdtsc();
		for (unsigned i = 0; i < BURST; i++, id += METER_NEXT)
			meter_write(rte_pktmbuf_mtod_offset(m[i], void *, METER_POS), id, stamp);
		rte_ring_enqueue_burst(ring, (void **)m, BURST, NULL);
		now = rte_rdtsc();
		n = rte_ring_dequeue_burst(ring, (void **)got, BURST, NULL);
		lat_burst(l, dropped, got, (uint16_t)n, now);
	}
}

static void empty(struct lat *l)
{
	rte_free(l->streams);
	rte_free(l->stream_base);
}

// False: there is no memory.
static bool fill(struct lat *l, uint32_t pos, uint32_t streams, int socket)
{
	l->pos = pos;
	l->last = pos == KEY_POS_END;
	l->nstreams = streams;
	l->streams = rte_zmalloc_socket("lat", streams * sizeof(*l->streams), 0, socket);
	l->stream_base = rte_zmalloc_socket("lat", streams * sizeof(*l->stream_base), 0, socket);
	hdr_pair_init(&l->times);
	hdr_clear(&l->error);
	return l->streams != NULL && l->stream_base != NULL;
}

static int self_measure(struct hdr *ret, int socket, struct err *err)
{
	static unsigned serial;
	struct lat *l = rte_zmalloc_socket("lat", sizeof(*l), RTE_CACHE_LINE_SIZE, socket);
	char name[RTE_MEMPOOL_NAMESIZE];
	struct rte_mbuf *m[BURST];
	struct rte_mempool *pool;
	struct rte_ring *ring;
	int r = -1;

	snprintf(name, sizeof(name), "meter%u", serial++);
	pool = rte_pktmbuf_pool_create(
		name, 2 * BURST - 1, 0, 0, RTE_PKTMBUF_HEADROOM + 2 * RTE_CACHE_LINE_SIZE, socket
	);
	ring = rte_ring_create(name, 2 * BURST, socket, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (l != NULL && fill(l, METER_POS, 1, socket) && pool != NULL && ring != NULL
	    && rte_pktmbuf_alloc_bulk(pool, m, BURST) == 0) {
		for (unsigned i = 0; i < BURST; i++)
			m[i]->pkt_len = m[i]->data_len = METER_POS + METER_SIZE;
		self_bursts(l, ring, m);
		rte_pktmbuf_free_bulk(m, BURST);
		hdr_merge(ret, hdr_pair_mine(&l->times));
		r = 0;
	}
	rte_ring_free(ring);
	rte_mempool_free(pool);
	if (l != NULL)
		empty(l);
	rte_free(l);
	if (r < 0)
		return err_set(
			err,
			ENOMEM,
			"measure the meter's own error: out of memory; grant more hugepages"
		);
	return 0;
}

static void done_lat(struct task *t)
{
	empty(t->state);
}

static int init_lat(struct task *t, const void *arg, struct err *err)
{
	const struct lat_conf *c = arg;
	struct lat *l = t->state;

	if (!fill(l, c->pos, c->streams, t->socket))
		return err_oom(err);
	if (self_measure(&l->error, t->socket, err) < 0)
		return -err->code;
	l->buckets = c->buckets;
	l->count = c->count;
	t->poll = poll_lat;
	return 0;
}

static void defaults_lat(void *arg)
{
	*(struct lat_conf *)arg = (struct lat_conf){.pos = METER_POS, .streams = 16};
}

#define KEY_CONF struct lat_conf
static const struct key keys[] = {
	KEY_POS("lat pos", pos, 0, FRAME_MAX, "where in the packet; end: its last bytes; default 42"
	),
	KEY_U32("streams", streams, 1, METER_STREAMS, "streams are numbered below this; default 16"
	),
	KEY_U64("count",
		count,
		0,
		0,
		"how many packets the generator of each stream sends, if it is in another drover: "
		"so "
		"that the last ones are missed too"),
	KEY_BOOL("buckets", buckets, "report the whole histogram; default no"),
	{NULL},
};

static struct task_mode lat = {
	.name = "lat",
	.help = "counts what a generator's packets lost on their way, and how long they took",
	.wants_rx = true,
	.keys = keys,
	.conf_size = sizeof(struct lat_conf),
	.defaults = defaults_lat,
	TASK_DROP_NAMES,
	.state_size = sizeof(struct lat),
	.init = init_lat,
	.done = done_lat,
	.report = lat_report,
	.clear = lat_clear,
	.verdict = lat_verdict,
};
TASK_MODE(lat)
