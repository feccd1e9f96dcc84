// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Two runs beside each other: what is called different, how often when nothing is, and what fails; and within a run the
// sides whose tester had another speed.

#include "unit.h"

#include "base/jread.h"
#include "bench/bench.h"
#include "bench/compare_runs.h"
#include "bench/net/sides.h"

#include <math.h>

static const struct environment host = {.name = "host", .present = true};
static const struct environment ratio = {.name = "container/host", .present = true};

// Pseudo-random, the same in every run (xorshift).
static double uniform(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (double)(*state >> 11) / 9007199254740992.0;
}

static double normal(uint64_t *state)
{
	return sqrt(-2 * log(1 - uniform(state))) * cos(2 * M_PI * uniform(state));
}

static struct results begin(void)
{
	struct results all = {.size = BENCH_QUICK, .provenance = json_object()};
	struct result r = {
		.experiment = strdup("test"),
		.title = strdup("Test"),
		.figure = strdup(""),
		.complete = true,
	};

	results_put(&all, &r);
	return all;
}

static struct row *add(struct results *all, const char *name, const double *v, unsigned n)
{
	struct row *row = result_measured(&all->of[0], name, &host, "ms");

	row->less = true;
	for (unsigned i = 0; i < n; i++)
		row_sample(row, v[i]);
	row_settle(row);
	return row;
}

static struct row *add_count(struct results *all, const char *name, double value)
{
	struct row *row = result_measured(&all->of[0], name, &host, "");

	row->less = true;
	row_exact(row, value);
	row_settle(row);
	return row;
}

static struct row *add_words(struct results *all, const char *name, const char *text)
{
	struct row *row = result_fact(&all->of[0], name, &host);

	row_text(row, "%s", text);
	return row;
}

static const struct compared *find(const struct compared *c, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcmp((c[i].a ?: c[i].b)->name, name) == 0)
			return &c[i];
	}
	fail_msg("no row '%s'", name);
	return NULL;
}

static bool fails(const char *words, const struct compared *c)
{
	struct fail_on on = {0};
	struct err err;

	assert_ok(fail_on_parse(words, &on, &err), &err);
	return fail_on_matches(&on, c);
}

#define LIST(...) ((const double[]){__VA_ARGS__})

static void from_nothing_it_is_worse(void **)
{
	scope_cleanup(results_done) struct results a = begin(), b = begin();
	_cleanup_free_ struct compared *c = NULL;
	unsigned n;

	add(&a, "values", LIST(0, 0, 0, 0), 4);
	add(&b, "values", LIST(3, 3.1, 2.9, 3), 4);
	add(&a, "nothing", LIST(0, 0, 0, 0), 4);
	add(&b, "nothing", LIST(0, 0, 0, 0), 4);
	add_count(&a, "count", 0);
	add_count(&b, "count", 3);
	add_count(&a, "no count", 0);
	add_count(&b, "no count", 0);
	n = results_compare(&a, &b, &c);
	assert_int_equal(find(c, n, "values")->change, CHANGE_WORSE);
	assert_true(fails("values=50", find(c, n, "values")));
	assert_int_equal(find(c, n, "nothing")->change, CHANGE_SAME);
	assert_int_equal(find(c, n, "count")->change, CHANGE_WORSE);
	assert_true(fails("worse=50", find(c, n, "count")));
	assert_int_equal(find(c, n, "no count")->change, CHANGE_SAME);
}

static void counts_are_what_they_are(void **)
{
	scope_cleanup(results_done) struct results a = begin(), b = begin();
	_cleanup_free_ struct compared *c = NULL;
	unsigned n;

	add_count(&a, "fewer", 60);
	add_count(&b, "fewer", 59);
	add_count(&a, "memory shown", 3975)->neutral = true;
	add_count(&b, "memory shown", 4096)->neutral = true;
	n = results_compare(&a, &b, &c);
	assert_int_equal(find(c, n, "fewer")->change, CHANGE_BETTER);
	assert_false(find(c, n, "fewer")->agree);
	assert_int_equal(find(c, n, "memory shown")->change, CHANGE_WORDS);
}

