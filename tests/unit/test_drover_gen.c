// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The generator: what it sends, when, and that the meter finds it all.

#include "unit.h"

#include "drover_rig.h"
#include "task/gen/gen.h"
#include "task/meter/meter.h"
#include "tsc.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <rte_cycles.h>
#include <rte_ip.h>
#include <rte_udp.h>

static struct rig rig;

static int start(void **)
{
	rig_start(&rig);
	return 0;
}

static struct task *make(const char *mode, const void *conf)
{
	struct err err = {0};
	struct task *t = rig_task(&rig, mode, conf, &err);

	if (t == NULL)
		fail_msg("%s", err.msg);
	return t;
}

static json_t *report(struct task *t)
{
	json_t *o = json_object();

	t->mode->report(t, o);
	return o;
}

static uint64_t number(struct task *t, const char *key)
{
	json_t *o = report(t), *v = json_object_get(o, key);
	uint64_t n = (uint64_t)json_integer_value(v);

	if (!json_is_integer(v))
		fail_msg("no number '%s'", key);
	json_decref(o);
	return n;
}

// ---- packets

static void check_packet(struct rte_mbuf *m, unsigned size, unsigned pos, uint32_t seq)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(eth + 1);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
	struct meter meter;
	uint32_t sum;

	assert_int_equal(m->pkt_len, size);
	assert_int_equal(m->data_len, size);
	assert_int_equal(m->nb_segs, 1);
	assert_int_equal(eth->dst_addr.addr_bytes[0], 2);
	assert_int_equal(eth->ether_type, RTE_BE16(RTE_ETHER_TYPE_IPV4));
	assert_int_equal(rte_be_to_cpu_16(ip->total_length), size - 14);
	assert_int_equal(rte_be_to_cpu_16(udp->dgram_len), size - 34);
	assert_int_equal(rte_be_to_cpu_32(ip->src_addr), 0xc6120001);
	assert_int_equal(rte_be_to_cpu_32(ip->dst_addr), 0x0a010203);
	assert_int_equal(rte_be_to_cpu_16(udp->src_port), 1024);
	assert_int_equal(rte_be_to_cpu_16(udp->dst_port), 4789);
	assert_int_equal(rte_raw_cksum(ip, sizeof(*ip)), 0xffff);
	// right with the meter in it, whatever it says
	assert_int_not_equal(udp->dgram_cksum, 0);
	sum = rte_ipv4_phdr_cksum(ip, 0) + (uint32_t)rte_raw_cksum(udp, size - 34);
	assert_int_equal((sum >> 16) + (sum & 0xffff), 0xffff);
	assert_int_equal(meter_read((uint8_t *)eth + pos, &meter), METER_OK);
	assert_int_equal(meter.stream, 7);
	assert_int_equal(meter.seq, seq);
}

// Also after somebody has written over the headers of a buffer that comes back.
static void packets_are_right(void **)
{
	static const unsigned sizes[] = {60, 61, 63, 64, 65, 127, 128, 129, 1000, 1514};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		unsigned pos = sizes[i] - METER_SIZE - (sizes[i] > 60 ? i % 2 : 0);
		_cleanup_free_ void *conf = rig_conf("gen");
		struct task *t;
		uint32_t seq = 0;

		rig_set("gen", conf, "pkt size", sizes[i]);
		rig_set("gen", conf, "lat pos", pos);
		rig_set("gen", conf, "stream", 7);
		rig_set("gen", conf, "dst ip", 0x0a010203);
		rig_set("gen", conf, "dst port", 4789);
		t = make("gen", conf);
		for (unsigned k = 0; k < 500; k++) {
			struct rte_mbuf *m;

			assert_int_equal(t->poll(t), BURST);
			while (rte_ring_dequeue(rig.ring, (void **)&m) == 0) {
				check_packet(m, sizes[i], pos, seq++);
				memset(rte_pktmbuf_mtod(m, void *), 0xee, 60);
				rte_pktmbuf_adj(m, 10);
				rte_pktmbuf_free(m);
			}
		}
		assert_int_equal(seq, 500 * BURST);
		assert_int_equal(t->counters.tx, seq);
		assert_int_equal(t->counters.tx_bytes, (uint64_t)seq * sizes[i]);
		rig_done(t);
	}
}

