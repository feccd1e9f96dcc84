// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/net/window.h"

#include "unit.h"

#include <math.h>

static json_t *json(const char *text)
{
	json_t *v = json_loads(text, 0, NULL);

	assert_non_null(v);
	return v;
}

static void add_task(struct window *w, const char *text, bool tester)
{
	json_t *v = json(text);

	window_add_task(w, v, tester);
	json_decref(v);
}

#define GEN(sent, full, late)                                                                   \
	"{\"mode\": \"gen\", \"busy_cycles\": 4000000, \"report\": {\"offered_pps\": 1000000, " \
	"\"sent\": " sent ", \"behind_output\": " full ", \"behind_generator\": " late "}}"
#define LAT(received, twice, damaged)                                                        \
	"{\"mode\": \"lat\", \"busy_cycles\": 6000000, \"report\": {\"received\": " received \
	", \"duplicates\": " twice ", \"reordered\": 0, \"corrupt\": " damaged               \
	", \"unstamped\": 0, \"latency\": {\"min\": 900, \"p50\": 2000, \"p99\": 5000, "     \
	"\"max\": 90000, \"mean\": 2500}, \"meter_error\": {\"p50\": 25}}}"
#define VNF(rx, tx, full)                                                                        \
	"{\"mode\": \"none\", \"rx\": " rx ", \"tx\": " tx ", \"packets\": " rx ", \"bursts\": " \
	"20000, \"busy_cycles\": 30000000, \"idle_cycles\": 10000000, \"drops\": {\"tx "         \
	"full\": " full ", \"too short\": 0}}"

// A second of a million packets asked for.
static struct window window(const char *gen, const char *lat, const char *vnf)
{
	struct window w;

	window_clear(&w);
	add_task(&w, gen, true);
	add_task(&w, lat, true);
	if (vnf != NULL)
		add_task(&w, vnf, false);
	w.asked = 1e6;
	w.vnf_ran = w.tester_ran = 0.999 * w.seconds;
	w.waited = 0;
	return w;
}

static void assert_invalid(const struct window *w, const char *words)
{
	char why[200] = "";

	assert_false(window_valid(w, why, sizeof(why)));
	assert_contains(why, words);
}

// For a reason that is the machine's or the tester's.
static void assert_reason(const struct window *w, const char *words)
{
	assert_invalid(w, words);
	assert_false(window_broken(w));
}

static void assert_broken(const struct window *w, const char *words)
{
	assert_invalid(w, words);
	assert_true(window_broken(w));
}

static void assert_close(double a, double b)
{
	if (fabs(a - b) > 1e-9 * fabs(b) + 1e-12)
		fail_msg("%.12g is not %.12g", a, b);
}

static void test_closed(void **state)
{
	struct window w = window(
		GEN("999000", "1000", "0"), LAT("998000", "0", "0"), VNF("999000", "998000", "1000")
	);
	char why[200];

	(void)state;
	assert_true(window_valid(&w, why, sizeof(why)));
	assert_int_equal(window_unaccounted(&w), 0);
	assert_close(w.seconds, 0.999);
	assert_close(window_attempted(&w), 1e6);
	assert_close(window_loss(&w), 0.002);
	assert_close(window_received(&w), 998000 / 0.999);
	assert_close(window_cycles(&w), 30000000.0 / 999000);
	assert_close(window_tester_cycles(&w), 10000000.0 / 998000);
	assert_close(window_idle(&w), 0.25);
	assert_close(w.latency_ns[Q50], 2000);
	assert_close(w.latency_ns[QMIN], 900);
	assert_true(isnan(w.latency_ns[Q9999]));
	assert_close(w.meter_ns, 25);
}

// What cannot be counted is not judged: a function in a guest.
static void test_function_unknown(void **state)
{
	struct window w = window(GEN("1000000", "0", "0"), LAT("990000", "0", "0"), NULL);
	char why[200];

	(void)state;
	w.vnf_ran = w.waited = NAN;
	assert_true(window_valid(&w, why, sizeof(why)));
	assert_true(isnan(window_cycles(&w)) && isnan(window_idle(&w)));
	assert_close(window_loss(&w), 0.01);
	// the tester's core stood still for a thousandth
	assert_close(window_excused(&w), 0.001);
}

