// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A meter that is fed known loss, duplicates, reordering, delay and damage reports exactly them.

#include "unit.h"

#include "drover_rig.h"
#include "task/meter/meter.h"
#include "task/meter/source.h"
#include "tsc.h"

#include <jansson.h>
#include <rte_cycles.h>

static struct rig rig;
static struct task *lat;
static uint64_t stamp; // of the next packet that is made

// ---- feeding packets to the meter

static void put_meter(uint8_t *at, unsigned stream, unsigned run, uint32_t seq, uint64_t when)
{
	meter_write(at, meter_id((uint8_t)stream, (uint8_t)run, seq), when);
}

static void give_bytes(const uint8_t *data, unsigned len, unsigned segment)
{
	struct rte_mbuf *m = rig_packet(&rig, data, len, segment);

	assert_int_equal(rte_ring_enqueue(rig.ring, m), 0);
}

static void poll_all(void)
{
	while (lat->poll(lat) > 0)
		;
	assert_int_equal(rte_ring_count(rig.ring), 0);
	assert_int_equal(rte_mempool_avail_count(rig.pool), rig.pool->size);
}

static void give_at(unsigned stream, unsigned run, uint32_t seq, uint64_t when)
{
	uint8_t frame[60] = {0};

	put_meter(frame + METER_POS, stream, run, seq, when);
	give_bytes(frame, sizeof(frame), 0);
	if (rte_ring_count(rig.ring) > RIG_RING / 2)
		poll_all();
}

// The stamp that a generator would have given to this number of run 1.
static void give(uint32_t seq)
{
	give_at(0, 1, seq, stamp + seq);
}

static void range(uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i != to; i++)
		give(i);
}

static json_t *report(void)
{
	json_t *o = json_object();

	poll_all();
	lat->mode->report(lat, o);
	return o;
}

static uint64_t number(json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	if (!json_is_integer(v))
		fail_msg("no number '%s'", key);
	return (uint64_t)json_integer_value(v);
}

struct figures {
	uint64_t received, lost, duplicates, reordered, stale, before, restarts, corrupt;
};

static void expect_of(json_t *o, const char *what, const struct figures *f)
{
	const struct {
		const char *key;
		uint64_t want;
	} all[] = {
		{"received", f->received},
		{"lost", f->lost},
		{"duplicates", f->duplicates},
		{"reordered", f->reordered},
		{"stale", f->stale},
		{"before", f->before},
		{"restarts", f->restarts},
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (number(o, all[i].key) != all[i].want)
			fail_msg(
				"%s: %s is %ju, not %ju",
				what,
				all[i].key,
				(uintmax_t)number(o, all[i].key),
				(uintmax_t)all[i].want
			);
	}
}

#define expect(...) expect_figures(&(struct figures){__VA_ARGS__})

static void expect_figures(const struct figures *f)
{
	json_t *o = report();

	expect_of(o, "all streams", f);
	if (f->received > 0 && json_array_size(json_object_get(o, "streams")) == 1)
		expect_of(json_array_get(json_object_get(o, "streams"), 0), "stream", f);
	assert_int_equal(number(o, "corrupt") + number(o, "unstamped"), f->corrupt);
	assert_int_equal(number(json_object_get(o, "latency"), "count"), f->received);
	json_decref(o);
}

static int start(void **)
{
	rig_start(&rig);
	return 0;
}

static void make_lat(unsigned pos)
{
	_cleanup_free_ void *conf = rig_conf("lat");
	struct err err = {0};

	rig_set("lat", conf, "lat pos", pos);
	rig_set("lat", conf, "buckets", true);
	lat = rig_task(&rig, "lat", conf, &err);
	if (lat == NULL)
		fail_msg("%s", err.msg);
}

static int new_meter(void **)
{
	make_lat(METER_POS);
	// long enough ago for all stamps of a test
	stamp = rte_rdtsc() - tsc_hz() / 10;
	return 0;
}

static int end_meter(void **)
{
	rig_drain(&rig);
	rig_done(lat);
	return 0;
}

// ---- sequence numbers

static void in_order(void **)
{
	expect(.received = 0);
	range(0, 100000);
	expect(.received = 100000);
}

static void every_seventh_lost(void **)
{
	for (uint32_t i = 0; i < 70000; i++) {
		if (i % 7 != 3)
			give(i);
	}
	expect(.received = 60000, .lost = 10000);
}