static void inline_packets(void **)
{
	_cleanup_free_ void *conf = rig_conf("gen");
	struct key_bytes *bytes = rig_at("gen", conf, "pkt inline");
	struct rte_mbuf *m = NULL;
	struct meter meter;
	struct task *t;

	bytes->len = 100;
	for (unsigned i = 0; i < bytes->len; i++)
		bytes->data[i] = (uint8_t)i;
	rig_set("gen", conf, "lat pos", 20); // as the user wants it
	t = make("gen", conf);
	t->poll(t);
	assert_int_equal(rte_ring_dequeue(rig.ring, (void **)&m), 0);
	assert_int_equal(m->pkt_len, 100);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), bytes->data, 20);
	assert_int_equal(meter_read(rte_pktmbuf_mtod_offset(m, void *, 20), &meter), METER_OK);
	assert_memory_equal(rte_pktmbuf_mtod_offset(m, void *, 38), bytes->data + 38, 62);
	rte_pktmbuf_free(m);
	rig_drain(&rig);
	rig_done(t);
	// padded, and without a meter
	rig_set("gen", conf, "pkt size", 200);
	rig_set("gen", conf, "meter", false);
	t = make("gen", conf);
	t->poll(t);
	assert_int_equal(rte_ring_dequeue(rig.ring, (void **)&m), 0);
	assert_int_equal(m->pkt_len, 200);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), bytes->data, 100);
	for (unsigned i = 100; i < 200; i++)
		assert_int_equal(*rte_pktmbuf_mtod_offset(m, uint8_t *, i), 0);
	rte_pktmbuf_free(m);
	rig_drain(&rig);
	rig_done(t);
}

static void refuses(void **)
{
	static const struct {
		const char *key;
		uint64_t value;
		const char *words;
	} bad[] = {
		{"lat pos", 43, "do not fit a packet of 60"},
		{"lat pos", 41, "lies in its headers"},
		{"pkt size", 9000, "set mtu="},
	};
	_cleanup_free_ void *conf = NULL;
	struct key_mac *mac;
	struct err err = {0};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		_cleanup_free_ void *c = rig_conf("gen");

		rig_set("gen", c, bad[i].key, bad[i].value);
		assert_null(rig_task(&rig, "gen", c, &err));
		assert_contains(err.msg, bad[i].words);
	}
	conf = rig_conf("gen");
	rig_set("gen", conf, "rate", 1000);
	rig_set("gen", conf, "bps", 1000);
	assert_null(rig_task(&rig, "gen", conf, &err));
	assert_contains(err.msg, "both rate= and bps=");
	rig_set("gen", conf, "rate", 0);
	mac = rig_at("gen", conf, "dst mac");
	mac->word = MAC_PACKET;
	assert_null(rig_task(&rig, "gen", conf, &err));
	assert_contains(err.msg, "dst mac: give an address");
}

// ---- time

// Polls for some time; what comes is thrown away.
static uint64_t run(struct task *t, uint64_t milliseconds)
{
	uint64_t end = rte_rdtsc() + tsc_hz() / 1000 * milliseconds, got = 0;

	while (rte_rdtsc() < end) {
		t->poll(t);
		got += rig_drain(&rig);
	}
	return got;
}

// Every packet that was due is either sent or behind, however the machine stalls.
static void keep_rate(uint64_t rate)
{
	_cleanup_free_ void *conf = rig_conf("gen");
	double hz = (double)tsc_hz(), accounted;
	uint64_t first[2], last[2], sent;
	struct task *t;

	rig_set("gen", conf, "rate", rate);
	rig_set("gen", conf, "catch up", 1000000);
	t = make("gen", conf);
	// the clock starts with the first poll, and is looked at last in the last one
	first[0] = rte_rdtsc();
	t->poll(t);
	first[1] = rte_rdtsc();
	sent = run(t, 50);
	last[0] = rte_rdtsc();
	t->poll(t);
	last[1] = rte_rdtsc();
	sent += rig_drain(&rig);
	assert_int_equal(sent, number(t, "sent"));
	assert_int_equal(t->control.rate, rate);
	assert_int_equal(number(t, "asked_pps"), rate);
	accounted = (double)(sent + number(t, "behind"));
	assert_true(accounted <= (double)(last[1] - first[0]) * (double)rate / hz + 1);
	// what is late for less than 1 ms may still be to come
	accounted += (double)rate / 1000 + 1;
	assert_true(accounted >= (double)(last[0] - first[1]) * (double)rate / hz);
	rig_done(t);
}

