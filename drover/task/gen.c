// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// gen: sends packets at a rate, numbered and stamped for the latency meter.
//
// Token time: a packet is due every 1/rate seconds of TSC. What the output does not take when it is
// due, and what the generator is too late for, is not offered: it is counted as "behind" and takes
// no sequence number, so that the meter does not call it lost.

#include "task/gen.h"

#include "base/scope.h"
#include "task/frame.h"
#include "task/gen_random.h"
#include "task/meter.h"

#include <limits.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_memcpy.h>

#define WIRE_OVERHEAD 24 // preamble, gap and CRC
#define STREAM_UNSET UINT32_MAX
#define POS_UNSET UINT32_MAX
#define POOL_SPARE 8191
#define POOL_CACHE 256
#define POOL_TAILROOM 64

// Bits below the cycle, of times between packets: 64 bits hold those of 32 packets at one a second.
#define FRACTION 24

struct gen_conf {
	struct key_rate rate;
	uint64_t bps; // bytes
	uint32_t size, pos, stream, burst;
	struct key_bytes bytes;
	struct key_mac src_mac, dst_mac;
	uint32_t src_ip, dst_ip, src_port, dst_port;
	uint64_t count, duration, catch_up;
	bool meter;
	struct key_random random;
};

// ---- the data path

static __rte_noinline void gen_start(struct gen *g, const struct task_control *c, uint64_t now)
{
	uint64_t rate;

	g->epoch = __atomic_load_n(&c->epoch, __ATOMIC_ACQUIRE);
	rate = __atomic_load_n(&c->rate, __ATOMIC_RELAXED);
	g->interval = rate > 0 ? RTE_MAX((rte_get_tsc_hz() << FRACTION) / rate, 1u) : 0;
	g->burst_cycles = (g->interval * g->burst) >> FRACTION;
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
	g->fraction = t & ((UINT64_C(1) << FRACTION) - 1);
}

// The generator was held up for too long to make up for it.
static __rte_noinline void gen_skip(struct gen *g, uint64_t late)
{
	unsigned __int128 t = (unsigned __int128)(late - g->catch_up) << FRACTION;
	uint64_t packets = (uint64_t)(t / g->interval);

	t = (unsigned __int128)packets * g->interval + g->fraction;
	g->next += (uint64_t)(t >> FRACTION);
	g->fraction = (uint64_t)t & ((UINT64_C(1) << FRACTION) - 1);
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
	if (unlikely(g->random.n > 0))
		gen_random_write(&g->random, p);
}

static uint16_t poll_gen(struct task *t)
{
	struct gen *g = t->state;
	uint64_t now = rte_rdtsc(), id = g->id;
	uint16_t due, n, sent;

	if (unlikely(
		    __atomic_load_n(&t->control.epoch, __ATOMIC_RELAXED) != g->epoch || !g->started
	    ))
		gen_start(g, &t->control, now);
	if (unlikely(g->left == 0 || now >= g->end))
		return 0;
	g->last = now;
	due = gen_due(g, now);
	if (due == 0)
		return 0;
	if (g->nheld < due
	    && rte_pktmbuf_alloc_bulk(g->pool, g->held + g->nheld, due - g->nheld) == 0) {
		for (; g->nheld < due; g->nheld++)
			gen_fill(g, g->held[g->nheld]);
	}
	n = RTE_MIN(due, g->nheld);
	if (g->meter) {
		uint64_t stamp = rte_rdtsc();

		for (uint16_t i = 0; i < n; i++, id += METER_NEXT)
			meter_write(rte_pktmbuf_mtod_offset(g->held[i], void *, g->pos), id, stamp);
	}
	sent = task_offer(&t->out[0], g->held, n);
	g->nheld -= sent;
	if (unlikely(g->nheld > 0))
		memmove(g->held, g->held + sent, g->nheld * sizeof(g->held[0]));
	if (g->interval > 0) {
		gen_pass(g, due);
		g->n.full += due - sent;
	}
	g->id += sent * METER_NEXT;
	g->left -= sent;
	g->n.sent += sent;
	t->counters.tx += sent;
	t->counters.tx_bytes += (uint64_t)sent * g->size;
	return sent;
}

// ---- setting up

static uint64_t cycles(uint64_t ns)
{
	return (uint64_t)((double)ns * (double)rte_get_tsc_hz() / 1e9);
}

// A packet that the user wrote is not written into unless he says where.
static bool meter_wanted(const struct gen_conf *c)
{
	return c->meter && (c->bytes.len == 0 || c->pos != POS_UNSET);
}

static uint32_t meter_pos(const struct gen_conf *c)
{
	return c->pos != POS_UNSET ? c->pos : METER_POS;
}

