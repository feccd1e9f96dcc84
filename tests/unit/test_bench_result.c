// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "unit.h"

#include "base/jread.h"
#include "bench/bench.h"
#include "bench/result.h"

#include <math.h>

static const struct environment host = {.name = "host", .present = true};
static const struct environment container = {.name = "container", .present = true};
static const struct environment vm = {.name = "vm", .present = true, .emulated = true};

static struct row *measured(struct result *r, const struct environment *e, double base)
{
	struct row *row = result_measured(r, "exec to ready", e, "ms");

	for (unsigned i = 0; i < 10; i++)
		row_sample(row, base * (1 + 0.001 * i));
	row->less = true;
	return row;
}

static struct result begin(void)
{
	return (struct result){
		.experiment = strdup("startup"),
		.title = strdup("Start-up"),
		.figure = strdup("Fig. 3"),
	};
}

static void compares(void **)
{
	scope_cleanup(result_done) struct result r = begin();
	struct row *a = measured(&r, &container, 20), *b = measured(&r, &host, 10), *ratio;

	ratio = result_ratio(&r, NULL, a, b);
	assert_string_equal(ratio->env, "container/host");
	assert_int_equal(ratio->kind, ROW_RATIO);
	assert_int_equal(ratio->verdict, VERDICT_DIFFERENT);
	assert_true(fabs(ratio->value.mid - 2) < 1e-9);
	row_claim(ratio, CLAIM_BELOW, 1);
	assert_int_equal(ratio->claim, CLAIM_FAILS);
	row_claim(ratio, CLAIM_ABOVE, 1);
	assert_int_equal(ratio->claim, CLAIM_HOLDS);
	row_claim(ratio, CLAIM_ABOUT, 2);
	assert_int_equal(ratio->claim, CLAIM_HOLDS);
	row_claim(ratio, CLAIM_ABOUT, 1);
	assert_int_equal(ratio->claim, CLAIM_FAILS);
}

static void never_beside_an_emulated_one(void **)
{
	scope_cleanup(result_done) struct result r = begin();
	struct row *a = measured(&r, &vm, 2000), *b = measured(&r, &container, 10);
	struct row *ratio = result_ratio(&r, NULL, b, a);

	assert_int_equal(ratio->kind, ROW_MISSING);
	assert_contains(ratio->reason, "the CPU of 'vm' is emulated here (TCG)");
	assert_int_equal(ratio->n, 0);
	row_claim(ratio, CLAIM_BELOW, 1);
	assert_int_equal(ratio->claim, CLAIM_CANNOT);
}

static void says_what_is_missing(void **)
{
	scope_cleanup(result_done) struct result r = begin();
	struct row *a = result_missing(&r, "exec to ready", &vm, "there is no %s", "QEMU");
	struct row *b = measured(&r, &host, 10), *none, *ratio;

	ratio = result_ratio(&r, NULL, a, b);
	assert_string_equal(ratio->reason, "vm: there is no QEMU");
	none = result_measured(&r, "nothing", &host, "ms");
	row_settle(none);
	assert_true(none->invalid);
	assert_string_equal(none->reason, "no trial was made");
}

static void sizes_are_exact(void **)
{
	scope_cleanup(result_done) struct result r = begin();
	struct row *a = result_measured(&r, "size", &container, "MB");
	struct row *b = result_measured(&r, "size", &host, "MB"), *ratio;

	row_exact(a, 10);
	row_exact(b, 10);
	ratio = result_ratio(&r, NULL, a, b);
	assert_int_equal(ratio->verdict, VERDICT_SAME);
	assert_true(a->value.low == 10 && a->value.high == 10);
	// near is not the same where nothing varies
	a->samples[0] = 59;
	b->samples[0] = 60;
	assert_int_equal(result_ratio(&r, NULL, a, b)->verdict, VERDICT_DIFFERENT);
	b->samples[0] = 0;
	ratio = result_ratio(&r, NULL, a, b);
	assert_int_equal(ratio->kind, ROW_MISSING);
	assert_string_equal(ratio->reason, "a value of 0 has no ratio to another");
}

// A ratio whose logarithms lie evenly about the middle, `by` apart.
static struct row *ratio_about(struct result *r, double middle, double by)
{
	struct row *a = result_measured(r, "rate", &container, "Mpps");
	struct row *b = result_measured(r, "rate", &host, "Mpps");

	for (int i = -3; i <= 3; i++) {
		row_sample(a, middle * exp(by * i));
		row_sample(b, 1);
	}
	return result_ratio(r, NULL, a, b);
}