static void keeps_the_rate(void **)
{
	static const uint64_t rates[] = {1, 100, 12345, 1000000, 3333333};

	for (size_t i = 0; i < ARRAY_LEN(rates); i++)
		keep_rate(rates[i]);
}

static void bytes_of_the_wire(void **)
{
	_cleanup_free_ void *conf = rig_conf("gen");
	struct err err;
	struct task *t;

	rig_set("gen", conf, "bps", 1250000000); // 10 Gbit/s
	t = make("gen", conf);
	assert_int_equal(t->control.rate, 14880952);
	rig_done(t);
	assert_true(key_parse(key_find(task_mode_find("gen")->keys, "bps"), "0", conf, &err) < 0);
	// no whole number of packets, and less than one
	rig_set("gen", conf, "bps", 126);
	t = make("gen", conf);
	assert_true(t->control.rate == 1.5);
	run(t, 5);
	assert_true(
		fabs((double)((struct gen *)t->state)->interval / 0x1p22 * 1.5 - (double)tsc_hz())
		< (double)tsc_hz() / 1000
	);
	rig_done(t);
	rig_set("gen", conf, "bps", 0);
	((struct key_rate *)rig_at("gen", conf, "rate"))->pps = 0.25;
	t = make("gen", conf);
	run(t, 5);
	assert_true(
		fabs((double)((struct gen *)t->state)->interval / 0x1p22 / 4 - (double)tsc_hz())
		< (double)tsc_hz() / 1000
	);
	assert_int_equal(((struct gen *)t->state)->n.sent, 1);
	rig_done(t);
}

static void stops_after_count(void **)
{
	_cleanup_free_ void *conf = rig_conf("gen");
	struct task *t;

	rig_set("gen", conf, "count", 100);
	t = make("gen", conf);
	assert_int_equal(run(t, 5), 100);
	assert_int_equal(t->poll(t), 0);
	assert_int_equal(number(t, "sent"), 100);
	rig_done(t);
}

static void stops_after_duration(void **)
{
	_cleanup_free_ void *conf = rig_conf("gen");
	struct task *t;
	uint64_t sent;

	rig_set("gen", conf, "duration", 10000000);
	rig_set("gen", conf, "rate", 100000);
	t = make("gen", conf);
	sent = run(t, 30);
	assert_true(sent > 0 && sent <= 1001);
	assert_true(sent + number(t, "behind") <= 1001);
	assert_int_equal(run(t, 10), 0);
	rig_done(t);
}

static void changes_its_rate(void **)
{
	_cleanup_free_ void *conf = rig_conf("gen");
	double hz = (double)tsc_hz();
	uint64_t before, begin, first, last, total;
	struct task *t;

	rig_set("gen", conf, "rate", 1000);
	t = make("gen", conf);
	begin = rte_rdtsc();
	run(t, 20);
	before = number(t, "sent") + number(t, "behind");
	assert_true((double)before <= (double)(rte_rdtsc() - begin) / hz * 1000 + 2);
	// stopped for a while: what would have been due then is not behind
	rte_delay_us_sleep(50000);
	t->control.rate = 500000;
	t->control.epoch++;
	begin = rte_rdtsc();
	t->poll(t);
	first = rte_rdtsc();
	run(t, 20);
	last = rte_rdtsc();
	t->poll(t);
	total = number(t, "sent") + number(t, "behind") - before;
	// what is late for less than 1 ms may still be to come
	assert_true((double)total >= (double)(last - first) / hz * 500000 - 502);
	assert_true((double)total <= (double)(rte_rdtsc() - begin) / hz * 500000 + 2);
	assert_true(number(t, "sent") > before);
	assert_true(number(t, "behind_output") == 0);
	t->control.rate = 0;
	t->control.epoch++;
	assert_int_equal(t->poll(t), BURST);
	rig_drain(&rig);
	rig_done(t);
}

