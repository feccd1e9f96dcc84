// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The modes that look into packets against packets that scapy built (tests/golden/drover-packets.txt, made
// by tests/e2e/lib/golden_packets.py, which an end-to-end test compares with it): one at a time, many in one
// burst, in one buffer, in segments, at every place in a buffer.

#include "unit.h"

#include "drover_rig.h"
#include "table/file.h"
#include "table/tables.h"
#include "tsc.h"

#include <inttypes.h>
#include <stdlib.h>

#define CASES 4096
#define TASKS 64
#define SIZE 2000
#define UP "qinqdecapv4,local ipv4=192.0.2.254"

struct one {
	char task[96], name[64], why[32]; // why: the drop that counts it; "": none
	unsigned in_len, out_len;	  // out_len 0: nothing comes out
	uint8_t in[SIZE], out[SIZE];
};

static struct rig rig;
static char tables_text[4096];
static struct one *cases;
static unsigned ncases;
static const char *tasks[TASKS]; // each once
static unsigned ntasks;

// Hexadecimal, where "zN." stands for N zeros.
static unsigned unhex(const char *s, uint8_t *ret)
{
	unsigned n = 0;

	while (*s != '\0') {
		char pair[3] = {s[0], s[1], '\0'}, *end;
		unsigned long v, zeros = 0;

		if (*s == 'z') {
			zeros = strtoul(s + 1, &end, 10);
			rig_must(*end == '.' && n + zeros <= SIZE);
			memset(ret + n, 0, zeros);
			n += (unsigned)zeros;
			s = end + 1;
			continue;
		}
		v = strtoul(pair, &end, 16);
		rig_must(end == pair + 2 && n < SIZE);
		ret[n++] = (uint8_t)v;
		s += 2;
	}
	return n;
}

static void read_case(char *line)
{
	struct one *c = &cases[ncases++];
	char *field[5];

	rig_must(ncases <= CASES);
	for (unsigned i = 0; i < ARRAY_LEN(field); i++) {
		field[i] = strsep(&line, "|");
		rig_must(field[i] != NULL);
	}
	rig_must(strlen(field[0]) < sizeof(c->task) && strlen(field[1]) < sizeof(c->name));
	rig_must(strlen(field[4]) < sizeof(c->why));
	strcpy(c->task, field[0]);
	strcpy(c->name, field[1]);
	strcpy(c->why, field[4]);
	c->in_len = unhex(field[2], c->in);
	c->out_len = unhex(field[3], c->out);
	rig_must(c->in_len > 0 && (c->out_len > 0 || c->why[0] != '\0'));
	if (ncases > 1 && strcmp(c->task, c[-1].task) == 0)
		return;
	rig_must(ntasks < TASKS);
	tasks[ntasks++] = c->task;
}

// The tables first, as comments; then the packets of each task together.
static void read_cases(void)
{
	static char line[4 * SIZE + 256];
	char path[512];
	FILE *f;

	snprintf(
		path, sizeof(path), "%s/tests/golden/drover-packets.txt", getenv("PINFOLD_SOURCE")
	);
	f = fopen(path, "re");
	rig_must(f != NULL);
	cases = calloc(CASES, sizeof(*cases));
	rig_must(cases != NULL);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "# ", 2) == 0) {
			rig_must(strlen(tables_text) + strlen(line) < sizeof(tables_text));
			strcat(tables_text, line + 2);
			continue;
		}
		line[strcspn(line, "\n")] = '\0';
		read_case(line);
	}
	fclose(f);
	rig_must(ncases > 1000 && ntasks > 20);
}

// "MODE,KEY=VALUE,…", in the words of a configuration; tables are the golden packets' own.
static struct task *make(const char *words)
{
	char copy[sizeof(cases->task) + 64], *rest = copy, *word;
	_cleanup_free_ void *conf = NULL;
	const struct task_mode *mode;
	struct err err = {0};
	struct task *t;

	strcpy(copy, words);
	mode = task_mode_find(strsep(&rest, ","));
	rig_must(mode != NULL);
	conf = rig_conf(mode->name);
	for (const struct key *k = mode->keys; k != NULL && k->name != NULL; k++) {
		bool table =
			strcmp(k->name, "route table") == 0 || strcmp(k->name, "user table") == 0;

		if (table && strcmp(mode->name, "police") != 0)
			strcpy((char *)conf + k->offset, "t");
	}
	while ((word = strsep(&rest, ",")) != NULL) {
		const char *name = strsep(&word, "=");
		const struct key *k = key_find(mode->keys, name);

		rig_must(k != NULL && word != NULL);
		if (key_parse(k, word, conf, &err) < 0)
			fail_msg("%s", err.msg);
	}
	t = rig_task(&rig, mode->name, conf, &err);
	if (t == NULL)
		fail_msg("%s: %s", words, err.msg);
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
		fail_msg("%s: '%s' came out wrong", c->task, c->name);
	rte_mbuf_sanity_check(m, 1);
	rte_pktmbuf_free(m);
}

static struct rte_mbuf *packet(const struct one *c, unsigned segment)
{
	return rig_packet(&rig, c->in, c->in_len, segment);
}