static void first_and_last_missing(void **)
{
	range(5, 995);
	// what is missing at the end cannot be seen
	expect(.received = 990, .before = 5);
	// one of the first comes after all
	give(3);
	expect(.received = 991, .before = 4, .reordered = 1);
	give(3);
	expect(.received = 992, .before = 4, .reordered = 1, .duplicates = 1);
}

static void after_last_is(uint64_t want)
{
	json_t *o = report();

	assert_int_equal(number(o, "after_last"), want);
	assert_int_equal(number(o, "lost"), 0);
	json_decref(o);
}

// The generator knows how many it sent; what it sends now may be on its way.
static void what_is_missing_at_the_end(void **)
{
	uint64_t sent = 1000;
	struct meter_source s = {.run = 1, .sent = &sent, .task = "g"}, other = {2, &sent, "h"};
	struct err err;
	char line[256];

	assert_ok(source_add(0, &s, &err), &err);
	assert_fails(source_add(0, &other, &err), &err, "stream=0 is what task 'g' sends");
	after_last_is(0); // it may be for another meter
	range(0, 990);
	after_last_is(10);
	assert_true(lat->mode->verdict(lat, line, sizeof(line)));
	assert_contains(line, "10 sent after the last that came");
	range(990, 1000);
	after_last_is(0);
	source_remove(0, &sent);
	sent = 2000;
	after_last_is(0);
	// another run's
	assert_ok(source_add(0, &other, &err), &err);
	after_last_is(0);
	source_remove(0, &sent);
}

static void a_number_that_was_said(void **)
{
	_cleanup_free_ void *conf = rig_conf("lat");
	struct err err;

	rig_done(lat);
	rig_set("lat", conf, "count", 1000);
	lat = rig_task(&rig, "lat", conf, &err);
	after_last_is(0);
	range(0, 997);
	after_last_is(3);
	range(997, 1005);
	after_last_is(0);
}

static void duplicates(void **)
{
	for (uint32_t i = 0; i < 30000; i++) {
		give(i);
		if (i % 3 == 0)
			give(i);
		if (i % 1000 == 999)
			give(i - 500);
	}
	expect(.received = 40030, .duplicates = 10030);
	give(29999);
	expect(.received = 40031, .duplicates = 10031);
}

static void neighbours_swapped(void **)
{
	for (uint32_t i = 0; i < 10000; i += 2) {
		give(i + (i % 10 == 4));
		give(i + (i % 10 != 4));
	}
	expect(.received = 10000, .reordered = 1000);
}

static void held_back(void **)
{
	static const uint32_t by[] = {1, 2, 31, 32, 63, 64, 65, 1000, 65535};
	uint32_t at = 100;

	range(0, at);
	for (size_t i = 0; i < ARRAY_LEN(by); i++) {
		// `at` comes after the `by` that follow it
		range(at + 1, at + 1 + by[i]);
		expect(.received = at + by[i], .lost = 1, .reordered = i);
		give(at);
		at += 1 + by[i];
		expect(.received = at, .reordered = i + 1);
	}
}

static void held_back_too_long(void **)
{
	range(0, 100);
	range(101, 101 + 65536);
	expect(.received = 65636, .lost = 1);
	give(100);
	expect(.received = 65637, .lost = 1, .stale = 1);
	// nor can it be told whether this one came before
	give(50);
	expect(.received = 65638, .lost = 1, .stale = 2);
}

static void window_forgets_what_it_passed(void **)
{
	// the same bits of the window, one turn later
	range(0, 65536);
	range(65546, 65600);
	for (uint32_t i = 65536; i < 65546; i++)
		give(i);
	expect(.received = 65600, .reordered = 10);
	// many turns at once
	give(10000000);
	expect(.received = 65601, .reordered = 10, .lost = 10000000 - 65600);
	range(10000000 - 65535, 10000000);
	expect(.received = 65601 + 65535, .reordered = 10 + 65535, .lost = 10000000 - 65600 - 65535
	);
}

static void numbers_wrap(void **)
{
	uint32_t from = UINT32_MAX - 999;
	uint64_t sent = 0;

	for (uint32_t i = 0; i < 4000; i++) {
		if (i % 100 == 50)
			continue; // lost, before and after the wrap
		give_at(0, 1, from + i, stamp + i);
		sent++;
		if (i % 100 == 60) {
			give_at(0, 1, from + i - 20, stamp + i - 20);
			sent++;
		}
	}
	expect(.received = sent, .lost = 40, .duplicates = 40, .before = from);
	// from the other side of the wrap
	give_at(0, 1, from + 950, stamp + 950);
	expect(.received = sent + 1, .lost = 39, .duplicates = 40, .reordered = 1, .before = from);
}