// A full output: nothing is lost, no number is used up, and the verdict says so.
static void full_output(void **)
{
	_cleanup_free_ void *conf = rig_conf("gen"), *lat_conf = rig_conf("lat");
	struct task *t, *lat;
	char line[200] = "";

	rig_set("gen", conf, "rate", 10000000);
	t = make("gen", conf);
	lat = make("lat", lat_conf);
	for (unsigned round = 0; round < 20; round++) {
		uint64_t end = rte_rdtsc() + tsc_hz() / 1000;

		while (rte_rdtsc() < end)
			t->poll(t);
		while (lat->poll(lat) > 0)
			;
	}
	assert_true(number(t, "behind_output") > 0);
	assert_int_equal(t->counters.drops[DROP_TX_FULL], 0);
	assert_int_equal(number(lat, "received"), number(t, "sent"));
	assert_int_equal(number(lat, "lost"), 0);
	assert_int_equal(number(lat, "duplicates"), 0);
	assert_int_equal(number(lat, "reordered"), 0);
	assert_int_equal(number(lat, "before"), 0);
	assert_true(t->mode->verdict(t, line, sizeof(line)));
	assert_contains(line, "the limit");
	assert_contains(line, "offered ");
	// and after a clear there is nothing to say
	t->mode->clear(t);
	assert_int_equal(number(t, "sent"), 0);
	assert_int_equal(number(t, "behind"), 0);
	assert_false(t->mode->verdict(t, line, sizeof(line)));
	rig_done(t);
	rig_done(lat);
}

// The output holds all there are.
static void buffers_run_out(void **)
{
	_cleanup_free_ void *conf = rig_conf("gen");
	struct rte_mbuf **kept = calloc(100000, sizeof(struct rte_mbuf *));
	struct task *t;
	unsigned n = 0;

	t = make("gen", conf);
	for (unsigned i = 0; i < 2000; i++) {
		t->poll(t);
		n += rte_ring_dequeue_burst(rig.ring, (void **)kept + n, BURST, NULL);
	}
	assert_int_equal(number(t, "sent"), n);
	assert_true(n > 8000 && n < 100000);
	assert_int_equal(t->poll(t), 0);
	rte_pktmbuf_free_bulk(kept, n);
	free(kept);
	assert_int_equal(t->poll(t), BURST);
	rig_drain(&rig);
	rig_done(t);
}

// ---- generator and meter together

static void nothing_is_lost_in_between(void **)
{
	static const unsigned bursts[] = {1, 3, 32};

	for (size_t i = 0; i < ARRAY_LEN(bursts); i++) {
		_cleanup_free_ void *conf = rig_conf("gen"), *lat_conf = rig_conf("lat");
		struct task *t, *lat;
		json_t *o;

		rig_set("gen", conf, "burst", bursts[i]);
		rig_set("gen", conf, "stream", 5);
		t = make("gen", conf);
		lat = make("lat", lat_conf);
		for (unsigned k = 0; k < 100000; k++) {
			assert_int_equal(t->poll(t), bursts[i]);
			assert_int_equal(lat->poll(lat), bursts[i]);
		}
		o = report(lat);
		assert_int_equal(json_array_size(json_object_get(o, "streams")), 1);
		json_decref(o);
		assert_int_equal(number(lat, "received"), 100000 * bursts[i]);
		assert_int_equal(number(lat, "lost") + number(lat, "corrupt"), 0);
		assert_int_equal(number(lat, "negative") + number(lat, "restarts"), 0);
		rig_done(t);
		rig_done(lat);
	}
}

static void a_new_generator_is_a_restart(void **)
{
	_cleanup_free_ void *conf = rig_conf("gen"), *lat_conf = rig_conf("lat");
	struct task *lat = make("lat", lat_conf);

	for (unsigned i = 0; i < 10; i++) {
		struct task *t = make("gen", conf);

		for (unsigned k = 0; k < 100; k++) {
			t->poll(t);
			lat->poll(lat);
		}
		rig_done(t);
	}
	assert_int_equal(number(lat, "received"), 1000 * BURST);
	assert_int_equal(number(lat, "restarts"), 9);
	assert_int_equal(number(lat, "lost") + number(lat, "duplicates"), 0);
	rig_done(lat);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_are_right),
		cmocka_unit_test(inline_packets),
		cmocka_unit_test(refuses),
		cmocka_unit_test(keeps_the_rate),
		cmocka_unit_test(bytes_of_the_wire),
		cmocka_unit_test(stops_after_count),
		cmocka_unit_test(stops_after_duration),
		cmocka_unit_test(changes_its_rate),
		cmocka_unit_test(full_output),
		cmocka_unit_test(buffers_run_out),
		cmocka_unit_test(nothing_is_lost_in_between),
		cmocka_unit_test(a_new_generator_is_a_restart),
	};

	return cmocka_run_group_tests_name("drover_gen", tests, start, NULL);
}
