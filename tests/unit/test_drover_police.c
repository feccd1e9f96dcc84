// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The policer's colours are those of RFC 2697 and 2698 for buckets that do not fill up while the test runs
// (a byte a second); each subscriber has buckets of its own; what is marked keeps a right checksum.

#include "unit.h"

#include "config/key.h"
#include "drover_rig.h"
#include "table/file.h"
#include "table/tables.h"
#include "table/users.h"
#include "task/proto/ip4.h"
#include "task/proto/qinq.h"
#include "task/vnf/police_packet.h"

#include <jansson.h>

#define LEN 100

static struct rig rig;
static struct rte_ring *out;
static uint16_t out_port;
static struct specs specs;

static const char table[] = "user,7,42,700042\nuser,7,43,700043\n";

struct want {
	uint64_t cir, cbs, ebs, pir, pbs;
	const char *sub_mode, *users;
	const char *actions[4];
	int dscp[COLOURS]; // 0: not said
};

static void set(void *conf, const char *key, const char *value)
{
	const struct key *k = key_find(task_mode_find("police")->keys, key);
	struct err err = {0};

	assert_non_null(k);
	assert_ok(key_parse(k, value, conf, &err), &err);
}

static void set_number(void *conf, const char *key, uint64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	if (v > 0)
		set(conf, key, text);
}

static struct task *try_make(const struct want *w, struct err *err)
{
	_cleanup_free_ void *conf = rig_conf("police");
	static const char *const dscp[COLOURS] = {"dscp green", "dscp yellow", "dscp red"};
	struct task *t;

	set_number(conf, "cir", w->cir);
	set_number(conf, "cbs", w->cbs);
	set_number(conf, "ebs", w->ebs);
	set_number(conf, "pir", w->pir);
	set_number(conf, "pbs", w->pbs);
	set(conf, "overhead", "0");
	if (w->sub_mode != NULL)
		set(conf, "sub mode", w->sub_mode);
	if (w->users != NULL)
		set(conf, "user table", w->users);
	for (unsigned i = 0; i < 4 && w->actions[i] != NULL; i++)
		set(conf, "police action", w->actions[i]);
	for (unsigned i = 0; i < COLOURS; i++)
		set_number(conf, dscp[i], (uint64_t)w->dscp[i]);
	t = rig_task(&rig, "police", conf, err);
	if (t != NULL)
		t->out[0].port = out_port;
	return t;
}

static struct task *make(const struct want *w)
{
	struct err err = {0};
	struct task *t = try_make(w, &err);

	if (t == NULL)
		fail_msg("%s", err.msg);
	return t;
}

static void pass(struct task *t, const void *data, unsigned len, unsigned segment)
{
	assert_int_equal(rte_ring_enqueue(rig.ring, rig_packet(&rig, data, len, segment)), 0);
	assert_int_equal(t->poll(t), 1);
}

// Takes what came out; its bytes are put into ret. False: nothing.
static bool came(uint8_t *ret, unsigned len)
{
	struct rte_mbuf *m;
	const void *p;

	if (rte_ring_dequeue(out, (void **)&m) != 0)
		return false;
	assert_int_equal(m->pkt_len, len);
	p = rte_pktmbuf_read(m, 0, len, ret);
	if (p != ret)
		memcpy(ret, p, len);
	rte_pktmbuf_free(m);
	assert_int_equal(rte_mempool_avail_count(rig.pool), rig.pool->size);
	return true;
}

static uint64_t number(struct task *t, const char *key)
{
	json_t *o = json_object();
	uint64_t v;

	t->mode->report(t, o);
	v = (uint64_t)json_integer_value(json_object_get(o, key));
	json_decref(o);
	return v;
}

static void assert_colours(struct task *t, unsigned green, unsigned yellow, unsigned red)
{
	assert_int_equal(number(t, "green"), green);
	assert_int_equal(number(t, "yellow"), yellow);
	assert_int_equal(number(t, "red"), red);
	assert_int_equal(number(t, "red_bytes"), red * LEN);
}

