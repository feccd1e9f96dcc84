// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Routing and both halves of the BNG against packets that scapy built (tests/golden/drover-bng.txt, made
// by tests/e2e/bng_packets.py, which an end-to-end test compares with it): one at a time, many in one
// burst, in one buffer, in segments, at every place in a buffer.

#include "unit.h"

#include "drover_rig.h"
#include "table/file.h"
#include "table/tables.h"

#include <stdlib.h>

#define CASES 1024
#define SIZE 2000

static const char tables_text[] =
	"hop,0,192.0.2.1,02:00:00:00:01:01,100,0\nhop,1,192.0.2.2,02:00:00:00:01:02,1048575,0\n"
	"route,198.18.0.0/15,0\nroute,198.19.128.0/17,1\nroute,198.19.200.7/32,0\n"
	"route,203.0.113.0/24,1\n"
	"user,7,42,700042\nuser,7,43,700043\nuser,4095,4095,700044\nuser,0,0,700045\n"
	"cpe,700042,10.0.0.2,02:00:00:00:10:02,0\n";

struct one {
	char mode[16], name[64], why[32]; // why: "" when it comes out
	unsigned in_len, out_len;
	uint8_t in[SIZE], out[SIZE];
};

static struct rig rig;
static struct one *cases;
static unsigned ncases;

static unsigned unhex(const char *s, uint8_t *ret)
{
	unsigned n = 0;

	for (; s[0] != '\0' && s[1] != '\0'; s += 2) {
		char pair[3] = {s[0], s[1], '\0'}, *end;

		rig_must(n < SIZE);
		ret[n++] = (uint8_t)strtoul(pair, &end, 16);
		if (*end != '\0')
			return 0;
	}
	return n;
}

static void read_cases(void)
{
	static char line[4 * SIZE + 256];
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/golden/drover-bng.txt", getenv("PINFOLD_SOURCE"));
	f = fopen(path, "re");
	rig_must(f != NULL);
	cases = calloc(CASES, sizeof(*cases));
	rig_must(cases != NULL);
	while (fgets(line, sizeof(line), f) != NULL) {
		struct one *c = &cases[ncases++];
		char *at = line, *field[4];

		rig_must(ncases <= CASES);
		line[strcspn(line, "\n")] = '\0';
		for (unsigned i = 0; i < 4; i++)
			field[i] = strsep(&at, "|");
		rig_must(field[3] != NULL);
		snprintf(c->mode, sizeof(c->mode), "%s", field[0]);
		snprintf(c->name, sizeof(c->name), "%s", field[1]);
		c->in_len = unhex(field[2], c->in);
		if (strlen(field[3]) < sizeof(c->why))
			snprintf(c->why, sizeof(c->why), "%s", field[3]);
		else
			c->out_len = unhex(field[3], c->out);
		rig_must(c->in_len > 0 && (c->out_len > 0 || c->why[0] != '\0'));
	}
	fclose(f);
	rig_must(ncases > 100);
}

static unsigned timeout_ms; // of CPEs; 0: as it is when not said

static struct task *make(const char *mode)
{
	_cleanup_free_ void *conf = rig_conf(mode);
	struct err err = {0};
	struct task *t;

	if (strcmp(mode, "qinqencapv4") != 0)
		strcpy(rig_at(mode, conf, "route table"), "t");
	if (strcmp(mode, "routing") != 0)
		strcpy(rig_at(mode, conf, "user table"), "t");
	if (strcmp(mode, "qinqdecapv4") == 0) {
		rig_set(mode, conf, "local ipv4", 0xc00002fe);
		rig_set(mode, conf, "handle arp", 1);
	}
	if (timeout_ms != 0 && strcmp(mode, "qinqencapv4") == 0)
		rig_set(mode, conf, "cpe table timeout ms", timeout_ms);
	t = rig_task(&rig, mode, conf, &err);
	if (t == NULL)
		fail_msg("%s", err.msg);
	return t;
}

static uint64_t drops_of(const struct task *t, const char *why)
{
	for (unsigned i = 0; task_drop_name(t->mode, i) != NULL; i++) {
		if (strcmp(task_drop_name(t->mode, i), why) == 0)
			return t->counters.drops[i];
	}
	fail_msg("%s has no drop reason '%s'", t->mode->name, why);
	return 0;
}

static void assert_came(const struct one *c, struct rte_mbuf *m)
{
	uint8_t room[SIZE];

	if (m == NULL || m->pkt_len != c->out_len
	    || memcmp(rte_pktmbuf_read(m, 0, c->out_len, room), c->out, c->out_len) != 0)
		fail_msg("%s: '%s' came out wrong", c->mode, c->name);
	rte_mbuf_sanity_check(m, 1);
	rte_pktmbuf_free(m);
}

static struct rte_mbuf *packet(const struct one *c, unsigned segment)
{
	return rig_packet(&rig, c->in, c->in_len, segment);
}

// One at a time.
static void run_alone(const char *mode, unsigned segment)
{
	struct task *t = make(mode);
	unsigned n = 0;

	for (unsigned i = 0; i < ncases; i++) {
		const struct one *c = &cases[i];
		uint64_t before;
		struct rte_mbuf *m = NULL;

		if (strcmp(c->mode, mode) != 0)
			continue;
		before = c->out_len == 0 ? drops_of(t, c->why) : 0;
		assert_int_equal(rte_ring_enqueue(rig.ring, packet(c, segment)), 0);
		assert_int_equal(t->poll(t), 1);
		rte_ring_dequeue(rig.ring, (void **)&m);
		if (c->out_len > 0)
			assert_came(c, m);
		else if (m != NULL || drops_of(t, c->why) != before + 1)
			fail_msg("%s: '%s' is not dropped as %s", mode, c->name, c->why);
		if (rte_mempool_avail_count(rig.pool) != rig.pool->size)
			fail_msg("%s: '%s' lost a buffer", mode, c->name);
		n++;
	}
	assert_true(n > 50);
	rig_done(t);
}

