// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Any packets through none, l2fwd and mirror: what goes in comes out in its order, changed only where the
// configuration says so, or is counted as a drop; no buffer is lost.
//
// Input: a byte that picks the task, then of each packet a byte of how it is made, a byte of its
// length, and its bytes.

#include "fuzz.h"

#include "../unit/drover_rig.h"

#define BATCH 64 // packets in the ring at once; below OUT, so that only a small output is ever full
#define SMALL 16 // packets that the small output takes
#define HEADER 14
#define WORDS 5 // ways to say an address
#define ROOM 16 // bytes from a packet's first that its buffer must have: see poll_l2fwd

static struct rig rig;
static struct rte_ring *out, *small, *twin;

// Of each packet in flight what it was and what must come of it.
struct sent {
	unsigned len;
	bool first_short; // no whole header in its first segment
	uint8_t data[256];
};

static const uint8_t fixed[2][6] = {{2, 0, 0, 0, 0, 0x42}, {0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa}};
static const enum key_mac_word words[WORDS] = {
	MAC_UNSET, MAC_ADDRESS, MAC_HARDWARE, MAC_PACKET, MAC_NO};

struct way {
	struct task *t;
	struct rte_ring *to;
	uint16_t port;
	enum key_mac_word dst, src; // of l2fwd
	bool l2fwd, mirror;
};

static struct way ways[2 * (2 + WORDS * WORDS)];
static uint16_t twin_port;

static void make_way(struct way *w, const char *mode)
{
	_cleanup_free_ void *conf = rig_conf(mode);
	struct err err = {0};

	if (w->l2fwd) {
		struct key_mac *dst = rig_at(mode, conf, "dst mac");
		struct key_mac *src = rig_at(mode, conf, "src mac");

		dst->word = w->dst;
		memcpy(dst->addr, fixed[0], 6);
		src->word = w->src;
		memcpy(src->addr, fixed[1], 6);
	}
	w->t = rig_task(&rig, mode, conf, &err);
	must(w->t != NULL);
	// it was made with the rig's port as its output, whose address it knows
	w->t->out[0].port = w->port;
	if (!w->mirror)
		return;
	// it was made for one output: once more for two
	task_end(w->t);
	w->t->nout = 2;
	w->t->out[0].port = twin_port;
	w->t->out[1].port = w->port;
	must(task_begin(w->t, conf, &err) == 0);
}

static void start(void)
{
	struct rte_ether_addr own = {{2, 1, 2, 3, 4, 5}};
	uint16_t port[2];
	unsigned n = 0;

	rig_start(&rig);
	// a ring has an address of zeros, which this one takes the place of
	must(rte_eth_dev_mac_addr_add(rig.port, &own, 0) == 0);
	must(rte_eth_macaddr_get(rig.port, &own) == 0 && own.addr_bytes[0] == 2);
	out = rig_output(&rig, "out", BATCH, &port[0]);
	small = rig_output(&rig, "small", SMALL, &port[1]);
	twin = rig_output(&rig, "twin", BATCH, &twin_port);
	for (unsigned full = 0; full < 2; full++) {
		struct rte_ring *to = full ? small : out;

		ways[n] = (struct way){.to = to, .port = port[full]};
		make_way(&ways[n++], "nop");
		ways[n] = (struct way){.to = to, .port = port[full], .mirror = true};
		make_way(&ways[n++], "mirror");
		for (unsigned k = 0; k < WORDS * WORDS; k++) {
			ways[n] = (struct way){
				.to = to,
				.port = port[full],
				.dst = words[k / WORDS],
				.src = words[k % WORDS],
				.l2fwd = true,
			};
			make_way(&ways[n++], "l2fwd");
		}
	}
}

// Bits of how: 0-3 size of segments, 0: one; 4-7: where the packet is in its buffer.
static struct rte_mbuf *make_packet(uint8_t how, const struct sent *s)
{
	struct rte_mbuf *first = NULL, *last = NULL;
	unsigned segment = how & 15, at = 0;
	uint16_t offsets[] = {RTE_PKTMBUF_HEADROOM, 0, 1, 3, 64, 127, 129, 1000};

	do {
		unsigned n = s->len - at;
		struct rte_mbuf *m = rte_pktmbuf_alloc(rig.pool);

		must(m != NULL);
		if (segment > 0 && n > segment)
			n = segment;
		if ((how & 0x80) != 0) // as far back as it goes
			m->data_off = (uint16_t)(m->buf_len - (n > ROOM ? n : ROOM));
		else
			m->data_off = offsets[how >> 4];
		memcpy(rte_pktmbuf_mtod(m, void *), s->data + at, n);
		m->data_len = (uint16_t)n;
		if (first == NULL)
			first = m;
		else
			last->next = m;
		first->nb_segs += m != first;
		first->pkt_len += n;
		last = m;
		at += n;
	} while (at < s->len);
	return first;
}