// What is no difference is neither less nor more, nor is what is inconclusive.
static void claims_say_what_verdicts_say(void **)
{
	static const struct {
		double middle, by;
		enum verdict verdict;
		enum claim_verdict below, about, above;
	} cases[] = {
		{0.985, 0.005, VERDICT_SAME, CLAIM_FAILS, CLAIM_HOLDS, CLAIM_FAILS},
		{1.015, 0.005, VERDICT_SAME, CLAIM_FAILS, CLAIM_HOLDS, CLAIM_FAILS},
		{0.8, 0.01, VERDICT_DIFFERENT, CLAIM_HOLDS, CLAIM_FAILS, CLAIM_FAILS},
		{1.2, 0.01, VERDICT_DIFFERENT, CLAIM_FAILS, CLAIM_FAILS, CLAIM_HOLDS},
		{0.96, 0.01, VERDICT_DIFFERENT, CLAIM_HOLDS, CLAIM_INCONCLUSIVE, CLAIM_FAILS},
		{0.99,
		 0.1,
		 VERDICT_INCONCLUSIVE,
		 CLAIM_INCONCLUSIVE,
		 CLAIM_INCONCLUSIVE,
		 CLAIM_INCONCLUSIVE},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		scope_cleanup(result_done) struct result r = begin();
		struct row *row = ratio_about(&r, cases[i].middle, cases[i].by);

		assert_int_equal(row->verdict, cases[i].verdict);
		row_claim(row, CLAIM_BELOW, 1);
		assert_int_equal(row->claim, cases[i].below);
		row_claim(row, CLAIM_ABOUT, 1);
		assert_int_equal(row->claim, cases[i].about);
		row_claim(row, CLAIM_ABOVE, 1);
		assert_int_equal(row->claim, cases[i].above);
	}
}

// A machine on which the same differs by a tenth cannot tell a twentieth, in the unit that was looked at.
static void no_more_than_the_machine_can_tell(void **)
{
	static const struct environment first = {.name = "A", .present = true},
					again = {.name = "A again", .present = true},
					twice = {.name = RESULT_TWICE, .present = true};
	scope_cleanup(result_done) struct result machine = begin(), r = begin();
	struct row *a = result_measured(&machine, RESULT_AGAIN_SPEED, &again, "ms");
	struct row *b = result_measured(&machine, RESULT_AGAIN_SPEED, &first, "ms"), *row;

	for (int i = -3; i <= 3; i++) {
		row_sample(a, exp(0.05 * i));
		row_sample(b, 1);
	}
	result_ratio(&machine, NULL, a, b);
	row = ratio_about(&r, 0.95, 0.005);
	assert_int_equal(row->verdict, VERDICT_DIFFERENT);
	r.machine = &machine;
	row = ratio_about(&r, 0.95, 0.005);
	assert_int_equal(row->verdict, VERDICT_INCONCLUSIVE);
	assert_contains(row->text, "less than this machine can tell apart");
	row_claim(row, CLAIM_BELOW, 1);
	assert_int_equal(row->claim, CLAIM_INCONCLUSIVE);
	assert_int_equal(ratio_about(&r, 0.7, 0.005)->verdict, VERDICT_DIFFERENT);
	// and what was measured twice with packets, in their unit
	r.machine = NULL;
	a = result_measured(&r, "twice", &twice, "Mpps");
	b = result_measured(&r, "twice", &host, "Mpps");
	for (int i = -3; i <= 3; i++) {
		row_sample(a, exp(0.05 * i));
		row_sample(b, 1);
	}
	result_ratio(&r, NULL, a, b);
	assert_int_equal(ratio_about(&r, 0.95, 0.005)->verdict, VERDICT_INCONCLUSIVE);
	// starts are another matter, which was not looked at here
	a = measured(&r, &container, 9.5);
	b = measured(&r, &host, 10);
	assert_int_equal(result_ratio(&r, NULL, a, b)->verdict, VERDICT_DIFFERENT);
}

// The interval of a value holds what runs lie apart; what is of one run alone has none.
static void intervals_of_one_run(void **)
{
	scope_cleanup(result_done) struct result r = begin();
	struct row *ms = measured(&r, &host, 10), *mib = result_measured(&r, "m", &host, "MiB");

	for (unsigned i = 0; i < 5; i++)
		row_sample(mib, 40);
	row_settle(mib);
	assert_true(fabs(mib->value.low - 38) < 1e-9 && fabs(mib->value.high - 42) < 1e-9);
	row_settle(ms);
	assert_true(ms->value.low < 9.1 && ms->value.high > 11);
	row_alone(ms);
	row_settle(ms);
	assert_true(ms->value.mid > 10 && isnan(ms->value.low) && isnan(ms->value.high));
}

