// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Load balancers and labels, with packets of one segment and of segments of every size.

#include "unit.h"

#include "drover_rig.h"
#include "task/proto/qinq.h"

#define OUTPUTS 4

static struct rig rig;
static struct rte_ring *rings[OUTPUTS];
static uint16_t ports[OUTPUTS];

static struct task *make(const char *mode, const char *yes)
{
	_cleanup_free_ void *conf = rig_conf(mode);
	struct err err = {0};
	struct task *t;

	if (yes != NULL)
		rig_set(mode, conf, yes, 1);
	t = rig_task(&rig, mode, conf, &err);
	assert_non_null(t);
	task_end(t);
	t->nout = OUTPUTS;
	for (unsigned i = 0; i < OUTPUTS; i++)
		t->out[i] = (struct task_out){.port = ports[i]};
	t->set[PROTO_IPV4] = (struct task_set){0, 3};
	t->set[PROTO_ARP] = (struct task_set){3, 1};
	assert_ok(task_begin(t, conf, &err), &err);
	return t;
}

// Sends it through; which output it left by, -1: none. *ret is what came out: free it.
static int pass(
	struct task *t, const void *data, unsigned len, unsigned segment, struct rte_mbuf **ret
)
{
	int by = -1;

	assert_int_equal(rte_ring_enqueue(rig.ring, rig_packet(&rig, data, len, segment)), 0);
	assert_int_equal(t->poll(t), 1);
	*ret = NULL;
	for (unsigned i = 0; i < OUTPUTS; i++) {
		if (rte_ring_dequeue(rings[i], (void **)ret) == 0) {
			assert_int_equal(by, -1);
			by = (int)i;
		}
	}
	return by;
}

static void assert_packet(struct rte_mbuf *m, const void *want, unsigned len)
{
	uint8_t room[256];

	assert_non_null(m);
	assert_int_equal(m->pkt_len, len);
	assert_memory_equal(rte_pktmbuf_read(m, 0, len, room), want, len);
	rte_pktmbuf_free(m);
	assert_int_equal(rte_mempool_avail_count(rig.pool), rig.pool->size);
}

static void assert_dropped(struct task *t, const void *data, unsigned len, const char *why)
{
	const struct task_counters before = t->counters;
	struct rte_mbuf *m;

	assert_int_equal(pass(t, data, len, 0, &m), -1);
	for (unsigned i = 0; task_drop_name(t->mode, i) != NULL; i++)
		assert_int_equal(
			t->counters.drops[i] - before.drops[i],
			strcmp(task_drop_name(t->mode, i), why) == 0
		);
	assert_int_equal(rte_mempool_avail_count(rig.pool), rig.pool->size);
}

static void qinq(uint8_t *at, uint16_t s, uint16_t c, uint16_t type)
{
	struct qinq_hdr h = {
		.dst = {{2, 1}},
		.src = {{2, 2}},
		.stype = RTE_BE16(RTE_ETHER_TYPE_QINQ),
		.stag = rte_cpu_to_be_16(s),
		.ctype = RTE_BE16(RTE_ETHER_TYPE_VLAN),
		.ctag = rte_cpu_to_be_16(c),
		.type = rte_cpu_to_be_16(type),
	};

	memset(at, 0x45, 60);
	memcpy(at, &h, sizeof(h));
}

// Every output has its share, within a third.
static void assert_even(const unsigned *count, unsigned n, unsigned total)
{
	for (unsigned i = 0; i < n; i++)
		assert_in_range(count[i], total / n * 2 / 3, total / n * 4 / 3);
}

static void test_lbqinq(void **state)
{
	struct task *t = make("lbqinq", NULL);
	unsigned count[3] = {0};
	struct rte_mbuf *m;
	uint8_t p[60];

	(void)state;
	for (uint16_t i = 0; i < 3000; i++) {
		int by, again;

		qinq(p, (uint16_t)(i / 500), i % 500, RTE_ETHER_TYPE_IPV4);
		by = pass(t, p, sizeof(p), 0, &m);
		assert_in_range(by, 0, 2);
		assert_int_equal(m->port, rig.port); // where it came from
		assert_packet(m, p, sizeof(p));
		count[by]++;
		// whatever else it is, and however it lies in memory
		qinq(p,
		     (uint16_t)(i / 500 | 0xa000),
		     (uint16_t)(i % 500 | 0x7000),
		     RTE_ETHER_TYPE_IPV6);
		p[30]++;
		again = pass(t, p, sizeof(p), 1 + i % 59, &m);
		assert_int_equal(by, again);
		assert_packet(m, p, sizeof(p));
	}
	assert_even(count, 3, 3000);
	qinq(p, 1, 1, RTE_ETHER_TYPE_ARP);
	assert_int_equal(pass(t, p, sizeof(p), 0, &m), 3);
	assert_packet(m, p, sizeof(p));
	for (unsigned len = 1; len < QINQ_LEN; len++)
		assert_dropped(t, p, len, "too short");
	p[12] = 0x81;
	p[13] = 0;
	assert_dropped(t, p, sizeof(p), "not qinq");
	rig_done(t);
}

static void tunnel(uint8_t *at, uint32_t key, unsigned labels)
{
	struct rte_ether_hdr eth = {
		.dst_addr = {{2, 1}},
		.src_addr = {{2, 2}},
		.ether_type =
			labels > 0 ? RTE_BE16(RTE_ETHER_TYPE_MPLS) : RTE_BE16(RTE_ETHER_TYPE_IPV4),
	};
	struct rte_ipv4_hdr ip = {.version_ihl = 0x45, .next_proto_id = IPPROTO_GRE};

	memset(at, 0x11, 128);
	memcpy(at, &eth, sizeof(eth));
	at += sizeof(eth);
	for (unsigned i = 1; i <= labels; i++, at += 4) {
		uint32_t label =
			rte_cpu_to_be_32((15 + i) << 12 | (uint32_t)(i == labels) << 8 | 64);

		memcpy(at, &label, sizeof(label));
	}
	memcpy(at, &ip, sizeof(ip));
	key = rte_cpu_to_be_32(key);
	memcpy(at + sizeof(ip) + 4, &key, sizeof(key));
}

