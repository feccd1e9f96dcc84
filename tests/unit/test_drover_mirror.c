// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Every output gets every packet, in order; who may write into it has bytes of its own; no buffer is lost
// when there are too few of them.

#include "unit.h"

#include "drover_rig.h"

#include <rte_dev.h>

#define OUTPUTS 3
#define LEN 300

static struct rig rig;
static struct rte_ring *rings[OUTPUTS];
static uint16_t ports[OUTPUTS], null_port = RTE_MAX_ETHPORTS;

static struct task *make(const uint16_t *to, unsigned n, unsigned times)
{
	_cleanup_free_ void *conf = rig_conf("mirror");
	struct err err = {0};
	struct task *t;

	rig_set("mirror", conf, "multiplier", times);
	t = rig_task(&rig, "mirror", conf, &err);
	assert_non_null(t);
	// once more, as it looks at its outputs when it is made
	task_end(t);
	t->nout = (uint16_t)n;
	for (unsigned i = 0; i < n; i++)
		t->out[i] = (struct task_out){.port = to[i]};
	assert_ok(task_begin(t, conf, &err), &err);
	return t;
}

static void give(unsigned n, unsigned len, unsigned segment)
{
	uint8_t data[LEN];

	for (unsigned i = 0; i < n; i++) {
		memset(data, (int)i, sizeof(data));
		assert_int_equal(
			rte_ring_enqueue(rig.ring, rig_packet(&rig, data, len, segment)), 0
		);
	}
}

// Takes the next packet of an output, which must be the i-th that was given, and writes into it.
static void take(struct rte_ring *ring, unsigned i, unsigned len)
{
	uint8_t room[LEN], want[LEN];
	struct rte_mbuf *m = NULL;

	assert_int_equal(rte_ring_dequeue(ring, (void **)&m), 0);
	assert_int_equal(m->pkt_len, len);
	memset(want, (int)i, len);
	assert_memory_equal(rte_pktmbuf_read(m, 0, len, room), want, len);
	for (struct rte_mbuf *s = m; s != NULL; s = s->next) {
		assert_true(RTE_MBUF_DIRECT(s) && rte_mbuf_refcnt_read(s) == 1);
		memset(rte_pktmbuf_mtod(s, void *), 0xee, s->data_len);
	}
	rte_pktmbuf_free(m);
}

static void assert_all_back(void)
{
	assert_int_equal(rte_mempool_avail_count(rig.pool), rig.pool->size);
}

static void every_output(void **)
{
	for (unsigned times = 1; times <= 2; times++) {
		struct task *t = make(ports, OUTPUTS, times);

		for (unsigned segment = 0; segment < 40; segment += 13) {
			give(20, LEN, segment);
			assert_int_equal(t->poll(t), 20);
			for (unsigned k = 0; k < OUTPUTS * times; k++) {
				for (unsigned i = 0; i < 20; i++)
					take(rings[k / times], i, LEN);
			}
			assert_all_back();
		}
		assert_int_equal(t->counters.rx, 80);
		assert_int_equal(t->counters.tx, 80 * OUTPUTS * times);
		assert_int_equal(t->out[1].sent, 80 * times);
		assert_int_equal(t->counters.drops[DROP_COMMON], 0);
		rig_done(t);
	}
}

// Nothing of it is shared, be it as short as it may.
static void short_packets(void **)
{
	struct task *t = make(ports, OUTPUTS, 1);

	for (unsigned len = 0; len < 16; len++) {
		give(3, len, 0);
		t->poll(t);
		for (unsigned k = 0; k < OUTPUTS; k++) {
			for (unsigned i = 0; i < 3; i++)
				take(rings[k], i, len);
		}
	}
	assert_all_back();
	rig_done(t);
}

// A port that puts packets on a wire shares the bytes; a task and a ring do not.
static void shared(void **)
{
	const uint16_t to[] = {null_port, ports[0], null_port};
	struct rte_eth_stats stats;
	struct task *t;

	if (null_port == RTE_MAX_ETHPORTS)
		skip_because("the driver net_null is not there");
	t = make(to, 3, 2);
	assert_int_equal(rte_eth_stats_reset(null_port), 0);
	give(32, LEN, 100);
	assert_int_equal(t->poll(t), 32);
	for (unsigned k = 0; k < 2; k++) {
		for (unsigned i = 0; i < 32; i++)
			take(rings[0], i, LEN);
	}
	assert_int_equal(rte_eth_stats_get(null_port, &stats), 0);
	assert_int_equal(stats.opackets, 4 * 32);
	assert_int_equal(t->counters.tx, 6 * 32);
	assert_all_back();
	rig_done(t);
}

// Copies are what is left out, and the packets themselves go on.
static void no_buffers(void **)
{
	struct rte_mempool *few = rte_pktmbuf_pool_create(
		"few", 15, 0, 0, RTE_PKTMBUF_HEADROOM + 2048, SOCKET_ID_ANY
	);
	struct task *t = make(ports, OUTPUTS, 1);

	assert_non_null(few);
	t->pool = few;
	give(20, LEN, 0);
	assert_int_equal(t->poll(t), 20);
	assert_int_equal(t->counters.drops[DROP_COMMON], 2 * 20 - 15);
	assert_int_equal(t->counters.tx, 3 * 20 - 25);
	for (unsigned i = 0; i < 15; i++)
		take(rings[0], i, LEN);
	assert_int_equal(rte_ring_count(rings[1]), 0);
	for (unsigned i = 0; i < 20; i++)
		take(rings[2], i, LEN);
	assert_all_back();
	assert_int_equal(rte_mempool_avail_count(few), 15);
	rig_done(t);
	rte_mempool_free(few);
}

static void full_output(void **)
{
	uint16_t to[2] = {0, ports[1]};
	struct rte_ring *small = rig_output(&rig, "small", 8, &to[0]);
	struct task *t = make(to, 2, 1);

	give(20, LEN, 0);
	t->poll(t);
	assert_int_equal(t->out[0].dropped, 12);
	assert_int_equal(t->counters.drops[DROP_TX_FULL], 12);
	for (unsigned i = 0; i < 8; i++)
		take(small, i, LEN);
	for (unsigned i = 0; i < 20; i++)
		take(rings[1], i, LEN);
	assert_all_back();
	rig_done(t);
}

static int start(void **)
{
	struct rte_eth_conf conf = {0};

	rig_start(&rig);
	for (unsigned i = 0; i < OUTPUTS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "out%u", i);
		rings[i] = rig_output(&rig, name, 255, &ports[i]);
	}
	if (rte_eal_hotplug_add("vdev", "net_null_mirror", "copy=0") < 0
	    || rte_eth_dev_get_port_by_name("net_null_mirror", &null_port) < 0)
		return 0;
	rig_must(rte_eth_dev_configure(null_port, 1, 1, &conf) == 0);
	rig_must(rte_eth_rx_queue_setup(null_port, 0, 0, SOCKET_ID_ANY, NULL, rig.pool) == 0);
	rig_must(rte_eth_tx_queue_setup(null_port, 0, 0, SOCKET_ID_ANY, NULL) == 0);
	rig_must(rte_eth_dev_start(null_port) == 0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_output),
		cmocka_unit_test(short_packets),
		cmocka_unit_test(shared),
		cmocka_unit_test(no_buffers),
		cmocka_unit_test(full_output),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