// What the address must be of which `own` and `other` were in the packet.
static const uint8_t *address(
	enum key_mac_word word,
	enum key_mac_word unset,
	const uint8_t *set,
	const uint8_t *port,
	const uint8_t *own,
	const uint8_t *other
)
{
	switch (word == MAC_UNSET ? unset : word) {
	case MAC_ADDRESS:
		return set;
	case MAC_HARDWARE:
		return port;
	case MAC_PACKET:
		return other;
	default:
		return own;
	}
}

static void expect(const struct way *w, const struct sent *s, uint8_t *ret)
{
	struct rte_ether_addr own;
	const uint8_t *d = s->data;

	memcpy(ret, d, s->len);
	if (!w->l2fwd)
		return;
	// the task was made with the rig's port as its output
	must(rte_eth_macaddr_get(rig.port, &own) == 0);
	memcpy(ret, address(w->dst, MAC_PACKET, fixed[0], own.addr_bytes, d, d + 6), 6);
	memcpy(ret + 6, address(w->src, MAC_HARDWARE, fixed[1], own.addr_bytes, d + 6, d), 6);
}

static void check_packet(const struct way *w, const struct sent *s, const struct rte_mbuf *m)
{
	uint8_t want[256], room[256];
	const void *got;

	must(m->pkt_len == s->len);
	got = rte_pktmbuf_read(m, 0, s->len, room);
	must(got != NULL);
	expect(w, s, want);
	must(memcmp(got, want, s->len) == 0);
}

// What went to a mirror's first output, which has room for all of them. Nobody else has its bytes.
static unsigned check_twin(const struct way *w, const struct sent *sent, unsigned n)
{
	struct rte_mbuf *m;
	unsigned at = 0;

	while (rte_ring_dequeue(twin, (void **)&m) == 0) {
		must(at < n);
		check_packet(w, &sent[at++], m);
		for (struct rte_mbuf *s = m; s != NULL; s = s->next) {
			must(RTE_MBUF_DIRECT(s) && rte_mbuf_refcnt_read(s) == 1);
			memset(rte_pktmbuf_mtod(s, void *), 0xee, s->data_len);
		}
		rte_pktmbuf_free(m);
	}
	must(at == (w->mirror ? n : 0));
	return at;
}

// All packets of a batch through the task.
static void forward(const struct way *w, const struct sent *sent, unsigned n)
{
	const struct task_counters before = w->t->counters, *c = &w->t->counters;
	struct rte_mbuf *m;
	unsigned at = 0, tx = 0, short_ones = 0, copies;
	uint64_t full;

	while (w->t->poll(w->t) > 0)
		;
	for (unsigned i = 0; i < n; i++)
		short_ones += w->l2fwd && sent[i].first_short;
	copies = check_twin(w, sent, n);
	// the output is full for the last ones at most: of those in front each must be there
	while (rte_ring_dequeue(w->to, (void **)&m) == 0) {
		while (at < n && w->l2fwd && sent[at].first_short)
			at++;
		must(at < n);
		check_packet(w, &sent[at++], m);
		rte_pktmbuf_free(m);
		tx++;
	}
	full = c->drops[DROP_TX_FULL] - before.drops[DROP_TX_FULL];
	must(c->rx - before.rx == n && c->tx - before.tx == tx + copies);
	must(c->drops[DROP_COMMON] - before.drops[DROP_COMMON] == short_ones);
	must(tx + short_ones + full == n);
	must(full == 0 || (w->to == small && tx == SMALL));
	must(rte_mempool_avail_count(rig.pool) == rig.pool->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct sent sent[BATCH];
	const struct way *w;
	unsigned n = 0;

	if (out == NULL)
		start();
	if (len == 0)
		return 0;
	w = &ways[data[0] % ARRAY_LEN(ways)];
	data++;
	len--;
	while (len >= 2) {
		unsigned room = data[1] < len - 2 ? data[1] : (unsigned)(len - 2);
		unsigned segment = data[0] & 15;
		struct sent *s = &sent[n++];

		s->len = room;
		s->first_short = room < HEADER || (segment > 0 && segment < HEADER);
		memcpy(s->data, data + 2, room);
		must(rte_ring_enqueue(rig.ring, make_packet(data[0], s)) == 0);
		data += 2 + room;
		len -= 2 + room;
		if (n == BATCH) {
			forward(w, sent, n);
			n = 0;
		}
	}
	forward(w, sent, n);
	return 0;
}
