// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Of every mode: bytes are counted as packets are, also those of bursts of which the output takes a part;
// and after a clear nothing is left of what it reported before.

#include "unit.h"

#include "base/jread.h"
#include "base/str.h"
#include "drover_rig.h"
#include "table/tables.h"
#include "task/gen/frame.h"
#include "task/meter/dump.h"

#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>

#define PACKETS 24
#define ROOM 40 // of the output: less than two bursts

static const char tables[] = "hop,0,192.0.2.1,02:00:00:00:00:01,100,0\n"
			     "route,0.0.0.0/1,0\n"
			     "user,7,1,700\n"
			     "cpe,700,10.0.0.2,02:00:00:00:10:02,0\n";

static struct rig rig;
static char folder[] = "/tmp/test-counters-XXXXXX";
static struct rte_ring *out;
static uint16_t out_port;

static void *make_conf(const char *mode)
{
	const struct task_mode *m = task_mode_find(mode);
	void *conf = rig_conf(mode);

	for (const struct key *k = m->keys; k != NULL && k->name != NULL; k++) {
		if (str_eq(k->name, "route table") || str_eq(k->name, "user table")
		    || str_eq(k->name, "cpe table"))
			strcpy(rig_at(mode, conf, k->name), "tables.csv");
	}
	if (str_eq(mode, "dump"))
		strcpy(rig_at(mode, conf, "file"), "dump.pcapng");
	if (str_eq(mode, "police")) {
		memset(rig_at(mode, conf, "user table"), 0, KEY_TEXT_MAX);
		rig_set(mode, conf, "cir", 1000000);
		rig_set(mode, conf, "cbs", 100000000);
	}
	if (str_starts(mode, "routing") || str_starts(mode, "qinq"))
		rig_set(mode, conf, "icmp ipv4", 0x0a0000fe);
	if (str_eq(mode, "qinqdecapv4"))
		rig_set(mode, conf, "handle arp", 1);
	return conf;
}

static struct task *make(const char *mode)
{
	_cleanup_free_ void *conf = make_conf(mode);
	struct err err = {0};
	struct task *t = rig_task(&rig, mode, conf, &err);

	if (t == NULL)
		fail_msg("%s: %s", mode, err.msg);
	if (t->mode->wants_tx || t->mode->may_tx) {
		t->nout = 1;
		t->out[0] = (struct task_out){.port = out_port};
	}
	// answers go back by the one port there is
	for (unsigned i = 0; i < RTE_MAX_ETHPORTS; i++)
		t->out_of_port[i] = i == rig.port ? 0 : TASK_OUTPUTS;
	return t;
}

// What some mode takes: plain, in two tags, in a tunnel behind a label, with a time to live that is over, and
// what none does.
static unsigned make_packet(unsigned i, uint8_t *at)
{
	const struct key_layers layers[] = {{0}, {.qinq = true}, {.mpls = true, .gre = true}};
	struct frame f = {
		.layers = layers[i % 3],
		.src_mac = {2, 0, 0, 0, 0x10, 2},
		.stype = 0x88a8,
		.svlan = 7,
		.cvlan = 1,
		.label = 100,
		.gre_key = 700,
		.outer_src = 0xc0000201,
		.outer_dst = 0xc00002fe,
		.src_ip = i % 3 == 1 ? 0x0a000002 : 0xc6120001,
		.dst_ip = i % 3 == 2 ? 0x0a000002 : 0x0a000105,
	};
	unsigned len = 90 + 7 * i;
	struct rte_ether_addr own;

	// a router takes what is sent to it
	assert_int_equal(rte_eth_macaddr_get(rig.port, &own), 0);
	memcpy(f.dst_mac, &own, sizeof(own));
	frame_build(&f, at, len);
	return i % 12 == 11 ? 10 : len;
}

static uint64_t give(struct task *t)
{
	uint8_t data[512];
	uint64_t bytes = 0;

	for (unsigned i = 0; i < PACKETS; i++) {
		unsigned len = make_packet(i, data);

		assert_int_equal(rte_ring_enqueue(rig.ring, rig_packet(&rig, data, len, 0)), 0);
		bytes += len;
	}
	assert_int_equal(t->poll(t), PACKETS);
	return bytes;
}

static uint64_t take(unsigned *n)
{
	struct rte_mbuf *m;
	uint64_t bytes = 0;

	for (*n = 0; rte_ring_dequeue(out, (void **)&m) == 0; (*n)++) {
		bytes += m->pkt_len;
		rte_pktmbuf_free(m);
	}
	return bytes;
}