// One at a time: what comes out, and that exactly its drop reason counts it.
static void run_alone(const char *task, unsigned segment)
{
	struct task *t = make(task);

	for (unsigned i = 0; i < ncases; i++) {
		const struct one *c = &cases[i];
		const struct task_counters before = t->counters;
		struct rte_mbuf *m = NULL;

		if (strcmp(c->task, task) != 0)
			continue;
		assert_int_equal(rte_ring_enqueue(rig.ring, packet(c, segment)), 0);
		assert_int_equal(t->poll(t), 1);
		rte_ring_dequeue(rig.ring, (void **)&m);
		if (c->out_len > 0)
			assert_came(c, m);
		else if (m != NULL)
			fail_msg("%s: '%s' comes out", task, c->name);
		for (unsigned k = 0; task_drop_name(t->mode, k) != NULL; k++) {
			bool this = strcmp(task_drop_name(t->mode, k), c->why) == 0;

			if (t->counters.drops[k] != before.drops[k] + this)
				fail_msg(
					"%s: '%s' is%s counted as '%s'",
					task,
					c->name,
					this ? " not" : "",
					task_drop_name(t->mode, k)
				);
		}
		if (rte_mempool_avail_count(rig.pool) != rig.pool->size)
			fail_msg("%s: '%s' lost a buffer", task, c->name);
	}
	rig_done(t);
}

static bool answers(const char *task)
{
	return strstr(task, "icmp ipv4=") != NULL;
}

// Bursts of all kinds, in their order. Answers overtake, and are numbered as they are made.
static void run_bursts(const char *task, unsigned size, unsigned segment)
{
	struct task *t = make(task);

	for (unsigned i = 0; i < ncases;) {
		const struct one *sent[BURST];
		unsigned n = 0;
		struct rte_mbuf *m = NULL;

		for (; i < ncases && n < size; i++) {
			if (strcmp(cases[i].task, task) == 0)
				sent[n++] = &cases[i];
		}
		for (unsigned k = 0; k < n; k++)
			assert_int_equal(rte_ring_enqueue(rig.ring, packet(sent[k], segment)), 0);
		assert_int_equal(t->poll(t), n);
		for (unsigned k = 0; k < n; k++) {
			if (sent[k]->out_len == 0)
				continue;
			assert_int_equal(rte_ring_dequeue(rig.ring, (void **)&m), 0);
			if (answers(task))
				rte_pktmbuf_free(m);
			else
				assert_came(sent[k], m);
		}
		assert_int_equal(rig_drain(&rig), 0);
	}
	assert_int_equal(rte_mempool_avail_count(rig.pool), rig.pool->size);
	rig_done(t);
}

static void test_one_segment(void **)
{
	for (unsigned k = 0; k < ntasks; k++)
		run_alone(tasks[k], 0);
}

static void test_segments(void **)
{
	for (unsigned k = 0; k < ntasks; k++) {
		for (unsigned segment = 1; segment < 100; segment += segment < 50 ? 1 : 7)
			run_alone(tasks[k], segment);
	}
}

static void test_bursts(void **)
{
	for (unsigned k = 0; k < ntasks; k++) {
		for (unsigned size = 1; size <= BURST; size += 3) {
			run_bursts(tasks[k], size, 0);
			run_bursts(tasks[k], size, 40);
		}
	}
}

static const struct one *first_case(const char *task)
{
	const struct one *c = cases;

	while (strcmp(c->task, task) != 0 || c->out_len == 0)
		c++;
	return c;
}

// Without room in front nothing grows, and nothing is written outside.
static void test_headroom(void **state)
{
	struct task *t = make(UP);
	const struct one *c = first_case(UP);

	(void)state;
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

// However rare packets are, a CPE that was just seen is not taken for one of long ago.
static void test_clock(void **state)
{
	const struct one *to = first_case(UP), *from = first_case("qinqencapv4");
	const uint64_t step = UINT64_C(1) << 30; // of the tables' clock
	struct task *up = make(UP), *down;
	char words[64];
	uint64_t begun;

	(void)state;
	snprintf(
		words,
		sizeof(words),
		"qinqencapv4,cpe table timeout ms=%" PRIu64,
		3 * step * 1000 / tsc_hz()
	);
	down = make(words);
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
}

static int start(void **state)
{
	static struct specs specs;
	struct rte_ether_addr own = {{2, 0, 0, 0, 0, 0xaa}};
	struct spec *s;
	struct err err;

	(void)state;
	rig_start(&rig);
	// what the packets are sent to; a ring's address is zeros
	rig_must(rte_eth_dev_mac_addr_add(rig.port, &own, 0) == 0);
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

// A counter without a name would be shown by nobody, one with another's in its place.
static void each_drop_reason_has_a_name(void **)
{
	for (const struct task_mode *m = task_modes(); m != NULL; m = m->next) {
		for (unsigned i = 0; i < DROP_COMMON + m->ndrops; i++) {
			const char *name = task_drop_name(m, i);

			assert_non_null(name);
			for (unsigned k = 0; k < i; k++)
				assert_string_not_equal(name, task_drop_name(m, k));
		}
		assert_null(task_drop_name(m, DROP_COMMON + m->ndrops));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_drop_reason_has_a_name),
		cmocka_unit_test(test_one_segment),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_headroom),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests(tests, start, finish);
}