static void one_rate(void **)
{
	struct task *t = make(&(struct want){.cir = 1, .cbs = 3 * LEN, .ebs = 2 * LEN});
	uint8_t p[LEN] = {2}, got[LEN];

	for (unsigned i = 0; i < 9; i++) {
		pass(t, p, LEN, i);
		assert_int_equal(came(got, LEN), i < 5);
	}
	assert_colours(t, 3, 2, 4);
	assert_int_equal(t->counters.drops[DROP_COMMON + 2], 4);
	assert_int_equal(t->counters.rx_bytes, 9 * LEN);
	t->mode->clear(t);
	assert_colours(t, 0, 0, 0);
	rig_done(t);
}

static void two_rates(void **)
{
	struct task *t = make(&(struct want){
		.cir = 1, .cbs = 2 * LEN, .pir = 1, .pbs = 5 * LEN, .sub_mode = "trtcm"});
	uint8_t p[LEN] = {2}, got[LEN];

	for (unsigned i = 0; i < 9; i++) {
		pass(t, p, LEN, i);
		assert_int_equal(came(got, LEN), i < 5);
	}
	assert_colours(t, 2, 3, 4);
	rig_done(t);
}

// Packets of a size that a bucket does not hold leave it to smaller ones.
static void what_is_left(void **)
{
	struct task *t = make(&(struct want){.cir = 1, .cbs = LEN + 20});
	uint8_t p[LEN] = {2}, got[LEN];

	pass(t, p, LEN, 0);
	assert_true(came(got, LEN));
	pass(t, p, 21, 0);
	assert_false(came(got, 21));
	pass(t, p, 20, 0);
	assert_true(came(got, 20));
	rig_done(t);
}

// A bucket fills up with time, and not above its size.
static void refill(void **)
{
	struct task *t = make(&(struct want){.cir = 1000000000, .cbs = LEN});
	uint8_t p[LEN] = {2}, got[LEN];

	for (unsigned i = 0; i < 20; i++) {
		pass(t, p, LEN, 0);
		assert_true(came(got, LEN));
		rte_delay_us_block(1); // worth 1000 bytes
	}
	assert_colours(t, 20, 0, 0);
	rig_done(t);
}

static void actions(void **)
{
	struct task *t = make(&(struct want){
		.cir = 1,
		.cbs = LEN,
		.ebs = LEN,
		.actions =
			{
				"drop io=green,green",
				"red io=green, yellow",
				"GREEN  io=Green,red",
				"drop io=red,red",
			},
	});
	uint8_t p[LEN] = {2}, got[LEN];

	for (unsigned i = 0; i < 6; i++) {
		pass(t, p, LEN, i);
		assert_int_equal(came(got, LEN), i > 0);
	}
	assert_colours(t, 1, 1, 4);
	assert_int_equal(t->counters.drops[DROP_COMMON], 1);
	rig_done(t);
}

static void ip_packet(uint8_t *p, uint8_t tos)
{
	struct rte_ipv4_hdr ip = {
		.version_ihl = 0x45,
		.type_of_service = tos,
		.total_length = RTE_BE16(LEN - 14),
		.time_to_live = 9,
		.next_proto_id = 17,
		.src_addr = RTE_BE32(0x0a000001),
		.dst_addr = RTE_BE32(0x0a000002),
	};

	memset(p, 0x33, LEN);
	p[12] = 8;
	p[13] = 0;
	ip.hdr_checksum = rte_ipv4_cksum(&ip);
	memcpy(p + 14, &ip, sizeof(ip));
}

static void marks(void **)
{
	struct task *t = make(&(struct want){
		.cir = 1,
		.cbs = 300 * LEN,
		.ebs = 300 * LEN,
		.dscp = {10, 63, 0},
	});
	uint8_t p[LEN], want[LEN], got[LEN];

	for (unsigned i = 0; i < 600; i++) {
		uint8_t tos = (uint8_t)(i * 7);

		ip_packet(p, tos);
		ip_packet(want, (uint8_t)((i < 300 ? 10 : 63) << 2 | (tos & 3)));
		pass(t, p, LEN, i % 5 == 0 ? 1 + i % 40 : 0);
		assert_true(came(got, LEN));
		assert_true(ip4_sum(got + 14) == 0xffff);
		assert_memory_equal(got, want, LEN);
	}
	assert_colours(t, 300, 300, 0);
	rig_done(t);
}