static void bytes_of(const struct task_mode *mode)
{
	struct task *t = make(mode->name);
	uint64_t in = 0, sent;
	unsigned n;

	// the last ones find the output full
	for (unsigned k = 0; k < 8; k++)
		in += give(t);
	sent = take(&n);
	if (t->nout > 0 && (n != ROOM || t->counters.drops[DROP_TX_FULL] == 0))
		fail_msg("%s: %u packets came out: it proves nothing", mode->name, n);
	assert_int_equal(t->counters.rx, 8 * PACKETS);
	assert_int_equal(t->counters.tx, n);
	if (t->counters.rx_bytes != (mode->blind ? 0 : in)
	    || t->counters.tx_bytes != (mode->blind ? 0 : sent))
		fail_msg(
			"%s: counted %lu and %lu bytes, of %lu and %lu",
			mode->name,
			(unsigned long)t->counters.rx_bytes,
			(unsigned long)t->counters.tx_bytes,
			(unsigned long)in,
			(unsigned long)sent
		);
	rig_done(t);
}

static void bytes(void **)
{
	unsigned n = 0;

	for (const struct task_mode *m = task_modes(); m != NULL; m = m->next) {
		if (!m->wants_rx)
			continue;
		bytes_of(m);
		n += !m->blind;
	}
	assert_int_equal(rte_mempool_avail_count(rig.pool), rig.pool->size);
	assert_true(n >= 12);
}

static json_t *report(struct task *t)
{
	json_t *o = json_object();

	t->mode->report(t, o);
	return o;
}

// In the two packets that come with a time to live that is over, and a request of ARP.
static void give_odd(struct task *t)
{
	for (unsigned i = 0; i < 3; i++) {
		const unsigned ttl[] = {14 + 8, 22 + 8, 14 + 4 + 28 + 8};
		uint8_t data[512];
		unsigned len = make_packet(i, data);
		struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(data + ttl[i] - 8);

		ip->time_to_live = 1;
		ip->hdr_checksum = 0;
		ip->hdr_checksum = rte_ipv4_cksum(ip);
		assert_int_equal(rte_ring_enqueue(rig.ring, rig_packet(&rig, data, len, 0)), 0);
	}
	t->poll(t);
}

static void clear_of(const struct task_mode *mode)
{
	_cleanup_json_ json_t *first = NULL, *then = NULL, *last = NULL;
	struct task *t = make(mode->name);
	const char *key;
	unsigned n;
	json_t *v;

	first = report(t);
	give(t);
	give_odd(t);
	usleep(20000); // a dump's writer
	then = report(t);
	mode->clear(t);
	t->poll(t);
	last = report(t);
	json_object_foreach (then, key, v) {
		if (json_is_integer(v) && !json_equal(v, json_object_get(first, key))
		    && !json_equal(json_object_get(first, key), json_object_get(last, key)))
			fail_msg(
				"%s: '%s' was %lld, and is %lld after a clear",
				mode->name,
				key,
				(long long)json_integer_value(v),
				(long long)json_integer_value(json_object_get(last, key))
			);
	}
	take(&n);
	rig_done(t);
}

static void clear(void **)
{
	for (const struct task_mode *m = task_modes(); m != NULL; m = m->next) {
		if ((m->report != NULL) != (m->clear != NULL))
			fail_msg("%s: what it reports cannot be cleared", m->name);
		if (m->report != NULL && m->wants_rx)
			clear_of(m);
	}
}

static int start(void **)
{
	_cleanup_close_ int dir = -1, fd = -1;
	struct err err;

	rig_start(&rig);
	out = rig_output(&rig, "counters", ROOM, &out_port);
	if (mkdtemp(folder) == NULL)
		return -1;
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(dir, "tables.csv", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (write(fd, tables, strlen(tables)) != (ssize_t)strlen(tables))
		return -1;
	return tables_begin(NULL, folder, &err) < 0 ? -1 : dump_folder(folder, &err);
}

static int end(void **)
{
	_cleanup_close_ int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err;

	tables_end();
	unlinkat(dir, "tables.csv", 0);
	unlinkat(dir, "dump.pcapng", 0);
	rmdir(folder);
	return dump_folder(NULL, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes),
		cmocka_unit_test(clear),
	};

	return cmocka_run_group_tests(tests, start, end);
}