// What another run has another of is not said to have changed, and is not counted.
static void of_one_run_alone(void **)
{
	scope_cleanup(results_done) struct results a = begin(), b = begin();
	_cleanup_free_ struct compared *c = NULL;
	unsigned n, of;

	row_alone(add_words(&a, "can be told", "above 3.1 %"));
	row_alone(add_words(&b, "can be told", "above 12.2 %"));
	row_alone(add_count(&a, "processes", 80));
	row_alone(add_count(&b, "processes", 74));
	row_alone(add(&a, "longest", LIST(1, 1.1, 1.2), 3));
	row_alone(add(&b, "longest", LIST(9, 9.1, 9.2), 3));
	add_words(&a, "seen", "0-1");
	add_words(&b, "seen", "1");
	n = results_compare(&a, &b, &c);
	for (const char *const *name =
		     (const char *const[]){"can be told", "processes", "longest", NULL};
	     *name != NULL;
	     name++) {
		assert_int_equal(find(c, n, *name)->change, CHANGE_INCONCLUSIVE);
		assert_false(fails("worse,values,changed,missing", find(c, n, *name)));
	}
	assert_int_equal(find(c, n, "seen")->change, CHANGE_WORDS);
	assert_int_equal(compared_agree(c, n, &of), 0);
	assert_int_equal(of, 1);
}

// One run of a machine whose state makes its values other ones in the next, by as much as is stated.
static struct results drawn(uint64_t *state)
{
	struct results all = begin();

	for (unsigned i = 0; i < 100; i++) {
		char name[16];
		double now = exp(RESULT_BETWEEN / 1.96 * normal(state)), v[16];
		unsigned n = 5 + i % 12;
		struct row *row;

		snprintf(name, sizeof(name), "%u", i);
		for (unsigned k = 0; k < n; k++)
			v[k] = 20 * now * exp(0.03 * normal(state));
		add(&all, name, v, n);
		row = result_measured(&all.of[0], name, &ratio, "");
		row->kind = ROW_RATIO;
		for (unsigned k = 0; k < n; k++)
			row_sample(row, 1.1 * exp(0.03 * normal(state)));
		row->value = stats_pairs(row->samples, LIST([0 ... 15] = 1), n).ratio;
	}
	return all;
}

// Nothing differs: no more than 5 % of the rows are called different, and at least 95 % agree.
static void the_same_is_called_the_same(void **)
{
	uint64_t state = 2463534242u;
	unsigned rows = 0, different = 0, agree = 0, of = 0, failed = 0;

	for (unsigned pair = 0; pair < 100; pair++) {
		scope_cleanup(results_done) struct results a = drawn(&state), b = drawn(&state);
		_cleanup_free_ struct compared *c = NULL;
		unsigned n = results_compare(&a, &b, &c), told;

		for (unsigned i = 0; i < n; i++) {
			bool changed = c[i].change == CHANGE_WORSE || c[i].change == CHANGE_BETTER;

			rows++;
			different += changed;
			failed += fails("worse=10", &c[i]);
			// a ratio and a difference never contradict each other
			if (changed)
				assert_int_equal(c[i].ratio.mid > 1, c[i].difference.mid > 0);
		}
		agree += compared_agree(c, n, &told);
		of += told;
	}
	assert_int_equal(rows, 20000);
	assert_int_equal(of, rows);
	print_message("%u of %u different, %u agree\n", different, rows, agree);
	// and what chance adds with 99.9 %
	assert_true(different <= 0.05 * rows + 3.1 * sqrt(0.05 * 0.95 * rows));
	assert_true(agree >= 0.95 * of);
	assert_int_equal(failed, 0);
}

// Milliseconds and seconds are not compared as numbers, whatever both are.
static void another_unit(void **)
{
	static const double v[] = {9, 10, 11, 10};
	scope_cleanup(results_done) struct results a = begin(), b = begin();
	_cleanup_free_ struct compared *c = NULL;
	unsigned of;

	add(&a, "start", v, ARRAY_LEN(v));
	add_count(&a, "size", 3);
	for (unsigned i = 0; i < 2; i++) {
		struct row *row =
			i == 0 ? add(&b, "start", v, ARRAY_LEN(v)) : add_count(&b, "size", 3);

		free(row->unit);
		row->unit = strdup("s");
	}
	assert_int_equal(results_compare(&a, &b, &c), 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(c[i].change, CHANGE_WORDS);
		assert_true(fails("changed", &c[i]));
	}
	assert_int_equal(compared_agree(c, 2, &of), 0);
	assert_int_equal(of, 2);
}

