// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Any packets through the modes that look into packets: routing, both halves of the BNG, the load
// balancers, labels, the policer. What goes in comes out or is counted as a drop, no buffer is lost, lengths hold
// together, and what left a tunnel or a router has a right checksum.
//
// Input: a byte that picks the task; then of each packet a byte of how its buffer is made, one of what
// it begins as, one of its length, and bytes that are added (exclusive or) to that. So that the fuzzer
// gets past checksums, they are made right where a bit of the second byte says so.

#include "fuzz.h"

#include "../unit/drover_rig.h"

#include "table/file.h"
#include "table/tables.h"
#include "task/proto/ip4.h"
#include "task/proto/qinq.h"

#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"

#include <rte_ip.h>

#define BATCH 64
#define LENGTH 256
#define OURS 0x0a0000fe // is pinged

static struct rig rig;
static struct rte_ring *out;

static const char tables_text[] =
	"hop,1,192.0.2.1,02:00:00:00:01:01,100,0\n"
	"hop,2,192.0.2.2,02:00:00:00:01:02,1048575,0\n"
	"route,0.0.0.0/1,1\nroute,10.0.0.0/28,2\nroute,198.51.100.0/24,2\n"
	"user,7,42,700042\nuser,0,0,700043\nuser,4095,4095,700040\n"
	"cpe,700042,10.0.0.2,02:00:00:00:10:02,0\n";

static const char *const modes[] = {
	"routing",
	"qinqdecapv4",
	"qinqencapv4",
	"lbqinq",
	"lbnetwork",
	"lb5tuple",
	"unmpls",
	"tagmpls",
	"police",
};

// Each mode as it is, and with what can be switched on.
static struct task *tasks[2 * ARRAY_LEN(modes)];

static void set_text(const char *mode, void *conf, const char *key)
{
	if (key_find(task_mode_find(mode)->keys, key) != NULL)
		strcpy(rig_at(mode, conf, key), "t");
}

// Buckets that are never empty or, with more, empty after the first packets, as a byte a second fills
// them; then each subscriber has some, and what is red is marked and sent on.
static void set_rate(void *conf, bool more)
{
	struct key_actions *actions = rig_at("police", conf, "police action");

	rig_set("police", conf, "cir", more ? 1 : 1000000000000);
	rig_set("police", conf, "cbs", more ? 1000 : UINT32_MAX);
	if (!more)
		return;
	set_text("police", conf, "user table");
	rig_set("police", conf, "dscp green", 10);
	rig_set("police", conf, "dscp red", 46);
	actions->said[COLOUR_GREEN] = 1u << COLOUR_RED;
	actions->become[COLOUR_GREEN][COLOUR_RED] = COLOUR_RED;
}

static struct task *make(const char *mode, bool more)
{
	_cleanup_free_ void *conf = rig_conf(mode);
	const struct key *keys = task_mode_find(mode)->keys;
	struct err err = {0};
	struct task *t;

	if (strcmp(mode, "police") == 0) {
		set_rate(conf, more);
	} else if (keys != NULL) {
		set_text(mode, conf, "route table");
		set_text(mode, conf, "user table");
		for (const struct key *k = keys; more && k->name != NULL; k++) {
			if (k->kind == &kind_bool)
				*(bool *)((char *)conf + k->offset) = true;
			if (str_eq(k->name, "icmp ipv4"))
				rig_set(mode, conf, k->name, OURS);
			if (str_eq(k->name, "icmp rate"))
				rig_set(mode, conf, k->name, k->max);
		}
	}
	t = rig_task(&rig, mode, conf, &err);
	must(t != NULL);
	return t;
}

static void start(void)
{
	static struct specs specs;
	struct spec *s;
	struct rte_ether_addr own = {{2, 0, 0, 0, 0, 1}};
	struct err err;
	uint16_t port;

	rig_start(&rig);
	// what the templates are sent to; a ring's address is zeros
	must(rte_eth_dev_mac_addr_add(rig.port, &own, 0) == 0);
	out = rig_output(&rig, "out", 4 * BATCH, &port);
	must(specs_get(&specs, "t", &s, &err) == 0);
	must(table_parse(tables_text, strlen(tables_text), "t", s, &err) == 0);
	must(tables_begin(&specs, NULL, &err) == 0);
	for (unsigned i = 0; i < ARRAY_LEN(tasks); i++) {
		tasks[i] = make(modes[i / 2], i % 2 == 1);
		tasks[i]->out[0].port = port;
	}
}