static void restarts(void **)
{
	uint64_t later = stamp + 10000000;

	// the same run number: as chance may have it
	range(0, 1000);
	for (uint32_t i = 0; i < 500; i++)
		give_at(0, 1, i, later + i);
	expect(.received = 1500, .restarts = 1);
	// another run, which was ahead of the first and then is behind
	later += 10000;
	for (uint32_t i = 0; i < 100; i++)
		give_at(0, 2, i, later + i);
	expect(.received = 1600, .restarts = 2);
	// its first two packets were lost
	later += 10000;
	for (uint32_t i = 2; i < 3000; i++)
		give_at(0, 3, i, later + i);
	expect(.received = 4598, .restarts = 3, .lost = 2);
	// a packet of the run before straggles in
	give_at(0, 2, 100, later - 5000);
	expect(.received = 4599, .restarts = 3, .lost = 2, .stale = 1);
	// and one of this run
	give_at(0, 3, 1, later + 1);
	expect(.received = 4600, .restarts = 3, .lost = 1, .stale = 1, .reordered = 1);
}

static void streams_apart(void **)
{
	json_t *o, *streams;

	for (uint32_t i = 0; i < 1600; i++) {
		if (i % 10 != i / 16 % 10 || i / 16 + 1 == 100)
			give_at(i % 16, i % 16, i / 16, stamp + i);
	}
	give_at(16, 0, 0, stamp);
	give_at(255, 0, 0, stamp);
	o = report();
	assert_int_equal(number(o, "unknown_stream"), 2);
	assert_int_equal(number(o, "corrupt"), 0);
	streams = json_object_get(o, "streams");
	assert_int_equal(json_array_size(streams), 16);
	for (unsigned s = 0; s < 16; s++) {
		json_t *one = json_array_get(streams, s);
		uint64_t came = 0, first = 100;

		for (uint32_t k = 100; k-- > 0;) {
			if ((k * 16 + s) % 10 == k % 10 && k != 99)
				continue;
			came++;
			first = k;
		}
		assert_int_equal(number(one, "stream"), s);
		assert_int_equal(number(one, "received"), came);
		assert_int_equal(number(one, "before"), first);
		assert_int_equal(number(one, "lost"), 100 - first - came);
	}
	json_decref(o);
}

// ---- against the definitions, on random streams

static uint64_t random_state = 88172645463325252;

static uint32_t random32(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 16) % below);
}

struct arrival {
	uint64_t place;
	uint32_t seq;
};

static int by_place(const void *a, const void *b)
{
	const struct arrival *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return (x->seq > y->seq) - (x->seq < y->seq);
}

// What the words mean, with unlimited memory.
static struct figures judge(const struct arrival *a, unsigned n, unsigned numbers)
{
	_cleanup_free_ bool *came = calloc(numbers, sizeof(*came));
	struct figures f = {.received = n, .before = a[0].seq};
	uint32_t next = a[0].seq;

	for (unsigned i = 0; i < n; i++) {
		if (came[a[i].seq])
			f.duplicates++;
		else if (a[i].seq < next)
			f.reordered++;
		came[a[i].seq] = true;
		if (a[i].seq >= next)
			next = a[i].seq + 1;
	}
	for (uint32_t i = 0; i < a[0].seq; i++)
		f.before -= came[i];
	for (uint32_t i = a[0].seq; i < next; i++)
		f.lost += !came[i];
	return f;
}

static void random_streams(void **)
{
	enum {
		NUMBERS = 20000
	};
	_cleanup_free_ struct arrival *a = calloc(2 * NUMBERS, sizeof(*a));

	for (unsigned round = 0; round < 40; round++) {
		uint32_t far = 1u << random32(15), odds = 2 + random32(50);
		struct figures f;
		unsigned n = 0;

		for (uint32_t i = 0; i < NUMBERS; i++) {
			unsigned copies = random32(odds) == 0 ? random32(3) : 1;

			while (copies-- > 0)
				a[n++] = (struct arrival){
					i + (random32(odds) == 0 ? random32(far) : 0), i};
		}
		qsort(a, n, sizeof(*a), by_place);
		for (unsigned i = 0; i < n; i++)
			give(a[i].seq);
		f = judge(a, n, NUMBERS);
		expect_figures(&f);
		end_meter(NULL);
		new_meter(NULL);
	}
}

// ---- damage