static void test_lbnetwork(void **state)
{
	struct task *t = make("lbnetwork", NULL), *untag = make("lbnetwork", "untag mpls");
	unsigned count[3] = {0};
	struct rte_mbuf *m;
	uint8_t p[128], bare[128];

	(void)state;
	for (uint32_t i = 0; i < 3000; i++) {
		int by;

		tunnel(bare, i, 0);
		by = pass(t, bare, 80, 0, &m);
		assert_in_range(by, 0, 2);
		assert_packet(m, bare, 80);
		count[by]++;
		tunnel(p, i, i % 9);
		assert_int_equal(pass(t, p, 80, 1 + i % 79, &m), by);
		assert_packet(m, p, 80);
		assert_int_equal(pass(untag, p, 80 + i % 9 * 4, 1 + i % 97, &m), by);
		assert_packet(m, bare, 80);
	}
	assert_even(count, 3, 3000);
	tunnel(p, 1, 9);
	assert_dropped(t, p, 100, "bad labels");
	assert_dropped(untag, p, 100, "bad labels");
	tunnel(p, 1, 1);
	for (unsigned len = 1; len < 14 + 4 + 28; len++) {
		assert_dropped(t, p, len, "too short");
		assert_dropped(untag, p, len, "too short");
	}
	p[18 + 9] = IPPROTO_UDP;
	assert_dropped(t, p, 80, "not gre");
	tunnel(p, 1, 0);
	p[12] = 0x86;
	assert_dropped(t, p, 80, "not gre");
	tunnel(p, 1, 0);
	p[14 + 7] = 1; // a fragment that is not the first
	assert_dropped(t, p, 80, "not gre");
	rig_done(t);
	rig_done(untag);
}

static void test_lb5tuple(void **state)
{
	struct task *t = make("lb5tuple", NULL);
	unsigned count[3] = {0};
	struct rte_mbuf *m;
	uint8_t p[64] = {2};

	(void)state;
	p[12] = 8;
	p[14] = 0x45;
	p[14 + 9] = IPPROTO_TCP;
	for (uint32_t i = 0; i < 3000; i++) {
		int by;

		p[26 + i % 8] = (uint8_t)i;
		p[34 + i % 4] = (uint8_t)(i >> 4);
		by = pass(t, p, sizeof(p), 0, &m);
		assert_in_range(by, 0, 2);
		assert_packet(m, p, sizeof(p));
		count[by]++;
		p[50]++;
		assert_int_equal(pass(t, p, sizeof(p), 1 + i % 63, &m), by);
		assert_packet(m, p, sizeof(p));
	}
	assert_even(count, 3, 3000);
	// fragments of a packet stay together: what looks like ports is none
	p[14 + 6] = 0x20;
	int by = pass(t, p, sizeof(p), 0, &m);
	assert_packet(m, p, sizeof(p));
	p[14 + 6] = 0;
	p[14 + 7] = 9;
	memset(p + 34, 0xff, 8);
	assert_int_equal(pass(t, p, sizeof(p), 0, &m), by);
	assert_packet(m, p, sizeof(p));
	p[14 + 7] = 0;
	for (unsigned len = 14; len < 38; len++)
		assert_dropped(t, p, len, "too short");
	p[14] = 0x44;
	assert_dropped(t, p, sizeof(p), "not ipv4");
	p[13] = 6;
	assert_dropped(t, p, sizeof(p), "not ipv4");
	assert_dropped(t, p, 20, "not ipv4");
	rig_done(t);
}

static void test_labels(void **state)
{
	struct task *un = make("unmpls", NULL), *tag = make("tagmpls", "label");
	struct rte_mbuf *m;
	uint8_t p[128], bare[128];

	(void)state;
	tunnel(bare, 5, 0);
	for (unsigned labels = 0; labels <= 8; labels++) {
		for (unsigned segment = 0; segment < 80; segment++) {
			tunnel(p, 5, labels);
			assert_int_equal(pass(un, p, 80 + labels * 4, segment, &m), 0);
			assert_packet(m, bare, 80);
		}
	}
	tunnel(p, 5, 9);
	assert_dropped(un, p, 120, "bad labels");
	tunnel(p, 5, 2);
	for (unsigned len = 14; len < 14 + 9; len++)
		assert_dropped(un, p, len, "too short");
	// one label in front of it; one more on top of it
	tunnel(p, 5, 1);
	memcpy(p + 14, "\x00\x00\x11", 3); // label 1
	assert_int_equal(pass(tag, bare, 80, 7, &m), 0);
	assert_packet(m, p, 84);
	tunnel(bare, 5, 1);
	assert_int_equal(pass(tag, bare, 84, 0, &m), 0);
	memcpy(p + 18, bare + 14, 84 - 14);
	p[16] = 0x10; // not the bottom
	assert_packet(m, p, 88);
	for (unsigned len = 1; len < 14; len++)
		assert_dropped(tag, p, len, "too short");
	rig_done(un);
	rig_done(tag);
}

static int start(void **state)
{
	(void)state;
	rig_start(&rig);
	for (unsigned i = 0; i < OUTPUTS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "out%u", i);
		rings[i] = rig_output(&rig, name, 63, &ports[i]);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lbqinq),
		cmocka_unit_test(test_lbnetwork),
		cmocka_unit_test(test_lb5tuple),
		cmocka_unit_test(test_labels),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