static void what_fails(void **)
{
	scope_cleanup(results_done) struct results a = begin(), b = begin();
	_cleanup_free_ struct compared *c = NULL;
	struct fail_on on = {0};
	struct row *row;
	struct err err;
	unsigned n;

	add(&a, "start", LIST(10, 10.1, 9.9, 10), 4);
	add(&b, "start", LIST(14, 14.1, 13.9, 14), 4);
	for (unsigned side = 0; side < 2; side++) {
		row = result_measured(side == 0 ? &a.of[0] : &b.of[0], "start", &ratio, "");
		row->kind = ROW_RATIO;
		row->less = true;
		for (unsigned i = 0; i < 4; i++)
			row_sample(row, (side == 0 ? 2 : 2.5) + 0.01 * i);
		row->value = stats_pairs(row->samples, LIST(1, 1, 1, 1), 4).ratio;
	}
	n = results_compare(&a, &b, &c);
	assert_int_equal(n, 2);
	// a value varies with the machine, and fails only where that is asked for
	assert_int_equal(c[0].change, CHANGE_WORSE);
	assert_false(fails("worse", &c[0]));
	assert_true(fails("values", &c[0]));
	assert_true(fails("values=10", &c[0]));
	assert_false(fails("values=30", &c[0]));
	assert_true(fails("worse=20", &c[1]));
	assert_false(fails("values,worse=30", &c[1]));
	// said twice, both count
	assert_ok(fail_on_parse("changed", &on, &err), &err);
	assert_ok(fail_on_parse("worse=20", &on, &err), &err);
	assert_true(on.changed && on.worse && on.percent == 20 && !on.missing);
	assert_fails(fail_on_parse("worst", &on, &err), &err, "say worse");
	assert_fails(fail_on_parse("worse=-1", &on, &err), &err, "a number of percent");
	assert_fails(fail_on_parse(",", &on, &err), &err, "say worse");
}

static void runs_of_another_kind(void **)
{
	scope_cleanup(results_done) struct results a = begin(), b = begin();
	_cleanup_json_ json_t *doc = NULL;
	char *remarks[COMPARE_REMARKS];

	assert_int_equal(results_remarks(&a, &b, remarks), 0);
	b.size = BENCH_FULL;
	json_object_set_new(a.provenance, "CPU", json_string("one"));
	json_object_set_new(b.provenance, "CPU", json_string("another"));
	json_object_set_new(a.provenance, "time", json_string("then"));
	assert_int_equal(results_remarks(&a, &b, remarks), 2);
	assert_contains(remarks[0], "A is a quick run and B a full one");
	assert_contains(remarks[1], "CPU: 'one' of A, 'another' of B");
	free(remarks[0]);
	free(remarks[1]);
	doc = compared_to_json(&a, &b, NULL, 0);
	assert_int_equal(json_array_size(json_object_get(doc, "notes")), 2);
}

// ---- sides of a run

static struct window cycles(double a_packet)
{
	struct window w;

	window_clear(&w);
	w.received = 1000;
	w.tester_busy = a_packet * 1000;
	return w;
}

// A trial of a side, with its value in the row as a series puts it.
static bool tried(struct compare *c, unsigned side, unsigned round, double a_packet)
{
	struct trial t = {.side = side, .round = round};
	const struct window w = cycles(a_packet);

	compare_tester(c, &t, &w);
	if (!t.invalid)
		row_sample(c->row[side][0], round);
	return !t.invalid;
}

static void the_odd_side_goes(void **)
{
	scope_cleanup(results_done) struct results all = begin();
	struct compare c = {.nsides = 2, .nvalues = 1, .place = {0, 1}};

	for (unsigned i = 0; i < 2; i++)
		c.row[i][0] = result_measured(&all.of[0], "x", &host, "Mpps");
	// the first one is odd: that shows when the other has been tried often enough
	assert_true(tried(&c, 0, 0, 200));
	assert_false(tried(&c, 1, 0, 100));
	assert_true(tried(&c, 1, 0, 101));
	assert_true(isnan(c.row[0][0]->samples[0]));
	assert_true(c.row[1][0]->samples[0] == 0);
	// afterwards it is seen at once, whichever comes first
	assert_false(tried(&c, 1, 1, 200));
	assert_true(tried(&c, 1, 1, 100));
	assert_true(tried(&c, 0, 1, 102));
	assert_true(c.row[0][0]->samples[1] == 1 && c.row[1][0]->samples[1] == 1);
	// a machine that goes on at another speed is taken as it is then
	assert_false(tried(&c, 0, 2, 150));
	assert_true(tried(&c, 0, 2, 150));
	assert_true(tried(&c, 1, 2, 150));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_nothing_it_is_worse),
		cmocka_unit_test(counts_are_what_they_are),
		cmocka_unit_test(of_one_run_alone),
		cmocka_unit_test(the_same_is_called_the_same),
		cmocka_unit_test(another_unit),
		cmocka_unit_test(what_fails),
		cmocka_unit_test(runs_of_another_kind),
		cmocka_unit_test(the_odd_side_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