// What packets begin as.
static unsigned template(unsigned kind, uint8_t *at)
{
	struct qinq_hdr q = {
		.dst = {{2, 0, 0, 0, 0, 1}},
		.src = {{2, 0, 0, 0, 16, 2}},
		.stype = RTE_BE16(RTE_ETHER_TYPE_QINQ),
		.stag = RTE_BE16(7),
		.ctype = RTE_BE16(RTE_ETHER_TYPE_VLAN),
		.ctag = RTE_BE16(42),
		.type = kind == 3 ? RTE_BE16(RTE_ETHER_TYPE_ARP) : RTE_BE16(RTE_ETHER_TYPE_IPV4),
	};
	struct tunnel_hdr g = {
		.dst = {{2, 0, 0, 0, 0, 1}},
		.type = RTE_BE16(RTE_ETHER_TYPE_MPLS),
		.label = RTE_BE32(100 << 12 | 1 << 8 | 64),
		.ip = {.version_ihl = 0x45, .time_to_live = 9, .next_proto_id = IPPROTO_GRE},
		.gre_flags = RTE_BE16(GRE_KEY),
		.gre_type = RTE_BE16(RTE_ETHER_TYPE_IPV4),
		.gre_key = RTE_BE32(700042),
	};
	struct rte_ether_hdr e = {
		.dst_addr = {{2, 0, 0, 0, 0, 1}}, .ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4)};
	static const uint8_t arp[] = {0,  1, 8, 0, 6, 4, 0, 1, 2, 0, 0,	 0, 16, 2,
				      10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0,	1};

	switch (kind) {
	case 1:
		memcpy(at, &e, sizeof(e));
		return sizeof(e);
	case 2:
		memcpy(at, &q, sizeof(q));
		return sizeof(q);
	case 3:
		memcpy(at, &q, sizeof(q));
		memcpy(at + sizeof(q), arp, sizeof(arp));
		return 0;
	case 4:
		memcpy(at, &g, sizeof(g));
		return sizeof(g);
	default:
		return 0;
	}
}

// ping: an echo request for the address that is pinged.
static void add_ip(uint8_t *at, unsigned room, bool down, bool ping)
{
	struct rte_ipv4_hdr ip = {
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16((uint16_t)room),
		.time_to_live = 64,
		.next_proto_id = ping ? IPPROTO_ICMP : IPPROTO_UDP,
		.src_addr = down ? RTE_BE32(0x01020304) : RTE_BE32(0x0a000002),
		.dst_addr = down ? RTE_BE32(0x0a000002) : RTE_BE32(0x01020304),
	};

	if (ping) {
		ip.dst_addr = RTE_BE32(OURS);
		at[sizeof(ip)] = 8;
	}
	memcpy(at, &ip, sizeof(ip));
}

static void right_sum(uint8_t *at, unsigned room)
{
	struct rte_ipv4_hdr *ip = (void *)at;
	unsigned len = (at[0] & 15u) * 4;

	if (len < sizeof(*ip) || len > room)
		return;
	ip->hdr_checksum = 0;
	ip->hdr_checksum = (uint16_t)~rte_raw_cksum(at, len);
}

static void build(uint8_t what, unsigned len, const uint8_t *data, unsigned n, uint8_t *ret)
{
	static const uint8_t kinds[] = {0, 1, 2, 3, 4, 1, 2, 4};
	unsigned kind = kinds[what & 7], at;
	bool ping = (what & 7) > 4;
	uint16_t sum;

	memset(ret, 0, LENGTH + 128);
	at = template(kind, ret);
	if (at > 0)
		add_ip(ret + at, len > at ? len - at : 0, kind == 4, ping);
	if (kind == 4)
		((struct tunnel_hdr *)ret)->ip.total_length =
			rte_cpu_to_be_16((uint16_t)(len > 18 ? len - 18 : 0));
	for (unsigned i = 0; i < n && i < len; i++)
		ret[i] ^= data[i];
	if (at > 0 && (what & 8) != 0 && len > at)
		right_sum(ret + at, len - at);
	if (ping && (what & 32) != 0 && len >= at + 28) {
		memset(ret + at + 22, 0, 2);
		sum = (uint16_t)~rte_raw_cksum(ret + at + 20, len - at - 20);
		memcpy(ret + at + 22, &sum, 2);
	}
	if (kind == 4 && (what & 16) != 0 && len > 18)
		right_sum(ret + 18, len - 18);
}

// Bits of how: 0-4 size of segments, 0: one; 5-6: where the packet is in its buffer.
static struct rte_mbuf *make_packet(uint8_t how, const uint8_t *data, unsigned len)
{
	static const uint16_t offsets[] = {RTE_PKTMBUF_HEADROOM, 0, 22, 1900};
	struct rte_mbuf *first = NULL, *last = NULL;
	unsigned segment = (how & 31) * 2, at = 0;

