// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// When a workload is started again.

#include "unit.h"

#include "run/run.h"

static const struct outcome well = {.status = 0, .program_ran = true};
static const struct outcome badly = {.status = 3, .program_ran = true};
static const struct outcome no_start = {.status = 125};

static unsigned next(struct restarts *r, int when, unsigned limit, const struct outcome *out)
{
	const struct restart how = {.when = when, .limit = limit};

	return restart_next(r, &how, out, 10);
}

static void test_policies(void **)
{
	static const struct {
		int when;
		const struct outcome *out;
		unsigned seconds;
	} cases[] = {
		{RESTART_NO, &badly, 0},
		{RESTART_ON_FAILURE, &well, 0},
		{RESTART_ON_FAILURE, &badly, 1},
		{RESTART_ALWAYS, &well, 1},
		{RESTART_ALWAYS, &badly, 1},
		// the first start is told to who asked for it
		{RESTART_ON_FAILURE, &no_start, 0},
		{RESTART_ALWAYS, &no_start, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct restarts r = {0};

		assert_int_equal(next(&r, cases[i].when, 0, cases[i].out), cases[i].seconds);
	}
}

static void test_pauses_grow(void **)
{
	static const unsigned pauses[] = {1, 2, 4, 8, 16, 32, 60, 60};
	const struct restart how = {.when = RESTART_ALWAYS};
	struct restarts r = {0};

	for (size_t i = 0; i < ARRAY_LEN(pauses); i++)
		assert_int_equal(next(&r, RESTART_ALWAYS, 0, &badly), pauses[i]);
	// a start that fails later is one more
	assert_int_equal(next(&r, RESTART_ON_FAILURE, 0, &no_start), 60);
	// who ran for a minute does not end in a loop
	assert_int_equal(restart_next(&r, &how, &badly, 60000), 1);
	assert_int_equal(restart_next(&r, &how, &badly, 59999), 2);
	for (unsigned i = 0; i < 100000; i++)
		assert_in_range(next(&r, RESTART_ALWAYS, 0, &badly), 1, 60);
}

static void test_limit(void **)
{
	struct restarts r = {0};

	assert_int_equal(next(&r, RESTART_ON_FAILURE, 2, &badly), 1);
	assert_false(r.over);
	assert_int_equal(next(&r, RESTART_ON_FAILURE, 2, &badly), 2);
	assert_int_equal(next(&r, RESTART_ON_FAILURE, 2, &badly), 0);
	assert_true(r.over);
}

static void test_told(void **)
{
	const struct outcome told = {.status = 143, .program_ran = true, .told = true};
	struct restarts r = {0};

	assert_int_equal(next(&r, RESTART_ALWAYS, 0, &told), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_pauses_grow),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