// Marks what is where an IPv6 header is, behind tags and labels, and nothing else.
static void marks_where(void **)
{
	struct task *t = make(&(struct want){.cir = 1, .cbs = 1 << 20, .dscp = {46}});
	uint8_t p[LEN], want[LEN], got[LEN];

	memset(p, 0, LEN);
	p[12] = 0x86;
	p[13] = 0xdd;
	p[14] = 0x6f;
	p[15] = 0xff;
	memcpy(want, p, LEN);
	want[14] = 0x60 | 46 >> 2;
	want[15] = (uint8_t)(46 << 6 | 0x3f); // of the class the congestion bits stay
	pass(t, p, LEN, 3);
	assert_true(came(got, LEN));
	assert_memory_equal(got, want, LEN);
	p[14] = 0x4f; // not version 6
	pass(t, p, LEN, 0);
	assert_true(came(got, LEN));
	assert_memory_equal(got, p, LEN);
	// cut within the header
	ip_packet(p, 0);
	for (unsigned len = 1; len < 34; len++) {
		pass(t, p, len, 0);
		assert_true(came(got, len));
		assert_memory_equal(got, p, len);
	}
	rig_done(t);
}

static void qinq(uint8_t *p, uint16_t s, uint16_t c)
{
	const struct qinq_hdr h = {
		.stype = RTE_BE16(RTE_ETHER_TYPE_QINQ),
		.stag = rte_cpu_to_be_16(s),
		.ctype = RTE_BE16(RTE_ETHER_TYPE_VLAN),
		.ctag = rte_cpu_to_be_16(c),
		.type = RTE_BE16(RTE_ETHER_TYPE_IPV4),
	};

	memset(p, 0x45, LEN);
	memcpy(p, &h, sizeof(h));
}

static void tunnel(uint8_t *p, uint32_t key, bool label)
{
	const struct rte_ether_hdr eth = {
		.ether_type = label ? RTE_BE16(RTE_ETHER_TYPE_MPLS) : RTE_BE16(RTE_ETHER_TYPE_IPV4),
	};
	const struct rte_ipv4_hdr ip = {.version_ihl = 0x45, .next_proto_id = 47};
	const uint32_t bottom = RTE_BE32(5 << 12 | 1 << 8 | 64);

	memset(p, 0, LEN);
	memcpy(p, &eth, sizeof(eth));
	p += sizeof(eth);
	if (label) {
		memcpy(p, &bottom, 4);
		p += 4;
	}
	memcpy(p, &ip, sizeof(ip));
	p[20] = 0x20;
	key = rte_cpu_to_be_32(key);
	memcpy(p + 24, &key, 4);
}

static void subscribers(void **)
{
	struct task *t = make(&(struct want){.cir = 1, .cbs = 6 * LEN, .users = "t"});
	uint8_t p[LEN], got[LEN];
	unsigned passed[2] = {0};

	assert_true(number(t, "meters") >= 2);
	// six of each, in whichever shape they come
	for (unsigned i = 0; i < 60; i++) {
		unsigned who = i % 2;

		if (i % 6 < 2)
			qinq(p, (uint16_t)(7 | i << 13), (uint16_t)(42 + who));
		else
			tunnel(p, 700042 + who, i % 6 < 4);
		pass(t, p, LEN, i % 7 == 0 ? 5 : 0);
		passed[who] += came(got, LEN);
	}
	assert_int_equal(passed[0], 6);
	assert_int_equal(passed[1], 6);
	// nobody's
	qinq(p, 7, 44);
	pass(t, p, LEN, 0);
	tunnel(p, 700044, true);
	pass(t, p, LEN, 0);
	tunnel(p, 700042, false);
	p[14 + 20] = 0; // no key
	pass(t, p, LEN, 0);
	tunnel(p, 700042, false);
	p[14 + 7] = 1; // a fragment that is not the first
	pass(t, p, LEN, 0);
	tunnel(p, 700042, true);
	for (unsigned len = 1; len < 14 + 4 + 28; len++)
		pass(t, p, len, 0);
	assert_int_equal(t->counters.drops[DROP_COMMON + COLOURS], 4 + 45);
	assert_false(came(got, LEN));
	assert_int_equal(rte_mempool_avail_count(rig.pool), rig.pool->size);
	rig_done(t);
}