	do {
		unsigned n = len - at;
		struct rte_mbuf *m = rte_pktmbuf_alloc(rig.pool);

		must(m != NULL);
		if (segment > 0 && n > segment)
			n = segment;
		m->data_off = offsets[how >> 5 & 3];
		if (m->data_off + n > m->buf_len)
			m->data_off = (uint16_t)(m->buf_len - n);
		memcpy(rte_pktmbuf_mtod(m, void *), data + at, n);
		m->data_len = (uint16_t)n;
		if (first == NULL)
			first = m;
		else
			last->next = m;
		first->nb_segs = (uint16_t)(first->nb_segs + (m != first));
		first->pkt_len += n;
		last = m;
		at += n;
	} while (at < len);
	return first;
}

// ICMP answers so far. What is answered is counted as a drop as well.
static uint64_t answers_of(struct task *t)
{
	_cleanup_json_ json_t *report = json_object();

	if (t->mode->report != NULL)
		t->mode->report(t, report);
	return (uint64_t)json_integer_value(json_object_get(report, "icmp_sent"));
}

static void check_ip(const struct rte_mbuf *m, unsigned at)
{
	uint8_t room[60];
	const uint8_t *p = rte_pktmbuf_read(m, at, 20, room);

	must(p != NULL && (p[0] >> 4) == 4 && p[8] > 0);
	must((unsigned)(p[2] << 8 | p[3]) + at == m->pkt_len);
	p = rte_pktmbuf_read(m, at, (p[0] & 15u) * 4, room);
	must(p != NULL && rte_raw_cksum(p, (p[0] & 15u) * 4) == 0xffff);
}

// Of a packet that came out: segments and lengths agree, and a routed one has a right header.
static void check(const struct task *t, struct rte_mbuf *m)
{
	const char *mode = t->mode->name;
	uint8_t room[QINQ_LEN];
	const uint8_t *p;

	rte_mbuf_sanity_check(m, 1);
	p = rte_pktmbuf_read(m, 0, sizeof(room), room);
	if (str_eq(mode, "routing")) {
		check_ip(m, t == tasks[1] ? 18 : 14);
	} else if (str_eq(mode, "qinqdecapv4")) {
		must(p != NULL);
		// answers go back in their tags: to ARP, and ICMP
		if (p[12] == 0x88 && p[13] == 0xa8) {
			if (p[21] == 6)
				must(p[20] == 8 && m->pkt_len == QINQ_LEN + 28);
			else
				check_ip(m, QINQ_LEN);
			return;
		}
		check_ip(m, 18);
		check_ip(m, TUNNEL_LEN);
	} else if (str_eq(mode, "qinqencapv4")) {
		must(p != NULL);
		// an answer goes back in the tunnel, without a label
		if (p[12] == 8) {
			check_ip(m, 14);
			check_ip(m, TUNNEL_LEN - 4);
		} else {
			check_ip(m, QINQ_LEN);
		}
	}
}

static void run(struct task *t, unsigned n)
{
	const struct task_counters before = t->counters, *c = &t->counters;
	uint64_t drops = 0, answers = answers_of(t);
	struct rte_mbuf *m;
	unsigned tx = 0;

	while (t->poll(t) > 0)
		;
	for (; rte_ring_dequeue(out, (void **)&m) == 0; tx++) {
		check(t, m);
		rte_pktmbuf_free(m);
	}
	for (unsigned i = 0; i < DROP_COMMON + TASK_DROPS; i++)
		drops += c->drops[i] - before.drops[i];
	answers = answers_of(t) - answers;
	must(c->rx - before.rx == n && c->tx - before.tx == tx && tx + drops == n + answers);
	must(rte_mempool_avail_count(rig.pool) == rig.pool->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t packet[LENGTH + 128] __rte_aligned(16);
	struct task *t;
	unsigned n = 0;

	if (out == NULL)
		start();
	if (len == 0)
		return 0;
	t = tasks[data[0] % ARRAY_LEN(tasks)];
	data++;
	len--;
	while (len >= 3) {
		uint8_t how = data[0], what = data[1];
		unsigned size = data[2], given = size < len - 3 ? size : (unsigned)(len - 3);

		build(what, size, data + 3, given, packet);
		must(rte_ring_enqueue(rig.ring, make_packet(how, packet, size)) == 0);
		data += 3 + given;
		len -= 3 + given;
		if (++n == BATCH) {
			run(t, n);
			n = 0;
		}
	}
	run(t, n);
	return 0;
}