// Without pkt size= a packet is as long as it must be.
static unsigned packet_size(const struct gen_conf *c)
{
	unsigned size = RTE_MAX((unsigned)c->bytes.len, (unsigned)FRAME_MIN);

	if (c->size > 0)
		return c->size;
	if (meter_wanted(c) && c->bytes.len > 0)
		size = RTE_MAX(size, meter_pos(c) + METER_SIZE);
	return RTE_MIN(size, (unsigned)FRAME_MAX);
}

static int source_mac(struct task *t, const struct key_mac *m, uint8_t *mac, struct err *err)
{
	struct rte_ether_addr own;

	switch (m->word) {
	case MAC_ADDRESS:
		memcpy(mac, m->addr, sizeof(m->addr));
		return 0;
	case MAC_UNSET:
	case MAC_HARDWARE:
		if (rte_eth_macaddr_get(t->out[0].port, &own) < 0)
			memset(&own, 0, sizeof(own));
		memcpy(mac, own.addr_bytes, sizeof(own.addr_bytes));
		return 0;
	default:
		return err_set(err, EINVAL, "src mac: give an address or hw");
	}
}

static int make_frame(
	struct task *t, const struct gen_conf *c, uint8_t *frame, unsigned size, struct err *err
)
{
	struct frame f = {
		.dst_mac = {0x02, 0, 0, 0, 0, 0x02},
		.src_ip = c->src_ip,
		.dst_ip = c->dst_ip,
		.src_port = (uint16_t)c->src_port,
		.dst_port = (uint16_t)c->dst_port,
	};

	if (c->bytes.len > 0) {
		memset(frame, 0, size);
		memcpy(frame, c->bytes.data, c->bytes.len);
		return 0;
	}
	if (c->dst_mac.word == MAC_ADDRESS)
		memcpy(f.dst_mac, c->dst_mac.addr, sizeof(f.dst_mac));
	else if (c->dst_mac.word != MAC_UNSET)
		return err_set(err, EINVAL, "dst mac: give an address");
	if (source_mac(t, &c->src_mac, f.src_mac, err) < 0)
		return -err->code;
	frame_build(&f, frame, size);
	return 0;
}

static int check_conf(
	const struct task *t, const struct gen_conf *c, unsigned size, struct err *err
)
{
	uint16_t mtu;

	if (c->rate.pps > 0 && c->bps > 0)
		return err_set(err, EINVAL, "both rate= and bps= are given: take one away");
	if (c->bytes.len > size)
		return err_set(
			err,
			EINVAL,
			"pkt inline has %u bytes but pkt size= says %u: make it larger",
			c->bytes.len,
			size
		);
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
	if (!meter_wanted(c))
		return 0;
	if (meter_pos(c) + METER_SIZE > size)
		return err_set(
			err,
			EINVAL,
			"the meter's %d bytes at lat pos=%u do not fit a packet of %u: take a "
			"larger pkt size=, a smaller lat pos= or meter=no",
			METER_SIZE,
			meter_pos(c),
			size
		);
	if (c->bytes.len == 0 && meter_pos(c) < FRAME_HEADERS)
		return err_set(
			err,
			EINVAL,
			"lat pos=%u lies in the packet's headers: %d or more",
			meter_pos(c),
			FRAME_HEADERS
		);
	return 0;
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
			rte_strerror(rte_errno)
		);
	rte_mempool_obj_iter(g->pool, fill_object, &fill);
	return 0;
}

static void done_gen(struct task *t)
{
	struct gen *g = t->state;

	if (g == NULL)
		return;
	rte_pktmbuf_free_bulk(g->held, g->nheld);
	// packets that are still in a ring belong to whoever empties it
	if (g->pool != NULL && rte_mempool_full(g->pool))
		rte_mempool_free(g->pool);
	rte_free(g);
	t->state = NULL;
}