static void writes_and_reads(void **)
{
	scope_cleanup(result_done) struct result r = begin(), back = {0};
	_cleanup_json_ json_t *doc = NULL, *again = NULL;
	struct row *a = measured(&r, &container, 20), *b = measured(&r, &host, 10), *ratio, *fact;
	struct err err;

	row_sample(a, NAN);
	row_alone(a);
	b->neutral = true;
	row_paper(a, 1500, "1.5 s");
	ratio = result_ratio(&r, "start", a, b);
	row_claim(ratio, CLAIM_BELOW, 1);
	result_missing(&r, "exec to ready", &vm, "no kernel");
	fact = result_fact(&r, "CPUs shown", &container);
	row_text(fact, "%d", 1);
	row_claim_is(fact, CLAIM_HOLDS);
	result_settle(&r);
	doc = result_to_json(&r);
	assert_ok(result_from_json(doc, &back, &err), &err);
	assert_int_equal(back.n, 5);
	assert_int_equal(back.rows[0]->n, 11);
	assert_true(isnan(back.rows[0]->samples[10]));
	assert_true(back.rows[0]->alone && back.rows[1]->neutral && !back.rows[1]->alone);
	assert_int_equal(back.rows[2]->claim, CLAIM_FAILS);
	again = result_to_json(&back);
	assert_true(json_equal(doc, again));
}

static void refuses(void **)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"[]", "no object"},
		{"{\"experiment\": \"x\"}", "'experiment' or 'title' is missing"},
		{"{\"experiment\": \"x\", \"title\": \"t\", \"row\": []}", "rows"},
		{"{\"experiment\": \"../x\", \"title\": \"t\", \"rows\": []}",
		 "'../x' is no name for an experiment"},
		{"{\"experiment\": \"x\", \"title\": \"t\", \"rows\": []}",
		 "'seconds' is no number"},
		{"{\"experiment\": \"x\", \"title\": \"t\", \"seconds\": 1, \"rows\": [{\"kind\": "
		 "\"fact\", \"name\": \"n\", \"claim\": \"perhaps\"}]}",
		 "a row of 'x': 'perhaps' is no word for 'claim'"},
		{"{\"experiment\": \"x\", \"title\": \"t\", \"seconds\": 1, \"rows\": [{\"kind\": "
		 "\"fact\", \"name\": \"n\", \"verdict\": \"odd\"}]}",
		 "'odd' is no word for 'verdict'"},
		{"{\"experiment\": \"x\", \"title\": \"t\", \"seconds\": 1, \"rows\": [1]}",
		 "a row of 'x'"},
		{"{\"experiment\": \"x\", \"title\": \"t\", \"seconds\": 1, \"rows\": [{\"kind\": "
		 "\"odd\", "
		 "\"name\": \"n\"}]}",
		 "there is no kind of row 'odd'"},
		{"{\"experiment\": \"x\", \"title\": \"t\", \"seconds\": 1, \"rows\": [{\"kind\": "
		 "\"fact\"}]}",
		 "it has no name"},
#define MEASURED(fields)                                                                   \
	"{\"experiment\": \"x\", \"title\": \"t\", \"seconds\": 1, \"rows\": [{\"kind\": " \
	"\"measured\", \"name\": \"n\", " fields "}]}"
		{MEASURED("\"samples\": \"x\""), "a row of 'x': 'samples'"},
		{MEASURED("\"samples\": [1, \"2\"]"), "a row of 'x': 'samples' is no number"},
		{MEASURED("\"samples\": [1], \"interval\": []"), "'interval' is no object"},
		{MEASURED("\"interval\": {\"value\": 1, \"low\": 1, \"high\": 1, \"n\": \"1\"}"),
		 "'n'"},
		{MEASURED("\"interval\": {\"value\": 1, \"high\": 1, \"n\": 1}"),
		 "'low' is no number"},
		{MEASURED("\"difference\": {\"value\": 1, \"of\": 1}"), "of"},
		{MEASURED("\"paper\": 3"), "'paper' is no object"},
		{MEASURED("\"paper\": {\"value\": \"3\"}"), "'value' is no number"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_json_ json_t *doc = json_loads(cases[i].text, 0, NULL);
		struct result r = {0};
		struct err err;

		assert_fails(result_from_json(doc, &r, &err), &err, cases[i].words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares),
		cmocka_unit_test(never_beside_an_emulated_one),
		cmocka_unit_test(says_what_is_missing),
		cmocka_unit_test(sizes_are_exact),
		cmocka_unit_test(claims_say_what_verdicts_say),
		cmocka_unit_test(no_more_than_the_machine_can_tell),
		cmocka_unit_test(intervals_of_one_run),
		cmocka_unit_test(writes_and_reads),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