static void damage(void **)
{
	uint8_t frame[60] = {0}, bad[60];
	json_t *o;

	range(0, 10);
	put_meter(frame + METER_POS, 0, 1, 10, stamp + 10);
	for (unsigned bit = 0; bit < METER_SIZE * 8; bit++) {
		memcpy(bad, frame, sizeof(bad));
		bad[METER_POS + bit / 8] ^= (uint8_t)(1 << bit % 8);
		give_bytes(bad, sizeof(bad), 0);
	}
	memset(bad, 0, sizeof(bad));
	give_bytes(bad, sizeof(bad), 0);
	memset(bad, 0xff, sizeof(bad));
	give_bytes(bad, sizeof(bad), 0);
	give_bytes(frame, 59, 0);
	// only numbers that do not come are lost, not packets that are no numbers
	range(11, 20);
	o = report();
	assert_int_equal(number(o, "received"), 19);
	assert_int_equal(number(o, "lost"), 1);
	// a bit of the magic makes it a packet of somebody else
	assert_int_equal(number(o, "corrupt"), METER_SIZE * 8 - 16);
	assert_int_equal(number(o, "unstamped"), 16 + 3);
	assert_int_equal(number(o, "no_meter"), 16 + 2);
	assert_int_equal(number(o, "check_wrong"), METER_SIZE * 8 - 16);
	assert_int_equal(number(o, "too_short"), 1);
	assert_string_equal(task_drop_name(lat->mode, DROP_COMMON), "too short");
	json_decref(o);
}

static void check_is_neutral(void **)
{
	// the 18 bytes add 0xffff, nothing, to an Internet checksum
	for (unsigned i = 0; i < 100000; i++) {
		uint8_t b[METER_SIZE];
		uint32_t sum = 0;
		uint64_t when = i % 3 == 0 ? i : (uint64_t)random32(UINT32_MAX) << 32 | i;

		put_meter(b, random32(256), random32(256), random32(UINT32_MAX), when);
		for (unsigned k = 0; k < METER_SIZE; k += 2)
			sum += (uint32_t)(b[k] << 8 | b[k + 1]);
		while (sum > 0xffff)
			sum = (sum >> 16) + (sum & 0xffff);
		assert_int_equal(sum, 0xffff);
	}
}

static void every_size_and_segment(void **)
{
	uint8_t data[1514];
	uint64_t received = 0, shorter = 0;
	uint32_t seq = 0;

	for (unsigned len = 1; len <= sizeof(data); len++) {
		for (unsigned segment = 0; segment <= 64; segment += segment < 4 ? 1 : 13) {
			memset(data, 0xa5, sizeof(data));
			put_meter(data + METER_POS, 0, 1, seq, stamp + seq);
			give_bytes(data, len, segment);
			if (len >= METER_POS + METER_SIZE) {
				seq++;
				received++;
			} else {
				shorter++;
			}
			poll_all();
		}
	}
	expect(.received = received, .corrupt = shorter);
}

static void every_position(void **)
{
	uint8_t data[200];

	end_meter(NULL);
	for (unsigned pos = 0; pos <= sizeof(data) - METER_SIZE; pos++) {
		make_lat(pos);
		memset(data, 0x5a, sizeof(data));
		for (uint32_t i = 0; i < 10; i++) {
			put_meter(data + pos, 3, 1, i, stamp + i);
			give_bytes(data, sizeof(data), i * 7);
		}
		give_bytes(data, pos + METER_SIZE - 1, 0);
		expect(.received = 10, .corrupt = 1);
		rig_done(lat);
	}
	make_lat(METER_POS);
}

// ---- time

static double ns(uint64_t tsc)
{
	return (double)tsc * 1e9 / (double)tsc_hz();
}

static void known_delay(void **)
{
	static const uint64_t delays[] = {0, 100, 5000, 1000000, 3000000000, UINT64_C(1) << 38};

	for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
		uint64_t began = rte_rdtsc(), ended;
		json_t *o, *l;
		double min, max, p50, slack;

		for (uint32_t k = 0; k < 1000; k++)
			give_at(1, (unsigned)i, k, began - delays[i]);
		poll_all();
		ended = rte_rdtsc();
		o = report();
		l = json_object_get(o, "latency");
		min = json_real_value(json_object_get(l, "min"));
		max = json_real_value(json_object_get(l, "max"));
		p50 = json_real_value(json_object_get(l, "p50"));
		slack = ns(ended - began);
		assert_int_equal(number(l, "count"), 1000);
		assert_int_equal(number(o, "negative"), 0);
		assert_true(min >= ns(delays[i]) && max <= ns(delays[i]) + slack);
		assert_true(p50 >= min && p50 <= max);
		assert_true(json_array_size(json_object_get(o, "buckets")) > 0);
		json_decref(o);
		lat->mode->clear(lat);
		lat->poll(lat); // changes histograms, as it was not polled while it was cleared
	}
}

