// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The jitter meter: what its core was kept from is found, counted and timed; what it was told to miss is
// not.

#include "unit.h"

#include "drover_rig.h"

#include <jansson.h>
#include <rte_cycles.h>

#define HELD_MS 20

static struct rig rig;

static struct task *make(uint64_t threshold_ns, bool buckets)
{
	_cleanup_free_ void *conf = rig_conf("irq");
	struct err err = {0};
	struct task *t;

	rig_set("irq", conf, "threshold", threshold_ns);
	rig_set("irq", conf, "buckets", buckets);
	t = rig_task(&rig, "irq", conf, &err);
	assert_non_null(t);
	return t;
}

static json_t *report(struct task *t)
{
	json_t *o = json_object();

	assert_non_null(o);
	t->mode->report(t, o);
	return o;
}

static double number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	assert_true(json_is_number(v));
	return json_number_value(v);
}

// Between two polls something else has the core.
static void held_up(void **)
{
	struct task *t = make(HELD_MS * 1000000 / 2, true);
	json_t *o, *gap, *from;
	char line[256];
	double n, sum = 0;
	const char *key;
	json_t *v;

	assert_int_equal(t->poll(t), 0);
	for (unsigned i = 0; i < 3; i++) {
		rte_delay_us_sleep(HELD_MS * 1000);
		assert_int_equal(t->poll(t), 0);
	}
	o = report(t);
	gap = json_object_get(o, "gap");
	n = number(o, "gaps");
	assert_true(n >= 3 && number(gap, "count") == n);
	assert_true(number(gap, "max") >= HELD_MS * 1e6 && number(gap, "p50") >= HELD_MS * 1e6 / 2);
	assert_true(number(o, "lost_ns") >= 3 * HELD_MS * 1e6);
	assert_true(number(o, "lost_share") > 0.5 && number(o, "lost_share") <= 1);
	assert_true(number(o, "measured_seconds") * 1e9 >= number(o, "lost_ns") * 0.999);
	assert_true(number(o, "look_ns") > 0);
	from = json_object_get(o, "gaps_from");
	json_object_foreach (from, key, v)
		sum += json_number_value(v);
	assert_true(sum == n);
	assert_true(number(from, "1 us") == 0 && number(from, "500 us") == 0);
	assert_true(json_array_size(json_object_get(o, "buckets")) > 0);
	assert_true(t->mode->verdict(t, line, sizeof(line)));
	assert_contains(line, "gaps of 10 ms or more");
	json_decref(o);
	rig_done(t);
}

static void threshold_zero(void **)
{
	struct task *t = make(0, false);
	json_t *o;

	for (unsigned i = 0; i < 100; i++)
		t->poll(t);
	o = report(t);
	assert_true(number(o, "gaps") == number(o, "looks") && number(o, "looks") >= 10000);
	assert_null(json_object_get(o, "buckets"));
	json_decref(o);
	rig_done(t);
}

// Told to stand still, then to go on: that time is not lost.
static void stopped(void **)
{
	struct task *t = make(HELD_MS * 1000000 / 2, false);
	json_t *o;

	t->poll(t);
	for (unsigned i = 0; i < 20; i++) {
		rte_delay_us_sleep(HELD_MS * 1000);
		t->control.epoch++;
		t->poll(t);
	}
	o = report(t);
	// a busy machine may take some of its own, within a poll
	assert_true(number(o, "gaps") < 10 && number(o, "measured_seconds") < 20 * HELD_MS / 1e3);
	json_decref(o);
	rig_done(t);
}

static void cleared(void **)
{
	struct task *t = make(HELD_MS * 1000000 / 2, false);
	char line[256];
	json_t *o;

	assert_false(t->mode->verdict(t, line, sizeof(line)));
	t->poll(t);
	rte_delay_us_sleep(HELD_MS * 1000);
	t->poll(t);
	t->mode->clear(t);
	t->control.epoch++; // the clear waited for a poll in vain
	t->poll(t);	    // changes histograms
	o = report(t);
	assert_true(number(o, "lost_ns") < number(o, "measured_seconds") * 1e9 + 1);
	assert_true(number(o, "looks") == 256);
	json_decref(o);
	rig_done(t);
}

static int start(void **)
{
	rig_start(&rig);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(held_up),
		cmocka_unit_test(threshold_zero),
		cmocka_unit_test(stopped),
		cmocka_unit_test(cleared),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