static int init_gen(struct task *t, const void *arg, struct err *err)
{
	const struct gen_conf *c = arg;
	unsigned size = packet_size(c);
	_cleanup_free_ uint8_t *frame = malloc(size + HEAD);
	struct gen *g = rte_zmalloc_socket("gen", sizeof(*g), RTE_CACHE_LINE_SIZE, t->socket);
	uint8_t stream = (uint8_t)(c->stream == STREAM_UNSET ? t->index : c->stream);

	t->state = g;
	if (g == NULL || frame == NULL) {
		done_gen(t);
		return err_oom(err);
	}
	g->size = (uint16_t)size;
	g->pos = (uint16_t)meter_pos(c);
	g->meter = meter_wanted(c);
	if (check_conf(t, c, size, err) < 0 || make_frame(t, c, frame, size, err) < 0
	    || gen_random_make(
		       &c->random, frame, size, g->meter ? g->pos : UINT_MAX, &g->random, err
	       ) < 0
	    || make_pool(t, g, frame, err) < 0) {
		done_gen(t);
		return -err->code;
	}
	memcpy(g->head, frame, RTE_MIN(size, HEAD));
	g->burst = (uint16_t)c->burst;
	g->stream = stream;
	g->id = meter_id(stream, (uint8_t)(rte_rdtsc() >> 8), 0);
	g->left = c->count > 0 ? c->count : UINT64_MAX;
	g->end = UINT64_MAX;
	g->duration = cycles(c->duration);
	g->catch_up = cycles(c->catch_up);
	t->control.rate = c->bps > 0 ? c->bps / (size + WIRE_OVERHEAD) : c->rate.pps;
	if (c->bps > 0 && t->control.rate == 0)
		t->control.rate = 1;
	t->poll = poll_gen;
	return 0;
}

static void defaults_gen(void *arg)
{
	*(struct gen_conf *)arg = (struct gen_conf){
		.pos = POS_UNSET,
		.stream = STREAM_UNSET,
		.burst = BURST,
		.meter = true,
		.src_ip = 0xc6120001, // 198.18.0.1, of RFC 2544's networks
		.dst_ip = 0xc6130001,
		.src_port = 1024,
		.dst_port = 9, // discard
		.catch_up = 100000,
	};
}

#define KEY(field) offsetof(struct gen_conf, field)

static const struct key keys[] = {
	{"rate", KEY_RATE, KEY(rate), 0, 0, "default: as fast as it can"},
	{"bps",
	 KEY_U64,
	 KEY(bps),
	 0,
	 0,
	 "the rate in bytes a second of the wire: with CRC, preamble and gap, 24 bytes a packet"},
	{"pkt size",
	 KEY_U32,
	 KEY(size),
	 FRAME_MIN,
	 FRAME_MAX,
	 "bytes of a packet without CRC; default 60, or those of pkt inline"},
	{"pkt inline", KEY_HEX, KEY(bytes), 0, 0, "the packet; padded with zeros to pkt size"},
	{"src mac", KEY_MAC, KEY(src_mac), 0, 0, "source: an address, or hw (default)"},
	{"dst mac", KEY_MAC, KEY(dst_mac), 0, 0, "destination; default 02:00:00:00:00:02"},
	{"src ip", KEY_IPV4, KEY(src_ip), 0, 0, "default 198.18.0.1"},
	{"dst ip", KEY_IPV4, KEY(dst_ip), 0, 0, "default 198.19.0.1"},
	{"src port", KEY_U32, KEY(src_port), 0, UINT16_MAX, "of UDP; default 1024"},
	{"dst port", KEY_U32, KEY(dst_port), 0, UINT16_MAX, "of UDP; default 9"},
	{"meter", KEY_BOOL, KEY(meter), 0, 0, "number and stamp packets for mode lat; default yes"},
	{"lat pos",
	 KEY_U32,
	 KEY(pos),
	 0,
	 FRAME_MAX,
	 "where in the packet; default 42, and with pkt inline= no meter"},
	{"random",
	 KEY_BITS,
	 KEY(random),
	 0,
	 0,
	 "bits of a field that is drawn anew for each packet; the checksum of its IPv4 header is "
	 "right"},
	{"rand_offset", KEY_AT, KEY(random), 0, 0, "where in the packet the field is"},
	{"stream",
	 KEY_U32,
	 KEY(stream),
	 0,
	 METER_STREAMS - 1,
	 "number by which mode lat knows the stream; default: number of the task"},
	{"burst", KEY_U32, KEY(burst), 1, BURST, "packets sent at once at most; default 32"},
	{"count", KEY_U64, KEY(count), 0, 0, "stop after so many packets"},
	{"duration", KEY_TIME, KEY(duration), 0, 0, "stop after so long"},
	{"catch up",
	 KEY_TIME,
	 KEY(catch_up),
	 0,
	 0,
	 "packets late for longer are left out rather than sent in a rush; default 100us"},
	{NULL},
};

static struct task_mode gen = {
	.name = "gen",
	.help = "sends packets at a rate, numbered and stamped for the latency meter",
	.wants_tx = true,
	.keys = keys,
	.conf_size = sizeof(struct gen_conf),
	.defaults = defaults_gen,
	.init = init_gen,
	.done = done_gen,
	.report = gen_report,
	.clear = gen_clear,
	.verdict = gen_verdict,
};
TASK_MODE(gen)