// One who was added since has a meter, be it another's.
static void added_later(void **)
{
	struct task *t = make(&(struct want){.cir = 1, .cbs = LEN, .users = "t"});
	struct user_table *users;
	struct err err = {0};
	uint8_t p[LEN], got[LEN];

	assert_ok(tables_users("t", SOCKET_ID_ANY, &users, &err), &err);
	for (uint16_t i = 0; i < 50; i++) {
		struct user u = {.gre_id = 700100u + i, .svlan = 9, .cvlan = i};

		assert_ok(user_table_add(users, &u, &err), &err);
		qinq(p, 9, i);
		pass(t, p, LEN, 0);
		came(got, LEN);
	}
	assert_int_equal(t->counters.drops[DROP_COMMON + COLOURS], 0);
	assert_int_equal(t->counters.tx + t->counters.drops[DROP_COMMON + 2], 50);
	for (uint32_t i = 0; i < 50; i++)
		assert_ok(user_table_del(users, 700100 + i, &err), &err);
	rig_done(t);
}

static void refused(void **)
{
	static const struct {
		struct want w;
		const char *says;
	} cases[] = {
		{{.cbs = 1}, "cir= is missing"},
		{{.cir = 1}, "cbs= is missing"},
		{{.cir = 1, .cbs = 1, .pir = 2}, "pir= and pbs= are of sub mode=trtcm"},
		{{.cir = 1, .cbs = 1, .sub_mode = "trtcm"}, "pir= is missing"},
		{{.cir = 1, .pir = 1, .pbs = 1, .sub_mode = "trtcm"}, "cbs= is missing"},
		{{.cir = 1, .pir = 1, .cbs = 1, .sub_mode = "trtcm"}, "pbs= is missing"},
		{{.cir = 2, .pir = 1, .cbs = 1, .pbs = 1, .sub_mode = "trtcm"}, "pir=1 is below"},
		{{.cir = 2, .cbs = 1, .ebs = 1, .sub_mode = "trtcm"}, "ebs= is of sub mode=srtcm"},
		{{.cir = 1, .cbs = 1, .users = "nobody"}, "nobody"},
	};
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		memset(&err, 0, sizeof(err));
		assert_null(try_make(&cases[i].w, &err));
		assert_contains(err.msg, cases[i].says);
	}
}

static void action_texts(void **)
{
	static const char *const wrong[] = {
		"drop",
		"blue io=green,green",
		"drop io=green",
		"drop io=drop,red",
		"drop io=green,drop",
		"drop io=green,red x",
		"dropio=green,red",
		"drop  io=,red",
	};
	const struct key *k = key_find(task_mode_find("police")->keys, "police action");
	_cleanup_free_ void *conf = rig_conf("police");
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_fails(key_parse(k, wrong[i], conf, &err), &err, "io=IN,OUT");
	k = key_find(task_mode_find("police")->keys, "sub mode");
	assert_fails(key_parse(k, "three", conf, &err), &err, "srtcm|trtcm");
}

static int start(void **)
{
	struct spec *s;
	struct err err;

	rig_start(&rig);
	out = rig_output(&rig, "out", 63, &out_port);
	rig_must(specs_get(&specs, "t", &s, &err) == 0);
	rig_must(table_parse(table, strlen(table), "t", s, &err) == 0);
	rig_must(tables_begin(&specs, NULL, &err) == 0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_rate),
		cmocka_unit_test(two_rates),
		cmocka_unit_test(what_is_left),
		cmocka_unit_test(refill),
		cmocka_unit_test(actions),
		cmocka_unit_test(marks),
		cmocka_unit_test(marks_where),
		cmocka_unit_test(subscribers),
		cmocka_unit_test(added_later),
		cmocka_unit_test(refused),
		cmocka_unit_test(action_texts),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
