// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/net/search.h"

#include "unit.h"

#include <math.h>
#include <stdlib.h>

enum {
	PDR,
	NDR
};

// A device that forwards `capacity` packets a second and keeps `room` packets waiting, that loses `always` of all,
// and that the machine takes from it for a while in `stalls` of 100 trials.
struct device {
	double capacity, room, always;
	double excused; // share that is missing in each trial, and not its loss
	unsigned stalls;
	unsigned seed;
};

static double lose(struct device *d, double load, double seconds)
{
	double sent = load * seconds, over = sent - d->capacity * seconds - d->room;
	double lost = (over > 0 ? over : 0) + d->always * sent;

	d->seed = d->seed * 1103515245 + 12345;
	if ((d->seed >> 16) % 100 < d->stalls)
		lost += 0.02 * sent;
	return lost < sent ? lost / sent : 1;
}

static struct search new_search(void)
{
	return (struct search){
		.min = 10e3,
		.max = 20e6,
		.first = 0.1,
		.final = 0.4,
		.ngoals = 2,
		.goal =
			{
				[PDR] = {.loss = 0.005, .exceed = 0.5, .width = 0.005, .sum = 0.8},
				[NDR] = {.loss = 0, .exceed = 0.5, .width = 0.005, .sum = 0.8},
			},
	};
}

static void run(struct search *s, struct device *d)
{
	double load, seconds, loss;

	search_begin(s);
	while (search_next(s, &load, &seconds)) {
		assert_true(load >= s->min && load <= s->max);
		assert_true(seconds >= s->first * 0.99 && seconds <= s->final * 1.01);
		loss = lose(d, load, seconds);
		search_add(s, load, seconds, loss, (1 - loss) * (1 - d->excused));
	}
	assert_true(s->n < SEARCH_TRIALS);
}

static void assert_near(double value, double is, double part)
{
	if (fabs(value - is) > part * is)
		fail_msg("%.0f is not within %.1f %% of %.0f", value, 100 * part, is);
}

static void test_known_capacity(void **state)
{
	static const double capacities[] = {12e3, 400e3, 1e6, 1.4881e6, 7.31e6, 14.88e6, 19.8e6};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct device d = {.capacity = capacities[i]};
		struct search s = new_search();
		struct search_result r;

		run(&s, &d);
		r = search_result(&s, NDR);
		assert_int_equal(r.end, SEARCH_FOUND);
		assert_true(r.lower <= d.capacity && r.upper > d.capacity);
		assert_near(r.lower, d.capacity, 0.005);
		assert_near(r.throughput, d.capacity, 0.005);
		r = search_result(&s, PDR);
		assert_int_equal(r.end, SEARCH_FOUND);
		assert_near(r.lower, d.capacity / 0.995, 0.005);
		// trials of 0.1 s to 0.4 s
		assert_true(s.n <= 40);
		assert_true(s.seconds < 12);
	}
}

// Short trials fit into what waits: only the long ones show it.
static void test_room(void **state)
{
	struct device d = {.capacity = 1e6, .room = 2000};
	struct search s = new_search();
	struct search_result r;

	(void)state;
	run(&s, &d);
	r = search_result(&s, NDR);
	assert_int_equal(r.end, SEARCH_FOUND);
	assert_near(r.lower, 1e6 + 2000 / 0.4, 0.005);
}

static void test_beyond_max(void **state)
{
	struct device d = {.capacity = 30e6};
	struct search s = new_search();

	(void)state;
	run(&s, &d);
	for (unsigned i = 0; i < s.ngoals; i++) {
		struct search_result r = search_result(&s, i);

		assert_int_equal(r.end, SEARCH_MAX);
		assert_true(r.lower == s.max && isnan(r.upper));
	}
	assert_true(s.n <= 6);
}

static void test_always_loses(void **state)
{
	struct device d = {.capacity = 5e6, .always = 0.001};
	struct search s = new_search();
	struct search_result r;

	(void)state;
	run(&s, &d);
	r = search_result(&s, NDR);
	assert_int_equal(r.end, SEARCH_MIN);
	assert_true(r.throughput == 0);
	r = search_result(&s, PDR);
	assert_int_equal(r.end, SEARCH_FOUND);
	assert_near(r.lower, 5e6 * 1.004, 0.005);
}

// Less than half of the trials are disturbed: the rate is found all the same, or it is said that it is lower, never
// one that the device does not have.
static void test_stalls(void **state)
{
	unsigned near = 0;

	(void)state;
	for (unsigned seed = 1; seed <= 100; seed++) {
		struct device d = {.capacity = 3e6, .stalls = 10, .seed = seed * 7919};
		struct search s = new_search();
		struct search_result r;

		run(&s, &d);
		r = search_result(&s, NDR);
		assert_true(r.lower <= d.capacity);
		near += fabs(r.lower - d.capacity) < 0.01 * d.capacity;
	}
	assert_true(near >= 80);
}

// What did not come through is in no rate, whoever lost it.
static void test_excused(void **state)
{
	struct device d = {.capacity = 2e6, .excused = 0.003};
	struct search s = new_search();
	struct search_result r;

	(void)state;
	run(&s, &d);
	r = search_result(&s, NDR);
	assert_int_equal(r.end, SEARCH_FOUND);
	assert_near(r.lower, 2e6, 0.005);
	assert_near(r.throughput, r.lower * 0.997, 1e-6);
}

static void test_limit(void **state)
{
	struct device d = {.capacity = 3e6};
	struct search s = new_search();

	(void)state;
	s.limit = 0.35;
	run(&s, &d);
	assert_true(s.seconds < 0.5);
	assert_int_equal(search_result(&s, NDR).end, SEARCH_UNFINISHED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_capacity),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_beyond_max),
		cmocka_unit_test(test_always_loses),
		cmocka_unit_test(test_stalls),
		cmocka_unit_test(test_excused),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