static void test_stalls(void **state)
{
	struct window w = window(
		GEN("1000000", "0", "0"), LAT("980000", "0", "0"), VNF("1000000", "980000", "20000")
	);

	(void)state;
	w.tester_ran = w.seconds;
	w.vnf_ran = 0.97 * w.seconds;
	// all of it can be the machine's
	assert_close(window_vnf_loss(&w), 0);
	w.vnf_ran = 0.99 * w.seconds;
	assert_close(window_vnf_loss(&w), 0.01);
	// as another clock has it
	w.waited = 0.015 * w.seconds;
	assert_close(window_vnf_loss(&w), 0.005);
	w.vnf_ran = w.seconds;
	w.waited = 0;
	assert_close(window_vnf_loss(&w), 0.02);
	w.vnf_ran = 0.9 * w.seconds;
	assert_reason(&w, "the core of the function stood still for 100 ms of 1000");
	w.vnf_ran = w.seconds;
	w.tester_ran = 0.9 * w.seconds;
	assert_reason(&w, "the core of the tester stood still");
}

static void test_reasons(void **state)
{
	struct window w;

	(void)state;
	w = window(GEN("1000000", "0", "0"), LAT("0", "0", "0"), VNF("1000000", "0", "1000000"));
	assert_broken(&w, "no packet came back");
	w = window(GEN("0", "0", "0"), LAT("0", "0", "0"), VNF("0", "0", "0"));
	assert_broken(&w, "sent nothing");
	w = window(
		GEN("1000000", "0", "0"), LAT("1000000", "3", "0"), VNF("1000000", "1000000", "0")
	);
	assert_broken(&w, "3 packets came twice");
	w = window(
		GEN("1000000", "0", "0"), LAT("1000000", "0", "2"), VNF("1000000", "1000000", "0")
	);
	assert_broken(&w, "2 damaged");
	w = window(
		GEN("1000000", "0", "0"), LAT("999000", "0", "0"), VNF("1000000", "1000000", "0")
	);
	assert_int_equal(window_unaccounted(&w), 1000);
	assert_broken(&w, "1000 too few");
	w = window(
		GEN("1000000", "0", "0"), LAT("1000000", "0", "0"), VNF("1000000", "999000", "1000")
	);
	assert_broken(&w, "1000 too many");
	w = window(
		GEN("900000", "0", "100000"), LAT("900000", "0", "0"), VNF("900000", "900000", "0")
	);
	assert_reason(&w, "too late for 10.0 %");
	assert_true(window_beyond_tester(&w));
	w.tester_ran = 0.9 * w.seconds;
	assert_false(window_beyond_tester(&w));
	w = window(
		GEN("1000000", "0", "0"), LAT("1000000", "0", "0"), VNF("1000000", "1000000", "0")
	);
	w.asked = 1.1e6;
	assert_reason(&w, "1.1 Mpps were asked for and 1 offered");
	w.asked = 0;
	assert_true(window_valid(&w, (char[200]){""}, 200));
}

// Two ways through a function: the meters' means are weighed, of the others the worst counts.
static void test_two_ways(void **state)
{
	struct window w = window(GEN("1000000", "0", "0"), LAT("1000000", "0", "0"), NULL);

	(void)state;
	add_task(&w, GEN("1000000", "0", "0"), true);
	add_task(
		&w,
		"{\"mode\": \"lat\", \"busy_cycles\": 0, \"report\": {\"received\": 3000000, "
		"\"latency\": {\"min\": 500, \"p50\": 1000, \"max\": 7000, \"mean\": 1500}, "
		"\"meter_error\": {\"p50\": 20}}}",
		true
	);
	assert_int_equal(w.sent, 2000000);
	assert_close(w.seconds, 1);
	assert_close(w.latency_ns[QMEAN], 1750);
	assert_close(w.latency_ns[Q50], 2000);
	assert_close(w.latency_ns[QMIN], 500);
	assert_close(w.latency_ns[QMAX], 90000);
}

static void test_ports(void **state)
{
	struct window w = window(
		GEN("1000000", "0", "0"), LAT("999990", "0", "0"), VNF("999990", "999990", "0")
	);
	json_t *port = json("{\"imissed\": 7, \"ierrors\": 2, \"rx_nombuf\": 1, \"oerrors\": 50}");

	(void)state;
	window_add_port(&w, port);
	json_decref(port);
	assert_int_equal(w.dropped, 10);
	assert_int_equal(window_unaccounted(&w), 0);
}

static void test_alike(void **state)
{
	(void)state;
	assert_true(window_alike(100, 120) && !window_alike(100, 130));
	assert_true(window_alike(120, 100) && !window_alike(130, 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_function_unknown),
		cmocka_unit_test(test_stalls),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_two_ways),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