static void other_clock(void **)
{
	json_t *o;

	for (uint32_t i = 0; i < 100; i++)
		give_at(0, 1, i, rte_rdtsc() + tsc_hz() * 10 + i);
	o = report();
	assert_int_equal(number(o, "received"), 100);
	assert_int_equal(number(o, "negative"), 100);
	assert_int_equal(number(json_object_get(o, "latency"), "count"), 0);
	json_decref(o);
}

static void own_error(void **)
{
	json_t *o = report(), *e = json_object_get(o, "meter_error");

	assert_true(number(e, "count") >= 20000);
	assert_true(json_real_value(json_object_get(e, "p50")) > 0);
	assert_true(json_real_value(json_object_get(e, "p50")) < 1e6);
	json_decref(o);
}

// ---- the control side

static void clears(void **)
{
	json_t *o;

	for (uint32_t i = 0; i < 1000; i++) {
		if (i % 2 == 0)
			give(i);
	}
	give_bytes((const uint8_t[10]){0}, 10, 0);
	expect(.received = 500, .lost = 499, .corrupt = 1);
	lat->mode->clear(lat);
	expect(.received = 0);
	// late for something lost before: not lost, and no less than nothing is
	give(997);
	expect(.received = 1, .reordered = 1);
	range(1000, 1100);
	expect(.received = 101, .reordered = 1, .lost = 0);
	o = report();
	assert_int_equal(json_array_size(json_object_get(o, "streams")), 1);
	json_decref(o);
}

static bool stop;

static void *poller(void *)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		lat->poll(lat);
	return NULL;
}

// The reader beside the lcore: every sample is in exactly one report between two clears.
static void read_while_running(void **)
{
	uint64_t seen = 0;
	uint32_t seq = 0;
	pthread_t thread;

	stop = false;
	assert_int_equal(pthread_create(&thread, NULL, poller, NULL), 0);
	for (unsigned i = 0; i < 50; i++) {
		json_t *o = json_object();

		for (unsigned k = 0; k < 500; k++, seq++) {
			uint8_t frame[60] = {0};

			put_meter(frame + METER_POS, 0, 1, seq, stamp + seq);
			while (rte_ring_full(rig.ring))
				rte_delay_us_sleep(10);
			give_bytes(frame, sizeof(frame), 0);
		}
		lat->mode->report(lat, o);
		assert_true(number(json_object_get(o, "latency"), "count") >= seen);
		seen = number(json_object_get(o, "latency"), "count");
		assert_true(seen <= seq);
		json_decref(o);
	}
	while (!rte_ring_empty(rig.ring))
		rte_delay_us_sleep(100);
	rte_delay_us_sleep(1000);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	expect(.received = seq);
}

static void verdicts(void **)
{
	char line[512];

	assert_true(lat->mode->verdict(lat, line, sizeof(line)));
	assert_contains(line, "nothing was received");
	for (uint32_t i = 0; i < 100; i++) {
		if (i != 50)
			give(i);
	}
	poll_all();
	assert_true(lat->mode->verdict(lat, line, sizeof(line)));
	assert_contains(line, "received 99, lost 1 (1 %), duplicates 0, reordered 0, corrupt 0");
	assert_contains(line, "meter error");
}

#define meter_test(f) cmocka_unit_test_setup_teardown(f, new_meter, end_meter)

int main(void)
{
	const struct CMUnitTest tests[] = {
		meter_test(in_order),
		meter_test(every_seventh_lost),
		meter_test(first_and_last_missing),
		meter_test(what_is_missing_at_the_end),
		meter_test(a_number_that_was_said),
		meter_test(duplicates),
		meter_test(neighbours_swapped),
		meter_test(held_back),
		meter_test(held_back_too_long),
		meter_test(window_forgets_what_it_passed),
		meter_test(numbers_wrap),
		meter_test(restarts),
		meter_test(streams_apart),
		meter_test(random_streams),
		meter_test(damage),
		meter_test(check_is_neutral),
		meter_test(every_size_and_segment),
		meter_test(every_position),
		meter_test(known_delay),
		meter_test(other_clock),
		meter_test(own_error),
		meter_test(clears),
		meter_test(read_while_running),
		meter_test(verdicts),
	};

	return cmocka_run_group_tests_name("drover_meter", tests, start, NULL);
}