// Bursts of all kinds, in their order.
static void run_bursts(const char *mode, unsigned segment)
{
	struct task *t = make(mode);

	for (unsigned size = 1; size <= BURST; size += 3) {
		for (unsigned i = 0; i < ncases;) {
			const struct one *sent[BURST];
			unsigned n = 0;
			struct rte_mbuf *m = NULL;

			for (; i < ncases && n < size; i++) {
				if (strcmp(cases[i].mode, mode) == 0)
					sent[n++] = &cases[i];
			}
			for (unsigned k = 0; k < n; k++)
				assert_int_equal(
					rte_ring_enqueue(rig.ring, packet(sent[k], segment)), 0
				);
			assert_int_equal(t->poll(t), n);
			for (unsigned k = 0; k < n; k++) {
				if (sent[k]->out_len == 0)
					continue;
				assert_int_equal(rte_ring_dequeue(rig.ring, (void **)&m), 0);
				assert_came(sent[k], m);
			}
			assert_int_equal(rig_drain(&rig), 0);
		}
	}
	assert_int_equal(rte_mempool_avail_count(rig.pool), rig.pool->size);
	rig_done(t);
}

static const char *const modes[] = {"routing", "qinqdecapv4", "qinqencapv4"};

static void test_one_segment(void **state)
{
	(void)state;
	for (unsigned k = 0; k < ARRAY_LEN(modes); k++)
		run_alone(modes[k], 0);
}

static void test_segments(void **state)
{
	(void)state;
	for (unsigned k = 0; k < ARRAY_LEN(modes); k++) {
		for (unsigned segment = 1; segment < 100; segment += segment < 50 ? 1 : 7)
			run_alone(modes[k], segment);
	}
}

static void test_bursts(void **state)
{
	(void)state;
	for (unsigned k = 0; k < ARRAY_LEN(modes); k++) {
		run_bursts(modes[k], 0);
		run_bursts(modes[k], 40);
	}
}

// Without room in front nothing grows, and nothing is written outside.
static void test_headroom(void **state)
{
	struct task *t = make("qinqdecapv4");
	const struct one *c = cases;

	(void)state;
	while (strcmp(c->mode, "qinqdecapv4") != 0 || c->out_len == 0)
		c++;
	// DPDK's own headers are for even addresses, where every driver puts packets
	for (uint16_t room = 0; room < 40; room += 2) {
		struct rte_mbuf *m = packet(c, 0), *out = NULL;

		memmove((char *)m->buf_addr + room, rte_pktmbuf_mtod(m, void *), c->in_len);
		m->data_off = room;
		assert_int_equal(rte_ring_enqueue(rig.ring, m), 0);
		assert_int_equal(t->poll(t), 1);
		rte_ring_dequeue(rig.ring, (void **)&out);
		if (room >= 24)
			assert_came(c, out);
		else
			assert_null(out);
	}
	assert_int_equal(drops_of(t, "no headroom"), 12);
	rig_done(t);
}

// The packet of a case, of subscriber 700043, whose CPE nobody configured.
static struct rte_mbuf *of_another(
	const struct one *c, unsigned at, const char *was, const char *is
)
{
	struct rte_mbuf *m = packet(c, 0);
	char *p = rte_pktmbuf_mtod_offset(m, char *, at);

	assert_memory_equal(p, was, 4);
	memcpy(p, is, 4);
	return m;
}

static const struct one *first_case(const char *mode)
{
	const struct one *c = cases;

	while (strcmp(c->mode, mode) != 0 || c->out_len == 0)
		c++;
	return c;
}

// However rare packets are, a CPE that was just seen is not taken for one of long ago.
static void test_clock(void **state)
{
	const struct one *to = first_case("qinqdecapv4"), *from = first_case("qinqencapv4");
	const uint64_t step = UINT64_C(1) << 30; // of the tables' clock
	struct task *up = make("qinqdecapv4"), *down;
	uint64_t begun;

	(void)state;
	timeout_ms = 3 * step * 1000 / rte_get_tsc_hz();
	down = make("qinqencapv4");
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(
			rte_ring_enqueue(
				rig.ring, of_another(to, 16, "\x81\0\0\x2a", "\x81\0\0\x2b")
			),
			0
		);
		assert_int_equal(up->poll(up), 1);
		assert_int_equal(rig_drain(&rig), 1);
		for (begun = rte_rdtsc(); round == 0 && rte_rdtsc() - begun < 6 * step;)
			assert_int_equal(up->poll(up), 0);
	}
	assert_int_equal(down->poll(down), 0);
	assert_int_equal(
		rte_ring_enqueue(
			rig.ring, of_another(from, 42, "\x00\x0a\xae\x8a", "\x00\x0a\xae\x8b")
		),
		0
	);
	assert_int_equal(down->poll(down), 1);
	assert_int_equal(rig_drain(&rig), 1);
	rig_done(up);
	rig_done(down);
	timeout_ms = 0;
}

static int start(void **state)
{
	static struct specs specs;
	struct spec *s;
	struct err err;

	(void)state;
	rig_start(&rig);
	read_cases();
	rig_must(specs_get(&specs, "t", &s, &err) == 0);
	rig_must(table_parse(tables_text, strlen(tables_text), "t", s, &err) == 0);
	rig_must(tables_begin(&specs, NULL, &err) == 0);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	free(cases);
	tables_end();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_segment),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_headroom),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests(tests, start, finish);
}
